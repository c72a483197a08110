//! The placements: one row each, the queue of those that are due, and their timers. No I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::api::{ClaimState, ConditionStatus, ConditionType, InstancePlacementStatus};
use crate::placement::{Ask, Backing, Bytes, Claim, Invalid, MoRef, OwnClaim};
use crate::status::Shown;

use super::backoff;
use super::input::Key;

/// The datastore that a status names, and what it means for others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PlacedFact {
    /// The revision that it answers.
    pub revision: i64,
    /// `instanceUuid` of the vCenter that it is in.
    pub vcenter: String,
    /// The volume that it is.
    pub backing: Backing,
    /// How much room is kept on it.
    pub claim: Option<Claim>,
    /// When that room is given back.
    pub expires: Option<Timestamp>,
}

impl PlacedFact {
    /// What a status says; nothing when it names no datastore.
    pub fn of(status: &InstancePlacementStatus) -> Option<Self> {
        let datastore = status.datastore.as_ref()?;
        let moref = MoRef(datastore.mo_ref.clone());
        let vcenter = datastore.vcenter.instance_uuid.clone();
        let open = status.claim.as_ref().filter(|claim| claim.state == ClaimState::Open);
        Some(Self {
            revision: status.revision.unwrap_or(0),
            backing: Backing::of(&datastore.url, &vcenter, &moref),
            vcenter,
            claim: open
                .map(|claim| Claim { bytes: size(claim.bytes), immediate: size(claim.immediate_bytes) }),
            expires: open.and_then(|claim| claim.expiration_time),
        })
    }

    /// Where room is kept, and how much.
    pub fn own(&self) -> Option<OwnClaim> {
        self.claim.map(|claim| OwnClaim { backing: self.backing.clone(), claim })
    }
}

/// A size from a status; one that makes no sense keeps no room.
fn size(bytes: i64) -> Bytes {
    Bytes::saturating(u128::try_from(bytes).unwrap_or(0))
}

/// What is being done about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Doing {
    /// Nothing.
    Nothing,
    /// It waits for its turn.
    Queued(Turn),
    /// A request about it is under way or waits for its turn: a read, a promise, a status write.
    Busy,
}

/// A place in the queue: new placements and fresh edits before those that wait for something to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Turn {
    lane: u8,
    number: u64,
}

/// A status that was read for a decision, with the version it was read at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ReadStatus {
    pub resource_version: String,
    pub status: String,
}

/// One placement, as far as Berth needs it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Row {
    pub uid: String,
    pub resource_version: String,
    pub generation: i64,
    /// `spec.revision`, known even where the rest of the spec is invalid.
    pub revision: i64,
    pub suspend: bool,
    /// It is being deleted.
    pub deleting: bool,
    pub ask: Result<Ask, Invalid>,
    pub placed: Option<PlacedFact>,
    pub shown: Option<Shown>,
    /// Nobody has written a status yet: the first can be built from this row alone.
    pub bare: bool,
    /// When this generation was first seen.
    pub due_since: Duration,
    /// The same, until its status answers it; none when it was found at the start.
    pub unanswered_since: Option<Duration>,
    /// When it got the turn that it has; nought when it has none.
    queued_since: Duration,
    /// Since when its status has said that it is not placed, for this revision and not suspended.
    pub unplaced_since: Option<Timestamp>,
    pub doing: Doing,
    /// It changed while something was being done about it.
    pub dirty: bool,
    /// The status to decide onto, while it is being decided.
    pub read: Option<ReadStatus>,
    /// Failed writes in a row.
    pub failures: u32,
    /// Nothing is tried before this time.
    pub not_before: Duration,
    /// The `VCenter` that its references led to last.
    pub vcenter: Option<String>,
    /// The list in which it was last seen.
    pub list: u64,
    timer: Option<Duration>,
}

impl Row {
    pub fn new(uid: String, ask: Result<Ask, Invalid>, now: Duration) -> Self {
        Self {
            uid,
            resource_version: String::new(),
            generation: 0,
            revision: 0,
            suspend: false,
            deleting: false,
            ask,
            placed: None,
            shown: None,
            bare: true,
            due_since: now,
            unanswered_since: None,
            queued_since: Duration::ZERO,
            unplaced_since: None,
            doing: Doing::Nothing,
            dirty: false,
            read: None,
            failures: 0,
            not_before: Duration::ZERO,
            vcenter: None,
            list: 0,
            timer: None,
        }
    }

    /// What the status says is decided answers what the spec asks.
    pub fn is_placed(&self) -> bool {
        self.placed.as_ref().is_some_and(|placed| self.revision <= placed.revision)
    }

    /// The revision whose claim has run out.
    pub fn expired_claim(&self, now: Timestamp) -> Option<i64> {
        let placed = self.placed.as_ref()?;
        placed.expires.filter(|time| *time <= now).map(|_| placed.revision)
    }

    /// When it is to be called stalled, if nothing is selected for it by then.
    pub fn deadline(&self) -> Option<Timestamp> {
        let Ok(Ask { progress_deadline: Some(most), suspend: false, .. }) = &self.ask else { return None };
        self.unplaced_since?.checked_add(*most).ok()
    }

    /// Takes over what a status says of how long it has been waiting. Reconciling comes back when a suspension
    /// ends, and so tells more than Ready.
    pub fn learn_waiting(&mut self, status: &InstancePlacementStatus, new_revision: Option<Timestamp>) {
        let since = |type_: ConditionType, status_: ConditionStatus| {
            let found = status.conditions.iter().find(|c| c.type_ == type_.as_str() && c.status == status_);
            found.map(|condition| condition.last_transition_time)
        };
        let ready = since(ConditionType::Ready, ConditionStatus::False);
        let reconciling = since(ConditionType::Reconciling, ConditionStatus::True);
        // A revision that was raised while it waited shows in no condition.
        let raised = new_revision.or(self.unplaced_since);
        self.unplaced_since =
            ready.map(|ready| [reconciling, raised].into_iter().flatten().fold(ready, Timestamp::max));
    }

    /// Something about it failed: nothing is tried for a while that grows.
    pub fn hold_back(&mut self, key: &Key, now: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.saturating_add(backoff::of_placement(key, self.failures));
    }

    fn is_new(&self) -> bool {
        self.shown.as_ref().is_none_or(|shown| shown.generation() < self.generation) || self.read.is_some()
    }
}

/// All rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Rows {
    by_key: BTreeMap<Key, Row>,
    queue: BTreeMap<Turn, Key>,
    timers: BTreeSet<(Duration, Key)>,
    next_turn: u64,
}

impl Rows {
    pub fn get(&self, key: &Key) -> Option<&Row> {
        self.by_key.get(key)
    }

    pub fn get_mut(&mut self, key: &Key) -> Option<&mut Row> {
        self.by_key.get_mut(key)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Row)> {
        self.by_key.iter()
    }

    /// The rows of one namespace.
    pub fn of_namespace<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = (&'a Key, &'a Row)> {
        let first = Key { namespace: namespace.to_owned(), name: String::new() };
        self.by_key.range(first..).take_while(move |(key, _)| key.namespace == namespace)
    }

    pub fn insert(&mut self, key: Key, row: Row) {
        self.by_key.insert(key, row);
    }

    /// Removes a row with its turn and timer.
    pub fn remove(&mut self, key: &Key) -> Option<Row> {
        let row = self.by_key.remove(key)?;
        if let Doing::Queued(turn) = row.doing {
            self.queue.remove(&turn);
        }
        if let Some(time) = row.timer {
            self.timers.remove(&(time, key.clone()));
        }
        Some(row)
    }

    /// Gives the row a turn, or notes that it changed if something is being done about it already. A row
    /// that has to wait after a failed write gets its turn later.
    pub fn enqueue(&mut self, key: &Key, now: Duration) {
        let number = self.next_turn;
        let Some(row) = self.by_key.get_mut(key) else { return };
        match row.doing {
            Doing::Nothing if row.not_before > now => {
                let time = row.not_before;
                self.set_timer(key, time);
            }
            Doing::Nothing => {
                let turn = Turn { lane: u8::from(!row.is_new()), number };
                row.doing = Doing::Queued(turn);
                row.queued_since = now;
                self.queue.insert(turn, key.clone());
                self.next_turn = number.saturating_add(1);
            }
            Doing::Queued(_) => {}
            Doing::Busy => row.dirty = true,
        }
    }

    /// Ends what is being done about the row; if it changed meanwhile it gets a turn.
    pub fn settle(&mut self, key: &Key, now: Duration) {
        let Some(row) = self.by_key.get_mut(key) else { return };
        if row.doing == Doing::Busy {
            row.doing = Doing::Nothing;
        }
        if std::mem::take(&mut row.dirty) {
            self.enqueue(key, now);
        }
    }

    /// Ends what is being done about the row, and gives it another turn.
    pub fn settle_and_look_again(&mut self, key: &Key, now: Duration) {
        if let Some(row) = self.by_key.get_mut(key) {
            row.dirty = true;
        }
        self.settle(key, now);
    }

    /// The row whose turn it is, left in its place.
    pub fn first(&self) -> Option<Key> {
        self.queue.first_key_value().map(|(_, key)| key.clone())
    }

    /// Takes the row's turn away, if it has one, and tells since when it had it; nothing is being done about it
    /// then.
    pub fn take_turn(&mut self, key: &Key) -> Option<Duration> {
        let row = self.by_key.get_mut(key)?;
        let Doing::Queued(turn) = row.doing else { return None };
        self.queue.remove(&turn);
        row.doing = Doing::Nothing;
        // Two rows that differ in times gone by alone are the same.
        Some(std::mem::take(&mut row.queued_since))
    }

    /// How many have a turn.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Sees to it that the row gets a look at this time, if not earlier.
    pub fn set_timer(&mut self, key: &Key, time: Duration) {
        let Some(row) = self.by_key.get_mut(key) else { return };
        match row.timer {
            Some(earlier) if earlier <= time => return,
            Some(later) => drop(self.timers.remove(&(later, key.clone()))),
            None => {}
        }
        row.timer = Some(time);
        self.timers.insert((time, key.clone()));
    }

    /// Takes one row whose timer has run out.
    pub fn pop_timer(&mut self, now: Duration) -> Option<Key> {
        let (time, _) = self.timers.first()?;
        if *time > now {
            return None;
        }
        let (_, key) = self.timers.pop_first()?;
        if let Some(row) = self.by_key.get_mut(&key) {
            row.timer = None;
        }
        Some(key)
    }

    /// The next timer.
    pub fn next_timer(&self) -> Option<Duration> {
        self.timers.first().map(|(time, _)| *time)
    }

    /// Gives a turn to every row that waits for something to change and that `concerns` it.
    pub fn look_again(&mut self, now: Duration, concerns: impl Fn(&Row) -> bool) {
        let waiting = self.by_key.iter().filter(|(_, row)| !row.is_placed() && concerns(row));
        let keys: Vec<Key> = waiting.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.enqueue(&key, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_looked_at_at_the_earliest_time_that_was_asked_for() {
        let key = Key { namespace: "team-a".to_owned(), name: "web".to_owned() };
        let ask = Err(Invalid { reason: crate::api::PlacementReason::InvalidSpec, message: String::new() });
        let mut rows = Rows::default();
        rows.insert(key.clone(), Row::new("u-1".to_owned(), ask, Duration::ZERO));
        for (asked, next) in [(5, 5), (9, 5), (3, 3), (3, 3)] {
            rows.set_timer(&key, Duration::from_secs(asked));
            assert_eq!(rows.next_timer(), Some(Duration::from_secs(next)));
        }
        assert_eq!(rows.pop_timer(Duration::from_secs(2)), None);
        assert_eq!(rows.pop_timer(Duration::from_secs(3)), Some(key));
        assert_eq!(rows.next_timer(), None, "once");
    }
}
