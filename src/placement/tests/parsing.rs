//! What users write, and what they are answered.

use super::*;
use api::PlacementReason::{InvalidSpec, RootDiskSmallerThanImage};

fn invalid(spec: &api::InstancePlacementSpec) -> (api::PlacementReason, String) {
    let error = Ask::parse(spec, &mut Patterns::default()).unwrap_err();
    (error.reason, error.message)
}

fn with_name(pattern: &str) -> api::InstancePlacementSpec {
    let datastores = api::DatastoreSelector { name_pattern: Some(pattern.into()), ..Default::default() };
    let datastores = api::PlacementDatastores { selector: datastores, ..Default::default() };
    api::InstancePlacementSpec { datastores: Some(datastores), ..spec(Some("1Gi"), None) }
}

#[test]
fn a_spec_without_any_size_says_what_to_set() {
    let (reason, message) = invalid(&spec(None, None));
    assert_eq!(reason, InvalidSpec);
    assert_eq!(message, "spec: no size is given; set image.virtualSize, rootDisk.size or both");
}

#[test]
fn an_unusable_size_is_quoted() {
    for (image, root, expected) in [
        (
            Some("1 Gi"),
            None,
            "spec.image.virtualSize: \"1 Gi\" is not a quantity; write whole bytes or a number with a unit, such as 21474836480 or 20Gi",
        ),
        (Some("1Gi"), Some("0.5"), "spec.rootDisk.size: \"0.5\" is not a whole number of bytes"),
        (None, Some("-1"), "spec.rootDisk.size: \"-1\" is not positive"),
        (Some("8Ei"), None, "spec.image.virtualSize: \"8Ei\" exceeds int64 (9223372036854775807)"),
    ] {
        assert_eq!(invalid(&spec(image, root)), (InvalidSpec, expected.to_owned()));
    }
}

#[test]
fn a_root_disk_smaller_than_its_image_is_named_with_both_sizes() {
    let (reason, message) = invalid(&spec(Some("20Gi"), Some("20G")));
    assert_eq!(reason, RootDiskSmallerThanImage);
    assert_eq!(
        message,
        "spec.rootDisk.size \"20G\" (20000000000 B) is smaller than spec.image.virtualSize \"20Gi\" \
         (21474836480 B); a disk only grows: set rootDisk.size to 21474836480 or more, or leave it out"
    );
    assert!(Ask::parse(&spec(Some("20Gi"), Some("21474836480")), &mut Patterns::default()).is_ok());
}

#[test]
fn an_unusable_pattern_is_answered_in_one_bounded_line() {
    let unclosed = "spec.datastores.namePattern: \"a(\" is not a regular expression: unclosed group";
    assert_eq!(invalid(&with_name("a(")), (InvalidSpec, unclosed.to_owned()));
    for pattern in [
        "a)(b".to_owned(),
        "a(?x) # b".to_owned(),
        "(?=a)".to_owned(),
        "\u{7}(\n\r\u{202e}".to_owned(),
        "a{1000}{1000}".to_owned(),
        "(".repeat(200),
        "x".repeat(513),
        "é(".repeat(100),
    ] {
        let (_, message) = invalid(&with_name(&pattern));
        assert!(message.len() < 400, "{message}");
        assert!(!message.chars().any(char::is_control), "{message:?}");
        assert!(message.starts_with("spec.datastores.namePattern: \""), "{message}");
    }
}

/// What the API server takes is not refused afterwards for its length.
#[test]
fn a_pattern_is_as_long_as_the_crds_allow() {
    let crds = api::crds();
    let selector = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/datastores/properties";
    for (crd, field) in crds.iter().flat_map(|crd| [(crd, "namePattern"), (crd, "excludePattern")]) {
        let limit = crd.pointer(&format!("{selector}/{field}/maxLength"));
        assert_eq!(limit, Some(&serde_json::json!(MAX_PATTERN_LENGTH)), "{field}");
    }
    let of = |length: usize| Patterns::default().intern(&"é".repeat(length)).map(|_| ());
    assert_eq!(of(MAX_PATTERN_LENGTH), Ok(()));
    assert_eq!(of(MAX_PATTERN_LENGTH + 1), Err("is longer than 512 characters".to_owned()));
}

#[test]
fn a_pattern_matches_whole_names() {
    let mut patterns = Patterns::default();
    for (pattern, name, expected) in [
        ("gold-.*", "gold-1", true),
        ("gold-.*", "my-gold-1", false),
        ("gold", "gold-1", false),
        // The first alternative matches less than the whole name, the second all of it.
        ("a|ab", "ab", true),
        ("(?i)GOLD", "gold", true),
        ("(?m)^a$", "a\nb", false),
        (".*", "gold\n1", false),
        ("(?x) a b", "ab", true),
    ] {
        assert_eq!(patterns.intern(pattern).unwrap().matches(name), expected, "{pattern} {name}");
    }
}

#[test]
fn a_pattern_is_compiled_once_and_forgotten_when_nobody_uses_it() {
    let mut patterns = Patterns::default();
    let kept = patterns.intern("kept-.*").unwrap();
    assert_eq!(kept, patterns.intern("kept-.*").unwrap());
    assert_eq!(patterns.len(), 1);
    for n in 0..1_100 {
        patterns.intern(&format!("name-{n}")).unwrap();
    }
    assert!(patterns.len() < 100, "{}", patterns.len());
    assert!(patterns.intern("kept-.*").unwrap().matches("kept-1"));
    let held: Vec<_> = (0..3_000).map(|n| patterns.intern(&format!("held-{n}")).unwrap()).collect();
    assert!(patterns.len() >= held.len(), "what is used stays");
}

#[test]
fn empty_conditions_are_none_and_types_have_no_case() {
    let parsed = selector(&["vvol", "VMFS", "VVOL"], "", "");
    assert_eq!(parsed.types, ["vmfs", "vvol"]);
    assert_eq!((&parsed.name, &parsed.exclude), (&None, &None));
    assert!(parsed.admits(&datastore("datastore-1", "a", "vVol")));
    assert!(!parsed.admits(&datastore("datastore-1", "a", "PMEM")));
    let empty = api::DatastoreSelector { types: vec![String::new()], ..Default::default() };
    let error = Selector::parse(&empty, &mut Patterns::default()).unwrap_err();
    assert_eq!(error.field, "datastores.types");
    assert_eq!(error.message, "\"\" is not the name of a datastore type, such as VMFS or VVOL");
    let of = |length: usize| api::DatastoreSelector { types: vec!["x".repeat(length)], ..Default::default() };
    let parse = |length: usize| Selector::parse(&of(length), &mut Patterns::default()).map(|_| ());
    assert_eq!(parse(64), Ok(()));
    assert!(
        parse(65).unwrap_err().message.ends_with("is not the name of a datastore type, such as VMFS or VVOL")
    );
}

#[test]
fn a_class_is_parsed_with_its_bounds() {
    let class = |percent, headroom: Option<&str>, minimum: Option<&str>| {
        let spec = api::PlacementClassSpec {
            vcenter_name: Some("vc-east".into()),
            capacity: Some(api::CapacitySpec {
                headroom_percent: percent,
                headroom: headroom.map(quantity),
                ..Default::default()
            }),
            vvol: Some(api::VvolSpec { minimum_disk_size: minimum.map(quantity) }),
            ..Default::default()
        };
        ClassRules::parse(&spec, &mut Patterns::default()).map_err(|e| format!("{}: {}", e.field, e.message))
    };
    let parsed = class(Some(10), Some("50Gi"), Some("4Mi")).unwrap();
    assert_eq!((parsed.headroom_percent, parsed.headroom), (10, 50 * GIB));
    assert_eq!(parsed.minimum_vvol_disk, bytes(4 * MIB));
    let plain = class(None, Some("0"), None).unwrap();
    assert_eq!((plain.headroom_percent, plain.headroom, plain.minimum_vvol_disk), (0, 0, Bytes::ONE_MIB));
    for (percent, headroom, minimum, expected) in [
        (Some(101), None, None, "capacity.headroomPercent: 101 is not between 0 and 100"),
        (Some(-1), None, None, "capacity.headroomPercent: -1 is not between 0 and 100"),
        (None, Some("-1"), None, "capacity.headroom: \"-1\" is not positive"),
        (
            None,
            None,
            Some("4M"),
            "vvol.minimumDiskSize: \"4M\" is not a whole number of MiB; the next one is 4194304",
        ),
    ] {
        assert_eq!(class(percent, headroom, minimum).unwrap_err(), expected);
    }
}

fn with(more: &serde_json::Value) -> api::InstancePlacementSpec {
    let mut spec = serde_json::json!({"image": {"virtualSize": "1Gi"}});
    for (field, value) in more.as_object().unwrap() {
        spec[field] = value.clone();
    }
    serde_json::from_value(spec).unwrap()
}

#[test]
fn the_swap_file_is_as_large_as_the_memory_that_is_not_reserved() {
    for (memory, expected) in [
        (serde_json::json!({"size": "8Gi"}), 8 * GIB),
        (serde_json::json!({"size": "8Gi", "reservation": "6Gi"}), 2 * GIB),
        (serde_json::json!({"size": "8Gi", "reservation": "8Gi"}), 0),
    ] {
        let ask =
            Ask::parse(&with(&serde_json::json!({"memory": memory})), &mut Patterns::default()).unwrap();
        assert_eq!((ask.swap, ask.total()), (expected, u128::from(expected + GIB)));
    }
    let (_, message) = invalid(&with(&serde_json::json!({"memory": {"size": "8Gi", "reservation": "9Gi"}})));
    assert_eq!(message, "spec.memory.reservation: 9663676416 B are more than the memory of 8589934592 B");
}

#[test]
fn no_instance_is_larger_than_what_a_datastore_can_be() {
    let of = |second: &str| {
        let disks = serde_json::json!([{"name": "one", "size": "8191Pi"}, {"name": "two", "size": second}]);
        with(&serde_json::json!({"additionalDisks": disks}))
    };
    // 8191 PiB, the image of 1 GiB, and so much more that it is 2^63 - 1, or 2^63.
    assert!(Ask::parse(&of("1125898833100799"), &mut Patterns::default()).is_ok());
    let (reason, message) = invalid(&of("1125898833100800"));
    assert_eq!(reason, InvalidSpec);
    assert_eq!(
        message,
        "spec: all disks and the swap file together are 9223372036854775808 B, more than any datastore holds"
    );
}

#[test]
fn a_further_disk_is_named_with_its_size() {
    let (_, message) =
        invalid(&with(&serde_json::json!({"additionalDisks": [{"name": "data", "size": "0"}]})));
    assert!(
        message.starts_with("spec.additionalDisks: size of \"data\": \"0\" is not positive"),
        "{message}"
    );
}

#[test]
fn a_space_factor_has_types_and_percents() {
    let parse = |percent: i32| {
        let factors = serde_json::json!([{"types": ["vSAN", "NFS"], "percent": percent}]);
        let spec =
            serde_json::from_value(serde_json::json!({"capacity": {"spaceFactors": factors}})).unwrap();
        ClassRules::parse(&spec, &mut Patterns::default())
    };
    let expected = vec![(vec!["vsan".to_owned(), "nfs".to_owned()], 200)];
    assert_eq!(parse(200).unwrap().space_factors, expected);
    assert_eq!(parse(1001).unwrap_err().message, "1001 is not between 1 and 1000");
}
