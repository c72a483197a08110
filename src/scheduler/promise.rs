//! Promises: from a verdict to an intent in the journal, and what becomes of it. No I/O.

use std::time::Duration;

use serde_json::Value;

use crate::placement::{Decision, Selected};
use crate::status::{self, Change};

use super::Scheduler;
use super::action::{Action, DecisionRecord};
use super::evaluate::{Placement, Verdict};
use super::input::{Key, Now};
use super::journal::Intent;
use super::outbox::Job;
use super::rows::{Doing, PlacedFact, Row};
use super::safety::Device;
use super::term::{BATCH, BATCH_BYTES, OpenIntent, Stage};
use crate::api::PlacementReason;

/// So many rows are evaluated in one step at the most, so that no step takes long.
const TURNS: usize = 256;

impl Scheduler {
    /// Gives turns to the rows that are due, and journals what is promised to them as one batch.
    pub(super) fn decide_batch(&mut self, now: Now, actions: &mut Vec<Action>) {
        if !self.may_decide() {
            return;
        }
        let may_promise = self.term.can_promise();
        let (mut promised, mut bytes) = (0_usize, 0_usize);
        let mut waits = Vec::new();
        for _ in 0..TURNS {
            if promised >= BATCH || bytes >= BATCH_BYTES {
                break;
            }
            let Some(key) = self.rows.first() else { break };
            let (vcenter, verdict) = self.evaluate(&key, now);
            if matches!(verdict, Verdict::Place(_)) && !may_promise {
                self.say_pending(&key, now);
                break;
            }
            let since = self.rows.take_turn(&key);
            waits.extend(since.map(|since| now.monotonic.saturating_sub(since)));
            if let Some(row) = self.rows.get_mut(&key) {
                row.vcenter = vcenter;
            }
            match verdict {
                Verdict::Settled => {
                    self.forget_read(&key);
                    self.await_deadlines(&key, now);
                }
                Verdict::Later(time) => self.rows.set_timer(&key, time),
                Verdict::Say(change, decision) => {
                    let reason = PlacementReason::NoEligibleDatastore;
                    actions.extend(decision.map(|decision| record(&key, reason, &decision, None)));
                    self.say(&key, change);
                }
                Verdict::Place(placement) => {
                    if let Some(size) = self.promise(&key, &placement, now, actions) {
                        promised = promised.saturating_add(1);
                        bytes = bytes.saturating_add(size);
                    }
                }
            }
        }
        if !waits.is_empty() {
            actions.push(Action::Waited(waits));
        }
        if promised > 0 {
            if !self.has(Device::JournalWrite) {
                self.promises_journalled();
                return;
            }
            self.term.writing = true;
            let resource_version = self.journal_precondition(self.term.journal_version.clone());
            actions.push(Action::WriteJournal { resource_version, journal: self.term.journal() });
        }
    }

    /// Looks at a row again when its claim expires, or its progress deadline is over.
    pub(super) fn await_deadlines(&mut self, key: &Key, now: Now) {
        let Some(row) = self.rows.get(key) else { return };
        let expiry = row.placed.as_ref().and_then(|placed| placed.expires);
        let deadline = row.deadline().filter(|_| !row.is_placed());
        let next = [expiry, deadline].into_iter().flatten().filter(|time| *time > now.wall).min();
        if let Some(time) = next {
            let wait = Duration::try_from(time.duration_since(now.wall)).unwrap_or_default();
            self.rows.set_timer(key, now.monotonic.saturating_add(wait));
        }
    }

    /// A step ended because it had done enough, not because nothing was left.
    pub(super) fn has_more_to_decide(&self) -> bool {
        self.may_decide() && self.term.can_promise() && self.rows.queued() > 0
    }

    /// Writes a status that promises nothing.
    pub(super) fn say(&mut self, key: &Key, change: Change) {
        self.forget_read(key);
        if let Some(row) = self.rows.get_mut(key) {
            row.doing = Doing::Busy;
            self.outbox.push(Job::Status { key: key.clone(), change: Box::new(change) });
        }
    }

    /// Keeps the room and makes the intent; `None` when the object has to be read first.
    fn promise(
        &mut self,
        key: &Key,
        placement: &Placement,
        now: Now,
        actions: &mut Vec<Action>,
    ) -> Option<usize> {
        let at_version = self.has(Device::StatusVersion);
        let row = self.rows.get_mut(key)?;
        let read = row.read.take_if(|read| read.resource_version == row.resource_version);
        let status = match &read {
            Some(read) => serde_json::from_str(&read.status).unwrap_or(Value::Null),
            None if row.bare => Value::Null,
            None => {
                row.doing = Doing::Busy;
                self.outbox.push(Job::Read(key.clone()));
                return None;
            }
        };
        let Placement { decision, selected, context } = placement;
        let vcenter = &context.vcenter.instance_uuid;
        let cluster = &self.settings.cluster_identity;
        let instance_uuid = status::instance_uuid(vcenter, cluster, &key.namespace, &key.name);
        let change = status::placed(decision, selected, context, instance_uuid);
        let written = status::apply(&status, &change, now.wall);
        let intent = intent(key, row, selected, &written, at_version);
        let size = intent.body.len();
        row.doing = Doing::Busy;
        if let Some(own) = self.departed.replace(key, &selected.backing) {
            self.ledger.remove(&own.backing, &own.claim);
            // It may have been more than what is promised now.
            self.room_released = true;
        }
        self.keep(key.clone(), self.counted(Device::Assume, OpenIntent::new(intent, Stage::Journalling)));
        actions.push(record(key, PlacementReason::Placed, decision, Some(&selected.datastore.name)));
        Some(size)
    }

    fn forget_read(&mut self, key: &Key) {
        if let Some(row) = self.rows.get_mut(key) {
            row.read = None;
        }
    }

    /// Counts a promise from now on.
    pub(super) fn keep(&mut self, key: Key, open: OpenIntent) {
        self.ledger.add(&open.own.backing, &open.own.claim);
        self.term.insert(key, open);
    }

    /// A promise is void or fulfilled: from now on the object's status alone counts.
    pub(super) fn release(&mut self, key: &Key, now: Now) {
        let Some(open) = self.term.remove(key) else { return };
        self.ledger.remove(&open.own.backing, &open.own.claim);
        let placed = self.rows.get(key).and_then(|row| row.placed.as_ref());
        if placed.and_then(PlacedFact::own).as_ref() != Some(&open.own) {
            self.room_released = true;
        }
        if self.rows.get(key).is_some_and(|row| row.doing == Doing::Busy) {
            self.rows.settle_and_look_again(key, now.monotonic);
        }
    }
}

fn intent(key: &Key, row: &Row, selected: &Selected, written: &Value, at_version: bool) -> Intent {
    let target_version = if at_version { row.resource_version.as_str() } else { "" };
    Intent {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        uid: row.uid.clone(),
        resource_version: row.resource_version.clone(),
        body: status::body(&key.status_target(&row.uid, target_version), written),
        backing: selected.backing.0.clone(),
        bytes: selected.claim.bytes.get(),
        immediate_bytes: selected.claim.immediate.get(),
    }
}

fn record(key: &Key, reason: PlacementReason, decision: &Decision, datastore: Option<&str>) -> Action {
    Action::Decided(DecisionRecord {
        key: key.clone(),
        reason,
        datastore: datastore.map(str::to_owned),
        evaluated: decision.evaluated,
        eligible: decision.eligible,
        rejections: decision.rejections.clone(),
    })
}
