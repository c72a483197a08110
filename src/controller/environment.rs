//! What a run of the controller gets from outside, besides its options. No I/O.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use kube::Config;
use tokio_util::sync::CancellationToken;

use crate::telemetry::{LogLevel, Metrics, Readiness};

/// The time of day.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// A clock that says what this function says.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The clock of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Timestamp::now)
    }

    /// The time of day now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// The world around a run.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The access to the cluster.
    pub config: Config,
    /// The time of day. What lasts is measured by tokio's clock.
    pub clock: Clock,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` shows.
    pub readiness: Arc<Readiness>,
    /// What is logged.
    pub log_level: LogLevel,
    /// Cancelled when the run is to end in good order.
    pub stop: CancellationToken,
}
