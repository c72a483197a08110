//! Everything that is stored of placements and of the journal from now on, as watches of our own show it.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::core::ApiResource;
use serde_json::Value;
use tokio::task::JoinSet;

use berth::api::InstancePlacement;

use crate::observed::{self, Stored, journal};
use crate::stack::{Stack, wait_for};

/// One version of an object.
struct Version {
    resource: String,
    deleted: bool,
    object: Value,
}

impl Version {
    fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap()
    }
}

/// By revision: one etcd counts for all resources.
type Versions = BTreeMap<u64, Version>;

/// What was stored in one namespace, and of the journal.
pub(crate) struct History {
    namespace: String,
    seen: Arc<Mutex<Versions>>,
    _watches: JoinSet<()>,
}

impl History {
    /// Begins with what is there. The test's own thread blocks, so its runtime needs others.
    pub(crate) async fn start(stack: &Stack, namespace: &str) -> Self {
        let (seen, mut watches) = (Arc::<Mutex<Versions>>::default(), JoinSet::new());
        let client = stack.client().await.unwrap();
        for (resource, namespace) in [
            (ApiResource::erase::<InstancePlacement>(&()), namespace),
            (ApiResource::erase::<ConfigMap>(&()), "berth-system"),
        ] {
            let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource);
            let follower = Follower { api, resource: resource.plural, seen: Arc::clone(&seen) };
            let since = follower.list().await;
            watches.spawn(follower.watch(since));
        }
        Self { namespace: namespace.to_owned(), seen, _watches: watches }
    }

    /// Waits until the watches have shown everything that is stored now.
    pub(crate) fn catch_up(&self, stack: &Stack) {
        wait_for("the watches to show what is stored", || {
            let placements = stack.get_json(&["instanceplacements", "--namespace", &self.namespace])?;
            let journal = stack.get_json(&["configmaps", "--namespace", "berth-system"])?;
            let mut stored = [placements, journal]
                .into_iter()
                .flat_map(|list| list["items"].as_array().unwrap().iter().map(revision).collect::<Vec<_>>());
            Ok(stored.all(|revision| self.lock().contains_key(&revision)).then_some(()))
        })
        .unwrap();
    }

    /// Puts the history so far before the observer; see [`observed::check`].
    pub(crate) fn check(&self, capacity: u64) -> usize {
        let seen = self.lock();
        let stored = seen.values().map(|version| Stored {
            resource: &version.resource,
            deleted: version.deleted,
            object: &version.object,
        });
        observed::check(stored, capacity.try_into().unwrap())
    }

    /// How often each placement was written after it was created.
    pub(crate) fn writes(&self) -> BTreeMap<String, usize> {
        let mut writes = BTreeMap::new();
        for version in self.lock().values().filter(|version| version.resource == "instanceplacements") {
            // The first one is the creation.
            writes.entry(version.name().to_owned()).and_modify(|count| *count += 1).or_insert(0);
        }
        writes
    }

    /// How many promises each write of the journal brought, those that began a term left out.
    pub(crate) fn batches(&self) -> Vec<usize> {
        let (mut term, mut known, mut batches) = (Value::Null, BTreeSet::new(), Vec::new());
        for version in self.lock().values().filter(|version| version.name() == "berth-journal") {
            let journal = journal(&version.object).unwrap();
            let intents = journal["intents"].as_array().unwrap();
            let new = intents.iter().filter(|intent| known.insert(intent.to_string())).count();
            if std::mem::replace(&mut term, journal["term"].clone()) == journal["term"] {
                batches.push(new);
            }
        }
        batches
    }

    fn lock(&self) -> MutexGuard<'_, Versions> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes down what it sees of one resource.
struct Follower {
    api: Api<DynamicObject>,
    resource: String,
    seen: Arc<Mutex<Versions>>,
}

impl Follower {
    /// What is there, and as of which version.
    async fn list(&self) -> String {
        let list = self.api.list(&ListParams::default()).await.unwrap();
        for object in list.items {
            self.note(false, &object);
        }
        list.metadata.resource_version.unwrap()
    }

    async fn watch(self, mut since: String) {
        loop {
            // The API server ends every watch some time.
            let mut events = pin!(self.api.watch(&WatchParams::default(), &since).await.unwrap());
            while let Some(event) = events.next().await {
                since = match event.unwrap() {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => self.note(false, &object),
                    WatchEvent::Deleted(object) => self.note(true, &object),
                    WatchEvent::Bookmark(bookmark) => bookmark.metadata.resource_version,
                    WatchEvent::Error(status) => panic!("{}: {status:?}", self.resource),
                };
            }
        }
    }

    /// Answers with the version.
    fn note(&self, deleted: bool, object: &DynamicObject) -> String {
        let object = serde_json::to_value(object).unwrap();
        let revision = revision(&object);
        let version = Version { resource: self.resource.clone(), deleted, object };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(revision, version);
        revision.to_string()
    }
}

fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}
