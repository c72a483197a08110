//! Which lists are complete, and what a new list no longer shows. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use super::input::Kind;

/// Lists of the small kinds, by name. (Placements are many: their rows carry the number of their list.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Lists {
    complete: BTreeSet<Kind>,
    shown: BTreeMap<Kind, BTreeSet<String>>,
}

impl Lists {
    /// A list begins.
    pub fn start(&mut self, kind: Kind) {
        self.shown.insert(kind, BTreeSet::new());
    }

    /// An object was shown, by the list or since.
    pub fn show(&mut self, kind: Kind, name: &str) {
        if let Some(shown) = self.shown.get_mut(&kind) {
            shown.insert(name.to_owned());
        }
    }

    /// A list is complete: of the `known` names, those are returned that it does not show.
    pub fn finish<'a>(&mut self, kind: Kind, known: impl Iterator<Item = &'a String>) -> Vec<String> {
        self.complete.insert(kind);
        let shown = self.shown.remove(&kind).unwrap_or_default();
        known.filter(|name| !shown.contains(*name)).cloned().collect()
    }

    /// Every list of these kinds has been complete once.
    pub fn have(&self, kinds: &[Kind]) -> bool {
        kinds.iter().all(|kind| self.complete.contains(kind))
    }
}
