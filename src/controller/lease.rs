//! Who should lead: the Lease `berth-controller`, by the protocol of client-go. Does I/O.
//!
//! It keeps two replicas from disturbing each other, no more: a leader that was paused may still act after its
//! time, and the journal makes that harmless. A lease counts from when a change of it was *seen*, so that the
//! clocks of machines need not agree.

mod settings;

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::{ObjectMeta, WatchEvent, WatchParams};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Error;
use super::backoff::random_fraction;
use super::call::{Failure, get, post, put};
use super::shell::Shell;
use super::text::kube_error;

pub use settings::{ElectionError, LeaderElection};

const NAME: &str = "berth-controller";
/// Pending until it is known who leads.
const GATE: &str = "Lease";
/// The API server ends a watch after this time.
const WATCH_SECONDS: u32 = 60;
/// A lease that cannot be released in this time ends by itself.
const RELEASE: Duration = Duration::from_secs(2);

/// What this replica is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leadership {
    /// Another leads, or nobody yet.
    Standby,
    /// It leads.
    Leading {
        /// It must stop then, unless it is told again.
        until: Instant,
    },
}

/// This replica's part in the election. Dropped, it ends without a word.
pub(super) struct Election {
    told: watch::Receiver<Leadership>,
    resign: CancellationToken,
    task: JoinSet<Result<(), Error>>,
}

impl Election {
    /// Takes part from now on.
    pub(super) fn start(shell: &Arc<Shell>, election: LeaderElection) -> Self {
        let (tell, told) = watch::channel(Leadership::Standby);
        let resign = CancellationToken::new();
        let mut candidate = Candidate::new(Arc::clone(shell), election, tell);
        let resigned = resign.clone();
        let mut task = JoinSet::new();
        task.spawn(async move {
            tokio::select! {
                () = resigned.cancelled() => {
                    candidate.release().await;
                    Ok(())
                }
                Restored = candidate.run() => Err(Error::Restored),
            }
        });
        Self { told, resign, task }
    }

    /// Waits until there is something new.
    ///
    /// # Errors
    /// When the cluster was restored to an older state.
    pub(super) async fn news(&mut self) -> Result<Leadership, Error> {
        tokio::select! {
            biased;
            Some(ended) = self.task.join_next() => Err(ended.ok().and_then(Result::err).unwrap_or(Error::TaskEnded)),
            Ok(()) = self.told.changed() => Ok(*self.told.borrow_and_update()),
            else => Err(Error::TaskEnded),
        }
    }

    /// Takes part no longer, and releases a lease that is held, if that succeeds soon.
    pub(super) async fn resign(&mut self) {
        self.resign.cancel();
        drop(timeout(RELEASE, self.task.join_next()).await);
    }
}

/// The cluster shows an older state of itself than it did.
struct Restored;

/// One replica, and what it saw of the Lease.
struct Candidate {
    shell: Arc<Shell>,
    election: LeaderElection,
    tell: watch::Sender<Leadership>,
    /// The Lease as it was last seen; none when it must be read before it is written.
    known: Option<Seen>,
    /// The highest version of it that was ever seen.
    newest: u64,
    /// The leader that was last told of.
    leader: Option<String>,
    /// A failure has been told.
    told: bool,
}

struct Seen {
    lease: Lease,
    /// When this version of it was first seen.
    at: Instant,
}

/// Why it is not known who leads.
enum Unknown {
    Failed(Failure),
    Restored,
}

impl From<Failure> for Unknown {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Seen {
    fn holder(&self) -> &str {
        let holder = self.lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
        holder.unwrap_or_default()
    }

    /// When it may be taken by another.
    fn expires(&self) -> Instant {
        let seconds = self.lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
        let lasts = Duration::from_secs(u64::try_from(seconds.unwrap_or(0)).unwrap_or(0).min(86_400));
        self.at.checked_add(lasts).unwrap_or(self.at)
    }

    fn is_free_for(&self, identity: &str) -> bool {
        self.holder().is_empty() || self.holder() == identity || self.expires() <= Instant::now()
    }

    fn version(&self) -> &str {
        self.lease.metadata.resource_version.as_deref().unwrap_or_default()
    }
}

impl Candidate {
    fn new(shell: Arc<Shell>, election: LeaderElection, tell: watch::Sender<Leadership>) -> Self {
        Self { shell, election, tell, known: None, newest: 0, leader: None, told: false }
    }

    async fn run(&mut self) -> Restored {
        self.shell.readiness.pending(GATE, "not read yet");
        let mut until: Option<Instant> = None;
        loop {
            let began = Instant::now();
            let limit = later(began, self.election.renew_deadline / 2);
            let limit = until.map_or(limit, |until| until.min(limit));
            let outcome = match timeout_at(limit, self.acquire_or_renew()).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Failure::Lost("no answer in time".to_owned()).into()),
            };
            match outcome {
                Ok(true) => {
                    let new = later(began, self.election.renew_deadline);
                    until = Some(new);
                    self.say_leader(self.election.identity.clone());
                    self.tell.send_replace(Leadership::Leading { until: new });
                }
                Ok(false) => {
                    until = None;
                    let holder = self.known.as_ref().map(|seen| seen.holder().to_owned());
                    self.say_leader(holder.unwrap_or_default());
                    self.tell.send_replace(Leadership::Standby);
                }
                Err(Unknown::Failed(failure)) => {
                    self.say_failure(failure.message(), until.is_some());
                    if until.is_none() {
                        self.tell.send_replace(Leadership::Standby);
                    }
                }
                Err(Unknown::Restored) => return Restored,
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                until = None;
                warn!("the lease could not be renewed in time");
                self.leader = None;
                self.tell.send_replace(Leadership::Standby);
            }
            match until {
                Some(until) => sleep_until(until.min(later(began, self.election.retry_period))).await,
                None => self.wait_for_a_change().await,
            }
        }
    }

    /// True when this replica leads now, false when another does.
    async fn acquire_or_renew(&mut self) -> Result<bool, Unknown> {
        match self.try_write().await {
            // Somebody has written it since it was seen: perhaps only its labels.
            Err(Unknown::Failed(Failure::Refused(404 | 409, _))) => self.try_write().await,
            outcome => outcome,
        }
    }

    async fn try_write(&mut self) -> Result<bool, Unknown> {
        let identity = self.election.identity.clone();
        if self.known.as_ref().is_none_or(|seen| seen.holder() != identity) {
            self.read().await?;
        }
        if self.known.as_ref().is_some_and(|seen| !seen.is_free_for(&identity)) {
            return Ok(false);
        }
        let seconds = i32::try_from(self.election.lease_duration.as_secs()).unwrap_or(i32::MAX);
        self.write(identity, seconds).await?;
        Ok(true)
    }

    async fn read(&mut self) -> Result<(), Unknown> {
        match get(&self.shell.client, &path(&self.shell.namespace)).await {
            Ok(reply) => self.observe(reply.decode()?),
            Err(Failure::Refused(404, _)) => {
                self.known = None;
                Ok(())
            }
            Err(failure) => Err(failure.into()),
        }
    }

    fn observe(&mut self, lease: Lease) -> Result<(), Unknown> {
        let seen = Seen { lease, at: Instant::now() };
        // As decimal numbers, versions of one object have an order.
        if let Ok(version) = seen.version().parse::<u64>() {
            if version < self.newest {
                return Err(Unknown::Restored);
            }
            self.newest = version;
        }
        if self.known.as_ref().is_none_or(|known| known.version() != seen.version()) {
            self.known = Some(seen);
        }
        Ok(())
    }

    /// Replaces the version that is known, or creates the first one. Whatever becomes of it, what was known is
    /// out of date.
    async fn write(&mut self, holder: String, seconds: i32) -> Result<(), Unknown> {
        let known = self.known.take();
        let mut lease = known.map_or_else(|| new_lease(&self.shell.namespace), |seen| seen.lease);
        let is_new = lease.metadata.resource_version.is_none();
        let now = MicroTime(self.shell.clock.now());
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() != Some(&holder) {
            if !is_new && !holder.is_empty() {
                spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0).saturating_add(1));
            }
            spec.acquire_time = Some(now.clone());
        }
        spec.holder_identity = Some(holder);
        spec.lease_duration_seconds = Some(seconds);
        spec.renew_time = Some(now);
        let body = serde_json::to_string(&lease).map_err(|error| Failure::Refused(400, error.to_string()))?;
        let (client, namespace) = (&self.shell.client, &self.shell.namespace);
        let reply = if is_new {
            post(client, &format!("{}?fieldManager=berth", folder(namespace)), body).await?
        } else {
            put(client, &format!("{}?fieldManager=berth", path(namespace)), body).await?
        };
        self.observe(reply.decode()?)
    }

    /// So that a successor need not wait for the end of the lease.
    async fn release(&mut self) {
        if self.known.is_none() && self.read().await.is_err() {
            return;
        }
        if self.known.as_ref().is_some_and(|seen| seen.holder() == self.election.identity) {
            let released = self.write(String::new(), 1).await.is_ok();
            info!(released, "the lease is given back");
        }
    }

    /// Returns when the lease may be free, or may have changed without this being seen.
    async fn wait_for_a_change(&mut self) {
        let retry = self.election.retry_period.mul_f64(1.0 + random_fraction());
        let Some(seen) = &self.known else { return sleep(retry).await };
        let leases: Api<Lease> = Api::namespaced(self.shell.client.clone(), &self.shell.namespace);
        let params = WatchParams::default().fields(&format!("metadata.name={NAME}")).timeout(WATCH_SECONDS);
        let events = match leases.watch(&params, seen.version()).await {
            Ok(events) => events,
            Err(error) => {
                debug!(why = kube_error(&error), "the lease cannot be watched");
                return sleep(retry).await;
            }
        };
        let mut events = events.boxed();
        while let Some(expires) = self.known.as_ref().map(Seen::expires) {
            let event = tokio::select! {
                event = events.try_next() => event,
                () = sleep_until(expires) => return,
            };
            match event {
                Ok(Some(WatchEvent::Added(lease) | WatchEvent::Modified(lease))) => {
                    if self.observe(lease).is_err() {
                        return;
                    }
                    if self.known.as_ref().is_some_and(|seen| seen.is_free_for(&self.election.identity)) {
                        return;
                    }
                }
                Ok(Some(WatchEvent::Bookmark(_))) => {}
                Ok(Some(WatchEvent::Deleted(_))) => return,
                Ok(Some(WatchEvent::Error(_)) | None) | Err(_) => return sleep(retry).await,
            }
        }
    }

    fn say_leader(&mut self, leader: String) {
        self.shell.readiness.done(GATE);
        self.told = false;
        if self.leader.as_ref() == Some(&leader) {
            return;
        }
        if leader == self.election.identity {
            info!(identity = leader, "this replica leads");
        } else {
            info!(leader, "standing by");
        }
        self.leader = Some(leader);
    }

    fn say_failure(&mut self, why: &str, leads: bool) {
        if !leads {
            self.shell.readiness.pending(GATE, why);
        }
        if self.told {
            debug!(why, "the lease cannot be read or written again");
        } else {
            warn!(why, "the lease cannot be read or written; trying again");
            self.told = true;
        }
    }
}

fn new_lease(namespace: &str) -> Lease {
    let labels = [("app.kubernetes.io/name", "berth"), ("app.kubernetes.io/component", "leader-election")];
    Lease {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec::default()),
    }
}

fn folder(namespace: &str) -> String {
    format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases")
}

fn path(namespace: &str) -> String {
    format!("{}/{NAME}", folder(namespace))
}

/// Times here are bounded, so that the sum exists.
fn later(time: Instant, by: Duration) -> Instant {
    time.checked_add(by).unwrap_or(time)
}
