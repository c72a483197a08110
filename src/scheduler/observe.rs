//! What the watches show: placements, and everything that they refer to. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use crate::placement::{Ask, ClassRules, FieldError, Invalid};
use crate::resolve::{Allowed, ClassView};
use crate::status::Shown;

use super::Scheduler;
use super::action::{Action, Announcement, Subject};
use super::input::{Key, Kind, Now, ReadOutcome, SeenClass, SeenPlacement, SeenSecret, SeenVCenter};
use super::outbox::Job;
use super::rows::{PlacedFact, ReadStatus, Row};
use super::term::Stage;
use super::vcenter::VCenter;
use crate::api::PlacementReason;

impl Scheduler {
    pub(super) fn list_started(&mut self, kind: Kind) {
        match kind {
            Kind::Placement => self.list = self.list.saturating_add(1),
            Kind::Class | Kind::VCenter | Kind::Namespace | Kind::Secret => self.lists.start(kind),
        }
    }

    /// What a complete list did not show is gone.
    pub(super) fn synced(&mut self, kind: Kind, now: Now, actions: &mut Vec<Action>) {
        match kind {
            Kind::Placement => {
                self.lists.finish(kind, [].into_iter());
                let gone = self.rows.iter().filter(|(_, row)| row.list != self.list);
                let gone: Vec<_> = gone.map(|(key, row)| (key.clone(), row.uid.clone())).collect();
                for (key, uid) in gone {
                    self.placement_gone(&key, &uid, now);
                }
                self.run_term(now);
            }
            Kind::Class => {
                for name in self.lists.finish(kind, self.classes.keys()) {
                    self.class_gone(&name, now);
                }
            }
            Kind::VCenter => {
                for name in self.lists.finish(kind, self.vcenters.keys()) {
                    self.vcenter_gone(&name, now, actions);
                }
            }
            Kind::Namespace => {
                for name in self.lists.finish(kind, self.namespaces.keys()) {
                    self.namespace_gone(&name);
                }
            }
            Kind::Secret => {
                for name in self.lists.finish(kind, self.secrets.keys()) {
                    self.secret_gone(&name);
                }
            }
        }
    }

    pub(super) fn placement_seen(&mut self, seen: SeenPlacement, now: Now) {
        let SeenPlacement { key, meta, deleting, spec, status, foreign_status } = seen;
        if self.rows.get(&key).is_some_and(|row| row.uid != meta.uid) {
            let uid = self.rows.get(&key).map(|row| row.uid.clone()).unwrap_or_default();
            self.placement_gone(&key, &uid, now);
        }
        if self.rows.get(&key).is_none() {
            let ask = Err(unreadable("it was not read yet"));
            self.rows.insert(key.clone(), Row::new(meta.uid.clone(), ask, now.monotonic));
        }
        let list = self.list;
        let Some(row) = self.rows.get_mut(&key) else { return };
        row.list = list;
        if !is_newer(&meta.resource_version, &row.resource_version) {
            return;
        }
        let is_edited = meta.generation != row.generation;
        if is_edited {
            row.due_since = now.monotonic;
            row.unanswered_since = self.lists.have(&[Kind::Placement]).then_some(now.monotonic);
            row.failures = 0;
            row.not_before = now.monotonic;
        }
        row.resource_version = meta.resource_version;
        row.generation = meta.generation;
        row.deleting = deleting;
        let mut raised = None;
        match spec {
            Ok(spec) => {
                if row.shown.is_some() && spec.revision > row.revision {
                    raised = Some(now.wall);
                }
                row.revision = spec.revision;
                row.suspend = spec.suspend;
                row.ask = Ask::parse(&spec, &mut self.patterns);
            }
            Err(why) => row.ask = Err(unreadable(&why)),
        }
        row.learn_waiting(&status, raised);
        row.shown = Shown::of(&status);
        let is_answered = row.shown.as_ref().is_some_and(|shown| shown.generation() >= row.generation);
        if is_answered && !self.outbox.is_writing(&key) {
            // By somebody else, or by a write of which nobody knows when it was done.
            row.unanswered_since = None;
        }
        row.bare = !foreign_status && status.conditions.is_empty() && status.datastore.is_none();
        let placed = self.rebuilt(PlacedFact::of(&status));
        self.replace_fact(&key, placed, now);
        self.settle_intent(&key, now);
        let shown = self.rows.get(&key).and_then(|row| row.shown.as_ref());
        if !is_edited && self.outbox.is_saying(&key, shown) {
            // Our own words, seen before the answer to their write: nothing to look at.
            return;
        }
        self.rows.enqueue(&key, now.monotonic);
        if let Some(row) = self.rows.get(&key)
            && row.shown.is_none()
        {
            let told_at = row.due_since.saturating_add(super::evaluate::SILENCE);
            self.rows.set_timer(&key, told_at);
        }
    }

    /// The room of what the status says now, instead of what it said before.
    pub(super) fn replace_fact(&mut self, key: &Key, fact: Option<PlacedFact>, now: Now) {
        let Some(row) = self.rows.get_mut(key) else { return };
        let after = fact.as_ref().and_then(PlacedFact::own);
        let before = std::mem::replace(&mut row.placed, fact).as_ref().and_then(PlacedFact::own);
        self.await_deadlines(key, now);
        if before == after {
            // A new promise to a placement that had its room already was counted beside it until now.
            self.room_released |= before.is_some() && self.term.get(key).is_some();
            return;
        }
        if let Some(own) = &after {
            self.ledger.add(&own.backing, &own.claim);
        }
        if let Some(own) = &before {
            self.ledger.remove(&own.backing, &own.claim);
            self.room_released = true;
        }
    }

    /// An object that has moved on from the version that a promise was made on: the promise has been
    /// fulfilled or never will be, and its status tells which.
    fn settle_intent(&mut self, key: &Key, now: Now) {
        let Some(row) = self.rows.get(key) else { return };
        let moved_on = self.term.get(key).is_some_and(|open| {
            open.intent.uid != row.uid || open.intent.resource_version != row.resource_version
        });
        if moved_on {
            self.release(key, now);
        }
    }

    pub(super) fn placement_gone(&mut self, key: &Key, uid: &str, now: Now) {
        if self.rows.get(key).is_none_or(|row| row.uid != uid) {
            return;
        }
        let placed = self.rows.get(key).and_then(|row| row.placed.as_ref()).and_then(PlacedFact::own);
        // A status that may have been written may have been read.
        let promised = self.term.get(key).filter(|open| open.may_be_written()).map(|open| open.own.clone());
        if let Some(own) = promised.or(placed) {
            self.ledger.add(&own.backing, &own.claim);
            self.departed.keep(key.clone(), own, now.monotonic);
        }
        self.release(key, now);
        self.replace_fact(key, None, now);
        self.rows.remove(key);
    }

    pub(super) fn placement_read(&mut self, key: &Key, outcome: ReadOutcome, now: Now) {
        self.outbox.end_read();
        match outcome {
            ReadOutcome::Found { placement, status } => {
                let resource_version = placement.meta.resource_version.clone();
                self.placement_seen(*placement, now);
                if let Some(open) = self.term.get_mut(key) {
                    // The object has not moved: the write may still land, so it is sent again.
                    if open.stage == Stage::Reading {
                        open.stage = Stage::Ready;
                        self.outbox.push(Job::Intent(key.clone()));
                    }
                    return;
                }
                if let Some(row) = self.rows.get_mut(key) {
                    row.read = Some(ReadStatus { resource_version, status });
                    self.rows.settle_and_look_again(key, now.monotonic);
                }
            }
            ReadOutcome::NotFound => {
                if let Some(uid) = self.rows.get(key).map(|row| row.uid.clone()) {
                    self.placement_gone(key, &uid, now);
                }
            }
            ReadOutcome::Failed(_) => {
                self.outbox.narrow();
                match self.term.get_mut(key) {
                    Some(open) => open.doubt(key, now.monotonic),
                    None => self.try_later(key, now),
                }
            }
        }
    }

    /// Nothing is being done about the row any more; it gets a turn again after a wait that grows.
    pub(super) fn try_later(&mut self, key: &Key, now: Now) {
        if let Some(row) = self.rows.get_mut(key) {
            row.hold_back(key, now.monotonic);
            self.rows.settle_and_look_again(key, now.monotonic);
        }
    }

    pub(super) fn class_seen(&mut self, seen: SeenClass, now: Now, actions: &mut Vec<Action>) {
        let SeenClass { name, meta, is_default, created, spec } = seen;
        self.lists.show(Kind::Class, &name);
        // When allowedNamespaces cannot be used, nobody may use the class; one that cannot be decoded at all is
        // said to be invalid to whoever names it.
        let (allowed, rules) = match spec {
            Ok(spec) => match Allowed::parse(spec.allowed_namespaces.as_ref(), Allowed::All) {
                Ok(allowed) => (allowed, ClassRules::parse(&spec, &mut self.patterns)),
                Err(message) => (Allowed::None, Err(FieldError { field: "allowedNamespaces", message })),
            },
            Err(message) => (Allowed::All, Err(FieldError { field: "spec", message })),
        };
        let class =
            ClassView { uid: meta.uid, generation: meta.generation, created, is_default, allowed, rules };
        self.classes.insert(name, class);
        self.announce_defaults(actions);
        self.rows.look_again(now.monotonic, |_| true);
    }

    pub(super) fn class_gone(&mut self, name: &str, now: Now) {
        self.classes.remove(name);
        self.announced_defaults.remove(name);
        self.rows.look_again(now.monotonic, |_| true);
    }

    /// Several default classes are a mistake: each of them is told, once.
    fn announce_defaults(&mut self, actions: &mut Vec<Action>) {
        let defaults: BTreeSet<&String> =
            self.classes.iter().filter(|(_, class)| class.is_default).map(|(name, _)| name).collect();
        if defaults.len() < 2 {
            self.announced_defaults.clear();
            return;
        }
        let winner = crate::resolve::default_class(&self.classes).map_or("", |(name, _)| name);
        for name in &defaults {
            if self.announced_defaults.contains(*name) {
                continue;
            }
            let uid = self.classes.get(*name).map(|class| class.uid.clone()).unwrap_or_default();
            actions.push(Action::Announce(Announcement {
                subject: Subject::Class((*name).clone()),
                uid,
                warning: true,
                reason: "MultipleDefaultClasses",
                message: format!("several classes are marked as the default; {winner}, the newest, is used"),
            }));
        }
        self.announced_defaults = defaults.into_iter().cloned().collect();
    }

    pub(super) fn vcenter_seen(&mut self, seen: SeenVCenter, now: Now, actions: &mut Vec<Action>) {
        self.lists.show(Kind::VCenter, &seen.name);
        let name = seen.name.clone();
        let known = self.vcenters.get_mut(&name).filter(|known| known.meta.uid == seen.meta.uid);
        if let Some(known) = known {
            let same_spec = known.meta.generation == seen.meta.generation;
            known.update(seen, &mut self.patterns);
            if same_spec {
                return;
            }
        } else {
            // One of the same name is another object: what was known of the old one is not true of it.
            let new = VCenter::new(seen, &mut self.patterns, now);
            if let Some(mut old) = self.vcenters.insert(name.clone(), new) {
                old.drop_connections(&name, actions);
            }
        }
        self.rows.look_again(now.monotonic, |_| true);
    }

    pub(super) fn vcenter_gone(&mut self, name: &str, now: Now, actions: &mut Vec<Action>) {
        if let Some(mut vcenter) = self.vcenters.remove(name) {
            vcenter.drop_connections(name, actions);
        }
        self.rows.look_again(now.monotonic, |_| true);
    }

    pub(super) fn namespace_seen(&mut self, name: String, labels: BTreeMap<String, String>, now: Now) {
        self.lists.show(Kind::Namespace, &name);
        if self.namespaces.get(&name) != Some(&labels) {
            self.namespaces.insert(name, labels);
            self.rows.look_again(now.monotonic, |_| true);
        }
    }

    pub(super) fn namespace_gone(&mut self, name: &str) {
        self.namespaces.remove(name);
    }

    pub(super) fn secret_seen(&mut self, seen: SeenSecret) {
        self.lists.show(Kind::Secret, &seen.name);
        self.secrets.insert(seen.name.clone(), seen);
    }

    pub(super) fn secret_gone(&mut self, name: &str) {
        self.secrets.remove(name);
    }
}

/// Whether a version is newer than another. Versions are opaque; where both are numbers, a smaller one is
/// a list or watch that has not caught up with what is known already.
pub(super) fn is_newer(seen: &str, known: &str) -> bool {
    match (seen.parse::<u128>(), known.parse::<u128>()) {
        (Ok(seen), Ok(known)) => seen > known,
        _ => seen != known,
    }
}

fn unreadable(why: &str) -> Invalid {
    Invalid { reason: PlacementReason::InvalidSpec, message: format!("the spec cannot be read: {why}") }
}
