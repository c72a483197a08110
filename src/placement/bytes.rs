//! Sizes as exact whole bytes. No I/O.

use std::fmt;

use super::quantity::{self, QuantityError};

/// One MiB, 1,048,576 bytes: the granularity of a virtual disk on a VVOL datastore.
pub const MIB: u64 = 1 << 20;

/// A whole number of bytes, at most `i64::MAX`: what vCenter and the Kubernetes API can both carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(u64);

impl Bytes {
    /// 9223372036854775807, the largest size that an API field of type `int64` holds.
    pub const MAX: Self = Self(i64::MAX.unsigned_abs());
    /// One MiB.
    pub const ONE_MIB: Self = Self(MIB);

    /// None above [`Bytes::MAX`].
    #[must_use]
    pub const fn new(bytes: u64) -> Option<Self> {
        if bytes <= Self::MAX.0 { Some(Self(bytes)) } else { None }
    }

    /// The nearest size that there is: everything above [`Bytes::MAX`] becomes it.
    #[must_use]
    pub fn saturating(bytes: u128) -> Self {
        u64::try_from(bytes).ok().and_then(Self::new).unwrap_or(Self::MAX)
    }

    /// The exact value of a Kubernetes quantity such as `40Gi`, `1.5Gi` or `21474836480`.
    ///
    /// # Errors
    /// When the text is no quantity, no whole number of bytes, not positive or above `int64`.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        match Self::parse_amount(text)? {
            Self(0) => Err(QuantityError::NotPositive),
            size => Ok(size),
        }
    }

    /// Like [`Bytes::parse`], but an amount may also be zero.
    ///
    /// # Errors
    /// When the text is no quantity, no whole number of bytes, negative or above `int64`.
    pub fn parse_amount(text: &str) -> Result<Self, QuantityError> {
        let bytes = quantity::exact(text)?;
        u64::try_from(bytes).ok().and_then(Self::new).ok_or(QuantityError::TooLarge)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The same number for an API field of type `int64`.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0.cast_signed()
    }
}

impl fmt::Display for Bytes {
    /// In the largest unit that gives at least 1, cut (not rounded up) to a tenth: `100.0 GiB`, `512 B`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = Unit::of(u128::from(self.0));
        write!(f, "{} {unit}", unit.figure(u128::from(self.0)))
    }
}

/// A unit for people: B, KiB .. EiB. The figures of one message share one, so that they can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    name: &'static str,
    shift: u32,
}

impl Unit {
    pub(super) const B: Self = Self { name: "B", shift: 0 };
    const ALL: [Self; 7] = [
        Self { name: "EiB", shift: 60 },
        Self { name: "PiB", shift: 50 },
        Self { name: "TiB", shift: 40 },
        Self { name: "GiB", shift: 30 },
        Self { name: "MiB", shift: 20 },
        Self { name: "KiB", shift: 10 },
        Self::B,
    ];

    /// The largest unit of which `bytes` holds at least one.
    pub(super) fn of(bytes: u128) -> Self {
        Self::ALL.into_iter().find(|unit| bytes >> unit.shift > 0).unwrap_or(Self::B)
    }

    /// `bytes` in this unit without its name, cut to a tenth; bytes have no tenths.
    pub(super) fn figure(self, bytes: u128) -> String {
        if self.shift == 0 {
            return bytes.to_string();
        }
        let whole = bytes >> self.shift;
        let rest = bytes & (1_u128 << self.shift).saturating_sub(1);
        format!("{whole}.{}", rest.saturating_mul(10) >> self.shift)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The smallest whole number of MiB that is at least `size` and at least `minimum`: the advice for a disk
/// that a VVOL datastore would refuse. None when it would be above [`Bytes::MAX`].
#[must_use]
pub fn next_whole_mib(size: Bytes, minimum: Bytes) -> Option<Bytes> {
    size.get().max(minimum.get()).checked_next_multiple_of(MIB).and_then(Bytes::new)
}
