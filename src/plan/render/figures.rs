//! Figures as people read them. No I/O.

use crate::columns::UNKNOWN;
use crate::placement::Bytes;
use crate::plan::{PlannedDatastore, Summary};

/// A size in binary units.
pub(super) fn size(bytes: u64) -> String {
    Bytes::saturating(u128::from(bytes)).to_string()
}

/// The same of a figure that may be missing.
pub(super) fn known_size(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| UNKNOWN.to_owned(), size)
}

/// `2 of 3 placements have a datastore, 1 has none`.
pub(super) fn sentence(summary: &Summary) -> String {
    let Summary { total, placed, refused } = *summary;
    let placements = if total == 1 { "placement" } else { "placements" };
    let have = if placed == 1 { "has" } else { "have" };
    let have_none = match refused {
        0 => String::new(),
        1 => ", 1 has none".to_owned(),
        _ => format!(", {refused} have none"),
    };
    format!("{placed} of {total} {placements} {have} a datastore{have_none}")
}

/// How much of a datastore is spoken for, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fill {
    /// Its capacity; never 0.
    pub(super) capacity: u64,
    /// What is stored on it.
    pub(super) used: u64,
    /// Room kept before the plan.
    pub(super) before: u64,
    /// Room kept after it.
    pub(super) after: u64,
}

impl Fill {
    /// None when vCenter did not say how large it is or how much of it is free.
    pub(super) fn of(datastore: &PlannedDatastore) -> Option<Self> {
        let capacity = datastore.capacity_bytes.filter(|capacity| *capacity > 0)?;
        Some(Self {
            capacity,
            // vCenter does report more free space than capacity.
            used: capacity.saturating_sub(datastore.free_bytes?),
            before: datastore.claimed_before_bytes,
            after: datastore.claimed_after_bytes,
        })
    }

    /// A part of the capacity, in `whole`ths of it, rounded down; above `whole` when it exceeds it.
    pub(super) fn share(&self, bytes: u64, whole: u32) -> u64 {
        let share = u128::from(bytes) * u128::from(whole) / u128::from(self.capacity);
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    /// `64 %`: what is stored and kept, `kept` being [`Fill::before`] or [`Fill::after`].
    pub(super) fn percent(&self, kept: u64) -> String {
        format!("{} %", self.share(self.used.saturating_add(kept), 100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_counts() {
        let said = |placed, refused| sentence(&Summary { total: placed + refused, placed, refused });
        assert_eq!(said(2, 0), "2 of 2 placements have a datastore");
        assert_eq!(said(1, 0), "1 of 1 placement has a datastore");
        assert_eq!(said(1, 1), "1 of 2 placements has a datastore, 1 has none");
        assert_eq!(said(0, 2), "0 of 2 placements have a datastore, 2 have none");
        assert_eq!(said(0, 0), "0 of 0 placements have a datastore");
    }

    #[test]
    fn absurd_figures_have_a_share() {
        let fill = Fill { capacity: 1, used: u64::MAX, before: u64::MAX, after: 0 };
        assert_eq!(fill.share(u64::MAX, 1000), u64::MAX);
        let fill = Fill { capacity: 3, used: 1, before: 1, after: 4 };
        assert_eq!((fill.percent(fill.before), fill.percent(fill.after)), ("66 %".into(), "166 %".into()));
    }
}
