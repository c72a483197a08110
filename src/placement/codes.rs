//! A small set of rejection codes, for one pass without allocation. No I/O.

use crate::api::RejectionCode;

/// Codes of the rules that one datastore fails, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodeSet(u32);

const _: () = assert!(RejectionCode::ALL.len() <= 32, "one bit for each code");

impl CodeSet {
    #[must_use]
    pub(super) const fn with(self, code: RejectionCode) -> Self {
        Self(self.0 | bit(code))
    }
    pub(super) const fn has(self, code: RejectionCode) -> bool {
        self.0 & bit(code) != 0
    }
    /// The datastore fails none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    pub(super) const fn len(self) -> u32 {
        self.0.count_ones()
    }
    /// In the order of their declaration.
    pub fn iter(self) -> impl Iterator<Item = RejectionCode> {
        RejectionCode::ALL.iter().copied().filter(move |code| self.has(*code))
    }
}

const fn bit(code: RejectionCode) -> u32 {
    1_u32.wrapping_shl(code as u32)
}
