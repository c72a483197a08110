//! The inventory watch: one view, one collector, one filter, one long poll at a time. Does I/O.
//!
//! A snapshot is reported only after a complete answer. Whatever fails on the way ends the watch, so
//! nothing is ever made of half of an answer; the owner keeps what it had.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

use super::{
    Endpoint, Report,
    cache::{Cache, Snapshot},
    decode::{updates::UpdateSet, value::Reason},
    error::Error,
    mounts::MountReader,
    observe::Observer,
    session::{CALL_DEADLINE, GOODBYE_DEADLINE, Session},
    soap::{Ref, envelope::Request, returned_nothing, returned_ref},
    transport::CallError,
};

/// Objects per page. vCenter lowers it to its own limit, which is often 100.
const PAGE: u32 = 500;
/// A read of a wait may take this much longer than the wait itself.
const WAIT_MARGIN: Duration = Duration::from_secs(10);
/// Two complete answers are at least this far apart, so that a server which answers at once, or whose
/// objects change all the time, is not asked without pause.
const PACE: Duration = Duration::from_millis(250);
/// Log lines about skipped objects, per run.
const MAX_LOGGED: usize = 100;

/// How long vCenter may hold a wait: well below the age at which an inventory is too old to decide with.
fn max_wait_seconds(max_age: Duration) -> u32 {
    let seconds = max_age.as_secs().saturating_mul(25) / 60;
    u32::try_from(seconds.clamp(1, 1800)).unwrap_or(1800)
}

/// What this session has built on the server.
struct Objects {
    collector: Ref,
    view: Ref,
    filter: Ref,
}

/// Why following ended.
enum End {
    /// The owner wants it, or no longer listens.
    Stopped,
    /// What was built on the server is gone or confused: build it anew.
    Stale(Error),
    Failed(Error),
}

/// A watch within a session that is logged in.
pub(crate) struct Watch<'a> {
    session: &'a mut Session,
    reports: &'a mpsc::Sender<Report>,
    observer: Arc<dyn Observer>,
    max_wait: u32,
    /// The last snapshot that was reported: its version and what it left out.
    reported: Option<(String, usize)>,
    logged: BTreeSet<(String, Reason)>,
    /// What is to be cancelled when the owner stops in the middle of a wait.
    waiting: Option<Ref>,
}

impl<'a> Watch<'a> {
    pub fn new(session: &'a mut Session, endpoint: &Endpoint, reports: &'a mpsc::Sender<Report>) -> Self {
        Self {
            session,
            reports,
            observer: Arc::clone(&endpoint.observer),
            max_wait: max_wait_seconds(endpoint.max_age),
            reported: None,
            logged: BTreeSet::new(),
            waiting: None,
        }
    }

    /// Watches until something fails, or until nobody listens any more. May be dropped at any point; then
    /// [`Watch::cancel`] is due.
    pub async fn run(&mut self) -> Result<(), Error> {
        let objects = self.build().await?;
        match self.follow(&objects).await {
            End::Stopped => return Ok(()),
            End::Failed(error) => return Err(error),
            End::Stale(error) => tracing::info!(error = %error, "building the vCenter watch anew"),
        }
        self.demolish(&objects).await;
        // Once per run: a server that loses them again and again is to be left alone for a while. It starts
        // from the empty version, as one must after anything went wrong: the version of a truncated answer
        // is good for one use only.
        let objects = self.build().await?;
        match self.follow(&objects).await {
            End::Stopped => Ok(()),
            End::Stale(error) | End::Failed(error) => Err(error),
        }
    }

    /// Tells vCenter that the wait, if there is one, has nobody waiting. Best effort.
    pub async fn cancel(&mut self) {
        if let Some(collector) = self.waiting.take() {
            let request = Request::CancelWaitForUpdates { collector: &collector };
            let call = self.session.call(&request, GOODBYE_DEADLINE, returned_nothing);
            // The logout that follows ends the wait too, only less orderly.
            drop(timeout(GOODBYE_DEADLINE / 4, call).await);
        }
    }

    async fn build(&mut self) -> Result<Objects, Error> {
        let content = self.session.content.clone();
        let request = Request::CreateContainerView {
            view_manager: &content.view_manager,
            container: &content.root_folder,
        };
        let (view, _) = self.session.call(&request, CALL_DEADLINE, returned_ref).await?;
        let request = Request::CreatePropertyCollector { collector: &content.property_collector };
        let (collector, _) = self.session.call(&request, CALL_DEADLINE, returned_ref).await?;
        let request = Request::CreateFilter { collector: &collector, view: &view };
        let (filter, _) = self.session.call(&request, CALL_DEADLINE, returned_ref).await?;
        Ok(Objects { collector, view, filter })
    }

    /// Frees what is left of the old objects. Their loss is the reason to be here, so failures are expected.
    async fn demolish(&mut self, objects: &Objects) {
        let old = [
            Request::DestroyPropertyCollector { collector: &objects.collector },
            Request::DestroyView { view: &objects.view },
        ];
        for request in old {
            if let Err(error) = self.session.call(&request, CALL_DEADLINE, returned_nothing).await {
                tracing::debug!(error = %Error::from(error), "freeing an old vCenter object failed");
            }
        }
    }

    async fn follow(&mut self, objects: &Objects) -> End {
        let own = [objects.collector.clone(), objects.view.clone(), objects.filter.clone()];
        let deadline = Duration::from_secs(u64::from(self.max_wait)).saturating_add(WAIT_MARGIN);
        let mut cache = Cache::below(&self.session.content.root_folder);
        let mut version = String::new();
        let mut truncated = false;
        let mut mounts = MountReader::default();
        loop {
            if cache.is_too_large() {
                return End::Failed(Error::TooLarge("more objects than any vCenter has"));
            }
            let asked = Instant::now();
            let request = Request::WaitForUpdatesEx {
                collector: &objects.collector,
                version: &version,
                // While mounts are to be read there is better to do than to wait.
                max_wait_seconds: if mounts.is_busy(&cache) { 0 } else { self.max_wait },
                max_objects: PAGE,
            };
            self.waiting = Some(objects.collector.clone());
            let answer = self.session.call(&request, deadline, UpdateSet::read).await;
            self.waiting = None;
            let (set, at) = match answer {
                Ok(answer) => answer,
                Err(error) => return End::of(error, &own),
            };
            let brought = set.is_some();
            match set {
                Some(set) if set.unauthenticated => return End::Failed(Error::NotAuthenticated),
                Some(set) => {
                    for update in set.objects {
                        cache.apply(update);
                    }
                    // Only now: what is not applied must be asked for again.
                    version = set.version;
                    truncated = set.truncated;
                    if truncated {
                        continue;
                    }
                }
                // The rest of a truncated answer is ready, so silence is not it.
                None if truncated => {
                    return End::Stale(Error::Malformed("the rest of an answer did not come"));
                }
                // Nothing was ever read: silence is not an empty vCenter.
                None if version.is_empty() => {
                    sleep_until(asked + PACE).await;
                    continue;
                }
                None => {}
            }
            if cache.hosts_have_changed() {
                mounts.forget_rest();
            }
            let read = match mounts.read(self.session, &objects.collector, &mut cache, at).await {
                Ok(read) => read,
                Err(error) => return End::of(error, &own),
            };
            let report = if brought || read { self.report(&cache, at) } else { Report::Confirmed { at } };
            if self.reports.send(report).await.is_err() {
                return End::Stopped;
            }
            sleep_until(asked + PACE).await;
        }
    }

    fn report(&mut self, cache: &Cache, at: Instant) -> Report {
        let snapshot = cache.snapshot(self.session.content.overview());
        for reason in Reason::ALL {
            self.observer.skipped(reason.label(), snapshot.skipped_for(reason));
        }
        self.observer.withheld(snapshot.withheld);
        self.log(&snapshot);
        let skipped = snapshot.skipped_count();
        let current = (snapshot.inventory.version().to_owned(), skipped);
        if self.reported.as_ref() == Some(&current) {
            return Report::Confirmed { at };
        }
        self.reported = Some(current);
        Report::Inventory { inventory: Arc::new(snapshot.inventory), skipped, at }
    }

    /// One line per object and reason, and not endlessly many.
    fn log(&mut self, snapshot: &Snapshot) {
        let nameless = (snapshot.nameless > 0).then(|| (String::new(), Reason::Reference));
        for (object, reason) in snapshot.skipped.iter().cloned().chain(nameless) {
            if self.logged.len() >= MAX_LOGGED || self.logged.contains(&(object.clone(), reason)) {
                continue;
            }
            tracing::warn!(object = %object, reason = reason.label(), "a vCenter object makes no sense and is skipped");
            self.logged.insert((object, reason));
        }
    }
}

impl End {
    fn of(error: CallError, own: &[Ref]) -> Self {
        match error {
            CallError::Fault(fault) if fault.is_stale(own) => Self::Stale(fault.into()),
            error => Self::Failed(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_well_shorter_than_the_age_allowed() {
        let wait = |seconds| max_wait_seconds(Duration::from_secs(seconds));
        assert_eq!(
            [wait(60), wait(120), wait(0), wait(1), wait(15), wait(u64::MAX)],
            [25, 50, 1, 1, 6, 1800]
        );
    }
}
