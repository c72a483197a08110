//! Reads a placement and writes its status. Does I/O.

use kube::Client;
use serde::Deserialize as _;
use serde_json::{Value, json};
use tracing::{debug, error};

use crate::api::{GROUP, VERSION};
use crate::scheduler::{Input, Key, ReadOutcome, WriteFailure, WriteId};
use crate::status::{self, Change};

use super::call::{Failure, Reply, get, put};
use super::shell::Shell;
use crate::objects::{self, RawObject};

/// What a write came to: the object's version now, or why it was not written and the words for it.
pub(super) type Written = Result<String, (WriteFailure, String)>;

/// Tells the scheduler what a write came to.
pub(super) fn answer(id: WriteId, written: Written) -> Input {
    match written {
        Ok(resource_version) => Input::WriteDone { id, resource_version },
        Err((failure, message)) => {
            debug!(id = id.0, ?failure, message, "a status was not written");
            Input::WriteFailed { id, failure, message }
        }
    }
}

/// Reads one placement.
pub(super) async fn read(client: &Client, key: Key) -> Input {
    let outcome = match fetch(client, &path(&key)).await {
        Ok(object) => found(object),
        Err(Failure::Refused(404, _)) => ReadOutcome::NotFound,
        Err(failure) => ReadOutcome::Failed(failure.message().to_owned()),
    };
    Input::PlacementRead { key, outcome }
}

fn found(object: Value) -> ReadOutcome {
    let status = match object.get("status") {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(status) => status.to_string(),
    };
    let seen = RawObject::deserialize(object)
        .map_err(|error| error.to_string())
        .and_then(|object| objects::placement(object).map_err(|error| error.to_string()));
    match seen {
        Ok(placement) => ReadOutcome::Found { placement: Box::new(placement), status },
        Err(reason) => ReadOutcome::Failed(reason),
    }
}

/// Writes these very bytes to the placement's status.
pub(super) async fn put_status(shell: &Shell, key: &Key, body: String) -> Written {
    put_checked(shell, &path(key), "InstancePlacement schema", body).await
}

/// Reads the placement, changes its status and writes it, unless the change changes nothing.
pub(super) async fn read_then_put(shell: &Shell, key: &Key, uid: &str, change: &Change) -> Written {
    let path = path(key);
    let object = fetch_same(&shell.client, &path, uid).await?;
    let resource_version = version(&object)?;
    let current = object.get("status").cloned().unwrap_or_else(|| json!({}));
    let wanted = status::apply(&current, change, shell.clock.now());
    if wanted == current {
        return Ok(resource_version);
    }
    let body = status::body(&key.status_target(uid, &resource_version), &wanted);
    put_checked(shell, &path, "InstancePlacement schema", body).await
}

/// Reads an object that must still be the one with this uid.
pub(super) async fn fetch_same(
    client: &Client,
    path: &str,
    uid: &str,
) -> Result<Value, (WriteFailure, String)> {
    let object = fetch(client, path).await.map_err(|failure| failed(&failure))?;
    if object.pointer("/metadata/uid").and_then(Value::as_str) == Some(uid) {
        Ok(object)
    } else {
        Err((WriteFailure::Gone, "another object has this name now".to_owned()))
    }
}

/// The version of an object that was read.
pub(super) fn version(object: &Value) -> Written {
    let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    version
        .map(str::to_owned)
        .ok_or_else(|| (WriteFailure::Ambiguous, "the answer has no version".to_owned()))
}

/// Writes a status. A server that drops part of it has an older schema than this program, and `schema` is
/// pending until a later write loses nothing.
pub(super) async fn put_checked(shell: &Shell, path: &str, schema: &'static str, body: String) -> Written {
    let reply = put(&shell.client, &format!("{path}/status?fieldManager=berth"), body)
        .await
        .map_err(|failure| failed(&failure))?;
    match reply.warnings.iter().find(|warning| warning.contains("unknown field")) {
        None => {
            shell.readiness.done(schema);
        }
        Some(warning) => {
            let why = format!("CRD older than controller: {warning}");
            if shell.readiness.pending(schema, why.clone()) {
                error!(schema, why, "the API server drops part of what Berth writes; update the CRDs");
            }
        }
    }
    reply.resource_version().map_err(|failure| failed(&failure))
}

fn failed(failure: &Failure) -> (WriteFailure, String) {
    (failure.of_write(), failure.message().to_owned())
}

pub(super) async fn fetch(client: &Client, path: &str) -> Result<Value, Failure> {
    get(client, path).await.and_then(|reply: Reply| reply.decode())
}

pub(super) fn path(key: &Key) -> String {
    format!("/apis/{GROUP}/{VERSION}/namespaces/{}/instanceplacements/{}", key.namespace, key.name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::mock::{Answer, shell, status as refusal};
    use super::*;

    const PUT: &str =
        "PUT /apis/berth.dev/v1alpha1/namespaces/team-a/instanceplacements/web-01/status?fieldManager=berth";
    const GET: &str = "GET /apis/berth.dev/v1alpha1/namespaces/team-a/instanceplacements/web-01";

    fn key() -> Key {
        Key { namespace: "team-a".into(), name: "web-01".into() }
    }

    fn stored(status: &Value) -> Answer {
        let object = json!({
            "apiVersion": "berth.dev/v1alpha1", "kind": "InstancePlacement",
            "metadata": {"name": "web-01", "namespace": "team-a", "uid": "u-1", "resourceVersion": "7",
                "generation": 1, "labels": {"a": "b"}},
            "spec": {"rootDisk": {"size": "40Gi"}}, "status": status,
        });
        (200, object.to_string(), None)
    }

    #[tokio::test]
    async fn the_exact_bytes_are_put_and_the_new_version_is_told() {
        let (shell, _) = shell(|line, body| {
            assert_eq!((line, body), (PUT, "{ \"exact\" : 1 }"));
            (200, r#"{"metadata":{"resourceVersion":"8"}}"#.into(), None)
        });
        assert_eq!(put_status(&shell, &key(), "{ \"exact\" : 1 }".into()).await, Ok("8".into()));
        assert_eq!(shell.readiness.report(), None);
    }

    #[tokio::test]
    async fn a_pruned_status_is_written_but_berth_is_not_ready_until_one_is_not() {
        let calls = Arc::new(AtomicUsize::new(0));
        let (shell, _) = shell(move |_, _| {
            let first = calls.fetch_add(1, Ordering::Relaxed) == 0;
            let warning = first.then_some("299 - \"unknown field \\\"status.claim\\\"\"");
            (200, r#"{"metadata":{"resourceVersion":"8"}}"#.into(), warning)
        });
        assert!(put_status(&shell, &key(), String::new()).await.is_ok());
        assert!(shell.readiness.report().unwrap().contains("CRD older than controller"));
        assert!(put_status(&shell, &key(), String::new()).await.is_ok());
        assert_eq!(shell.readiness.report(), None);
    }

    #[tokio::test]
    async fn a_read_gives_the_whole_status() {
        let (shell, _) = shell(|line, _| {
            assert_eq!(line, GET);
            stored(&json!({"note": "x"}))
        });
        let Input::PlacementRead { outcome: ReadOutcome::Found { placement, status }, .. } =
            read(&shell.client, key()).await
        else {
            panic!("not found")
        };
        assert!(placement.foreign_status);
        assert_eq!(status, r#"{"note":"x"}"#);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_told_as_it_is() {
        for (code, expected) in
            [(404, ReadOutcome::NotFound), (500, ReadOutcome::Failed("500: no".to_owned()))]
        {
            let (shell, _) = shell(move |_, _| refusal(code, "no"));
            let told = read(&shell.client, key()).await;
            assert_eq!(told, Input::PlacementRead { key: key(), outcome: expected });
        }
    }

    #[tokio::test]
    async fn another_object_of_the_same_name_is_left_alone() {
        let (shell, _) = shell(|line, _| {
            assert!(line.starts_with("GET "));
            stored(&json!({}))
        });
        let change = Change::Observed { generation: 1 };
        let written = read_then_put(&shell, &key(), "u-0", &change).await;
        assert_eq!(written.unwrap_err().0, WriteFailure::Gone);
    }
}
