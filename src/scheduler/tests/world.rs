//! A small world for the scheduler: API server and vCenter as maps, time as a number. It performs actions
//! as the shell does, at once and in order, unless a test holds them back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::*;
use crate::api::{InstancePlacementSpec, InstancePlacementStatus, VCenterStatus};
use crate::placement::samples;
use crate::placement::{Datastore, Inventory};
use crate::status;

pub const GIB: u64 = 1 << 30;
pub const VCENTER: &str = "dbed6e0c-bd88-4ef6-b594-21283e1c677f";

/// A stored placement.
#[derive(Clone, Debug)]
pub struct Object {
    pub uid: String,
    pub resource_version: u64,
    pub generation: i64,
    pub spec: Value,
    pub status: Value,
    /// Decisions that were ever stored: (revision, moRef).
    pub decisions: Vec<(i64, String)>,
}

/// What happens to the next write of a placement's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is stored, and the answer arrives.
    Done,
    /// It is stored, but the answer is lost.
    StoredUnanswered,
    /// It is not stored, and the answer is lost.
    LostUnanswered,
    /// It stays under way.
    Held,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct World {
    pub scheduler: Scheduler,
    /// For the next process.
    pub settings: Settings,
    pub now: Duration,
    pub objects: BTreeMap<Key, Object>,
    pub journal: Option<(u64, Journal)>,
    pub journal_writes: usize,
    /// Writes of the journal are not answered.
    pub journal_silent: bool,
    pub puts: Vec<Key>,
    pub gets: Vec<Key>,
    pub vcenter_puts: Vec<VCenterStatus>,
    /// The API server refuses every status of a `VCenter`.
    pub refuses_vcenters: bool,
    pub logins: Vec<(Attempt, String)>,
    pub announcements: Vec<Announcement>,
    pub warnings: Vec<String>,
    pub decided: Vec<DecisionRecord>,
    pub waits: Vec<Duration>,
    pub answered: Vec<Duration>,
    pub fates: VecDeque<Fate>,
    /// The answer to a write comes before the watch shows what was written.
    pub watch_lags: bool,
    pub held: Vec<Action>,
    /// Writes that a process which is gone had under way: they may still land.
    pub late: Vec<Action>,
    pub wake_at: Option<Duration>,
    pub stopped: bool,
    /// The answer of the vCenter to a login; `None`: none for now.
    pub inventory: Option<Arc<Inventory>>,
    pub login_failure: Option<ConnectionFailure>,
    pub attempt: Option<Attempt>,
    version: u64,
}

pub fn key(name: &str) -> Key {
    Key { namespace: "team-a".into(), name: name.into() }
}

pub fn datastore(name: &str, kind: &str, free: u64) -> Datastore {
    Datastore {
        capacity: Some(1000 * GIB),
        free: Some(free),
        ..samples::datastore(&format!("datastore-{name}"), name, kind)
    }
}

pub fn inventory(datastores: Vec<Datastore>) -> Arc<Inventory> {
    Arc::new(Inventory::new(VCENTER, samples::compute(), datastores))
}

impl World {
    /// A controller that leads, with one class, one vCenter and this inventory.
    pub fn start(datastores: Vec<Datastore>) -> Self {
        let mut world = Self::empty(datastores);
        world.boot();
        world
    }

    pub fn empty(datastores: Vec<Datastore>) -> Self {
        Self {
            scheduler: Scheduler::default(),
            settings: Settings { cluster_identity: "east".into(), ..Settings::default() },
            now: Duration::from_secs(100),
            objects: BTreeMap::new(),
            journal: None,
            journal_writes: 0,
            journal_silent: false,
            puts: Vec::new(),
            gets: Vec::new(),
            vcenter_puts: Vec::new(),
            refuses_vcenters: false,
            logins: Vec::new(),
            announcements: Vec::new(),
            warnings: Vec::new(),
            decided: Vec::new(),
            waits: Vec::new(),
            answered: Vec::new(),
            fates: VecDeque::new(),
            watch_lags: false,
            held: Vec::new(),
            late: Vec::new(),
            wake_at: None,
            stopped: false,
            inventory: Some(inventory(datastores)),
            login_failure: None,
            attempt: None,
            version: 1000,
        }
    }

    /// Starts a new process on what is stored.
    pub fn boot(&mut self) {
        self.scheduler = Scheduler::new(self.settings.clone());
        self.wake_at = None;
        self.late.append(&mut self.held);
        for kind in [Kind::Class, Kind::VCenter, Kind::Namespace, Kind::Secret] {
            self.input(Input::ListStarted(kind));
        }
        self.input(Input::NamespaceSeen { name: "team-a".into(), labels: BTreeMap::new() });
        self.input(Input::Synced(Kind::Namespace));
        self.secret("1");
        self.input(Input::Synced(Kind::Secret));
        self.class(json!({}));
        self.input(Input::Synced(Kind::Class));
        self.vcenter(1, &json!({}));
        self.input(Input::Synced(Kind::VCenter));
        self.input(Input::LeaseHeld);
    }

    pub fn class(&mut self, spec: Value) {
        self.version += 1;
        let meta = self.meta("class", 1);
        let spec = serde_json::from_value(spec).map_err(|e| e.to_string());
        let (name, created) = ("standard".into(), Timestamp::UNIX_EPOCH);
        self.input(Input::ClassSeen(Box::new(SeenClass { name, meta, is_default: true, created, spec })));
    }

    pub fn vcenter(&mut self, generation: i64, more: &Value) {
        self.vcenter_named("vc", generation, more);
    }

    pub fn vcenter_named(&mut self, name: &str, generation: i64, more: &Value) {
        let mut spec = json!({
            "server": "https://vc.example.com",
            "credentialsSecretName": "vc",
            "allowedNamespaces": {"from": "All"},
        });
        for (field, value) in more.as_object().unwrap() {
            spec[field] = value.clone();
        }
        // What is written of another one is not kept.
        let status = self.vcenter_puts.last().filter(|_| name == "vc").cloned().unwrap_or_default();
        let meta = self.meta(&format!("uid-{name}"), generation);
        let spec = serde_json::from_value(spec).map_err(|e| e.to_string());
        let (name, created) = (name.to_owned(), Timestamp::UNIX_EPOCH);
        self.input(Input::VCenterSeen(Box::new(SeenVCenter { name, meta, created, spec, status })));
    }

    pub fn secret(&mut self, version: &str) {
        let seen = SeenSecret { name: "vc".into(), resource_version: version.into(), missing_keys: vec![] };
        self.input(Input::SecretSeen(seen));
    }

    fn meta(&mut self, uid: &str, generation: i64) -> Meta {
        self.version += 1;
        Meta { uid: uid.into(), resource_version: self.version.to_string(), generation }
    }

    pub fn now(&self) -> Now {
        let wall =
            Timestamp::from_second(1_700_000_000 + i64::try_from(self.now.as_secs()).unwrap()).unwrap();
        Now { wall, monotonic: self.now }
    }

    pub fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut actions = Vec::new();
            self.scheduler.step(self.now(), input, &mut actions);
            for action in actions {
                self.perform(action, &mut inputs);
            }
            if inputs.is_empty() && self.wake_at.is_some_and(|at| at <= self.now) {
                self.wake_at = None;
                inputs.push_back(Input::Tick);
            }
        }
    }

    /// Lets time pass, with a tick whenever one was asked for.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.wake_at.filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.wake_at = None;
            self.input(Input::Tick);
        }
        self.now = end;
    }

    /// The vCenter answers every few seconds, as it does.
    pub fn pass_with_answers(&mut self, time: Duration) {
        for _ in 0..time.as_secs() {
            self.pass(Duration::from_secs(1));
            self.news(ConnectionNews::Confirmed { age: Duration::ZERO });
        }
    }

    pub fn news(&mut self, news: ConnectionNews) {
        if let Some(attempt) = self.attempt {
            self.input(Input::Connection { vcenter: "vc".into(), attempt, news });
        }
    }

    pub fn set_inventory(&mut self, datastores: Vec<Datastore>) {
        let inventory = inventory(datastores);
        self.inventory = Some(inventory.clone());
        self.news(ConnectionNews::Inventory { inventory, age: Duration::ZERO });
    }

    fn perform(&mut self, action: Action, inputs: &mut VecDeque<Input>) {
        match action {
            Action::ReadJournal => inputs.push_back(Input::JournalRead {
                resource_version: self.journal.as_ref().map(|(version, _)| version.to_string()),
                journal: self.journal.as_ref().map(|(_, journal)| journal.clone()).unwrap_or_default(),
            }),
            Action::WriteJournal { .. } if self.journal_silent => {}
            Action::WriteJournal { resource_version, journal } => {
                let stored = self.journal.as_ref().map(|(version, _)| version.to_string());
                if stored == resource_version {
                    self.version += 1;
                    self.journal_writes += 1;
                    self.journal = Some((self.version, journal));
                    inputs.push_back(Input::JournalWritten { resource_version: self.version.to_string() });
                } else {
                    inputs.push_back(Input::JournalConflict);
                }
            }
            Action::ListPlacements => {
                inputs.push_back(Input::ListStarted(Kind::Placement));
                let keys: Vec<Key> = self.objects.keys().cloned().collect();
                inputs.extend(keys.iter().map(|key| Input::PlacementSeen(Box::new(self.seen(key)))));
                inputs.push_back(Input::Synced(Kind::Placement));
            }
            Action::ReadPlacement(key) => {
                self.gets.push(key.clone());
                let outcome = match self.objects.get(&key) {
                    Some(object) => ReadOutcome::Found {
                        placement: Box::new(self.seen(&key)),
                        status: object.status.to_string(),
                    },
                    None => ReadOutcome::NotFound,
                };
                inputs.push_back(Input::PlacementRead { key, outcome });
            }
            Action::PutStatus { .. } | Action::ReadThenPut { .. } => {
                match self.fates.pop_front().unwrap_or(Fate::Done) {
                    Fate::Held => self.held.push(action),
                    fate => self.put(action, fate, inputs),
                }
            }
            Action::PutVCenterStatus { id, status, .. } => {
                self.vcenter_puts.push(*status);
                if self.refuses_vcenters {
                    let (failure, message) = (WriteFailure::Rejected, "no".into());
                    inputs.push_back(Input::WriteFailed { id, failure, message });
                    return;
                }
                self.version += 1;
                inputs.push_back(Input::WriteDone { id, resource_version: self.version.to_string() });
            }
            Action::TryLogin { vcenter, attempt, secret_version, .. } => {
                self.logins.push((attempt, secret_version));
                self.answer_login(&vcenter, attempt, inputs);
            }
            Action::Disconnect { attempt, .. } => {
                if self.attempt == Some(attempt) {
                    self.attempt = None;
                }
            }
            Action::Announce(announcement) => self.announcements.push(announcement),
            Action::Decided(record) => self.decided.push(record),
            Action::Waited(waits) => self.waits.extend(waits),
            Action::Answered(after) => self.answered.push(after),
            Action::Warn(message) => self.warnings.push(message),
            Action::WakeAt(at) => self.wake_at = Some(at),
            Action::Stopped => self.stopped = true,
        }
    }

    fn answer_login(&mut self, vcenter: &str, attempt: Attempt, inputs: &mut VecDeque<Input>) {
        let mut news =
            |news| inputs.push_back(Input::Connection { vcenter: vcenter.to_owned(), attempt, news });
        match (self.login_failure, &self.inventory) {
            (Some(failure), _) => news(ConnectionNews::Ended { failure, message: "refused".into() }),
            (None, Some(inventory)) => {
                self.attempt = Some(attempt);
                let instance_uuid = VCENTER.into();
                news(ConnectionNews::Connected { version: "8.0.3".into(), instance_uuid });
                news(ConnectionNews::Inventory { inventory: inventory.clone(), age: Duration::ZERO });
            }
            (None, None) => {}
        }
    }

    /// Performs a write that was held back.
    pub fn let_go(&mut self, fate: Fate) {
        let action = self.held.remove(0);
        let mut inputs = VecDeque::new();
        self.put(action, fate, &mut inputs);
        for input in inputs {
            self.input(input);
        }
    }

    /// A write of a process that is gone lands: nobody hears the answer, but everybody sees the object.
    pub fn land_late(&mut self, n: usize) {
        let action = self.late.remove(n);
        let mut inputs = VecDeque::new();
        self.put(action, Fate::Done, &mut inputs);
        for input in inputs.into_iter().filter(|input| matches!(input, Input::PlacementSeen(_))) {
            self.input(input);
        }
    }

    fn put(&mut self, action: Action, fate: Fate, inputs: &mut VecDeque<Input>) {
        let (id, key, uid, wanted, status) = match action {
            Action::PutStatus { id, key, body } => {
                let body: Value = serde_json::from_str(&body).unwrap();
                let text = |name: &str| body["metadata"][name].as_str().unwrap().to_owned();
                (id, key, text("uid"), Some(text("resourceVersion")), body["status"].clone())
            }
            Action::ReadThenPut { id, key, uid, change } => {
                self.gets.push(key.clone());
                let before = self.objects.get(&key).map(|object| object.status.clone()).unwrap_or_default();
                let status = status::apply(&before, &change, self.now().wall);
                (id, key, uid, None, status)
            }
            other => panic!("not a write: {other:?}"),
        };
        let mut lagging = None;
        let stored = match self.objects.get(&key) {
            _ if fate == Fate::LostUnanswered => Ok(()),
            None => Err(WriteFailure::Gone),
            Some(object) if object.uid != uid => Err(WriteFailure::Gone),
            Some(object) if wanted.as_ref().is_some_and(|v| *v != object.resource_version.to_string()) => {
                Err(WriteFailure::Conflict)
            }
            Some(_) => {
                self.puts.push(key.clone());
                self.store_status(&key, status);
                let seen = Input::PlacementSeen(Box::new(self.seen(&key)));
                if self.watch_lags {
                    lagging = Some(seen);
                } else {
                    inputs.push_back(seen);
                }
                Ok(())
            }
        };
        let failed = |failure| Input::WriteFailed { id, failure, message: "no".into() };
        inputs.push_back(match (stored, fate) {
            (Ok(()), Fate::Done) => {
                Input::WriteDone { id, resource_version: self.objects[&key].resource_version.to_string() }
            }
            (Ok(()), _) => failed(WriteFailure::Ambiguous),
            (Err(failure), _) => failed(failure),
        });
        inputs.extend(lagging);
    }

    fn store_status(&mut self, key: &Key, status: Value) {
        self.version += 1;
        let object = self.objects.get_mut(key).unwrap();
        object.resource_version = self.version;
        if let Some(moref) = status["datastore"]["moRef"].as_str() {
            let decision = (status["revision"].as_i64().unwrap(), moref.to_owned());
            if object.decisions.last() != Some(&decision) {
                object.decisions.push(decision);
            }
        }
        object.status = status;
    }

    pub fn seen(&self, key: &Key) -> SeenPlacement {
        let object = &self.objects[key];
        SeenPlacement {
            deleting: false,
            key: key.clone(),
            meta: Meta {
                uid: object.uid.clone(),
                resource_version: object.resource_version.to_string(),
                generation: object.generation,
            },
            spec: serde_json::from_value::<InstancePlacementSpec>(object.spec.clone())
                .map_err(|e| e.to_string()),
            status: serde_json::from_value::<InstancePlacementStatus>(object.status.clone()).unwrap(),
            foreign_status: false,
        }
    }

    /// Stores a placement without telling anybody.
    pub fn store(&mut self, name: &str, spec: Value) -> Key {
        self.version += 1;
        let object = Object {
            uid: format!("uid-{name}-{}", self.version),
            resource_version: self.version,
            generation: 1,
            spec,
            status: json!({"observedGeneration": -1}),
            decisions: Vec::new(),
        };
        self.objects.insert(key(name), object);
        key(name)
    }

    pub fn create(&mut self, name: &str, spec: Value) -> Key {
        let key = self.store(name, spec);
        self.input(Input::PlacementSeen(Box::new(self.seen(&key))));
        key
    }

    /// An image of so many bytes.
    pub fn create_sized(&mut self, name: &str, bytes: u64) -> Key {
        self.create(name, json!({"image": {"virtualSize": bytes.to_string()}}))
    }

    pub fn edit(&mut self, key: &Key, change: impl FnOnce(&mut Value)) {
        self.edit_unseen(key, change);
        self.input(Input::PlacementSeen(Box::new(self.seen(key))));
    }

    pub fn edit_unseen(&mut self, key: &Key, change: impl FnOnce(&mut Value)) {
        self.version += 1;
        let object = self.objects.get_mut(key).unwrap();
        object.resource_version = self.version;
        object.generation += 1;
        change(&mut object.spec);
    }

    /// Somebody else writes a status.
    pub fn edit_status(&mut self, key: &Key, status: Value) {
        self.version += 1;
        let object = self.objects.get_mut(key).unwrap();
        object.resource_version = self.version;
        object.status = status;
        self.input(Input::PlacementSeen(Box::new(self.seen(key))));
    }

    pub fn delete(&mut self, key: &Key) {
        let object = self.objects.remove(key).unwrap();
        self.input(Input::PlacementGone { key: key.clone(), uid: object.uid });
    }

    pub fn condition(&self, key: &Key, type_: &str) -> Option<(String, String, String)> {
        let conditions = self.objects[key].status["conditions"].as_array()?;
        let condition = conditions.iter().find(|c| c["type"] == type_)?;
        let text = |name: &str| condition[name].as_str().unwrap().to_owned();
        Some((text("status"), text("reason"), text("message")))
    }

    pub fn reason(&self, key: &Key) -> String {
        self.condition(key, "Ready").map_or_else(|| "nothing".into(), |(_, reason, _)| reason)
    }

    pub fn datastore_of(&self, key: &Key) -> Option<String> {
        self.objects[key].status["datastore"]["name"].as_str().map(str::to_owned)
    }

    /// How many placements each datastore has.
    pub fn placed(&self) -> BTreeMap<String, usize> {
        let mut placed = BTreeMap::new();
        for key in self.objects.keys() {
            if let Some(name) = self.datastore_of(key) {
                *placed.entry(name).or_default() += 1;
            }
        }
        placed
    }
}
