//! One leader's term: the journal, and the promises that are open. No I/O.
//!
//! A term begins by reading the journal and writing it back with a higher number: from then on no earlier
//! leader can promise anything. What earlier leaders promised and may still write is completed and counted
//! before anything new is promised.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::InstancePlacementStatus;
use crate::placement::{Backing, Bytes, Claim, OwnClaim};
use crate::status::Shown;

use super::backoff;
use super::input::{Key, WriteId};
use super::journal::{Intent, Journal};
use super::rows::PlacedFact;

/// So many open promises are enough: a new batch waits.
pub(super) const MOST_OPEN: usize = 32;
/// A batch closes at so many promises,
pub(super) const BATCH: usize = 64;
/// or at so many bytes.
pub(super) const BATCH_BYTES: usize = 256 * 1024;

/// How far this process has come as a leader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// It may not lead.
    #[default]
    Idle,
    /// The journal is read again at this time.
    Waiting { until: Duration },
    /// The journal is being read.
    Reading,
    /// The higher number is being written.
    Claiming,
    /// All placements are being listed, by a list that comes after the one of this number.
    Listing { after: u64 },
    /// It decides.
    Running,
}

/// How far one promise has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// It is being journalled.
    Journalling,
    /// It is in the journal, and its status write waits for its turn.
    Ready,
    /// Its status is being written.
    Writing(WriteId),
    /// Whether its status was written is to be found out by reading the object: at this time.
    Doubtful { until: Duration },
    /// The object is being read.
    Reading,
}

/// A promise whose status write may still land.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OpenIntent {
    pub intent: Intent,
    pub stage: Stage,
    pub own: OwnClaim,
    /// What the status will say.
    pub fact: Option<PlacedFact>,
    pub shown: Option<Shown>,
    /// For people, once it is done.
    pub message: Option<String>,
    /// Ambiguous writes in a row.
    pub failures: u32,
}

impl OpenIntent {
    /// Reads back from the body what it will bring about: the same for a promise just made and for one
    /// found in the journal.
    pub fn new(intent: Intent, stage: Stage) -> Self {
        let own = OwnClaim {
            backing: Backing(intent.backing.clone()),
            claim: Claim {
                bytes: Bytes::saturating(intent.bytes.into()),
                immediate: Bytes::saturating(intent.immediate_bytes.into()),
            },
        };
        let status = status_of(&intent.body);
        let fact = status.as_ref().and_then(PlacedFact::of);
        let shown = status.as_ref().and_then(Shown::of);
        let message =
            status.and_then(|status| status.conditions.into_iter().next()).map(|ready| ready.message);
        Self { intent, stage, own, fact, shown, message, failures: 0 }
    }

    /// Its status may be written already.
    pub fn may_be_written(&self) -> bool {
        !matches!(self.stage, Stage::Journalling | Stage::Ready)
    }

    /// Whether its status was written is to be found out, after a while that grows.
    pub fn doubt(&mut self, key: &Key, now: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.stage = Stage::Doubtful { until: now.saturating_add(backoff::of_placement(key, self.failures)) };
    }
}

fn status_of(body: &str) -> Option<InstancePlacementStatus> {
    #[derive(serde::Deserialize)]
    struct Body {
        status: InstancePlacementStatus,
    }
    serde_json::from_str::<Body>(body).ok().map(|body| body.status)
}

/// The term of this process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Term {
    pub phase: Phase,
    /// Its number, once it has one.
    pub number: u64,
    /// The journal's version, as this process last read or wrote it.
    pub journal_version: Option<String>,
    /// A batch is being journalled.
    pub writing: bool,
    /// When this replica came to lead.
    pub leads_since: Duration,
    /// Failed reads and lost terms in a row.
    pub failures: u32,
    open: BTreeMap<Key, OpenIntent>,
}

impl Term {
    /// Whether this replica is to lead. One that stands by says nothing and asks nothing.
    pub fn has_begun(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// Whether placements may be decided.
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Whether a batch may be formed.
    pub fn can_promise(&self) -> bool {
        self.is_running() && !self.writing && self.open.len() < MOST_OPEN
    }

    pub fn get(&self, key: &Key) -> Option<&OpenIntent> {
        self.open.get(key)
    }

    pub fn get_mut(&mut self, key: &Key) -> Option<&mut OpenIntent> {
        self.open.get_mut(key)
    }

    pub fn open(&self) -> impl Iterator<Item = (&Key, &OpenIntent)> {
        self.open.iter()
    }

    pub fn insert(&mut self, key: Key, intent: OpenIntent) {
        self.open.insert(key, intent);
    }

    pub fn remove(&mut self, key: &Key) -> Option<OpenIntent> {
        self.open.remove(key)
    }

    /// Takes all of them, for a new beginning.
    pub fn take_open(&mut self) -> BTreeMap<Key, OpenIntent> {
        std::mem::take(&mut self.open)
    }

    /// What the journal is to hold now.
    pub fn journal(&self) -> Journal {
        Journal { term: self.number, intents: self.open.values().map(|open| open.intent.clone()).collect() }
    }

    /// The next time at which something is to be done without an input.
    pub fn next_time(&self) -> Option<Duration> {
        if !self.has_begun() {
            return None;
        }
        let doubtful = self.open.values().filter_map(|open| match open.stage {
            Stage::Doubtful { until } => Some(until),
            _ => None,
        });
        let waiting = match self.phase {
            Phase::Waiting { until } => Some(until),
            _ => None,
        };
        doubtful.chain(waiting).min()
    }
}
