//! Log lines on standard error, as text or JSON.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Sends everything from `level` on to standard error.
///
/// The level is Berth's own. Libraries only say what went wrong, and kube says nothing at all: it logs
/// whole answers that it cannot decode, and some of those are Secrets.
///
/// # Errors
/// When logging has been set up already.
pub fn init_logs(
    format: LogFormat,
    level: tracing::Level,
) -> Result<(), tracing_subscriber::util::TryInitError> {
    let filter = EnvFilter::new(format!(
        "warn,berth={},kube_client=off,kube_runtime=off",
        level.as_str().to_ascii_lowercase()
    ));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    }
}
