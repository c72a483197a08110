//! Berth's controller in the test's own thread.

use std::sync::Arc;
use std::time::Duration;

use berth::controller::{Environment, Error, LeaderElection, Options, run_in};
use berth::telemetry::{LogLevel, Metrics, Readiness};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{BERTH, Kube};

/// A controller that runs. Dropped, it is killed.
pub struct Berth {
    /// What `/readyz` shows.
    pub readiness: Arc<Readiness>,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Berth {
    /// Options for a test: any free addresses.
    pub fn options() -> Options {
        Options {
            namespace: BERTH.to_owned(),
            leader_election: LeaderElection::of("berth-1"),
            watch_namespaces: Vec::new(),
            cluster_name: None,
            metrics_bind_address: ([127, 0, 0, 1], 0).into(),
            health_probe_bind_address: ([127, 0, 0, 1], 0).into(),
            enable_debug_endpoints: false,
        }
    }

    pub fn start(kube: &Kube) -> Self {
        Self::start_with(kube, Self::options())
    }

    /// One of several replicas.
    pub fn start_as(kube: &Kube, identity: &str) -> Self {
        Self::start_with(kube, Options { leader_election: LeaderElection::of(identity), ..Self::options() })
    }

    pub fn start_with(kube: &Kube, options: Options) -> Self {
        let (metrics, readiness): (Arc<Metrics>, Arc<Readiness>) = Default::default();
        let stop = CancellationToken::new();
        let environment = Environment {
            config: kube.config(),
            clock: kube.clock(),
            metrics: Arc::clone(&metrics),
            readiness: Arc::clone(&readiness),
            log_level: LogLevel::unused(),
            stop: stop.clone(),
        };
        let task = tokio::spawn(run_in(options, environment));
        Self { readiness, metrics, stop, task }
    }

    /// Ends it as SIGTERM does.
    ///
    /// # Errors
    /// As the controller ends.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.stop.cancel();
        (&mut self.task).await.unwrap()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// As the controller ends.
    pub async fn ended(mut self) -> Result<(), Error> {
        (&mut self.task).await.unwrap()
    }

    /// Ends it as SIGKILL does: not one more step is done.
    pub async fn kill(self) {
        drop(self);
        // Its tasks are woken, and gone before the clock moves.
        sleep(Duration::from_millis(1)).await;
    }

    /// Waits until it is ready.
    pub async fn ready(&self, kube: &Kube) {
        // At first nothing is known to be pending.
        sleep(Duration::from_millis(1)).await;
        kube.wait_until(|_| self.readiness.report().map_or(Ok(()), Err)).await;
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        self.task.abort();
    }
}
