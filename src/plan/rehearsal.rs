//! A rehearsal: the scheduler that the controller runs, before an API server and vCenters that are values.
//! Every action is performed at once and in order. The time of day stands still, so that no claim and no
//! deadline runs out. No I/O.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::api::InstancePlacementSpec;
use crate::objects::{self, RawObject};
use crate::placement::{Finding, Ledger, Verdict};
use crate::scheduler::{
    Action, Attempt, ConnectionFailure, ConnectionNews, Input, Journal, Key, Kind, Now, Offer, ReadOutcome,
    Scheduler, SeenPlacement, SeenSecret, Settings, Subject, WriteFailure, WriteId,
};
use crate::status;

use super::Recorded;

/// Shorter than the smallest `inventoryMaxAgeSeconds`: no inventory gets too old.
const CONFIRMED_EVERY: Duration = Duration::from_secs(2);
/// Whatever is to be said of a placement is said within this time: the largest `inventoryMaxAgeSeconds`, and
/// some more.
const PATIENCE: Duration = Duration::from_mins(62);

/// A placement as the API server has it.
#[derive(Clone, Debug)]
struct Object {
    raw: RawObject,
    /// Its resourceVersion.
    version: u64,
}

/// The scheduler and its world.
#[derive(Debug)]
pub(super) struct Rehearsal {
    scheduler: Scheduler,
    time: Duration,
    placements: BTreeMap<Key, Object>,
    /// By name of the `VCenter`.
    recordings: BTreeMap<String, Recorded>,
    connections: BTreeMap<String, Attempt>,
    journal: Option<(u64, Journal)>,
    version: u64,
    wake_at: Option<Duration>,
    warnings: Vec<String>,
}

impl Rehearsal {
    /// The placements that exist, and as yet nothing that they refer to: nothing can be decided.
    pub fn begin(settings: Settings, placed: impl Iterator<Item = (Key, RawObject)>) -> Self {
        let mut rehearsal = Self {
            scheduler: Scheduler::new(settings),
            time: Duration::ZERO,
            placements: BTreeMap::new(),
            recordings: BTreeMap::new(),
            connections: BTreeMap::new(),
            journal: None,
            version: 0,
            wake_at: None,
            warnings: Vec::new(),
        };
        for (key, raw) in placed {
            rehearsal.store(key, raw);
        }
        rehearsal.tell(Input::LeaseHeld);
        rehearsal
    }

    /// Shows everything of one kind but placements.
    pub fn list(&mut self, kind: Kind, objects: impl Iterator<Item = Input>) {
        self.tell(Input::ListStarted(kind));
        for object in objects {
            self.tell(object);
        }
        self.tell(Input::Synced(kind));
    }

    /// Shows the Secrets of these names, with all that they need.
    pub fn secrets<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let secrets = names.map(|name| {
            let (name, resource_version) = (name.to_owned(), "1".to_owned());
            Input::SecretSeen(SeenSecret { name, resource_version, missing_keys: Vec::new() })
        });
        self.list(Kind::Secret, secrets);
    }

    /// What each vCenter shows, by name of the `VCenter`.
    pub fn record(&mut self, recordings: BTreeMap<String, Recorded>) {
        self.recordings = recordings;
    }

    /// The user creates a placement, or changes its spec. What is decided at once is written when this returns.
    pub fn apply(&mut self, key: &Key, mut raw: RawObject) {
        if let Some(object) = self.placements.get(key) {
            let before = &object.raw;
            if same_spec(&before.spec, &raw.spec) {
                return;
            }
            let generation = before.metadata.generation.unwrap_or(1).saturating_add(1);
            raw.metadata.uid.clone_from(&before.metadata.uid);
            raw.metadata.generation = Some(generation);
            raw.status = before.status.clone();
        }
        self.store(key.clone(), raw);
        self.tell_seen(key);
    }

    /// Lets time pass until everything is said of these placements.
    pub fn finish(&mut self, keys: &[Key]) {
        while self.time < PATIENCE && keys.iter().any(|key| !self.is_answered(key)) {
            let next = self.wake_at.unwrap_or(PATIENCE);
            self.time = next.clamp(self.time, self.time.saturating_add(CONFIRMED_EVERY));
            for (vcenter, attempt) in self.connections.clone() {
                let news = ConnectionNews::Confirmed { age: Duration::ZERO };
                self.tell(Input::Connection { vcenter, attempt, news });
            }
            self.wake_at = None;
            self.tell(Input::Tick);
        }
    }

    /// Its status answers its newest spec.
    fn is_answered(&self, key: &Key) -> bool {
        self.placements.get(key).is_none_or(|object| {
            let observed = object.raw.status.get("observedGeneration").and_then(Value::as_i64);
            observed == object.raw.metadata.generation
        })
    }

    /// Its status.
    pub fn status(&self, key: &Key) -> Option<&Value> {
        self.placements.get(key).map(|object| &object.raw.status)
    }

    /// What the controller would have said to administrators.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// See [`Scheduler::ledger`].
    pub fn ledger(&self) -> &Ledger {
        self.scheduler.ledger()
    }

    /// See [`Scheduler::offers`].
    pub fn offers(&self) -> Vec<Offer<'_>> {
        self.scheduler.offers(self.now())
    }

    /// See [`Scheduler::survey`].
    pub fn survey(&self, key: &Key, words: bool) -> Option<(&str, Vec<Finding>)> {
        self.scheduler.survey(key, self.now(), words)
    }

    /// See [`Scheduler::explain`].
    pub fn explain(&self, key: &Key) -> Option<(&str, Vec<Verdict>)> {
        self.scheduler.explain(key, self.now())
    }

    fn now(&self) -> Now {
        Now { wall: Timestamp::UNIX_EPOCH, monotonic: self.time }
    }

    fn store(&mut self, key: Key, raw: RawObject) {
        self.version = self.version.saturating_add(1);
        self.placements.insert(key, Object { raw, version: self.version });
    }

    fn seen(&self, key: &Key) -> Option<Box<SeenPlacement>> {
        let object = self.placements.get(key)?;
        let mut raw = object.raw.clone();
        raw.metadata.resource_version = Some(object.version.to_string());
        objects::placement(raw).ok().map(Box::new)
    }

    fn tell_seen(&mut self, key: &Key) {
        if let Some(seen) = self.seen(key) {
            self.tell(Input::PlacementSeen(seen));
        }
    }

    fn tell(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut actions = Vec::new();
            self.scheduler.step(self.now(), input, &mut actions);
            for action in actions {
                self.perform(action, &mut inputs);
            }
            if inputs.is_empty() && self.wake_at.is_some_and(|at| at <= self.time) {
                self.wake_at = None;
                inputs.push_back(Input::Tick);
            }
        }
    }

    fn perform(&mut self, action: Action, inputs: &mut VecDeque<Input>) {
        match action {
            Action::ReadJournal => {
                let (version, journal) = self.journal.clone().unzip();
                let resource_version = version.map(|version| version.to_string());
                let journal = journal.unwrap_or_default();
                inputs.push_back(Input::JournalRead { resource_version, journal });
            }
            Action::WriteJournal { resource_version: _, journal } => {
                self.version = self.version.saturating_add(1);
                self.journal = Some((self.version, journal));
                inputs.push_back(Input::JournalWritten { resource_version: self.version.to_string() });
            }
            Action::ListPlacements => {
                inputs.push_back(Input::ListStarted(Kind::Placement));
                let seen = self.placements.keys().filter_map(|key| self.seen(key));
                inputs.extend(seen.map(Input::PlacementSeen));
                inputs.push_back(Input::Synced(Kind::Placement));
            }
            Action::ReadPlacement(key) => {
                let outcome = match (self.seen(&key), self.status(&key)) {
                    (Some(placement), Some(status)) => {
                        let status = if status.is_null() { "{}".to_owned() } else { status.to_string() };
                        ReadOutcome::Found { placement, status }
                    }
                    _ => ReadOutcome::NotFound,
                };
                inputs.push_back(Input::PlacementRead { key, outcome });
            }
            Action::PutStatus { id, key, body } => {
                let body: Option<Body> = serde_json::from_str(&body).ok();
                self.write(id, &key, body.map(|body| body.status), inputs);
            }
            Action::ReadThenPut { id, key, uid: _, change } => {
                let before = self.status(&key).cloned();
                let after = before.map(|before| status::apply(&before, &change, self.now().wall));
                self.write(id, &key, after, inputs);
            }
            Action::PutVCenterStatus { id, .. } => {
                self.version = self.version.saturating_add(1);
                let resource_version = self.version.to_string();
                inputs.push_back(Input::WriteDone { id, resource_version });
            }
            Action::TryLogin { vcenter, attempt, .. } => {
                for news in self.log_in(&vcenter, attempt) {
                    inputs.push_back(Input::Connection { vcenter: vcenter.clone(), attempt, news });
                }
            }
            Action::Disconnect { vcenter, .. } => {
                self.connections.remove(&vcenter);
            }
            Action::Announce(announcement) => match announcement.subject {
                Subject::Class(name) => {
                    self.warnings.push(format!("PlacementClass {name}: {}", announcement.message));
                }
                Subject::VCenter(_) | Subject::Placement(_) => {}
            },
            Action::Warn(message) => self.warnings.push(message),
            Action::WakeAt(at) => self.wake_at = Some(at),
            Action::Decided(_) | Action::Waited(_) | Action::Answered(_) | Action::Stopped => {}
        }
    }

    fn write(&mut self, id: WriteId, key: &Key, status: Option<Value>, inputs: &mut VecDeque<Input>) {
        let (Some(status), Some(object)) = (status, self.placements.get(key)) else {
            let (failure, message) = (WriteFailure::Gone, "there is no such placement".to_owned());
            inputs.push_back(Input::WriteFailed { id, failure, message });
            return;
        };
        let raw = RawObject { status, ..object.raw.clone() };
        self.store(key.clone(), raw);
        inputs.extend(self.seen(key).map(Input::PlacementSeen));
        inputs.push_back(Input::WriteDone { id, resource_version: self.version.to_string() });
    }

    fn log_in(&mut self, vcenter: &str, attempt: Attempt) -> Vec<ConnectionNews> {
        let Some(recorded) = self.recordings.get(vcenter) else {
            let (failure, message) =
                (ConnectionFailure::Unavailable, "there is no inventory of it".to_owned());
            return vec![ConnectionNews::Ended { failure, message }];
        };
        self.connections.insert(vcenter.to_owned(), attempt);
        vec![
            ConnectionNews::Connected {
                version: recorded.inventory.vcenter_version.clone(),
                instance_uuid: recorded.inventory.instance_uuid.clone(),
            },
            ConnectionNews::Inventory { inventory: Arc::clone(&recorded.inventory), age: Duration::ZERO },
        ]
    }
}

/// A field that is left out is the same as its default.
fn same_spec(one: &Value, other: &Value) -> bool {
    let spec = |value| InstancePlacementSpec::deserialize(value).ok();
    one == other || spec(one).is_some_and(|one| spec(other).is_some_and(|other| one == other))
}

/// The part of a status write's body that counts here.
#[derive(Deserialize)]
struct Body {
    status: Value,
}
