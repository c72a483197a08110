//! Lists and watches the five kinds and tells the scheduler what they show. Does I/O.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::core::{ApiResource, PartialObjectMeta};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::api::{InstancePlacement, PlacementClass, VCenter};
use crate::scheduler::{Input, Kind};
use crate::telemetry::Readiness;

use super::backoff::Backoff;
use super::shell::Shell;
use super::text::{chain, kube_error};
use crate::objects::{self, Incomplete, RawObject};

/// Objects in one answer.
const PAGE: u32 = 100;
/// The server ends a watch after this time. One that has been silent for five seconds more, without even a
/// bookmark, is taken for dead and opened again.
const WATCH_SECONDS: u32 = 85;

/// What one event of a watch says to the scheduler; `Ok(None)` when nothing.
type Told = Result<Option<Input>, Incomplete>;

/// Every kind is pending until it is listed.
pub(super) fn expect_lists(readiness: &Readiness) {
    for kind in Kind::ALL {
        readiness.pending(kind.as_str(), "not listed yet");
    }
}

/// Starts to list and watch. Placements wait for the first of `restarts`; each further one abandons their
/// list or watch and begins anew. None of the tasks ends as long as the scheduler is there; all of them end
/// with the set.
#[must_use]
pub(super) fn start(shell: &Arc<Shell>, restarts: Receiver<u64>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let all = |kind: &ApiResource| Api::<RawObject>::all_with(shell.client.clone(), kind);
    tasks.spawn(placements(Arc::clone(shell), all(&ApiResource::erase::<InstancePlacement>(&())), restarts));
    let classes = all(&ApiResource::erase::<PlacementClass>(&()));
    spawn(&mut tasks, shell, Kind::Class, classes, |event| match event {
        Event::Apply(object) | Event::InitApply(object) => {
            objects::class(object).map(|class| Some(Input::ClassSeen(Box::new(class))))
        }
        Event::Delete(object) => objects::name(object.metadata).map(|name| Some(Input::ClassGone(name))),
        Event::Init | Event::InitDone => Ok(None),
    });
    let vcenters = all(&ApiResource::erase::<VCenter>(&()));
    spawn(&mut tasks, shell, Kind::VCenter, vcenters, |event| match event {
        Event::Apply(object) | Event::InitApply(object) => {
            objects::vcenter(object).map(|vcenter| Some(Input::VCenterSeen(Box::new(vcenter))))
        }
        Event::Delete(object) => objects::name(object.metadata).map(|name| Some(Input::VCenterGone(name))),
        Event::Init | Event::InitDone => Ok(None),
    });
    let namespaces = Api::<PartialObjectMeta<Namespace>>::all(shell.client.clone());
    spawn(&mut tasks, shell, Kind::Namespace, namespaces, |event| match event {
        Event::Apply(object) | Event::InitApply(object) => {
            let labels = object.metadata.labels.clone().unwrap_or_default();
            objects::name(object.metadata).map(|name| Some(Input::NamespaceSeen { name, labels }))
        }
        Event::Delete(object) => objects::name(object.metadata).map(|name| Some(Input::NamespaceGone(name))),
        Event::Init | Event::InitDone => Ok(None),
    });
    let secrets = Api::<Secret>::namespaced(shell.client.clone(), &shell.namespace);
    spawn(&mut tasks, shell, Kind::Secret, secrets, secret_events(Arc::clone(shell)));
    tasks
}

/// Keeps the credentials before the scheduler is told of the Secret.
fn secret_events(shell: Arc<Shell>) -> impl FnMut(Event<Secret>) -> Told + Send + 'static {
    let mut listed = BTreeSet::new();
    move |event| {
        match event {
            Event::Init => listed.clear(),
            Event::InitDone => shell.secrets.retain(&listed),
            Event::Apply(secret) | Event::InitApply(secret) => {
                let seen = shell.secrets.keep(secret);
                if let Some(seen) = &seen {
                    listed.insert(seen.name.clone());
                }
                return Ok(seen.map(Input::SecretSeen));
            }
            Event::Delete(secret) => {
                let name = objects::name(secret.metadata)?;
                shell.secrets.forget(&name);
                return Ok(Some(Input::SecretGone(name)));
            }
        }
        Ok(None)
    }
}

async fn placements(shell: Arc<Shell>, api: Api<RawObject>, mut restarts: Receiver<u64>) {
    let mut wanted = restarts.changed().await.is_ok();
    while wanted {
        // The abandoned watch is dropped before the next one says anything.
        wanted = tokio::select! {
            biased;
            changed = restarts.changed() => changed.is_ok(),
            () = follow(&shell, Kind::Placement, &api, placement_event) => false,
        };
    }
}

fn placement_event(event: Event<RawObject>) -> Told {
    match event {
        Event::Apply(object) | Event::InitApply(object) => {
            objects::placement(object).map(|placement| Some(Input::PlacementSeen(Box::new(placement))))
        }
        Event::Delete(object) => {
            let uid = objects::uid(&object.metadata)?;
            objects::key(object.metadata).map(|key| Some(Input::PlacementGone { key, uid }))
        }
        Event::Init | Event::InitDone => Ok(None),
    }
}

fn spawn<K>(
    tasks: &mut JoinSet<()>,
    shell: &Arc<Shell>,
    kind: Kind,
    api: Api<K>,
    translate: impl FnMut(Event<K>) -> Told + Send + 'static,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let shell = Arc::clone(shell);
    tasks.spawn(async move { follow(&shell, kind, &api, translate).await });
}

/// Lists and watches one kind until the scheduler is gone.
async fn follow<K>(shell: &Shell, kind: Kind, api: &Api<K>, mut translate: impl FnMut(Event<K>) -> Told)
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = watcher::Config::default().page_size(PAGE).timeout(WATCH_SECONDS);
    let mut trouble = Trouble { kind, backoff: Backoff::new(), told: false };
    loop {
        let mut events = pin!(watcher(api.clone(), config.clone()));
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    let again = trouble.after(&error, shell);
                    tokio::time::sleep(again).await;
                    if must_list_again(&error) {
                        break;
                    }
                    continue;
                }
            };
            trouble.over_with(&event);
            if !tell(shell, kind, event, &mut translate).await {
                return;
            }
        }
    }
}

/// Says to the scheduler what an event means. False when it is gone.
async fn tell<K>(
    shell: &Shell,
    kind: Kind,
    event: Event<K>,
    translate: &mut impl FnMut(Event<K>) -> Told,
) -> bool {
    let frame = match event {
        Event::Init => Some(Input::ListStarted(kind)),
        Event::InitDone => Some(Input::Synced(kind)),
        _ => None,
    };
    let listed = matches!(event, Event::InitDone);
    let told = translate(event).unwrap_or_else(|incomplete| {
        warn!(kind = kind.as_str(), %incomplete, "an object is skipped");
        None
    });
    if let Some(input) = frame.or(told)
        && !shell.tell(input).await
    {
        return false;
    }
    if listed {
        shell.readiness.done(kind.as_str());
        debug!(kind = kind.as_str(), "listed");
    }
    true
}

/// A watch that cannot even begin at the version it wants goes back to that version for ever; the same holds
/// for one that meets an object it cannot decode.
fn must_list_again(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) => matches!(status.code, 403 | 404 | 410),
        watcher::Error::WatchFailed(kube::Error::SerdeError(_)) => true,
        _ => false,
    }
}

/// One log line when trouble begins and one when it is over.
struct Trouble {
    kind: Kind,
    backoff: Backoff,
    told: bool,
}

impl Trouble {
    fn after(&mut self, error: &watcher::Error, shell: &Shell) -> std::time::Duration {
        let reason = explain(error);
        shell.metrics.watch_failure(self.kind);
        if matches!(error, watcher::Error::InitialListFailed(_)) {
            shell.readiness.pending(self.kind.as_str(), reason.clone());
        }
        if self.told {
            debug!(kind = self.kind.as_str(), reason, "list or watch failed again");
        } else {
            warn!(kind = self.kind.as_str(), reason, "list or watch failed; trying again");
            self.told = true;
        }
        self.backoff.delay()
    }

    fn over_with<K>(&mut self, event: &Event<K>) {
        if self.told && !matches!(event, Event::Init | Event::InitApply(_)) {
            info!(kind = self.kind.as_str(), "list and watch work again");
            self.told = false;
        }
    }
}

fn explain(error: &watcher::Error) -> String {
    let cause = match error {
        watcher::Error::InitialListFailed(cause)
        | watcher::Error::WatchStartFailed(cause)
        | watcher::Error::WatchFailed(cause) => cause,
        other => return chain(other),
    };
    match cause {
        kube::Error::Api(status) if status.code == 404 => {
            "the API server does not know this kind: the CustomResourceDefinition is missing".to_owned()
        }
        other => kube_error(other),
    }
}

#[cfg(test)]
mod tests;
