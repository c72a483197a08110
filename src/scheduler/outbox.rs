//! Requests on their way to the API server: how many at once, and in which order. No I/O.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use crate::status::{Change, Shown};

use super::action::Announcement;
use super::input::{Key, WriteId};

/// More than this at once raises the time of each more than the rate of all.
const MOST: u32 = 12;
/// So many successes in a row widen a narrowed window by one.
const SUCCESSES: u32 = 100;

/// A request that waits for room in the window.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Job {
    /// The status write of this placement's intent.
    Intent(Key),
    /// A status write that needs no intent.
    Status { key: Key, change: Box<Change> },
    /// A read of this placement.
    Read(Key),
    /// The status write of this `VCenter`.
    VCenter(String),
}

/// A status write that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct InFlight {
    pub target: Target,
    pub uid: String,
    /// To be published once it is done.
    pub announcement: Option<Announcement>,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Target {
    /// The status of a placement, by its intent.
    Intent(Key),
    /// The status of a placement.
    Status(Key, Wrote),
    /// The status of a `VCenter`.
    VCenter(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intent(key) | Self::Status(key, _) => write!(f, "InstancePlacement {key}"),
            Self::VCenter(name) => write!(f, "VCenter {name}"),
        }
    }
}

/// What is known of a status once it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wrote {
    /// It shows this.
    Shows(Shown),
    /// No room is kept for this revision any more.
    ClaimExpired { revision: i64 },
}

/// Requests that wait, and those under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Outbox {
    jobs: VecDeque<Job>,
    writes: BTreeMap<WriteId, InFlight>,
    reads: u32,
    window: u32,
    successes: u32,
    next_id: u64,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            jobs: VecDeque::new(),
            writes: BTreeMap::new(),
            reads: 0,
            window: MOST,
            successes: 0,
            next_id: 0,
        }
    }
}

impl Outbox {
    pub fn push(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    /// The next request, if there is room for it.
    pub fn next(&mut self) -> Option<Job> {
        let under_way = u32::try_from(self.writes.len()).unwrap_or(u32::MAX).saturating_add(self.reads);
        if under_way < self.window { self.jobs.pop_front() } else { None }
    }

    /// A write begins.
    pub fn begin(&mut self, write: InFlight) -> WriteId {
        self.next_id = self.next_id.saturating_add(1);
        let id = WriteId(self.next_id);
        self.writes.insert(id, write);
        id
    }

    /// A read begins.
    pub fn begin_read(&mut self) {
        self.reads = self.reads.saturating_add(1);
    }

    /// A read has ended.
    pub fn end_read(&mut self) {
        self.reads = self.reads.saturating_sub(1);
    }

    /// A write has ended, well or not.
    pub fn end(&mut self, id: WriteId) -> Option<InFlight> {
        self.writes.remove(&id)
    }

    /// The API server coped.
    pub fn widen(&mut self) {
        self.successes = self.successes.saturating_add(1);
        if self.successes >= SUCCESSES {
            self.successes = 0;
            self.window = self.window.saturating_add(1).min(MOST);
        }
    }

    /// The API server asked for less, or did not answer in time.
    pub fn narrow(&mut self) {
        self.successes = 0;
        self.window = (self.window / 2).max(1);
    }

    /// Forgets what has not begun.
    pub fn clear_jobs(&mut self) {
        self.jobs.clear();
    }

    /// A status write of this placement is under way.
    pub fn is_writing(&self, key: &Key) -> bool {
        self.writes.values().any(|write| match &write.target {
            Target::Intent(k) | Target::Status(k, _) => k == key,
            Target::VCenter(_) => false,
        })
    }

    /// A status write under way makes the status of this placement show that.
    pub fn is_saying(&self, key: &Key, shown: Option<&Shown>) -> bool {
        self.writes.values().any(|write| match &write.target {
            Target::Status(k, Wrote::Shows(saying)) => k == key && Some(saying) == shown,
            Target::Status(..) | Target::Intent(_) | Target::VCenter(_) => false,
        })
    }

    /// The status write of this `VCenter` is under way.
    pub fn is_writing_vcenter(&self, name: &str) -> bool {
        self.writes.values().any(|write| matches!(&write.target, Target::VCenter(n) if n == name))
    }

    /// Nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.writes.is_empty()
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use super::*;

    fn job() -> Job {
        Job::VCenter("vc".to_owned())
    }

    fn write() -> InFlight {
        InFlight { target: Target::VCenter("vc".to_owned()), uid: "u-1".to_owned(), announcement: None }
    }

    /// How many requests begin while none ends.
    fn room(outbox: &Outbox) -> u32 {
        let mut outbox = outbox.clone();
        let mut begun = 0;
        outbox.push(job());
        while outbox.next().is_some() {
            outbox.begin(write());
            outbox.push(job());
            begun += 1;
        }
        begun
    }

    #[test]
    fn reads_and_writes_share_the_window() {
        let mut outbox = Outbox::default();
        assert_eq!(room(&outbox), MOST);
        outbox.begin_read();
        let id = outbox.begin(write());
        assert_eq!(room(&outbox), MOST - 2);
        outbox.end_read();
        assert_eq!(room(&outbox), MOST - 1);
        assert!(!outbox.is_idle());
        assert!(outbox.end(id).is_some() && outbox.end(id).is_none());
        assert!(outbox.is_idle());
        assert_eq!(room(&outbox), MOST);
    }

    #[test]
    fn the_window_is_halved_by_trouble_and_widened_by_success() {
        let mut outbox = Outbox::default();
        for half in [6, 3, 1, 1] {
            outbox.narrow();
            assert_eq!(room(&outbox), half);
        }
        for wider in [2, 3] {
            (1..SUCCESSES).for_each(|_| outbox.widen());
            assert_eq!(room(&outbox), wider - 1);
            outbox.widen();
            assert_eq!(room(&outbox), wider);
        }
        (1..SUCCESSES).for_each(|_| outbox.widen());
        outbox.narrow();
        outbox.widen();
        assert_eq!(room(&outbox), 1, "successes before the trouble count no more");
        (0..20 * SUCCESSES).for_each(|_| outbox.widen());
        assert_eq!(room(&outbox), MOST);
    }

    #[test]
    fn what_is_written_is_named() {
        let key = Key { namespace: "team-a".to_owned(), name: "web".to_owned() };
        assert_eq!(Target::Intent(key).to_string(), "InstancePlacement team-a/web");
        assert_eq!(Target::VCenter("vc".to_owned()).to_string(), "VCenter vc");
    }
}
