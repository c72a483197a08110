//! Beginning and end of a term. No I/O.

use std::time::Duration;

use super::Scheduler;
use super::action::Action;
use super::backoff::doubled;
use super::input::{Key, Kind, Now};
use super::journal::{Intent, Journal};
use super::outbox::Job;
use super::rows::{Doing, Row};
use super::safety::Device;
use super::term::{OpenIntent, Phase, Stage};

impl Scheduler {
    pub(super) fn begin_term(&mut self, now: Now) {
        if !self.term.has_begun() {
            self.term.leads_since = now.monotonic;
            self.term.phase = Phase::Waiting { until: now.monotonic };
        }
    }

    pub(super) fn stand_by(&mut self, now: Now, actions: &mut Vec<Action>) {
        if self.term.has_begun() {
            self.abandon_promises(now);
            self.term.phase = Phase::Idle;
        }
        if self.list == 0 {
            // A term lists them afresh; until then, whoever may be the next leader knows that it can.
            actions.push(Action::ListPlacements);
        }
    }

    /// Reads the journal when it is time, and the objects whose promises are in doubt.
    pub(super) fn resume_term(&mut self, now: Now, actions: &mut Vec<Action>) {
        if !self.term.has_begun() {
            return;
        }
        if let Phase::Waiting { until } = self.term.phase
            && until <= now.monotonic
        {
            self.term.phase = Phase::Reading;
            actions.push(Action::ReadJournal);
        }
        let doubtful = self.term.open().filter(|(_, open)| match open.stage {
            Stage::Doubtful { until } => until <= now.monotonic,
            _ => false,
        });
        let keys: Vec<Key> = doubtful.map(|(key, _)| key.clone()).collect();
        for key in keys {
            if let Some(open) = self.term.get_mut(&key) {
                open.stage = Stage::Reading;
                self.outbox.push(Job::Read(key));
            }
        }
    }

    /// Claims the term: writes the journal back with a higher number.
    pub(super) fn journal_read(
        &mut self,
        resource_version: Option<String>,
        journal: Journal,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        if self.term.phase != Phase::Reading {
            return;
        }
        let Journal { term, intents } = journal;
        self.forget_open();
        for intent in intents {
            let open = self.counted(Device::FoundCount, OpenIntent::new(intent, Stage::Ready));
            self.keep(open.intent.key(), open);
        }
        self.term.number = self.term.number.max(term).saturating_add(1);
        self.term.phase = Phase::Claiming;
        let resource_version = self.journal_precondition(resource_version);
        actions.push(Action::WriteJournal { resource_version, journal: self.term.journal() });
        // Rows of an earlier term wait for what the new list shows.
        self.release_rows(now);
    }

    pub(super) fn journal_unreadable(&mut self, why: &str, now: Now, actions: &mut Vec<Action>) {
        if self.term.phase == Phase::Reading {
            actions.push(Action::Warn(format!("the journal cannot be read: {why}")));
            self.wait_for_term(now);
        }
    }

    pub(super) fn journal_written(&mut self, resource_version: String, actions: &mut Vec<Action>) {
        self.term.journal_version = Some(resource_version);
        match self.term.phase {
            Phase::Claiming => {
                self.term.phase = Phase::Listing { after: self.list };
                actions.push(Action::ListPlacements);
            }
            Phase::Running => {
                self.term.writing = false;
                self.promises_journalled();
            }
            Phase::Idle | Phase::Waiting { .. } | Phase::Reading | Phase::Listing { .. } => {}
        }
    }

    /// The promises of the batch may be written to their objects.
    pub(super) fn promises_journalled(&mut self) {
        let ready = self.term.open().filter(|(_, open)| open.stage == Stage::Journalling);
        let keys: Vec<Key> = ready.map(|(key, _)| key.clone()).collect();
        for key in keys {
            if let Some(open) = self.term.get_mut(&key) {
                open.stage = Stage::Ready;
            }
            self.outbox.push(Job::Intent(key));
        }
    }

    /// The list of this term is complete: what was found in the journal is void, done, or completed now.
    pub(super) fn run_term(&mut self, now: Now) {
        // A list that had begun before the term was claimed may lack what the last leader wrote.
        match self.term.phase {
            Phase::Listing { after } if self.list > after => {}
            _ => return,
        }
        let found: Vec<Key> = self.term.open().map(|(key, _)| key.clone()).collect();
        for key in found {
            let Some(open) = self.term.get(&key) else { continue };
            let Intent { uid, resource_version, .. } = &open.intent;
            let may_land = |row: &Row| row.uid == *uid && row.resource_version == *resource_version;
            if self.rows.get(&key).is_some_and(may_land) {
                self.rows.take_turn(&key);
                if let Some(row) = self.rows.get_mut(&key) {
                    row.doing = Doing::Busy;
                }
                if self.has(Device::Completion) {
                    self.outbox.push(Job::Intent(key));
                }
            } else {
                self.release(&key, now);
            }
        }
        self.term.phase = Phase::Running;
        self.term.failures = 0;
    }

    /// Whoever wrote the journal may lead now, or nobody knows what was written: begin again.
    pub(super) fn end_term(&mut self, why: &str, now: Now, actions: &mut Vec<Action>) {
        if !self.term.has_begun() {
            return;
        }
        actions.push(Action::Warn(format!("term {} ends: {why}", self.term.number)));
        self.abandon_promises(now);
        self.wait_for_term(now);
    }

    fn wait_for_term(&mut self, now: Now) {
        self.term.failures = self.term.failures.saturating_add(1);
        let wait = doubled(Duration::from_secs(1), self.term.failures, Duration::from_secs(32));
        self.term.phase = Phase::Waiting { until: now.monotonic.saturating_add(wait) };
    }

    /// What was not journalled was not promised. What was, stays counted until the journal is read again.
    fn abandon_promises(&mut self, now: Now) {
        self.outbox.clear_jobs();
        for (name, vcenter) in &mut self.vcenters {
            if !self.outbox.is_writing_vcenter(name) {
                vcenter.written();
            }
        }
        self.term.writing = false;
        let unwritten = self.term.open().filter(|(_, open)| open.stage == Stage::Journalling);
        let keys: Vec<Key> = unwritten.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.release(&key, now);
        }
    }

    fn forget_open(&mut self) {
        for open in self.term.take_open().into_values() {
            self.ledger.remove(&open.own.backing, &open.own.claim);
        }
    }

    /// Nothing is being done about a row any more whose request was forgotten.
    fn release_rows(&mut self, now: Now) {
        let stuck =
            self.rows.iter().filter(|(key, row)| row.doing == Doing::Busy && !self.outbox.is_writing(key));
        let keys: Vec<Key> = stuck.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.rows.settle_and_look_again(&key, now.monotonic);
        }
    }

    /// All lists that a decision needs are complete, and the term runs.
    pub(super) fn may_decide(&self) -> bool {
        self.term.is_running() && self.lists.have(&Kind::ALL)
    }
}
