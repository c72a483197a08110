//! A strict API server in memory, and Berth beside it in the same thread, under paused time.
//!
//! Tests that use it are `#[tokio::test(start_paused = true)]`: the clock of such a runtime stands still as long as
//! one of its own sockets has work, and a server in another thread would be overtaken by it. Objects are JSON; what a client may do to them,
//! and what it is told, follows the API server's rules: versions, generations, the status endpoint, CRD
//! schemas with CEL rules, lists in consistent pages, watches with bookmarks. It refuses what it does not
//! know instead of guessing. Everything that is asked and stored is kept for those who check.

mod berth;
mod call;
mod faults;
mod history;
mod kinds;
mod list;
mod refusal;
mod schema;
mod server;
mod shared;
mod store;
mod structure;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use ::berth::controller::Clock;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use shared::Shared;
use store::Preconditions;

pub use berth::Berth;
pub use call::Verb;
pub use faults::{Action, Fault, On, OnEvent};
pub use history::{Change, Version};
pub use kinds::Kind;
pub use refusal::Refusal;
pub use shared::Exchange;

/// Berth's own namespace.
pub const BERTH: &str = "berth-system";
/// When every test begins.
const BEGIN: &str = "2026-01-01T00:00:00Z";
/// How often a condition is looked at, and for how long: virtual time.
const STEP: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_mins(1);

/// The API server. It ends with this handle.
pub struct Kube {
    shared: Arc<Shared>,
    clock: Clock,
    port: u16,
    _server: JoinSet<()>,
}

impl Kube {
    /// Starts one with the namespaces `default`, `kube-system` and `berth-system`.
    pub async fn start() -> Self {
        let (begin, started): (Timestamp, _) = (BEGIN.parse().unwrap(), Instant::now());
        let clock = Clock::new(move || begin + SignedDuration::try_from(started.elapsed()).unwrap());
        let shared = Arc::new(Shared::new(clock.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut server = JoinSet::new();
        server.spawn(server::serve(Arc::clone(&shared), listener));
        Self { shared, clock, port, _server: server }
    }

    /// The access to it.
    pub fn config(&self) -> kube::Config {
        kube::Config::new(format!("http://127.0.0.1:{}", self.port).parse().unwrap())
    }

    /// The time of day: virtual time since the beginning of 2026.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    // What a user does.

    /// Creates an object, or replaces what a user says of it, as `kubectl apply` does. One without a namespace
    /// goes to `default`.
    ///
    /// # Errors
    /// The API server's words.
    pub fn apply(&self, mut object: Value) -> Result<(), String> {
        let kind = kind(object["kind"].as_str().unwrap_or_default());
        let text = |field: &str| object["metadata"][field].as_str().map(str::to_owned);
        let (name, namespace) = (text("name").unwrap_or_default(), text("namespace"));
        let namespace = namespace.unwrap_or_else(|| "default".to_owned());
        let done = self.shared.change(|state| match state.store.get(kind, &namespace, &name) {
            Err(_) => state.store.create(kind, &namespace, object),
            Ok(stored) => {
                object["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"].clone();
                if let Some(all) = stored["metadata"].get("finalizers") {
                    object["metadata"]["finalizers"] = all.clone();
                }
                state.store.update(kind, &namespace, &name, false, object)
            }
        });
        done.map(drop).map_err(|refusal| refusal.message)
    }

    /// Deletes `kind/name`.
    ///
    /// # Errors
    /// The API server's words.
    pub fn delete(&self, namespace: &str, object: &str) -> Result<(), String> {
        let (kind, name) = split(object);
        let only = Preconditions::default();
        let done = self.shared.change(|state| state.store.delete(kind, namespace, name, &only));
        done.map(drop).map_err(|refusal| refusal.message)
    }

    /// Reads `kind/name`; `Null` when there is none.
    pub fn get(&self, namespace: &str, object: &str) -> Value {
        let (kind, name) = split(object);
        self.shared.lock().store.get(kind, namespace, name).unwrap_or_default()
    }

    /// Creates a namespace, or sets its labels, given as `key=value`.
    pub fn namespace(&self, name: &str, labels: &[&str]) {
        let mut set: Value = self.get("", &format!("namespace/{name}"))["metadata"]["labels"].take();
        for label in labels {
            let (key, value) = label.split_once('=').unwrap();
            set[key] = value.into();
        }
        self.apply(json!({"kind": "Namespace", "metadata": {"name": name, "labels": set}})).unwrap();
    }

    /// Writes a status as somebody who may.
    ///
    /// # Errors
    /// The API server's words.
    pub fn write_status(&self, namespace: &str, object: &str, status: Value) -> Result<(), String> {
        let (kind, name) = split(object);
        let mut stored = self.get(namespace, object);
        stored["status"] = status;
        let done = self.shared.change(|state| state.store.update(kind, namespace, name, true, stored));
        done.map(drop).map_err(|refusal| refusal.message)
    }

    /// Stores an object as it is, as if it had been written when there were no rules yet.
    pub fn plant(&self, namespace: &str, object: Value) {
        let kind = kind(object["kind"].as_str().unwrap_or_default());
        self.shared.change(|state| state.store.plant(kind, namespace, object));
    }

    /// Waits until a condition holds, for up to a minute of virtual time.
    ///
    /// # Panics
    /// When it does not, with the last words of the condition.
    pub async fn wait_until(&self, condition: impl FnMut(&Self) -> Result<(), String>) {
        self.wait_within(LIMIT, condition).await;
    }

    /// [`Kube::wait_until`] with another limit.
    ///
    /// # Panics
    /// When the condition does not hold in time.
    pub async fn wait_within(&self, limit: Duration, mut condition: impl FnMut(&Self) -> Result<(), String>) {
        let end = Instant::now() + limit;
        while let Err(why) = condition(self) {
            assert!(Instant::now() < end, "waited {limit:?} in vain: {why}");
            sleep(STEP).await;
        }
    }

    // What goes wrong.

    /// Lets something go wrong.
    pub fn inject(&self, fault: Fault) {
        self.shared.lock().faults.add(fault);
    }

    /// Nothing more goes wrong.
    pub fn heal(&self) {
        self.shared.lock().faults.clear();
    }

    /// How many faults have not happened yet.
    pub fn faults_left(&self) -> usize {
        self.shared.lock().faults.left()
    }

    /// Connections are refused, and those that there are reset; or no longer.
    pub fn set_down(&self, down: bool) {
        self.shared.lock().down = down;
        if down {
            self.reset_connections();
        }
    }

    /// Every connection is reset.
    pub fn reset_connections(&self) {
        std::mem::take(&mut self.shared.lock().cut).cancel();
    }

    /// Every watch ends in good order.
    pub fn end_watches(&self) {
        self.shared.change(|state| state.watches += 1);
    }

    /// Forgets all older versions: who asks for them gets 410.
    pub fn compact(&self) {
        self.shared.lock().store.history.compact();
    }

    /// Brings back the state of a version, as from a backup of etcd. Watches stay open and hear nothing.
    pub fn restore(&self, revision: u64) {
        self.shared.change(|state| state.store.history.restore(revision));
    }

    /// A kind's CRD is not installed, or is.
    pub fn set_installed(&self, plural: &'static str, installed: bool) {
        let missing = &mut self.shared.lock().missing;
        missing.retain(|kind| *kind != plural);
        if !installed {
            missing.push(plural);
        }
    }

    // What can be checked.

    /// Version of the last commit.
    pub fn revision(&self) -> u64 {
        self.shared.lock().store.history.revision()
    }

    /// Every commit that ever was, in order.
    pub fn record(&self) -> Vec<Arc<Version>> {
        self.shared.lock().store.history.record().to_vec()
    }

    /// Every request so far.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.lock().exchanges.clone()
    }

    /// How many requests of a kind there were, whatever became of them.
    pub fn count(&self, verb: Verb, plural: &str) -> usize {
        let exchanges = self.exchanges();
        exchanges.iter().filter(|e| e.call.verb == verb && e.call.kind.plural == plural).count()
    }
}

fn kind(name: &str) -> &'static Kind {
    Kind::named(name).unwrap_or_else(|| panic!("there is no kind {name:?}"))
}

/// `kind/name`.
fn split(object: &str) -> (&'static Kind, &str) {
    let (name_of_kind, name) = object.split_once('/').unwrap();
    (kind(name_of_kind), name)
}
