//! Room of placements that were deleted: kept for a while, since a consumer may be building on it, and tools
//! delete and recreate. No I/O.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::placement::{Backing, OwnClaim};

use super::input::Key;

/// For so long.
const GRACE: Duration = Duration::from_mins(5);

/// Claims by the time at which they end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Departed {
    by_time: BTreeMap<(Duration, u64), (Key, OwnClaim)>,
    next: u64,
}

impl Departed {
    /// Keeps a claim from now on.
    pub fn keep(&mut self, key: Key, claim: OwnClaim, now: Duration) {
        self.by_time.insert((now.saturating_add(GRACE), self.next), (key, claim));
        self.next = self.next.saturating_add(1);
    }

    /// The room that the last placement of this name was given: one of the same name is for the same instance.
    pub fn of(&self, key: &Key) -> Option<&OwnClaim> {
        self.by_time.values().rev().find(|(departed, _)| departed == key).map(|(_, claim)| claim)
    }

    /// Gives up the claim of this name on this volume: another one takes its place.
    pub fn replace(&mut self, key: &Key, backing: &Backing) -> Option<OwnClaim> {
        let mut found = self.by_time.iter().rev();
        let time = *found.find(|(_, (departed, claim))| departed == key && claim.backing == *backing)?.0;
        self.by_time.remove(&time).map(|(_, claim)| claim)
    }

    /// Takes one claim whose time is over.
    pub fn pop(&mut self, now: Duration) -> Option<OwnClaim> {
        let first = self.by_time.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove().1)
    }

    /// When the next one ends.
    pub fn next_time(&self) -> Option<Duration> {
        self.by_time.first_key_value().map(|((time, _), _)| *time)
    }

    /// All of them.
    #[cfg(test)]
    pub fn claims(&self) -> impl Iterator<Item = &OwnClaim> {
        self.by_time.values().map(|(_, claim)| claim)
    }
}
