//! Exact sizes: the quantity grammar, and every row of the table of VVOL sizes.

use serde::Deserialize;

use super::*;

#[test]
fn quantities_are_read_exactly() {
    for (text, expected) in [
        ("21474836480", 21_474_836_480),
        ("20Gi", 21_474_836_480),
        ("1.5Gi", 1_610_612_736),
        ("1e3", 1_000),
        ("1E3", 1_000),
        ("1e+3", 1_000),
        ("5000e-3", 5),
        ("1E", 1_000_000_000_000_000_000),
        ("1Ei", 1 << 60),
        ("+5", 5),
        ("5.", 5),
        (".5k", 500),
        ("007", 7),
        ("1k", 1_000),
        ("1Ki", 1_024),
        ("1.0009765625Ki", 1_025),
        ("2000m", 2),
        ("3000000u", 3),
        ("4000000000n", 4),
        ("1M", 1_000_000),
        ("1Mi", 1 << 20),
        ("1G", 1_000_000_000),
        ("1T", 1_000_000_000_000),
        ("1Ti", 1 << 40),
        ("1P", 1_000_000_000_000_000),
        ("1Pi", 1 << 50),
        // What Helm and a JSON number make of 21474836480.
        ("2.147483648e+10", 21_474_836_480),
        ("21474836480.0", 21_474_836_480),
        ("1.000000000000000000000000000Ei", 1 << 60),
        ("9223372036854775807", 9_223_372_036_854_775_807),
    ] {
        assert_eq!(Bytes::parse(text).map(Bytes::get), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_size_says_why() {
    use QuantityError::{NotAQuantity, NotPositive, NotWhole, TooLarge};
    for (text, expected) in [
        ("", NotAQuantity),
        (" 1", NotAQuantity),
        ("1 ", NotAQuantity),
        ("1 Gi", NotAQuantity),
        ("Gi", NotAQuantity),
        (".", NotAQuantity),
        ("+", NotAQuantity),
        ("--1", NotAQuantity),
        ("1.1.1", NotAQuantity),
        ("1e+", NotAQuantity),
        ("1e+-5", NotAQuantity),
        ("1GB", NotAQuantity),
        ("1gi", NotAQuantity),
        ("1K", NotAQuantity),
        ("1i", NotAQuantity),
        ("1e", NotAQuantity),
        ("1e1.5", NotAQuantity),
        ("1e-", NotAQuantity),
        ("1_000", NotAQuantity),
        ("0x10", NotAQuantity),
        ("\u{661}", NotAQuantity),
        ("1\n", NotAQuantity),
        ("000000000000000000000000000000001", NotAQuantity),
        ("0.5", NotWhole),
        ("1500m", NotWhole),
        ("1n", NotWhole),
        ("1e-1000000", NotWhole),
        ("1.0001Ki", NotWhole),
        ("1.000000000000000000000000001Ei", NotWhole),
        ("0", NotPositive),
        ("0Gi", NotPositive),
        ("0e99", NotPositive),
        ("-0", NotPositive),
        ("-1", NotPositive),
        ("-1.5Gi", NotPositive),
        ("9223372036854775808", TooLarge),
        ("8Ei", TooLarge),
        ("10E", TooLarge),
        ("1e1000000", TooLarge),
        ("99999999999999999999999999999999", TooLarge),
    ] {
        assert_eq!(Bytes::parse(text), Err(expected), "{text:?}");
    }
    assert_eq!(Bytes::parse_amount("0").map(Bytes::get), Ok(0));
    assert_eq!(Bytes::parse_amount("-1"), Err(NotPositive));
}

proptest::proptest! {
    /// Any text is answered, and every whole number of bytes is read back as it was written.
    #[test]
    fn any_text_has_an_answer(text in ".{0,40}", size in 1..=Bytes::MAX.get()) {
        proptest::prop_assert!(Bytes::parse(&text).is_ok_and(|size| size.get() > 0) || Bytes::parse(&text).is_err());
        proptest::prop_assert_eq!(Bytes::parse(&size.to_string()).map(Bytes::get), Ok(size));
    }

    /// Zeros behind the point and another exponent change nothing.
    #[test]
    fn spelling_does_not_change_the_value(size in 1_u64..=9_223_372, zeros in 0_usize..8) {
        let plain = Bytes::parse(&format!("{size}Mi"));
        proptest::prop_assert_eq!(plain, Bytes::parse(&format!("{size}.{}Mi", "0".repeat(zeros))));
        let thousands = Bytes::parse(&format!("{size}k"));
        proptest::prop_assert_eq!(thousands, Bytes::parse(&format!("{size}000000e-3")));
    }
}

#[test]
fn figures_for_people_are_cut_to_a_tenth() {
    for (count, expected) in [
        (0, "0 B"),
        (512, "512 B"),
        (1 << 20, "1.0 MiB"),
        (100 * GIB, "100.0 GiB"),
        (100 * GIB - 1, "99.9 GiB"),
        (1536, "1.5 KiB"),
        (Bytes::MAX.get(), "7.9 EiB"),
    ] {
        assert_eq!(bytes(count).to_string(), expected);
    }
    assert_eq!(Bytes::new(1 << 63), None);
    assert_eq!(Bytes::saturating(u128::MAX), Bytes::MAX);
}

#[test]
fn a_decimal_suffix_has_a_binary_spelling() {
    assert_eq!(binary_spelling("10G").as_deref(), Some("10Gi"));
    assert_eq!(binary_spelling("1k").as_deref(), Some("1Ki"));
    for text in ["10Gi", "10", "1e3", "1E3", "5m", ""] {
        assert_eq!(binary_spelling(text), None, "{text}");
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vector {
    bytes: Option<u64>,
    minimum_bytes: u64,
    eligible: bool,
    reason: String,
    remainder: Option<u64>,
    next_bytes: Option<u64>,
    meaning: String,
}

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

/// A test for each row, by its size and its minimum.
macro_rules! rows {
    ($($name:ident)*) => {
        mod vector {
            $(#[test] fn $name() { super::judge_named(stringify!($name)); })*
        }
        const NAMED: &[&str] = &[$(stringify!($name)),*];
    };
}

rows! {
    unknown_of_at_least_1048576
    size_0_of_at_least_1048576
    size_0_of_at_least_4194304
    size_1_of_at_least_1048576
    size_511_of_at_least_1048576
    size_512_of_at_least_1048576
    size_1024_of_at_least_1048576
    size_524288_of_at_least_1048576
    size_1048575_of_at_least_1048576
    size_1048576_of_at_least_1048576
    size_1048577_of_at_least_1048576
    size_1049088_of_at_least_1048576
    size_1049600_of_at_least_1048576
    size_2096640_of_at_least_1048576
    size_2097152_of_at_least_1048576
    size_3145728_of_at_least_1048576
    size_1048576_of_at_least_4194304
    size_3145728_of_at_least_4194304
    size_3146240_of_at_least_4194304
    size_4194303_of_at_least_4194304
    size_4194304_of_at_least_4194304
    size_4194816_of_at_least_4194304
    size_5242880_of_at_least_4194304
    size_2361393152_of_at_least_1048576
    size_6012954624_of_at_least_1048576
    size_10000000000_of_at_least_1048576
    size_10737418240_of_at_least_1048576
    size_10737418752_of_at_least_1048576
    size_10737418240_of_at_least_4194304
    size_20000000000_of_at_least_1048576
    size_21474836480_of_at_least_1048576
    size_2199023255552_of_at_least_1048576
    size_68169720922112_of_at_least_1048576
    size_68169720922624_of_at_least_1048576
    size_9223372036852678656_of_at_least_1048576
    size_9223372036853727231_of_at_least_1048576
    size_9223372036853727232_of_at_least_1048576
    size_9223372036853727233_of_at_least_1048576
    size_9223372036854775807_of_at_least_1048576
    size_8225280_of_at_least_1048576
    size_41126400_of_at_least_1048576
    size_10733990400_of_at_least_1048576
    size_16837148160_of_at_least_1048576
    size_16845373440_of_at_least_1048576
    size_16853598720_of_at_least_1048576
    size_33690746880_of_at_least_1048576
    size_50536120320_of_at_least_1048576
    size_539043724800_of_at_least_1048576
}

impl Vector {
    fn name(&self) -> String {
        let size = self.bytes.map_or_else(|| "unknown".to_owned(), |bytes| format!("size_{bytes}"));
        format!("{size}_of_at_least_{}", self.minimum_bytes)
    }
}

fn table() -> Vec<Vector> {
    let table: Vectors =
        serde_saphyr::from_str(include_str!("../../../tests/vectors/vvol-sizes.yaml")).unwrap();
    table.vectors
}

#[test]
fn every_row_has_a_test() {
    assert_eq!(table().iter().map(Vector::name).collect::<Vec<_>>(), NAMED);
}

/// Once through the decision and once through the advice.
fn judge_named(name: &str) {
    judge(table().iter().find(|row| row.name() == name).unwrap());
}

fn judge(row: &Vector) {
    let said = &row.meaning;
    // Zero is not a size: no placement can state it.
    let size = row.bytes.and_then(|count| Bytes::parse(&count.to_string()).ok());
    let text = size.map(|size| size.get().to_string());
    let root = if size.is_none() { Some("8Gi") } else { None };
    let class = ClassRules { minimum_vvol_disk: bytes(row.minimum_bytes), ..ClassRules::default() };
    let asked = ask(text.as_deref(), root);
    let request = Request::compile(&asked, &class, &Selector::default(), None);
    let huge = |kind| Datastore {
        capacity: Some(Bytes::MAX.get()),
        free: Some(Bytes::MAX.get()),
        ..datastore("datastore-1", "huge", kind)
    };

    let found = reasons(&request, huge("VVOL"));
    let codes: Vec<_> = found.iter().map(|(code, _)| code.as_str()).collect();
    let expected: Vec<&str> = if row.eligible { vec![] } else { vec![row.reason.as_str()] };
    assert_eq!(codes, expected, "{said}");
    for kind in ["VMFS", "NFS", "NFS41"] {
        assert_eq!(reasons(&request, huge(kind)), [], "{said}: a size excludes VVOL only");
    }
    let Some(size) = size else { return };
    assert_eq!(Some(size.get() % MIB), row.remainder, "{said}");
    let next = next_whole_mib(size, bytes(row.minimum_bytes));
    assert_eq!(next.map(Bytes::get), row.next_bytes, "{said}");
    if let Some((_, message)) = found.first() {
        let advice = row.next_bytes.map_or("no larger whole size".to_owned(), |n| format!("size {n} B"));
        assert!(message.contains(&advice), "{said}: {message}");
    }
}
