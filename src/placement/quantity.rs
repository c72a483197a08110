//! Kubernetes quantities, read exactly: integers only, bounded input. No I/O.
//!
//! The grammar is that of `k8s.io/apimachinery/pkg/api/resource`: a signed decimal number, then one of
//! `n u m k M G T P E`, `Ki Mi Gi Ti Pi Ei`, or `e`/`E` with a whole exponent. Unlike there, nothing is
//! rounded up or capped: a size that is not exact is an error.

/// Bytes of the longest quantity, as in the API's schema.
const MAX_LENGTH: usize = 32;

/// Why a text is no size. Reads after the quoted text: `"1 Gi" is not a quantity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum QuantityError {
    /// It does not follow the grammar, or is longer than 32 characters, as the API's schema says.
    #[error("is not a quantity; write whole bytes or a number with a unit, such as 21474836480 or 20Gi")]
    NotAQuantity,
    /// It has a fraction of a byte.
    #[error("is not a whole number of bytes")]
    NotWhole,
    /// It is zero or negative.
    #[error("is not positive")]
    NotPositive,
    /// It does not fit an API field.
    #[error("exceeds int64 (9223372036854775807)")]
    TooLarge,
}

/// What a suffix multiplies by: 2^twos x 5^fives.
struct Scale {
    twos: i64,
    fives: i64,
}

impl Scale {
    const fn ten_to(exponent: i64) -> Self {
        Self { twos: exponent, fives: exponent }
    }
    const fn two_to(exponent: i64) -> Self {
        Self { twos: exponent, fives: 0 }
    }

    fn of_suffix(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "" => Self::ten_to(0),
            "n" => Self::ten_to(-9),
            "u" => Self::ten_to(-6),
            "m" => Self::ten_to(-3),
            "k" => Self::ten_to(3),
            "M" => Self::ten_to(6),
            "G" => Self::ten_to(9),
            "T" => Self::ten_to(12),
            "P" => Self::ten_to(15),
            "E" => Self::ten_to(18),
            "Ki" => Self::two_to(10),
            "Mi" => Self::two_to(20),
            "Gi" => Self::two_to(30),
            "Ti" => Self::two_to(40),
            "Pi" => Self::two_to(50),
            "Ei" => Self::two_to(60),
            _ => Self::ten_to(exponent(suffix.strip_prefix(['e', 'E'])?)?),
        })
    }
}

/// An exponent: an optional sign and digits. Kept small, since no size has a larger one.
fn exponent(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().map(|n| n.clamp(-1_000, 1_000))
}

/// The exact value of a quantity that is zero or more.
pub(super) fn exact(text: &str) -> Result<u128, QuantityError> {
    if text.len() > MAX_LENGTH {
        return Err(QuantityError::NotAQuantity);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let number_end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at_checked(number_end).ok_or(QuantityError::NotAQuantity)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let scale = Scale::of_suffix(suffix).ok_or(QuantityError::NotAQuantity)?;
    // At most 32 digits: always below 2^128. No digit at all, or a second point, is refused here.
    let digits = format!("{whole}{fraction}").parse::<u128>().map_err(|_| QuantityError::NotAQuantity)?;
    if digits == 0 {
        return Ok(0);
    }
    if text.starts_with('-') {
        return Err(QuantityError::NotPositive);
    }
    let places = i64::try_from(fraction.len()).map_err(|_| QuantityError::NotAQuantity)?;
    let fives = times_power(digits, 5, scale.fives.saturating_sub(places))?;
    times_power(fives, 2, scale.twos.saturating_sub(places))
}

/// `number` x `base`^`exponent`, exactly. Two and five have no common factor, so that each can be divided
/// out on its own and nothing is ever larger than the result needs.
fn times_power(number: u128, base: u128, exponent: i64) -> Result<u128, QuantityError> {
    let power = u32::try_from(exponent.unsigned_abs()).ok().and_then(|n| base.checked_pow(n));
    if exponent >= 0 {
        return power.and_then(|p| number.checked_mul(p)).ok_or(QuantityError::TooLarge);
    }
    match power {
        Some(p) if number.checked_rem(p) == Some(0) => number.checked_div(p).ok_or(QuantityError::NotWhole),
        _ => Err(QuantityError::NotWhole),
    }
}

/// The decimal trap: `10G` is 10,000,000,000 bytes, and who wrote it probably meant `10Gi`. Answers the
/// binary spelling of a quantity with a decimal suffix (k M G T P E), and none for any other.
#[must_use]
pub fn binary_spelling(text: &str) -> Option<String> {
    let number = text.strip_suffix(['k', 'M', 'G', 'T', 'P', 'E'])?;
    let suffix = text.get(number.len()..)?.to_uppercase();
    Some(format!("{number}{suffix}i"))
}
