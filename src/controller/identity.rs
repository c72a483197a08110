//! Which cluster this is. Does I/O.

use kube::Client;
use serde_json::Value;
use tracing::{debug, info, warn};

use crate::telemetry::Readiness;

use super::backoff::Backoff;
use super::call::get;

/// Pending until the cluster is known.
const GATE: &str = "cluster identity";

/// The given name, or else the uid of namespace `kube-system`: asked for until it is known.
pub(super) async fn find(client: &Client, readiness: &Readiness, given: Option<String>) -> String {
    if let Some(name) = given {
        return name;
    }
    readiness.pending(GATE, "namespace kube-system not read yet");
    let mut backoff = Backoff::new();
    let mut told = false;
    loop {
        let why = match read(client).await {
            Ok(uid) => {
                readiness.done(GATE);
                info!(uid, "the cluster is known by the uid of its namespace kube-system");
                return uid;
            }
            Err(why) => why,
        };
        readiness.pending(GATE, why.clone());
        if told {
            debug!(why, "cluster identity not found again");
        } else {
            warn!(why, "cluster identity not found; trying again");
            told = true;
        }
        tokio::time::sleep(backoff.delay()).await;
    }
}

async fn read(client: &Client) -> Result<String, String> {
    let reply = get(client, "/api/v1/namespaces/kube-system").await;
    let reply = reply.map_err(|failure| format!("namespace kube-system: {}", failure.message()))?;
    let object: Value = reply.decode().map_err(|failure| failure.message().to_owned())?;
    let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
    uid.map(str::to_owned).ok_or_else(|| "namespace kube-system has no uid".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::mock::{answering, status};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_cluster_is_asked_until_it_answers() {
        let calls = Arc::new(AtomicUsize::new(0));
        let client = answering(move |line, _| {
            assert_eq!(line, "GET /api/v1/namespaces/kube-system");
            if calls.fetch_add(1, Ordering::Relaxed) < 3 {
                return status(503, "starting");
            }
            (200, r#"{"metadata":{"uid":"c-1"}}"#.into(), None)
        });
        let readiness = Readiness::default();
        assert_eq!(find(&client, &readiness, None).await, "c-1");
        assert_eq!(readiness.report(), None);
        assert_eq!(find(&client, &readiness, Some("named".into())).await, "named");
    }
}
