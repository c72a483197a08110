//! The record of the fake API server, before the observer; and the observer itself.

use serde_json::{Value, json};

use crate::kube_server::{Change, Kube};
use crate::observed::{self, Stored};

/// Checks everything that was ever stored; see [`observed::check`].
pub(crate) fn check(kube: &Kube, capacity: i64) -> usize {
    let record = kube.record();
    let stored = record.iter().map(|version| Stored {
        resource: version.key.resource,
        deleted: version.change == Change::Deleted,
        object: &version.object,
    });
    observed::check(stored, capacity)
}

/// A version of a placement that has a datastore, or none.
fn placement(uid: &str, datastore: Option<&str>) -> (&'static str, Value) {
    let datastore = datastore.map(|moref| json!({"name": "d", "moRef": moref}));
    let claim = json!({"state": "Open", "bytes": 10});
    let status = json!({"revision": 0, "datastore": datastore, "claim": claim});
    ("instanceplacements", json!({"metadata": {"name": uid, "uid": uid}, "status": status}))
}

/// A version of the journal.
fn journal(term: i64, promises: &[(&str, &str)]) -> (&'static str, Value) {
    let intent = |(uid, moref): &(&str, &str)| {
        let body = placement(uid, Some(moref)).1.to_string();
        json!({"uid": uid, "body": body})
    };
    let text = json!({"term": term, "intents": promises.iter().map(intent).collect::<Vec<_>>()}).to_string();
    ("configmaps", json!({"metadata": {"name": "berth-journal"}, "data": {"journal.json": text}}))
}

/// What the observer says of this record with room for two.
fn verdict(record: &[(&'static str, Value)]) -> Result<usize, String> {
    let stored = || {
        record
            .iter()
            .map(|(resource, object)| Stored { resource, deleted: false, object })
            .collect::<Vec<_>>()
    };
    std::panic::catch_unwind(|| observed::check(stored(), 20))
        .map_err(|why| *why.downcast::<String>().unwrap())
}

#[test]
fn each_broken_promise_is_seen() {
    let both = || journal(1, &[("u", "a"), ("u", "b"), ("v", "a"), ("w", "a")]);
    let given = |uid, to| placement(uid, Some(to));
    let right =
        [both(), placement("u", None), given("u", "a"), given("u", "a"), journal(2, &[]), given("v", "a")];
    assert_eq!(verdict(&right), Ok(2));
    for (record, complaint) in [
        (vec![both(), given("u", "a"), given("u", "b")], "was decided twice"),
        (vec![both(), given("u", "a"), placement("u", None)], "has lost its datastore"),
        (vec![given("u", "a"), both()], "without a promise"),
        (vec![journal(2, &[]), journal(1, &[])], "the term went back"),
        (vec![both(), given("u", "a"), given("v", "a"), given("w", "a")], "30 B are kept on a"),
    ] {
        let found = verdict(&record).unwrap_err();
        assert!(found.contains(complaint), "{found}");
    }
}
