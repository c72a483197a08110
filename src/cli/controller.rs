//! `berth controller`: runs the controller. The composition root: the only place that knows every part.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use berth::controller::{self, LeaderElection, Options};
use berth::telemetry::{self, LogFormat};
use clap::{Args, ValueEnum};

const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
const DEFAULT_NAMESPACE: &str = "berth-system";

/// Arguments of `berth controller`.
#[derive(Debug, Args)]
pub struct Controller {
    /// Berth's own namespace, with the Secrets of its vCenters, its journal and its Lease [default: the
    /// service account's, else berth-system]
    #[arg(long, env = "BERTH_NAMESPACE")]
    namespace: Option<String>,
    /// Decide only for placements in these namespaces, separated by commas [default: all]
    #[arg(long, env = "BERTH_WATCH_NAMESPACES", value_delimiter = ',', value_name = "NAMESPACES")]
    watch_namespaces: Vec<String>,
    /// Tells clusters apart that share a vCenter [default: the uid of namespace kube-system]
    #[arg(long, env = "BERTH_CLUSTER_NAME")]
    cluster_name: Option<String>,
    /// How log lines look
    #[arg(long, env = "BERTH_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: Format,
    /// The least important log lines that are written
    #[arg(long, env = "BERTH_LOG_LEVEL", value_enum, default_value = "info")]
    log_level: Level,
    #[command(flatten)]
    leader_election: LeaderElect,
    /// Where /metrics is served
    #[arg(long, env = "BERTH_METRICS_BIND_ADDRESS", default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    metrics_bind_address: SocketAddr,
    /// Where /livez and /readyz are served
    #[arg(
        long,
        env = "BERTH_HEALTH_PROBE_BIND_ADDRESS",
        default_value = "0.0.0.0:8081",
        value_name = "ADDRESS"
    )]
    health_probe_bind_address: SocketAddr,
    /// Answer /debug/inventory, /debug/explain and /debug/log-level on the metrics address to everybody, not to
    /// connections from this machine alone
    #[arg(long, env = "BERTH_ENABLE_DEBUG_ENDPOINTS")]
    enable_debug_endpoints: bool,
}

/// As other controllers call them; a lease is always used, also by one replica.
#[derive(Debug, Args)]
struct LeaderElect {
    /// Tells this replica from the others [default: the host's name, which is the Pod's]
    #[arg(long = "leader-elect-identity", env = "BERTH_LEADER_ELECT_IDENTITY", value_name = "NAME")]
    identity: Option<String>,
    /// How long the others wait for a leader that no longer renews
    #[arg(
        long = "leader-elect-lease-duration",
        env = "BERTH_LEADER_ELECT_LEASE_DURATION",
        default_value = "15s",
        value_name = "DURATION",
        value_parser = duration
    )]
    lease_duration: Duration,
    /// How long a leader goes on that cannot renew
    #[arg(
        long = "leader-elect-renew-deadline",
        env = "BERTH_LEADER_ELECT_RENEW_DEADLINE",
        default_value = "10s",
        value_name = "DURATION",
        value_parser = duration
    )]
    renew_deadline: Duration,
    /// Time between two renewals
    #[arg(
        long = "leader-elect-retry-period",
        env = "BERTH_LEADER_ELECT_RETRY_PERIOD",
        default_value = "2s",
        value_name = "DURATION",
        value_parser = duration
    )]
    retry_period: Duration,
}

impl LeaderElect {
    fn into_options(self) -> anyhow::Result<LeaderElection> {
        let identity = match self.identity.filter(|name| !name.is_empty()) {
            Some(name) => name,
            None => hostname::get()
                .context("the host has no name that can be read: give --leader-elect-identity")?
                .to_string_lossy()
                .into_owned(),
        };
        let election = LeaderElection {
            identity,
            lease_duration: self.lease_duration,
            renew_deadline: self.renew_deadline,
            retry_period: self.retry_period,
        };
        election.check().context("see --leader-elect-...")?;
        Ok(election)
    }
}

/// Such as `15s` or `1m30s`.
fn duration(text: &str) -> Result<Duration, String> {
    let wanted = || "expected a duration such as 15s or 1m30s".to_owned();
    let found: jiff::SignedDuration = text.parse().map_err(|_| wanted())?;
    Duration::try_from(found).map_err(|_| wanted())
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Controller {
    /// Runs the controller until it is asked to stop.
    ///
    /// # Errors
    /// When it cannot start.
    pub fn run(self) -> anyhow::Result<()> {
        let format = match self.log_format {
            Format::Text => LogFormat::Text,
            Format::Json => LogFormat::Json,
        };
        let level = match self.log_level {
            Level::Error => tracing::Level::ERROR,
            Level::Warn => tracing::Level::WARN,
            Level::Info => tracing::Level::INFO,
            Level::Debug => tracing::Level::DEBUG,
            Level::Trace => tracing::Level::TRACE,
        };
        let log_level = telemetry::init_logs(format, level).context("cannot set up the log")?;
        let options = Options {
            namespace: self.namespace.unwrap_or_else(own_namespace),
            leader_election: self.leader_election.into_options()?,
            watch_namespaces: self.watch_namespaces.into_iter().filter(|name| !name.is_empty()).collect(),
            cluster_name: self.cluster_name.filter(|name| !name.is_empty()),
            metrics_bind_address: self.metrics_bind_address,
            health_probe_bind_address: self.health_probe_bind_address,
            enable_debug_endpoints: self.enable_debug_endpoints,
        };
        tracing::info!(version = env!("CARGO_PKG_VERSION"), ?options, "starting");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        runtime.block_on(controller::run(options, log_level))?;
        Ok(())
    }
}

/// The namespace that this process runs in.
fn own_namespace() -> String {
    let found = std::fs::read_to_string(NAMESPACE_FILE).unwrap_or_default();
    let found = found.trim();
    if found.is_empty() { DEFAULT_NAMESPACE.to_owned() } else { found.to_owned() }
}
