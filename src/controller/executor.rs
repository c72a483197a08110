//! Performs what the scheduler wants done, without ever making it wait. Does I/O.
//!
//! Every action that asks for an answer gets exactly one, whatever happens to the task that works on it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::sync::watch;
use tracing::{error, warn};

use crate::scheduler::{Action, Input, ReadOutcome, WriteFailure, WriteId};

use super::connections::Connections;
use super::events::Events;
use super::shell::Shell;
use super::writes::Written;
use super::{journal, vcenter_status, writes};

/// Performs actions.
pub(super) struct Executor {
    shell: Arc<Shell>,
    placement_lists: watch::Sender<u64>,
    events: Events,
    connections: Connections,
}

impl Executor {
    /// `placement_lists` is raised for every list of placements that is wanted.
    pub(super) fn new(shell: &Arc<Shell>, placement_lists: watch::Sender<u64>) -> Self {
        Self {
            shell: Arc::clone(shell),
            placement_lists,
            events: Events::start(Arc::clone(shell)),
            connections: Connections::new(Arc::clone(shell)),
        }
    }

    /// Begins to perform an action. What belongs to the loop itself, its timer, its end and its figures, is not
    /// performed here.
    pub(super) fn perform(&mut self, action: Action) {
        let shell = Arc::clone(&self.shell);
        match action {
            Action::ReadJournal => {
                let broken = || Input::JournalUnreadable("the read broke off".to_owned());
                self.answer(broken, async move { journal::read(&shell).await });
            }
            Action::WriteJournal { resource_version, journal } => {
                let broken = || Input::JournalAmbiguous("the write broke off".to_owned());
                let write =
                    async move { journal::write(&shell, resource_version.as_deref(), &journal).await };
                self.answer(broken, write);
            }
            Action::ListPlacements => {
                self.placement_lists.send_modify(|lists| *lists = lists.wrapping_add(1));
            }
            Action::ReadPlacement(key) => {
                let outcome = ReadOutcome::Failed("the read broke off".to_owned());
                let broken = Input::PlacementRead { key: key.clone(), outcome };
                self.answer(|| broken, async move { writes::read(&shell.client, key).await });
            }
            Action::PutStatus { id, key, body } => {
                self.write(id, async move { writes::put_status(&shell, &key, body).await });
            }
            Action::ReadThenPut { id, key, uid, change } => {
                self.write(id, async move { writes::read_then_put(&shell, &key, &uid, &change).await });
            }
            Action::PutVCenterStatus { id, name, uid, status } => {
                self.write(id, async move { vcenter_status::put(&shell, &name, &uid, &status).await });
            }
            Action::TryLogin { vcenter, attempt, endpoint, secret, secret_version } => {
                self.connections.open(vcenter, attempt, endpoint, &secret, &secret_version);
            }
            Action::Disconnect { vcenter, attempt } => self.connections.close(&vcenter, attempt),
            Action::Announce(announcement) => self.events.announce(announcement),
            Action::Warn(message) => warn!("{message}"),
            Action::WakeAt(_)
            | Action::Stopped
            | Action::Decided(_)
            | Action::Waited(_)
            | Action::Answered(_) => {}
        }
    }

    /// Logs out of every vCenter, in bounded time.
    pub(super) async fn finish(self) {
        self.connections.finish().await;
    }

    fn write(&self, id: WriteId, work: impl Future<Output = Written> + Send + 'static) {
        // What a broken task had already sent is not known.
        let broken = move || Input::WriteFailed {
            id,
            failure: WriteFailure::Ambiguous,
            message: "the write broke off".to_owned(),
        };
        self.answer(broken, async move { writes::answer(id, work.await) });
    }

    /// Tells the scheduler the outcome of `work`, or `broken` if it panics.
    fn answer(
        &self,
        broken: impl FnOnce() -> Input + Send + 'static,
        work: impl Future<Output = Input> + Send + 'static,
    ) {
        let shell = Arc::clone(&self.shell);
        drop(self.shell.tasks.spawn(async move {
            let outcome = AssertUnwindSafe(work).catch_unwind().await;
            let input = outcome.unwrap_or_else(|_| {
                error!("a task broke off; this is a defect of Berth");
                broken()
            });
            shell.tell(input).await;
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::super::mock::{shell, status};
    use super::*;
    use crate::scheduler::{Journal, Key};

    fn key() -> Key {
        Key { namespace: "team-a".into(), name: "web-01".into() }
    }

    fn executor(shell: &Arc<Shell>) -> Executor {
        Executor::new(shell, watch::Sender::new(0))
    }

    #[tokio::test]
    async fn each_write_is_answered_once_even_when_its_task_panics() {
        let (shell, mut told) = shell(|line, _| {
            assert!(!line.contains("poison"), "panics on purpose");
            status(409, "changed")
        });
        let mut executor = executor(&shell);
        executor.perform(Action::PutStatus { id: WriteId(1), key: key(), body: "{}".into() });
        let Some(Input::WriteFailed { id: WriteId(1), failure: WriteFailure::Conflict, .. }) =
            told.recv().await
        else {
            panic!("no conflict")
        };
        executor.write(WriteId(2), async { panic!("on purpose") });
        let Some(Input::WriteFailed { id: WriteId(2), failure: WriteFailure::Ambiguous, .. }) =
            told.recv().await
        else {
            panic!("no answer")
        };
        tokio::task::yield_now().await;
        assert!(told.try_recv().is_err());
    }

    #[tokio::test]
    async fn actions_are_performed_side_by_side_while_the_scheduler_goes_on() {
        let (shell, mut told) = shell(|_, _| status(404, "gone"));
        let mut executor = executor(&shell);
        let mut lists = executor.placement_lists.subscribe();
        executor.perform(Action::ReadJournal);
        executor.perform(Action::WriteJournal {
            resource_version: Some("1".into()),
            journal: Journal::default(),
        });
        executor.perform(Action::ReadPlacement(key()));
        executor.perform(Action::ListPlacements);
        assert!(lists.has_changed().unwrap() && *lists.borrow_and_update() == 1);
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(told.recv().await.unwrap());
        }
        assert!(answers.contains(&Input::JournalConflict));
        assert!(
            answers.contains(&Input::JournalRead { resource_version: None, journal: Journal::default() })
        );
        assert!(answers.contains(&Input::PlacementRead { key: key(), outcome: ReadOutcome::NotFound }));
    }
}
