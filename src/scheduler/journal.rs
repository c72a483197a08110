//! The journal: what this and earlier leaders have promised and not yet seen done. No I/O.

use serde::{Deserialize, Serialize};

use super::input::Key;

/// Content of the `ConfigMap` `berth-journal`, key `journal.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Journal {
    /// Grows with every leader; 0 before the first.
    pub term: u64,
    /// Decisions whose status write may still be under way.
    pub intents: Vec<Intent>,
}

/// One decision, written down before its status is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Intent {
    /// Namespace of the placement.
    pub namespace: String,
    /// Name of the placement.
    pub name: String,
    /// uid of the placement.
    pub uid: String,
    /// The version that the status write replaces.
    pub resource_version: String,
    /// The exact body of the status write.
    pub body: String,
    /// Where the room is kept.
    pub backing: String,
    /// Everything that the instance may come to use.
    pub bytes: u64,
    /// The part of it that is written when the instance is created.
    pub immediate_bytes: u64,
}

impl Intent {
    /// Namespace and name.
    #[must_use]
    pub fn key(&self) -> Key {
        Key { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}
