//! The objects and the rules by which they change.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth::controller::Clock;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::history::{Change, History};
use super::kinds::{Key, Kind, schemas};
use super::refusal::Refusal;
use super::schema::Schema;

/// An object, and what the API server warns of.
pub type Done = Result<(Value, Vec<String>), Refusal>;

/// All objects.
pub struct Store {
    pub history: History,
    pub clock: Clock,
    started: Instant,
    schemas: BTreeMap<&'static str, Schema>,
    uids: u64,
}

/// What a delete asks for: the uid and version that the object must have.
#[derive(Default)]
pub struct Preconditions<'a> {
    pub uid: Option<&'a str>,
    pub resource_version: Option<&'a str>,
}

impl Store {
    /// With the namespaces that every cluster has, and Berth's.
    pub fn new(clock: Clock) -> Self {
        let (history, started) = (History::new(), Instant::now());
        let mut store = Self { history, clock, started, schemas: schemas(), uids: 0 };
        let kind = Kind::named("Namespace").unwrap();
        for name in ["default", "kube-system", "berth-system"] {
            store.create(kind, "", json!({"metadata": {"name": name}})).unwrap();
        }
        store
    }

    /// Virtual time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// As a reader gets it: with the defaults of today's schema.
    pub fn read(&self, kind: &Kind, stored: &Value) -> Value {
        let mut object = stored.clone();
        if let Some(schema) = self.schemas.get(kind.plural) {
            schema.tidy(&mut object);
        }
        object
    }

    pub fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Result<Value, Refusal> {
        let stored = self.history.get(&Key::new(kind, namespace, name));
        stored.map(|stored| self.read(kind, stored)).ok_or_else(|| Refusal::not_found(kind, name))
    }

    pub fn create(&mut self, kind: &Kind, namespace: &str, body: Value) -> Done {
        let (mut object, warnings) = self.admit(kind, namespace, None, body)?;
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if name.is_empty() {
            let cause = "metadata.name: Required value: name or generateName is required".to_owned();
            return Err(Refusal::invalid(kind, "", &[cause]));
        }
        if !object["metadata"]["resourceVersion"].as_str().unwrap_or_default().is_empty() {
            let message = "resourceVersion should not be set on objects to be created";
            return Err(Refusal::new(500, "InternalError", message));
        }
        if kind.namespaced
            && self.history.get(&Key::new(Kind::named("Namespace").unwrap(), "", namespace)).is_none()
        {
            return Err(Refusal::not_found(Kind::named("Namespace").unwrap(), namespace));
        }
        let key = Key::new(kind, namespace, &name);
        if self.history.get(&key).is_some() {
            return Err(Refusal::exists(kind, &name));
        }
        if let Some(schema) = self.schemas.get(kind.plural) {
            if schema.status_apart {
                remove(&mut object, "status");
                schema.tidy(&mut object);
            }
            refuse_invalid(kind, &name, &schema.check(&object, None))?;
        }
        self.birth(kind, &mut object);
        Ok((self.commit(Change::Added, key, object), warnings))
    }

    /// Replaces the main part of an object, or its status.
    pub fn update(&mut self, kind: &Kind, namespace: &str, name: &str, status: bool, body: Value) -> Done {
        let (new, warnings) = self.admit(kind, namespace, Some(name), body)?;
        let key = Key::new(kind, namespace, name);
        let stored = self.history.get(&key).cloned().ok_or_else(|| Refusal::not_found(kind, name))?;
        let old = self.read(kind, &stored);
        let version = new["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        if version.is_empty() && kind.is_custom() {
            let cause =
                "metadata.resourceVersion: Invalid value: 0: must be specified for an update".to_owned();
            return Err(Refusal::invalid(kind, name, &[cause]));
        }
        if let Some(uid) = new["metadata"]["uid"].as_str().filter(|uid| !uid.is_empty())
            && old["metadata"]["uid"] != uid
        {
            let why = format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                text(&old["metadata"]["uid"])
            );
            return Err(Refusal::conflict(kind, name, &why));
        }
        if !version.is_empty() && old["metadata"]["resourceVersion"] != version {
            return Err(Refusal::modified(kind, name));
        }
        let apart = self.schemas.get(kind.plural).is_some_and(|schema| schema.status_apart);
        if status && !apart {
            return Err(Refusal::new(404, "NotFound", "the server could not find the requested resource"));
        }
        let mut wanted = if status { with_status(&old, &new) } else { with_main(&old, &new, apart) };
        if let Some(schema) = self.schemas.get(kind.plural) {
            schema.tidy(&mut wanted);
            refuse_invalid(kind, name, &schema.check(&wanted, Some(&old)))?;
            if main(&wanted) != main(&old) {
                let generation = old["metadata"]["generation"].as_u64().unwrap_or_default();
                wanted["metadata"]["generation"] = (generation + 1).into();
            }
        }
        if wanted == old {
            return Ok((old, warnings));
        }
        let dying = wanted["metadata"].get("deletionTimestamp").is_some();
        let released = wanted["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty);
        let change = if dying && released { Change::Deleted } else { Change::Modified };
        Ok((self.commit(change, key, wanted), warnings))
    }

    /// Deletes an object, or marks it when it has finalizers.
    pub fn delete(
        &mut self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        only: &Preconditions<'_>,
    ) -> Result<Value, Refusal> {
        let mut object = self.get(kind, namespace, name)?;
        let meta = &object["metadata"];
        for (what, wanted, found) in [
            ("UID", only.uid, &meta["uid"]),
            ("ResourceVersion", only.resource_version, &meta["resourceVersion"]),
        ] {
            if let Some(wanted) = wanted.filter(|wanted| found != wanted) {
                let found = text(found);
                let why = format!(
                    "Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {found}"
                );
                return Err(Refusal::conflict(kind, name, &why));
            }
        }
        let key = Key::new(kind, namespace, name);
        if meta["finalizers"].as_array().is_some_and(|all| !all.is_empty()) {
            if meta.get("deletionTimestamp").is_none() {
                object["metadata"]["deletionTimestamp"] = self.time();
                object["metadata"]["deletionGracePeriodSeconds"] = 0.into();
                let generation = object["metadata"]["generation"].as_u64().unwrap_or_default();
                object["metadata"]["generation"] = (generation + 1).into();
                object = self.commit(Change::Modified, key, object);
            }
            return Ok(object);
        }
        if kind.name == "Namespace" {
            // What the namespace controller does.
            let inside: Vec<_> = self.history.current().filter(|(k, _)| k.namespace == name).collect();
            let inside: Vec<_> =
                inside.into_iter().map(|(key, object)| (key.clone(), object.clone())).collect();
            for (key, object) in inside {
                self.commit(Change::Deleted, key, object);
            }
        }
        self.commit(Change::Deleted, key, object);
        Ok(json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
            "details": {"name": name, "group": kind.group, "kind": kind.plural, "uid": ""}}))
    }

    /// Stores an object as it is, as if it had been written when there were no rules yet.
    pub fn plant(&mut self, kind: &Kind, namespace: &str, mut object: Value) -> Value {
        name_kind(kind, namespace, &mut object);
        let key = Key::new(kind, namespace, &text(&object["metadata"]["name"]));
        let change = match self.history.get(&key) {
            None => {
                self.birth(kind, &mut object);
                Change::Added
            }
            Some(old) => {
                let own = object["metadata"].as_object().cloned().unwrap_or_default();
                object["metadata"] = old["metadata"].clone();
                object["metadata"].as_object_mut().unwrap().extend(own);
                Change::Modified
            }
        };
        self.commit(change, key, object)
    }

    /// Says which object it is, unknown fields apart, and refuses what belongs elsewhere.
    fn admit(&self, kind: &Kind, namespace: &str, name: Option<&str>, mut object: Value) -> Done {
        if !object.is_object() {
            return Err(Refusal::bad_request("the object provided is unrecognized"));
        }
        for (field, expected) in [("kind", kind.name.to_owned()), ("apiVersion", kind.api_version())] {
            if object.get(field).is_some_and(|given| *given != expected) {
                return Err(Refusal::bad_request(format!(
                    "the {field} in the data does not match {expected}"
                )));
            }
        }
        let meta = &object["metadata"];
        if let Some(given) = meta["namespace"].as_str().filter(|given| kind.namespaced && *given != namespace)
        {
            let words = format!(
                "the namespace of the provided object does not match the namespace sent on the request: {given}"
            );
            return Err(Refusal::bad_request(words));
        }
        if let Some(name) = name.filter(|name| meta["name"].as_str().is_some_and(|given| given != *name)) {
            let words = format!("the name of the object does not match the name on the URL ({name})");
            return Err(Refusal::bad_request(words));
        }
        name_kind(kind, namespace, &mut object);
        if let Some(name) = name {
            object["metadata"]["name"] = name.into();
        }
        if kind.name == "Secret" {
            encode_strings(&mut object);
        }
        let unknown =
            self.schemas.get(kind.plural).map(|schema| schema.tidy(&mut object)).unwrap_or_default();
        let warnings =
            unknown.into_iter().map(|field| format!("299 - \"unknown field \\\"{field}\\\"\"")).collect();
        Ok((object, warnings))
    }

    /// What a new object gets.
    fn birth(&mut self, kind: &Kind, object: &mut Value) {
        self.uids += 1;
        let mut meta = json!({
            "uid": format!("00000000-0000-4000-8000-{:012}", self.uids),
            "creationTimestamp": self.time(),
        });
        if kind.is_custom() {
            meta["generation"] = 1.into();
        }
        for (field, value) in meta.as_object().unwrap() {
            object["metadata"][field] = value.clone();
        }
        if kind.name == "Namespace" {
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"].clone();
        }
    }

    fn commit(&mut self, change: Change, key: Key, object: Value) -> Value {
        let at = self.elapsed();
        self.history.commit(change, key, object, at)
    }

    fn time(&self) -> Value {
        json!(self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }
}

fn name_kind(kind: &Kind, namespace: &str, object: &mut Value) {
    object["apiVersion"] = kind.api_version().into();
    object["kind"] = kind.name.into();
    if kind.namespaced {
        object["metadata"]["namespace"] = namespace.into();
    }
    if let Some(meta) = object["metadata"].as_object_mut() {
        meta.retain(|_, value| !value.is_null());
    }
}

fn refuse_invalid(kind: &Kind, name: &str, wrong: &[String]) -> Result<(), Refusal> {
    if wrong.is_empty() { Ok(()) } else { Err(Refusal::invalid(kind, name, wrong)) }
}

/// Only the status is taken.
fn with_status(old: &Value, new: &Value) -> Value {
    let mut wanted = old.clone();
    remove(&mut wanted, "status");
    if let Some(status) = new.get("status") {
        wanted["status"] = status.clone();
    }
    wanted
}

/// Everything but the status is taken, and of the metadata what clients may change.
fn with_main(old: &Value, new: &Value, status_apart: bool) -> Value {
    let mut wanted = new.clone();
    let mut meta = old["metadata"].clone();
    for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
        remove(&mut meta, field);
        if let Some(value) = new["metadata"].get(field) {
            meta[field] = value.clone();
        }
    }
    wanted["metadata"] = meta;
    if status_apart {
        remove(&mut wanted, "status");
        if let Some(status) = old.get("status") {
            wanted["status"] = status.clone();
        }
    }
    wanted
}

/// What raises the generation when it changes.
fn main(object: &Value) -> Map<String, Value> {
    let mut object = object.as_object().cloned().unwrap_or_default();
    object.retain(|field, _| field != "metadata" && field != "status");
    object
}

fn remove(object: &mut Value, field: &str) {
    if let Some(object) = object.as_object_mut() {
        object.remove(field);
    }
}

/// `stringData` becomes `data`.
fn encode_strings(secret: &mut Value) {
    let strings = secret["stringData"].take();
    remove(secret, "stringData");
    for (key, value) in strings.as_object().into_iter().flatten() {
        secret["data"][key] = STANDARD.encode(value.as_str().unwrap_or_default()).into();
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
