//! What every part of the shell works with. No I/O.

use std::sync::Arc;

use kube::Client;
use tokio::sync::mpsc;

use crate::scheduler::Input;
use crate::telemetry::{Metrics, Readiness};

use super::environment::Clock;
use super::secrets::Secrets;
use super::tasks::Tasks;

/// Shared by everything that performs actions or feeds inputs.
pub(super) struct Shell {
    /// The API server.
    pub(super) client: Client,
    /// Berth's own namespace.
    pub(super) namespace: String,
    /// To the scheduler.
    pub(super) inputs: mpsc::Sender<Input>,
    /// What is pending.
    pub(super) readiness: Arc<Readiness>,
    /// Figures.
    pub(super) metrics: Arc<Metrics>,
    /// Credentials.
    pub(super) secrets: Secrets,
    /// The time of day.
    pub(super) clock: Clock,
    /// Starts what is to end with this run.
    pub(super) tasks: Tasks,
}

impl Shell {
    /// Tells the scheduler. False when it is no longer there: the process is ending.
    pub(super) async fn tell(&self, input: Input) -> bool {
        self.inputs.send(input).await.is_ok()
    }
}
