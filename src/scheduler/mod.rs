//! THE STATE: everything that Berth knows and intends, and the one function that changes it. Pure.
//!
//! [`Scheduler::step`] takes one input and appends actions; the shell performs them and decides nothing.
//! The life of a decision: a row is due and gets a turn ([`rows`]); it is [evaluated](evaluate); its room
//! is kept at once in the ledger, and the promise is journalled with its batch ([`promise`], [`term`]);
//! then its status is written ([`outbox`]), and the room is that of the status from then on.
#![deny(clippy::arithmetic_side_effects)]

mod action;
mod backoff;
mod connections;
mod departed;
mod evaluate;
mod input;
mod journal;
mod lead;
mod lists;
mod look;
mod observe;
mod outbox;
mod promise;
mod rows;
mod safety;
mod term;
mod vcenter;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::placement::{Ledger, Patterns};
use crate::resolve::{ClassView, Labels};

use departed::Departed;
use lists::Lists;
use outbox::Outbox;
use rows::Rows;
use term::Term;
use vcenter::VCenter;

pub use action::{Action, Announcement, DecisionRecord, Endpoint, Subject};
pub use input::{
    Attempt, ConnectionFailure, ConnectionNews, Input, Key, Kind, Meta, Now, ReadOutcome, SeenClass,
    SeenPlacement, SeenSecret, SeenVCenter, WriteFailure, WriteId,
};
pub use journal::{Intent, Journal};
pub use look::{Figures, Offer};
#[cfg(feature = "model-mutants")]
pub use safety::Device;

/// What does not change while the process runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Part of every `instanceUUID`: the same for as long as the VMs of this cluster live.
    pub cluster_identity: String,
    /// Namespaces in which placements are decided; all when empty.
    pub watch_namespaces: BTreeSet<String>,
}

/// Everything that Berth knows and intends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scheduler {
    settings: Settings,
    lists: Lists,
    rows: Rows,
    /// Number of the list of placements that is under way, or was last.
    list: u64,
    classes: BTreeMap<String, ClassView>,
    /// The default classes, when they are several and this was said.
    announced_defaults: BTreeSet<String>,
    vcenters: BTreeMap<String, VCenter>,
    namespaces: BTreeMap<String, Labels>,
    secrets: BTreeMap<String, SeenSecret>,
    patterns: Patterns,
    ledger: Ledger,
    departed: Departed,
    /// Room has become free that nobody has looked at yet.
    room_released: bool,
    term: Term,
    outbox: Outbox,
    next_attempt: u64,
    /// Something has happened that connections, or what is said of them, may depend on.
    vcenters_due: bool,
    shutting_down: bool,
    wake_at: Option<Duration>,
    #[cfg(feature = "model-mutants")]
    without: Option<Device>,
}

impl Scheduler {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Takes one input at a time and appends what is to be done about it.
    pub fn step(&mut self, now: Now, input: Input, actions: &mut Vec<Action>) {
        self.vcenters_due |= !input.is_of_placement();
        match input {
            Input::ListStarted(kind) => self.list_started(kind),
            Input::Synced(kind) => self.synced(kind, now, actions),
            Input::PlacementSeen(seen) => self.placement_seen(*seen, now),
            Input::PlacementGone { key, uid } => self.placement_gone(&key, &uid, now),
            Input::PlacementRead { key, outcome } => self.placement_read(&key, outcome, now),
            Input::ClassSeen(seen) => self.class_seen(*seen, now, actions),
            Input::ClassGone(name) => self.class_gone(&name, now),
            Input::VCenterSeen(seen) => self.vcenter_seen(*seen, now, actions),
            Input::VCenterGone(name) => self.vcenter_gone(&name, now, actions),
            Input::NamespaceSeen { name, labels } => self.namespace_seen(name, labels, now),
            Input::NamespaceGone(name) => self.namespace_gone(&name),
            Input::SecretSeen(seen) => self.secret_seen(seen),
            Input::SecretGone(name) => self.secret_gone(&name),
            Input::Connection { vcenter, attempt, news } => {
                self.connection(&vcenter, attempt, news, now, actions);
            }
            Input::LeaseHeld => self.begin_term(now),
            Input::LeaseLost => self.stand_by(now, actions),
            Input::JournalRead { resource_version, journal } => {
                self.journal_read(resource_version, journal, now, actions);
            }
            Input::JournalUnreadable(why) => self.journal_unreadable(&why, now, actions),
            Input::JournalWritten { resource_version } => self.journal_written(resource_version, actions),
            Input::JournalConflict => self.end_term("somebody else has written the journal", now, actions),
            Input::JournalAmbiguous(why) => self.end_term(&why, now, actions),
            Input::WriteDone { id, resource_version } => self.write_done(id, resource_version, now, actions),
            Input::WriteFailed { id, failure, message } => {
                self.write_failed(id, failure, &message, now, actions);
            }
            Input::Tick => self.wake_at = None,
            Input::Shutdown => {
                self.shutting_down = true;
                self.outbox.clear_jobs();
            }
        }
        self.advance(now, actions);
    }

    /// Whatever is due now, in the order in which one thing leads to another.
    fn advance(&mut self, now: Now, actions: &mut Vec<Action>) {
        if self.shutting_down {
            if self.outbox.is_idle() {
                actions.push(Action::Stopped);
            }
            return;
        }
        self.resume_term(now, actions);
        if std::mem::take(&mut self.vcenters_due) {
            self.tend_connections(now, actions);
        }
        while let Some(own) = self.departed.pop(now.monotonic) {
            self.ledger.remove(&own.backing, &own.claim);
            self.room_released = true;
        }
        while let Some(key) = self.rows.pop_timer(now.monotonic) {
            self.rows.enqueue(&key, now.monotonic);
            if self.term.has_begun() && !self.term.can_promise() {
                self.say_pending(&key, now);
            }
        }
        if std::mem::take(&mut self.room_released) {
            self.rows.look_again(now.monotonic, |_| true);
        }
        self.decide_batch(now, actions);
        self.send(now, actions);
        self.wake(now, actions);
    }

    /// Asks for a tick at the next time at which something is due without an input.
    fn wake(&mut self, now: Now, actions: &mut Vec<Action>) {
        let vcenters = self.vcenters.values().filter_map(|vcenter| vcenter.next_time(now));
        let times =
            [self.rows.next_timer(), self.term.next_time(), self.departed.next_time()].into_iter().flatten();
        let more = self.has_more_to_decide().then_some(now.monotonic);
        let Some(next) = vcenters.chain(times).chain(more).min() else { return };
        if self.wake_at.is_none_or(|wake_at| next < wake_at || wake_at <= now.monotonic) {
            self.wake_at = Some(next);
            actions.push(Action::WakeAt(next));
        }
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests;
