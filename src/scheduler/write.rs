//! Sends what waits, and takes what became of it. No I/O.

use serde_json::Value;

use crate::status::{self, Change, Shown};

use super::Scheduler;
use super::action::{Action, Announcement, Subject};
use super::input::{Key, Now, WriteFailure, WriteId};
use super::observe::is_newer;
use super::outbox::{InFlight, Job, Target, Wrote};
use super::rows::PlacedFact;
use super::term::Stage;
use crate::api::PlacementReason;

impl Scheduler {
    /// Sends as much of what waits as the window has room for.
    pub(super) fn send(&mut self, now: Now, actions: &mut Vec<Action>) {
        if !self.term.has_begun() {
            return;
        }
        while let Some(job) = self.outbox.next() {
            match job {
                Job::Read(key) => {
                    self.outbox.begin_read();
                    actions.push(Action::ReadPlacement(key));
                }
                Job::Intent(key) => self.send_intent(&key, actions),
                Job::Status { key, change } => self.send_status(&key, change, now, actions),
                Job::VCenter(name) => self.send_vcenter(&name, now, actions),
            }
        }
    }

    fn send_intent(&mut self, key: &Key, actions: &mut Vec<Action>) {
        let Some(open) = self.term.get_mut(key).filter(|open| open.stage == Stage::Ready) else { return };
        let announcement = open.message.clone().map(|message| Announcement {
            subject: Subject::Placement(key.clone()),
            uid: open.intent.uid.clone(),
            warning: false,
            reason: PlacementReason::Placed.as_str(),
            message,
        });
        let uid = open.intent.uid.clone();
        let id = self.outbox.begin(InFlight { target: Target::Intent(key.clone()), uid, announcement });
        if let Some(open) = self.term.get_mut(key) {
            open.stage = Stage::Writing(id);
            actions.push(Action::PutStatus { id, key: key.clone(), body: open.intent.body.clone() });
        }
    }

    fn send_status(&mut self, key: &Key, change: Box<Change>, now: Now, actions: &mut Vec<Action>) {
        let Some(row) = self.rows.get(key) else { return };
        let announcement = match change.as_ref() {
            Change::NotReady(not_ready) if not_ready.reason == PlacementReason::NoEligibleDatastore => {
                Some(Announcement {
                    subject: Subject::Placement(key.clone()),
                    uid: row.uid.clone(),
                    warning: true,
                    reason: not_ready.reason.as_str(),
                    message: not_ready.message.clone(),
                })
            }
            Change::ClaimExpired { .. } => Some(Announcement {
                subject: Subject::Placement(key.clone()),
                uid: row.uid.clone(),
                warning: true,
                reason: "ClaimExpired",
                message: "the instance did not appear in time, so no room is kept for it any more".to_owned(),
            }),
            _ => None,
        };
        let wrote = match (Shown::after(&change), change.as_ref()) {
            (Some(shown), _) => Wrote::Shows(shown),
            (None, Change::ClaimExpired { revision }) => Wrote::ClaimExpired { revision: *revision },
            (None, _) => return,
        };
        let target = Target::Status(key.clone(), wrote);
        let id = self.outbox.begin(InFlight { target, uid: row.uid.clone(), announcement });
        actions.push(if row.bare {
            let status = status::apply(&Value::Null, &change, now.wall);
            let body = status::body(&key.status_target(&row.uid, &row.resource_version), &status);
            Action::PutStatus { id, key: key.clone(), body }
        } else {
            Action::ReadThenPut { id, key: key.clone(), uid: row.uid.clone(), change }
        });
    }

    fn send_vcenter(&mut self, name: &str, now: Now, actions: &mut Vec<Action>) {
        let status = self.vcenter_status(name, now);
        let (Some(vcenter), Some(status)) = (self.vcenters.get(name), status) else {
            if let Some(vcenter) = self.vcenters.get_mut(name) {
                vcenter.written();
            }
            return;
        };
        let uid = vcenter.meta.uid.clone();
        let announcement = self.vcenter_announcement(name, &status);
        let target = Target::VCenter(name.to_owned());
        let id = self.outbox.begin(InFlight { target, uid: uid.clone(), announcement });
        if let Some(vcenter) = self.vcenters.get_mut(name) {
            vcenter.start_writing(Some(status.clone()));
        }
        actions.push(Action::PutVCenterStatus { id, name: name.to_owned(), uid, status: Box::new(status) });
    }

    pub(super) fn write_done(
        &mut self,
        id: WriteId,
        resource_version: String,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let Some(write) = self.outbox.end(id) else { return };
        self.outbox.widen();
        match &write.target {
            Target::Intent(key) => self.intent_done(key, id, &write.uid, resource_version, now),
            Target::Status(key, content) => {
                self.status_done(key, content, &write.uid, resource_version, now);
            }
            Target::VCenter(name) => {
                self.vcenters_due = true;
                if let Some(vcenter) = self.vcenters.get_mut(name) {
                    vcenter.written();
                }
            }
        }
        if let Target::Intent(key) | Target::Status(key, _) = &write.target {
            self.answered(key, &write.uid, now, actions);
        }
        actions.extend(write.announcement.map(Action::Announce));
    }

    /// Tells how long the placement has waited until its status answers its newest spec, once.
    fn answered(&mut self, key: &Key, uid: &str, now: Now, actions: &mut Vec<Action>) {
        let Some(row) = self.rows.get_mut(key).filter(|row| row.uid == uid) else { return };
        if row.shown.as_ref().is_some_and(|shown| shown.generation() >= row.generation) {
            let since = row.unanswered_since.take();
            actions.extend(since.map(|since| Action::Answered(now.monotonic.saturating_sub(since))));
        }
    }

    fn status_done(&mut self, key: &Key, wrote: &Wrote, uid: &str, resource_version: String, now: Now) {
        let Some(row) = self.rows.get_mut(key).filter(|row| row.uid == uid) else { return };
        row.failures = 0;
        if is_newer(&resource_version, &row.resource_version) {
            row.resource_version = resource_version;
            row.bare = false;
            match wrote {
                Wrote::Shows(shown) => {
                    row.shown = Some(shown.clone());
                    row.unplaced_since = row.unplaced_since.or(Some(now.wall));
                }
                Wrote::ClaimExpired { revision } => {
                    if let Some(placed) = row.placed.clone().filter(|placed| placed.revision == *revision) {
                        let without = PlacedFact { claim: None, expires: None, ..placed };
                        self.replace_fact(key, Some(without), now);
                    }
                }
            }
        }
        self.await_deadlines(key, now);
        self.rows.settle(key, now.monotonic);
    }

    fn intent_done(&mut self, key: &Key, id: WriteId, uid: &str, resource_version: String, now: Now) {
        let Some(open) = self.term.get(key).filter(|open| open.stage == Stage::Writing(id)) else { return };
        let (fact, shown) = (open.fact.clone(), open.shown.clone());
        if let Some(row) = self.rows.get_mut(key).filter(|row| row.uid == uid) {
            row.failures = 0;
            if is_newer(&resource_version, &row.resource_version) {
                row.resource_version = resource_version;
                row.shown = shown;
                row.bare = false;
                self.replace_fact(key, fact, now);
            }
        }
        self.release(key, now);
    }

    pub(super) fn write_failed(
        &mut self,
        id: WriteId,
        failure: WriteFailure,
        message: &str,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let Some(write) = self.outbox.end(id) else { return };
        match failure {
            WriteFailure::Throttled | WriteFailure::Ambiguous => self.outbox.narrow(),
            WriteFailure::Rejected | WriteFailure::Forbidden => {
                actions.push(Action::Warn(format!(
                    "the API server refuses the status of {}: {message}",
                    write.target
                )));
            }
            WriteFailure::Conflict | WriteFailure::Gone => {}
        }
        match &write.target {
            Target::Intent(key) => self.intent_failed(key, id, failure, now),
            Target::Status(key, _) => {
                if self.rows.get(key).is_some_and(|row| row.uid == write.uid) {
                    self.try_later(key, now);
                }
            }
            Target::VCenter(name) => {
                self.vcenters_due = true;
                if let Some(vcenter) = self.vcenters.get_mut(name) {
                    vcenter.write_failed(now);
                }
            }
        }
    }

    fn intent_failed(&mut self, key: &Key, id: WriteId, failure: WriteFailure, now: Now) {
        let Some(open) = self.term.get_mut(key).filter(|open| open.stage == Stage::Writing(id)) else {
            return;
        };
        match failure {
            // The newest version of the object tells whether this was our own success.
            WriteFailure::Conflict => {
                open.stage = Stage::Reading;
                self.outbox.push(Job::Read(key.clone()));
            }
            WriteFailure::Throttled | WriteFailure::Ambiguous => open.doubt(key, now.monotonic),
            // It was not written and never will be.
            WriteFailure::Gone | WriteFailure::Rejected | WriteFailure::Forbidden => {
                if let Some(row) = self.rows.get_mut(key) {
                    row.hold_back(key, now.monotonic);
                }
                self.release(key, now);
            }
        }
    }
}
