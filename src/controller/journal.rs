//! Reads and writes the journal's `ConfigMap`. Does I/O.

use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

use crate::scheduler::{Input, Journal};

use super::call::{Failure, get, post, put};
use super::shell::Shell;
use crate::objects::one_line;

const NAME: &str = "berth-journal";
const KEY: &str = "journal.json";
/// Pending while the journal cannot be read or written.
const GATE: &str = "journal";

#[derive(Deserialize)]
struct ConfigMap {
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    resource_version: String,
}

/// Reads the journal.
pub(super) async fn read(shell: &Shell) -> Input {
    match try_read(shell).await {
        Ok(input) => {
            shell.readiness.done(GATE);
            input
        }
        Err(why) => {
            shell.readiness.pending(GATE, why.clone());
            Input::JournalUnreadable(why)
        }
    }
}

async fn try_read(shell: &Shell) -> Result<Input, String> {
    let reply = match get(&shell.client, &path(&shell.namespace)).await {
        Err(Failure::Refused(404, _)) => {
            return Ok(Input::JournalRead { resource_version: None, journal: Journal::default() });
        }
        other => other.map_err(|failure| format!("cannot be read: {}", failure.message()))?,
    };
    let map: ConfigMap = reply.decode().map_err(|failure| failure.message().to_owned())?;
    let journal = match map.data.get(KEY) {
        None => Err(format!("it has no key {KEY}")),
        Some(text) => serde_json::from_str(text).map_err(|error| one_line(&error.to_string(), 256)),
    };
    match journal {
        Ok(journal) => {
            Ok(Input::JournalRead { resource_version: Some(map.metadata.resource_version), journal })
        }
        Err(error) => Err(format!(
            "ConfigMap {}/{NAME} cannot be decoded: {error}. Nothing is decided until it is repaired: put back \
             its content from a backup, or stop every Berth, wait a minute for writes under way, delete the \
             ConfigMap and start Berth again",
            shell.namespace
        )),
    }
}

/// Replaces this version of the journal; without a version, creates it.
pub(super) async fn write(shell: &Shell, version: Option<&str>, journal: &Journal) -> Input {
    let text = match serde_json::to_string(journal) {
        Ok(text) => text,
        Err(error) => return Input::JournalAmbiguous(error.to_string()),
    };
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": NAME,
            "namespace": shell.namespace,
            "resourceVersion": version,
            "labels": {"app.kubernetes.io/name": "berth", "app.kubernetes.io/component": "journal"},
        },
        "data": {KEY: text},
    });
    let reply = if version.is_none() {
        let path = format!("/api/v1/namespaces/{}/configmaps?fieldManager=berth", shell.namespace);
        post(&shell.client, &path, map.to_string()).await
    } else {
        let path = format!("{}?fieldManager=berth", path(&shell.namespace));
        put(&shell.client, &path, map.to_string()).await
    };
    match reply.and_then(|reply| reply.resource_version()) {
        Ok(resource_version) => {
            shell.readiness.done(GATE);
            Input::JournalWritten { resource_version }
        }
        Err(Failure::Refused(409, _)) => Input::JournalConflict,
        Err(Failure::Refused(404, _)) if version.is_some() => Input::JournalConflict,
        Err(failure) => {
            shell.readiness.pending(GATE, format!("cannot be written: {}", failure.message()));
            Input::JournalAmbiguous(failure.message().to_owned())
        }
    }
}

fn path(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps/{NAME}")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::mock::{Answer, shell, status};
    use super::*;

    const PATH: &str = "/api/v1/namespaces/berth-system/configmaps/berth-journal";

    fn map(text: &str) -> Answer {
        (200, json!({"metadata": {"resourceVersion": "41"}, "data": {KEY: text}}).to_string(), None)
    }

    async fn read_from(
        answer: impl Fn(&str, &str) -> Answer + Clone + Send + 'static,
    ) -> (Input, Option<String>) {
        let (shell, _) = shell(answer);
        (read(&shell).await, shell.readiness.report())
    }

    #[tokio::test]
    async fn a_missing_journal_is_an_empty_one_without_a_version() {
        let (told, _) = read_from(|line, _| {
            assert_eq!(line, format!("GET {PATH}"));
            status(404, "not found")
        })
        .await;
        assert_eq!(told, Input::JournalRead { resource_version: None, journal: Journal::default() });
        let (told, _) = read_from(|_, _| map(r#"{"term":3,"intents":[]}"#)).await;
        let journal = Journal { term: 3, intents: vec![] };
        assert_eq!(told, Input::JournalRead { resource_version: Some("41".into()), journal });
    }

    #[tokio::test]
    async fn a_journal_that_cannot_be_decoded_is_never_taken_for_an_empty_one() {
        for text in ["", "{}", r#"{"term":3,"intents":[],"more":1}"#, r#"{"term":3"#] {
            let (told, pending) = read_from(move |_, _| map(text)).await;
            let Input::JournalUnreadable(why) = told else { panic!("{text}: {told:?}") };
            assert!(why.contains("put back its content from a backup"), "{why}");
            assert!(pending.unwrap().starts_with("journal: ConfigMap berth-system/berth-journal"));
        }
        let without_key =
            |_: &str, _: &str| (200, r#"{"metadata":{"resourceVersion":"1"}}"#.to_owned(), None);
        assert!(matches!(read_from(without_key).await.0, Input::JournalUnreadable(_)));
        assert!(matches!(read_from(|_, _| status(503, "no")).await.0, Input::JournalUnreadable(_)));
    }

    #[tokio::test]
    async fn a_write_has_one_of_three_outcomes() {
        for (version, code, expected) in [
            (None, 409, "conflict"),
            (None, 404, "ambiguous"),
            (None, 500, "ambiguous"),
            (Some("41"), 409, "conflict"),
            (Some("41"), 404, "conflict"),
            (Some("41"), 504, "ambiguous"),
            (Some("41"), 403, "ambiguous"),
        ] {
            let (shell, _) = shell(move |_, _| status(code, "no"));
            let outcome = match write(&shell, version, &Journal::default()).await {
                Input::JournalConflict => "conflict",
                Input::JournalAmbiguous(_) => "ambiguous",
                other => panic!("{other:?}"),
            };
            assert_eq!(outcome, expected, "{version:?} {code}");
        }
    }

    #[tokio::test]
    async fn a_write_replaces_the_version_it_is_told_to() {
        let (shell, _) = shell(|line, body| {
            let body: Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["data"][KEY], r#"{"term":4,"intents":[]}"#);
            let version = body["metadata"].get("resourceVersion").and_then(Value::as_str);
            match version {
                Some("41") => assert_eq!(line, format!("PUT {PATH}?fieldManager=berth")),
                None => {
                    assert_eq!(line, "POST /api/v1/namespaces/berth-system/configmaps?fieldManager=berth");
                }
                other => panic!("{other:?}"),
            }
            (201, r#"{"metadata":{"resourceVersion":"42"}}"#.into(), None)
        });
        let journal = Journal { term: 4, intents: vec![] };
        for version in [None, Some("41")] {
            let told = write(&shell, version, &journal).await;
            assert_eq!(told, Input::JournalWritten { resource_version: "42".into() });
        }
    }
}
