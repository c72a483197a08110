//! Every version of every object, in the order of their commits. Like etcd: one counter for all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::kinds::Key;

/// What a commit did to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Added,
    Modified,
    Deleted,
}

/// One commit.
#[derive(Clone, Debug)]
pub struct Version {
    /// The `resourceVersion`. Unique within one `past`.
    pub revision: u64,
    /// Raised each time the store is restored to an older state.
    pub past: u32,
    pub change: Change,
    pub key: Key,
    /// The object as it is stored; of a deleted one, as it was last.
    pub object: Value,
    /// Virtual time since the start.
    pub at: Duration,
}

/// The first versions have two digits and the later ones more: nobody may compare them as text.
const FIRST: u64 = 95;

/// The commits.
pub struct History {
    revision: u64,
    past: u32,
    compacted: u64,
    current: BTreeMap<Key, Value>,
    versions: Vec<Arc<Version>>,
    /// Also what a restore has undone.
    record: Vec<Arc<Version>>,
}

impl History {
    pub fn new() -> Self {
        let (versions, record) = (Vec::new(), Vec::new());
        Self { revision: FIRST, past: 0, compacted: 0, current: BTreeMap::new(), versions, record }
    }

    /// Of the last commit.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Before this, nothing is known any more.
    pub const fn compacted(&self) -> u64 {
        self.compacted
    }

    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.current.get(key)
    }

    pub fn current(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.current.iter()
    }

    /// Writes an object with the next version, which it returns.
    pub fn commit(&mut self, change: Change, key: Key, mut object: Value, at: Duration) -> Value {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = self.revision.to_string().into();
        if change == Change::Deleted {
            self.current.remove(&key);
        } else {
            self.current.insert(key.clone(), object.clone());
        }
        let (revision, past) = (self.revision, self.past);
        let version = Arc::new(Version { revision, past, change, key, object: object.clone(), at });
        self.versions.push(Arc::clone(&version));
        self.record.push(version);
        object
    }

    /// What was stored at a version.
    pub fn at(&self, revision: u64) -> BTreeMap<Key, Value> {
        let mut state = BTreeMap::new();
        for version in self.versions.iter().take_while(|version| version.revision <= revision) {
            match version.change {
                Change::Deleted => state.remove(&version.key),
                _ => state.insert(version.key.clone(), version.object.clone()),
            };
        }
        state
    }

    /// The first commit after a version that concerns such objects.
    pub fn next(&self, after: u64, concerns: impl Fn(&Key) -> bool) -> Option<Arc<Version>> {
        let start = self.versions.partition_point(|version| version.revision <= after);
        self.versions[start..].iter().find(|version| concerns(&version.key)).cloned()
    }

    /// Forgets how it came to what is stored now.
    pub fn compact(&mut self) {
        self.compacted = self.revision;
    }

    /// Brings back what was stored at a version, as from a backup: later versions never were.
    pub fn restore(&mut self, revision: u64) {
        assert!(revision <= self.revision, "version {revision} is not in the past");
        self.current = self.at(revision);
        self.versions.retain(|version| version.revision <= revision);
        self.revision = revision;
        self.compacted = self.compacted.min(revision);
        self.past += 1;
    }

    /// Every commit that ever was.
    pub fn record(&self) -> &[Arc<Version>] {
        &self.record
    }
}
