//! The Kubernetes shell: feeds the scheduler with what it sees and performs what the scheduler wants. Does
//! I/O and decides nothing.

mod account;
mod backoff;
mod call;
mod client;
mod connections;
mod debug;
mod environment;
mod events;
mod executor;
mod identity;
mod journal;
mod lease;
#[cfg(test)]
mod mock;
mod secrets;
mod shell;
mod signals;
mod tasks;
mod text;
mod vcenter_status;
mod watch;
mod writes;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kube::Config;
use tokio::sync::{mpsc, watch as channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::scheduler::{Action, Input, Now, Scheduler, Settings};
use crate::telemetry::{self, LogLevel};

pub use client::ClientError;
pub use environment::{Clock, Environment};
pub use lease::{ElectionError, LeaderElection};

use debug::Question;
use executor::Executor;
use lease::{Election, Leadership};
use secrets::Secrets;
use shell::Shell;
use tasks::Tasks;

/// Inputs that wait for the scheduler; whoever has more waits itself.
const INPUTS: usize = 1024;
/// After the first signal, writes in flight get this long.
const GRACE: Duration = Duration::from_secs(5);
/// Pending while this replica leads and does not decide yet.
const TERM: &str = "term as leader";
/// Pending while somebody has to change a `VCenter` or its Secret.
const CONFIGURATION: &str = "configuration";
/// How often the metrics get the figures of the scheduler.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// What the controller is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Berth's own namespace: its Secrets, its journal and its Lease.
    pub namespace: String,
    /// How replicas agree on the one that decides.
    pub leader_election: LeaderElection,
    /// Where Berth decides; everywhere when empty.
    pub watch_namespaces: Vec<String>,
    /// Tells clusters apart that share a vCenter; the uid of namespace `kube-system` when absent.
    pub cluster_name: Option<String>,
    /// Where `/metrics` and `/debug/...` are served.
    pub metrics_bind_address: SocketAddr,
    /// Where `/livez` and `/readyz` are served.
    pub health_probe_bind_address: SocketAddr,
    /// `/debug/...` on the metrics address is answered to everybody, not to this machine alone.
    pub enable_debug_endpoints: bool,
}

/// The controller cannot start, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Signals cannot be received.
    #[error("cannot receive signals")]
    Signals(#[source] io::Error),
    /// The access to the cluster cannot be used.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The times of the leader election cannot work together.
    #[error(transparent)]
    Election(#[from] ElectionError),
    /// What Berth knows is no longer true, and no watch would say so.
    #[error(
        "the API server went back to an older state, as after a restore of etcd: everything is to be read anew"
    )]
    Restored,
    /// A task without which Berth cannot work has ended.
    #[error("a part of the controller has ended; this is a defect of Berth")]
    TaskEnded,
}

/// Runs until it is told to stop. An API server that does not answer, or lacks Berth's kinds, is waited for.
///
/// # Errors
/// When an address or the configured access to the cluster cannot be used.
pub async fn run(options: Options, log_level: LogLevel) -> Result<(), Error> {
    let environment = Environment {
        stop: signals::stop_on_signal().map_err(Error::Signals)?,
        config: Config::infer().await.map_err(ClientError::from)?,
        clock: Clock::system(),
        metrics: Arc::default(),
        readiness: Arc::default(),
        log_level,
    };
    run_in(options, environment).await
}

/// [`run`] in a world that is given. Whoever drops the future ends everything at once, as if the process had
/// been killed.
///
/// # Errors
/// When an address or the access to the cluster cannot be used.
pub async fn run_in(options: Options, environment: Environment) -> Result<(), Error> {
    options.leader_election.check()?;
    let Environment { config, clock, metrics, readiness, log_level, stop } = environment;
    let (tasks, _ended_with_this) = Tasks::new();
    watch::expect_lists(&readiness);
    let health = telemetry::health_routes(Arc::clone(&readiness));
    listen(&tasks, "health probes", options.health_probe_bind_address, health).await?;
    let client = client::client(config, Arc::clone(&metrics), Arc::clone(&readiness))?;
    let (inputs, received) = mpsc::channel(INPUTS);
    let shell = Arc::new(Shell {
        client,
        namespace: options.namespace,
        inputs,
        readiness,
        metrics,
        secrets: Secrets::default(),
        clock,
        tasks,
    });

    let (debug, questions) = debug::routes(Arc::clone(&shell), log_level, options.enable_debug_endpoints);
    let routes = telemetry::metrics_routes(Arc::clone(&shell.metrics)).merge(debug);
    listen(&shell.tasks, "metrics", options.metrics_bind_address, routes).await?;
    let (placement_lists, restarts) = channel::channel(0);
    let watches = watch::start(&shell, restarts);
    let cluster_identity = tokio::select! {
        identity = identity::find(&shell.client, &shell.readiness, options.cluster_name) => identity,
        () = stop.cancelled() => return Ok(()),
    };
    let watch_namespaces = options.watch_namespaces.into_iter().collect();
    let scheduler = Scheduler::new(Settings { cluster_identity, watch_namespaces });
    let executor = Executor::new(&shell, placement_lists);
    let election = Election::start(&shell, options.leader_election);
    let started = Instant::now();
    Loop { scheduler, executor, shell, election, leads_until: None, deciding: false, started, wake: None }
        .run(received, questions, watches, &stop)
        .await
}

async fn listen(tasks: &Tasks, what: &str, address: SocketAddr, routes: axum::Router) -> Result<(), Error> {
    let cannot = |source| Error::Bind { address, source };
    let listener = telemetry::bind(address).await.map_err(cannot)?;
    // Port 0 is any free one.
    info!(what, address = %listener.local_addr().map_err(cannot)?, "listening");
    drop(tasks.spawn(telemetry::serve(listener, routes)));
    Ok(())
}

/// One input at a time into the scheduler, and its wishes out to the executor.
struct Loop {
    scheduler: Scheduler,
    executor: Executor,
    shell: Arc<Shell>,
    election: Election,
    /// None: this replica stands by.
    leads_until: Option<Instant>,
    deciding: bool,
    started: Instant,
    wake: Option<Instant>,
}

impl Loop {
    async fn run(
        mut self,
        mut received: mpsc::Receiver<Input>,
        mut questions: mpsc::Receiver<Question>,
        mut watches: JoinSet<()>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let mut count = interval(COUNT_EVERY);
        count.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut give_up: Option<Instant> = None;
        let mut outcome = Ok(());
        let mut stopped = false;
        while !stopped {
            let input = tokio::select! {
                () = stop.cancelled(), if give_up.is_none() => {
                    info!("stopping");
                    give_up = Instant::now().checked_add(GRACE);
                    Input::Shutdown
                }
                () = at(give_up) => break,
                news = self.election.news() => match news {
                    Ok(leadership) => self.lead_or_stand_by(leadership),
                    Err(error) => {
                        outcome = Err(error);
                        break;
                    }
                },
                () = at(self.leads_until) => Input::Tick,
                () = at(self.wake) => {
                    self.wake = None;
                    Input::Tick
                }
                Some(input) = received.recv() => input,
                Some(_) = watches.join_next() => {
                    outcome = Err(Error::TaskEnded);
                    break;
                }
                Some(question) = questions.recv() => {
                    question.answer(&self.scheduler, self.now());
                    continue;
                }
                _ = count.tick() => {
                    self.shell.metrics.figures(&self.scheduler.figures(self.now()));
                    continue;
                }
            };
            // Whoever was paused must not act on what was true before.
            if self.leads_until.take_if(|until| *until <= Instant::now()).is_some() {
                self.step(Input::LeaseLost);
            }
            stopped = self.step(input);
        }
        // Whoever still has something to say must not wait for a reader.
        drop(received);
        // Writes that are still under way may land yet: then the lease is left to end by itself.
        if stopped {
            tokio::join!(self.election.resign(), self.executor.finish());
        } else {
            self.executor.finish().await;
        }
        info!("stopped");
        outcome
    }

    fn lead_or_stand_by(&mut self, leadership: Leadership) -> Input {
        match leadership {
            Leadership::Leading { until } if until > Instant::now() => {
                self.leads_until = Some(until);
                Input::LeaseHeld
            }
            // Whoever was paused may hear late that it led.
            Leadership::Leading { .. } | Leadership::Standby => {
                self.leads_until = None;
                Input::LeaseLost
            }
        }
    }

    fn now(&self) -> Now {
        Now { wall: self.shell.clock.now(), monotonic: self.started.elapsed() }
    }

    /// True when everything is settled and the process may end.
    fn step(&mut self, input: Input) -> bool {
        let metrics = &self.shell.metrics;
        account::leading(metrics, &input);
        let concerns_vcenters = !input.is_of_placement();
        let now = self.now();
        let mut actions = Vec::new();
        let began = std::time::Instant::now();
        self.scheduler.step(now, input, &mut actions);
        let took = began.elapsed();
        let decisions = actions.iter().filter(|action| matches!(action, Action::Decided(_))).count();
        let each = took / u32::try_from(decisions).unwrap_or(u32::MAX).max(1);
        let mut stopped = false;
        for action in actions {
            match action {
                Action::WakeAt(when) => self.wake = self.started.checked_add(when),
                Action::Stopped => stopped = true,
                Action::Decided(record) => account::decided(metrics, &record, each),
                Action::Waited(waits) => waits.into_iter().for_each(|waited| metrics.turn(waited)),
                Action::Answered(after) => metrics.answered(after),
                other => self.executor.perform(other),
            }
        }
        if self.scheduler.is_deciding() != self.deciding {
            self.deciding = !self.deciding;
            if self.deciding {
                info!("deciding");
            }
        }
        if self.deciding || self.leads_until.is_none() {
            self.shell.readiness.done(TERM);
        } else {
            self.shell.readiness.pending(TERM, "not begun yet");
        }
        if concerns_vcenters {
            self.show_configuration();
        }
        stopped
    }

    fn show_configuration(&self) {
        let readiness = &self.shell.readiness;
        let misconfigured: Vec<_> =
            self.scheduler.misconfigured().map(|(name, why)| format!("{name}: {why}")).collect();
        if misconfigured.is_empty() {
            if readiness.done(CONFIGURATION) {
                info!("every VCenter can be used as it is configured");
            }
        } else {
            let why = misconfigured.join("; ");
            if readiness.pending(CONFIGURATION, why.clone()) {
                warn!(why, "a VCenter cannot be used as it is configured");
            }
        }
    }
}

/// Waits until then; for ever when there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::mock::{shell, status};
    use super::*;

    fn idle() -> (Loop, mpsc::Receiver<Input>) {
        let (shell, told) = shell(|_, _| status(503, "starting"));
        let executor = Executor::new(&shell, channel::Sender::new(0));
        let (scheduler, started) = (Scheduler::default(), Instant::now());
        let election = Election::start(&shell, LeaderElection::of("berth-1"));
        let leads_until = None;
        (
            Loop { scheduler, executor, shell, election, leads_until, deciding: false, started, wake: None },
            told,
        )
    }

    fn no_questions() -> mpsc::Receiver<Question> {
        mpsc::channel(1).1
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_signal_ends_the_loop_in_bounded_time() {
        let (the_loop, told) = idle();
        let stop = CancellationToken::new();
        let running = the_loop.run(told, no_questions(), JoinSet::new(), &stop);
        let asking = async {
            tokio::time::sleep(Duration::from_hours(1)).await;
            stop.cancel();
            Instant::now()
        };
        let (outcome, at) = tokio::join!(running, asking);
        assert!(outcome.is_ok() && at.elapsed() <= GRACE + Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn without_one_of_its_watches_berth_does_not_go_on() {
        let (the_loop, told) = idle();
        let mut watches = JoinSet::new();
        watches.spawn(async { panic!("on purpose") });
        let outcome = the_loop.run(told, no_questions(), watches, &CancellationToken::new()).await;
        assert!(matches!(outcome, Err(Error::TaskEnded)));
    }

    #[tokio::test(start_paused = true)]
    async fn old_news_of_leading_is_no_reason_to_lead() {
        let (mut the_loop, _told) = idle();
        let now = Instant::now();
        let later = now.checked_add(Duration::from_secs(1)).unwrap();
        assert_eq!(the_loop.lead_or_stand_by(Leadership::Leading { until: later }), Input::LeaseHeld);
        assert_eq!(the_loop.leads_until, Some(later));
        assert_eq!(the_loop.lead_or_stand_by(Leadership::Leading { until: now }), Input::LeaseLost);
        assert_eq!(the_loop.leads_until, None);
    }
}
