//! One controller process of the model: the shipped scheduler, and what it has under way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use berth::api::VCenterStatus;
use berth::placement::Inventory;
use berth::scheduler::{
    Action, Attempt, ConnectionNews, Device, Input, Journal, Kind, Meta, Now, ReadOutcome, Scheduler,
    SeenClass, SeenSecret, SeenVCenter, Settings, WriteFailure, WriteId,
};
use berth::status::Change;
use jiff::Timestamp;
use serde_json::json;

use super::api::{JournalWrite, Put, Stored, Version, key, number};
use super::shared::Shared;

/// The time of day is one and the same, so that what is written does not depend on when.
pub const WALL: Timestamp = Timestamp::constant(1_700_000_000, 0);

/// Something that the scheduler wants of the API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    ReadJournal,
    WriteJournal(Shared<JournalWrite>),
    List,
    Get(usize),
    Put(WriteId, Shared<Put>),
    /// A read, a change and a write.
    Change(WriteId, usize, String, Box<Change>),
    /// A write has been done; its answer is under way.
    Answer(WriteId, u64),
}

impl Request {
    /// The order in which requests under way are kept, so that it does not depend on how they came about.
    fn rank(&self) -> (u8, usize, WriteId) {
        match self {
            Self::ReadJournal => (0, 0, WriteId(0)),
            Self::WriteJournal(_) => (1, 0, WriteId(0)),
            Self::List => (2, 0, WriteId(0)),
            Self::Get(n) => (3, *n, WriteId(0)),
            Self::Put(id, put) => (4, put.n, *id),
            Self::Change(id, n, ..) => (5, *n, *id),
            Self::Answer(id, _) => (6, 0, *id),
        }
    }
}

/// Something that a process is told. Where it answers a request, that is named beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum News {
    LeaseHeld,
    LeaseLost,
    JournalRead(Option<Shared<Stored>>),
    JournalWritten(u64),
    JournalConflict,
    JournalAmbiguous,
    /// The whole list.
    Listed(Vec<Shared<Version>>),
    Got(Shared<Version>),
    Seen(usize, Shared<Version>),
    /// The write was done, and its answer is under way.
    Done(u64),
    /// The answer arrives.
    Answer,
    Refused(WriteFailure),
    Inventory(usize),
    /// It is the time at which the scheduler wanted to be woken.
    Time,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    pub scheduler: Scheduler,
    pub requests: Vec<Request>,
    pub leads: bool,
    /// Of the journal that it wrote last, or wanted to.
    pub term: u64,
    pub now: Duration,
    pub wake_at: Option<Duration>,
    attempt: Option<Attempt>,
    inventory: Arc<Inventory>,
}

impl Process {
    /// A standby: everything is listed, and the vCenter has answered.
    pub fn start(device: Option<Device>, inventory: Arc<Inventory>, versions: &[Shared<Version>]) -> Self {
        let settings = Settings { cluster_identity: "east".into(), ..Settings::default() };
        let mut process = Self {
            scheduler: Scheduler::new(settings).without(device),
            requests: Vec::new(),
            leads: false,
            term: 0,
            now: Duration::from_secs(100),
            wake_at: None,
            attempt: None,
            inventory,
        };
        for input in surroundings() {
            process.input(input);
        }
        for input in list(versions) {
            process.input(input);
        }
        process.requests.sort_by_key(Request::rank);
        process
    }

    /// Takes what it is told; the request that it answers is under way no more.
    pub fn told(&self, request: Option<usize>, news: &News, inventories: &[Arc<Inventory>]) -> Self {
        let mut next = self.clone();
        let request = request.map(|index| next.requests.remove(index));
        match news {
            News::LeaseHeld => {
                next.leads = true;
                next.input(Input::LeaseHeld);
            }
            News::LeaseLost => {
                next.leads = false;
                next.input(Input::LeaseLost);
            }
            News::JournalRead(stored) => next.input(Input::JournalRead {
                resource_version: stored.as_ref().map(|stored| stored.version.to_string()),
                journal: stored.as_ref().map_or_else(Journal::default, |stored| stored.journal.clone()),
            }),
            News::JournalWritten(version) => {
                next.input(Input::JournalWritten { resource_version: version.to_string() });
            }
            News::JournalConflict => next.input(Input::JournalConflict),
            News::JournalAmbiguous => next.input(Input::JournalAmbiguous("no answer".into())),
            News::Listed(versions) => {
                for input in list(versions) {
                    next.input(input);
                }
            }
            News::Got(version) => {
                let Some(Request::Get(n)) = request else { panic!("not a read: {request:?}") };
                let outcome = if version.exists {
                    ReadOutcome::Found {
                        placement: Box::new(version.seen(n)),
                        status: version.status.clone(),
                    }
                } else {
                    ReadOutcome::NotFound
                };
                next.input(Input::PlacementRead { key: key(n), outcome });
            }
            News::Seen(n, version) => next.input(if version.exists {
                Input::PlacementSeen(Box::new(version.seen(*n)))
            } else {
                Input::PlacementGone { key: key(*n), uid: version.uid(*n) }
            }),
            News::Done(version) => {
                let Some(Request::Put(id, _) | Request::Change(id, ..)) = request else {
                    panic!("not a write: {request:?}")
                };
                next.requests.push(Request::Answer(id, *version));
            }
            News::Answer => {
                let Some(Request::Answer(id, version)) = request else { panic!("no answer: {request:?}") };
                next.input(Input::WriteDone { id, resource_version: version.to_string() });
            }
            News::Refused(failure) => {
                let Some(Request::Put(id, _) | Request::Change(id, ..)) = request else {
                    panic!("not a write: {request:?}")
                };
                next.input(Input::WriteFailed { id, failure: *failure, message: "no".into() });
            }
            News::Inventory(index) => {
                next.inventory = inventories[*index].clone();
                let inventory = next.inventory.clone();
                next.vcenter(ConnectionNews::Inventory { inventory, age: Duration::ZERO });
            }
            News::Time => {
                next.now = next.wake_at.take().unwrap().max(next.now);
                // The vCenter answers every few seconds.
                next.vcenter(ConnectionNews::Confirmed { age: Duration::ZERO });
                next.input(Input::Tick);
            }
        }
        next.requests.sort_by_key(Request::rank);
        next
    }

    fn vcenter(&mut self, news: ConnectionNews) {
        if let Some(attempt) = self.attempt {
            self.input(Input::Connection { vcenter: "vc".into(), attempt, news });
        }
    }

    fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut actions = Vec::new();
            self.scheduler.step(Now { wall: WALL, monotonic: self.now }, input, &mut actions);
            for action in actions {
                self.perform(action, &mut inputs);
            }
            if inputs.is_empty() && self.wake_at.is_some_and(|at| at <= self.now) {
                self.wake_at = None;
                inputs.push_back(Input::Tick);
            }
        }
    }

    /// Requests that promises depend on are kept for the model to perform; the others are answered at once.
    fn perform(&mut self, action: Action, inputs: &mut VecDeque<Input>) {
        match action {
            Action::ReadJournal => self.requests.push(Request::ReadJournal),
            Action::WriteJournal { resource_version, journal } => {
                self.term = journal.term;
                let write = JournalWrite { replaces: resource_version, journal };
                self.requests.push(Request::WriteJournal(Shared::new(write)));
            }
            Action::ListPlacements => {
                self.requests.retain(|request| *request != Request::List);
                self.requests.push(Request::List);
            }
            Action::ReadPlacement(key) => self.requests.push(Request::Get(number(&key))),
            Action::PutStatus { id, key, body } => {
                self.requests.push(Request::Put(id, Shared::new(Put::of(number(&key), &body))));
            }
            Action::ReadThenPut { id, key, uid, change } => {
                self.requests.push(Request::Change(id, number(&key), uid, change));
            }
            Action::PutVCenterStatus { id, .. } => {
                inputs.push_back(Input::WriteDone { id, resource_version: "1".into() });
            }
            Action::TryLogin { vcenter, attempt, .. } => {
                self.attempt = Some(attempt);
                let instance_uuid = self.inventory.instance_uuid.clone();
                for news in [
                    ConnectionNews::Connected { version: "8.0.3".into(), instance_uuid },
                    ConnectionNews::Inventory { inventory: self.inventory.clone(), age: Duration::ZERO },
                ] {
                    inputs.push_back(Input::Connection { vcenter: vcenter.clone(), attempt, news });
                }
            }
            Action::WakeAt(at) => self.wake_at = Some(at),
            Action::Disconnect { .. }
            | Action::Announce(_)
            | Action::Decided(_)
            | Action::Waited(_)
            | Action::Answered(_)
            | Action::Warn(_)
            | Action::Stopped => {}
        }
    }
}

fn list(versions: &[Shared<Version>]) -> Vec<Input> {
    let shown = versions.iter().enumerate().filter(|(_, version)| version.exists);
    let shown = shown.map(|(n, version)| Input::PlacementSeen(Box::new(version.seen(n))));
    [Input::ListStarted(Kind::Placement)]
        .into_iter()
        .chain(shown)
        .chain([Input::Synced(Kind::Placement)])
        .collect()
}

/// One class, one `VCenter`, one namespace, one Secret: they stay as they are.
fn surroundings() -> Vec<Input> {
    let meta = |uid: &str| Meta { uid: uid.into(), resource_version: "1".into(), generation: 1 };
    let class = SeenClass {
        name: "standard".into(),
        meta: meta("class"),
        is_default: true,
        created: Timestamp::UNIX_EPOCH,
        spec: serde_json::from_value(json!({})).map_err(|error| error.to_string()),
    };
    let spec = json!({
        "server": "https://vc.example.com",
        "credentialsSecretName": "vc",
        "allowedNamespaces": {"from": "All"},
    });
    let vcenter = SeenVCenter {
        name: "vc".into(),
        meta: meta("vcenter"),
        created: Timestamp::UNIX_EPOCH,
        spec: serde_json::from_value(spec).map_err(|error| error.to_string()),
        status: VCenterStatus::default(),
    };
    let secret = SeenSecret { name: "vc".into(), resource_version: "1".into(), missing_keys: vec![] };
    vec![
        Input::ListStarted(Kind::Namespace),
        Input::NamespaceSeen { name: key(0).namespace, labels: BTreeMap::new() },
        Input::Synced(Kind::Namespace),
        Input::ListStarted(Kind::Secret),
        Input::SecretSeen(secret),
        Input::Synced(Kind::Secret),
        Input::ListStarted(Kind::Class),
        Input::ClassSeen(Box::new(class)),
        Input::Synced(Kind::Class),
        Input::ListStarted(Kind::VCenter),
        Input::VCenterSeen(Box::new(vcenter)),
        Input::Synced(Kind::VCenter),
    ]
}
