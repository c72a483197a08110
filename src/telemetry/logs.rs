//! Log lines on standard error, as text or JSON.

use std::fmt;
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The level of the log, which can be changed while the process runs.
#[derive(Clone)]
pub struct LogLevel {
    level: Arc<Mutex<Level>>,
    apply: Arc<dyn Fn(Level) + Send + Sync>,
}

impl LogLevel {
    fn new(level: Level, apply: impl Fn(Level) + Send + Sync + 'static) -> Self {
        Self { level: Arc::new(Mutex::new(level)), apply: Arc::new(apply) }
    }

    /// Of a log that is not Berth's own: it can be changed, and nothing comes of it.
    #[must_use]
    pub fn unused() -> Self {
        Self::new(Level::INFO, |_| {})
    }

    /// What is logged now.
    #[must_use]
    pub fn get(&self) -> Level {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs everything from `level` on, until the process ends.
    pub fn set(&self, level: Level) {
        let mut now = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        (self.apply)(level);
        *now = level;
    }
}

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogLevel({})", self.get())
    }
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
    level: Level,
) -> Result<LogLevel, tracing_subscriber::util::TryInitError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(level))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => {
            let builder = builder.with_filter_reloading();
            let handle = builder.reload_handle();
            builder.finish().try_init()?;
            Ok(changeable(level, handle))
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.finish().try_init()?;
            Ok(changeable(level, handle))
        }
    }
}

fn filter(level: Level) -> EnvFilter {
    let level = level.as_str().to_ascii_lowercase();
    EnvFilter::new(format!("warn,berth={level},kube_client=off,kube_runtime=off"))
}

fn changeable<S: 'static>(level: Level, handle: Handle<EnvFilter, S>) -> LogLevel {
    LogLevel::new(level, move |level| {
        // It fails only when there is no log any more.
        handle.reload(filter(level)).unwrap_or_default();
    })
}
