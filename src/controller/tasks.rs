//! The tasks of one run: none outlives it. No I/O.

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Starts tasks that end, at the latest, with the guard that came along.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks(CancellationToken);

impl Tasks {
    /// The tasks, and what ends them all when it is dropped.
    pub(super) fn new() -> (Self, DropGuard) {
        let token = CancellationToken::new();
        (Self(token.clone()), token.drop_guard())
    }

    /// Starts a task.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let ended = self.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                // First, so that not one more step is done.
                biased;
                () = ended.cancelled() => {}
                () = work => {}
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_task_outlives_the_guard() {
        let (tasks, guard) = Tasks::new();
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let waiting = tasks.spawn(async move { assert!(receiver.await.is_err(), "one more step") });
        let done = tasks.spawn(async {});
        done.await.unwrap();
        sender.send(()).unwrap();
        drop(guard);
        waiting.await.unwrap();
    }
}
