//! `berth controller`: runs the controller. The composition root: the only place that knows every part.

use std::net::SocketAddr;

use anyhow::Context as _;
use berth::controller::{self, Options};
use berth::telemetry::{self, LogFormat};
use clap::{Args, ValueEnum};

const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
const DEFAULT_NAMESPACE: &str = "berth-system";

/// Arguments of `berth controller`.
#[derive(Debug, Args)]
pub struct Controller {
    /// Berth's own namespace, with the Secrets of its vCenters and its journal [default: the service
    /// account's, else berth-system]
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
