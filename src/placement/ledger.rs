//! The room kept for placed instances, by backing. No I/O.

use std::collections::BTreeMap;

use super::bytes::Bytes;
use super::inventory::Backing;

/// What a placed instance will still use on the backing that it was given, space factor included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Claim {
    /// Until its disks have grown to their full size.
    pub bytes: Bytes,
    /// When it is created.
    pub immediate: Bytes,
}

/// What a VM's files take on one datastore, in bytes of that datastore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// What is written.
    pub committed: u64,
    /// What thin disks may still grow by.
    pub uncommitted: u64,
}

impl Usage {
    /// What the files take when they are full.
    pub(super) fn total(self) -> u128 {
        u128::from(self.committed).saturating_add(u128::from(self.uncommitted))
    }
}

/// A placement's present claim and where it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnClaim {
    /// Where.
    pub backing: Backing,
    /// How much.
    pub claim: Claim,
}

/// Sums of claims, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Kept {
    /// Sum of [`Claim::bytes`].
    pub bytes: u128,
    /// Sum of [`Claim::immediate`].
    pub immediate: u128,
}

impl Kept {
    pub(super) fn without(self, claim: &Claim) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(u128::from(claim.bytes.get())),
            immediate: self.immediate.saturating_sub(u128::from(claim.immediate.get())),
        }
    }

    fn with(self, claim: &Claim) -> Self {
        Self {
            bytes: self.bytes.saturating_add(u128::from(claim.bytes.get())),
            immediate: self.immediate.saturating_add(u128::from(claim.immediate.get())),
        }
    }
}

/// Sums of the claims on every backing. A backing without claims has no entry, so that two ledgers with
/// the same claims are equal however they came about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ledger(BTreeMap<Backing, Kept>);

impl Ledger {
    /// Keeps room.
    pub fn add(&mut self, backing: &Backing, claim: &Claim) {
        let kept = self.on(backing).with(claim);
        self.set(backing, kept);
    }

    /// Gives room back. The sums never go below zero.
    pub fn remove(&mut self, backing: &Backing, claim: &Claim) {
        let kept = self.on(backing).without(claim);
        self.set(backing, kept);
    }

    /// The room kept on a backing.
    #[must_use]
    pub fn on(&self, backing: &Backing) -> Kept {
        self.on_key(&backing.0)
    }

    /// Backings with claims on them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Backing, Kept)> {
        self.0.iter().map(|(backing, kept)| (backing, *kept))
    }

    /// The room kept on all backings.
    #[must_use]
    pub fn total(&self) -> Kept {
        self.0.values().fold(Kept::default(), |sum, kept| Kept {
            bytes: sum.bytes.saturating_add(kept.bytes),
            immediate: sum.immediate.saturating_add(kept.immediate),
        })
    }

    /// Looks a backing up by its text, without a copy of it.
    pub(super) fn on_key(&self, backing: &str) -> Kept {
        self.0.get(backing).copied().unwrap_or_default()
    }

    fn set(&mut self, backing: &Backing, kept: Kept) {
        if kept == Kept::default() {
            self.0.remove(backing);
        } else {
            self.0.insert(backing.clone(), kept);
        }
    }
}
