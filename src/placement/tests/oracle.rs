//! The rules once more, written from the design alone: plain, slow, and without the code they check.

use std::collections::BTreeSet;

use super::*;

/// Patterns that the oracle understands without regular expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Any,
    StartingWithA,
    EndingWithOld,
}

impl Names {
    pub(super) fn pattern(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::StartingWithA => "a.*",
            Self::EndingWithOld => ".*old",
        }
    }
    fn holds(self, name: &str, absent: bool) -> bool {
        match self {
            Self::Any => absent,
            Self::StartingWithA => name.starts_with('a'),
            Self::EndingWithOld => name.ends_with("old"),
        }
    }
}

/// Types, names and excluded names, as all three levels have them.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    pub(super) types: Vec<&'static str>,
    pub(super) names: Names,
    pub(super) excludes: Names,
}

/// Everything that a decision is made from, in plain words.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) datastores: Vec<Datastore>,
    pub(super) claims: Vec<(String, u64, u64)>,
    /// Which of the claims is the placement's own.
    pub(super) own: Option<usize>,
    pub(super) image: Option<u64>,
    pub(super) root: Option<u64>,
    pub(super) limits: Conditions,
    pub(super) class: Conditions,
    pub(super) ask: Conditions,
    pub(super) percent: u32,
    pub(super) headroom: u64,
    pub(super) minimum: u64,
}

fn among(types: &[&str], kind: &str) -> bool {
    types.iter().any(|t| t.to_lowercase() == kind.to_lowercase())
}

/// Failed codes and rank figure of one datastore; none when it is hidden.
pub(super) fn judge(w: &World, d: &Datastore) -> Option<(BTreeSet<&'static str>, i128)> {
    let kind = d.kind.as_deref();
    let outside = !w.limits.types.is_empty() && !kind.is_some_and(|k| among(&w.limits.types, k));
    if outside || !w.limits.names.holds(&d.name, true) || w.limits.excludes.holds(&d.name, false) {
        return None;
    }
    let mut failed = BTreeSet::new();
    let class_types = if w.class.types.is_empty() {
        vec!["VMFS", "NFS", "NFS41", "vsan", "VVOL"]
    } else {
        w.class.types.clone()
    };
    match kind {
        None => failed.insert("IncompleteData"),
        Some(k) if among(&class_types, k) && (w.ask.types.is_empty() || among(&w.ask.types, k)) => false,
        Some(_) => failed.insert("TypeNotAllowed"),
    };
    if !matches!(d.maintenance_mode.as_deref(), None | Some("normal")) {
        failed.insert("MaintenanceMode");
    }
    if !(w.class.names.holds(&d.name, true) && w.ask.names.holds(&d.name, true)) {
        failed.insert("NameNotMatched");
    }
    if w.class.excludes.holds(&d.name, false) || w.ask.excludes.holds(&d.name, false) {
        failed.insert("NameExcluded");
    }
    if kind.is_some_and(|k| k.to_lowercase() == "vvol") {
        for size in [w.image, w.root].into_iter().flatten() {
            if size < w.minimum {
                failed.insert("BelowMinimumSize");
            } else if size % 1_048_576 != 0 {
                failed.insert("SizeNotMiBAligned");
            }
        }
        if w.image.is_none() {
            failed.insert("SizeUnknown");
        }
    }
    let mut rank = 0;
    if d.accessible != Some(true) {
        failed.insert("NotAccessible");
    } else if let (Some(k), Some(capacity), Some(free)) = (kind, d.capacity, d.free) {
        let capacity = i128::from(capacity).min(i128::from(i64::MAX));
        let free = i128::from(free).min(capacity);
        let factor = if k.to_lowercase() == "vsan" { 2 } else { 1 };
        let volume = if d.url.is_empty() { format!("vc-1/{}", d.moref) } else { d.url.clone() };
        let others = w.claims.iter().enumerate().filter(|(n, c)| c.0 == volume && w.own != Some(*n));
        let (kept, kept_now) =
            others.fold((0, 0), |(all, now), (_, c)| (all + i128::from(c.1), now + i128::from(c.2)));
        let percentage = (capacity * i128::from(w.percent) + 99) / 100;
        let usable = free - percentage.max(i128::from(w.headroom)) - kept_now;
        if usable < i128::from(w.image.or(w.root).unwrap()) * factor {
            failed.insert("InsufficientFreeSpace");
        }
        let requested = i128::from(w.root.or(w.image).unwrap()) * factor;
        if capacity - free + i128::from(d.uncommitted.unwrap_or(0)) + kept + requested > capacity {
            failed.insert("OversubscriptionLimit");
        }
        rank = usable / factor;
    } else {
        failed.insert("IncompleteData");
    }
    Some((failed, rank))
}
