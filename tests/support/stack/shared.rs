//! The stack that the tests of one binary share, one after the other. Does I/O.

use std::fs;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, anyhow};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::environment::{NAMESPACE, Stack};

/// The one stack of a test binary, or why it did not start. Whoever holds the lock has the cluster for
/// itself: kinds are cluster-wide and there is one controller per cluster, so scenarios take turns.
static SHARED: Mutex<Option<Result<Stack, String>>> = Mutex::const_new(None);

impl Stack {
    /// The stack of this test binary, emptied, for this caller alone until the guard is dropped. The first
    /// caller starts it. It ends with the process.
    ///
    /// # Errors
    /// When it did not start or cannot be emptied.
    pub async fn shared() -> anyhow::Result<MappedMutexGuard<'static, Self>> {
        Self::take(SHARED.lock().await)
    }

    /// [`Stack::shared`] for tests without a runtime.
    ///
    /// # Errors
    /// As [`Stack::shared`].
    pub fn shared_blocking() -> anyhow::Result<MappedMutexGuard<'static, Self>> {
        Self::take(SHARED.blocking_lock())
    }

    fn take(
        mut slot: MutexGuard<'static, Option<Result<Self, String>>>,
    ) -> anyhow::Result<MappedMutexGuard<'static, Self>> {
        let slot_value = slot.get_or_insert_with(|| Self::start().map_err(|error| format!("{error:#}")));
        if let Err(error) = slot_value {
            return Err(anyhow!("{error}"));
        }
        let stack = MutexGuard::try_map(slot, |slot| slot.as_mut().and_then(|result| result.as_mut().ok()));
        let stack = stack.map_err(|_| anyhow!("the stack is gone"))?;
        let aftermath = stack.check_aftermath();
        stack.reset()?;
        aftermath.context("after the test before this one")?;
        Ok(stack)
    }

    /// Deletes every object of Berth and what it keeps in its namespace, and forgets the audit events so
    /// far. Namespaces stay: without a controller manager none finishes deleting, so tests use new ones.
    ///
    /// # Errors
    /// When the API server refuses.
    pub fn reset(&self) -> anyhow::Result<()> {
        let kinds = [self.kinds()?, vec!["events".to_owned()]].concat().join(",");
        self.kubectl(&["delete", &kinds, "--all", "--all-namespaces", "--wait=false"], None)?;
        let own = "configmaps,secrets,leases.coordination.k8s.io";
        self.kubectl(&["delete", own, "--all", "--wait=false", "--namespace", NAMESPACE], None)?;
        if let Some(cluster) = &self.cluster {
            self.audit_start.store(fs::metadata(&cluster.audit_log)?.len(), Ordering::Relaxed);
            self.forget_controller_logs();
        }
        Ok(())
    }
}
