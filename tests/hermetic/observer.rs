//! An independent observer of everything that was ever stored: what must be true of it whatever went wrong.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kube_server::{Change, Kube};

/// What was decided for one uid and revision.
type Decided = BTreeMap<(String, i64), (String, String)>;

/// Checks the whole record: each revision of a placement is decided at most once; every decision was promised in
/// the journal before; terms never go back; and at no time is more room kept on a datastore than `capacity`
/// bytes. Returns how many decisions there were.
pub(crate) fn check(kube: &Kube, capacity: i64) -> usize {
    let mut decided = Decided::new();
    let mut kept = BTreeMap::<String, (String, i64)>::new();
    let (mut term, mut promised) = (0, Vec::new());
    for version in kube.record() {
        let object = &version.object;
        match version.key.resource {
            "configmaps" if version.key.name == "berth-journal" && version.change != Change::Deleted => {
                let text = object["data"]["journal.json"].as_str().unwrap_or_default();
                let Ok(journal) = serde_json::from_str::<Value>(text) else { continue };
                let now = journal["term"].as_i64().unwrap();
                assert!(now >= term, "the term went back from {term} to {now}");
                term = now;
                let intents = journal["intents"].as_array().unwrap();
                promised.extend(intents.iter().map(promise));
            }
            "instanceplacements" => {
                let uid = object["metadata"]["uid"].as_str().unwrap().to_owned();
                if version.change == Change::Deleted {
                    kept.remove(&uid);
                    continue;
                }
                let status = &object["status"];
                let Some(datastore) = status["datastore"]["moRef"].as_str() else { continue };
                let revision = status["revision"].as_i64().unwrap();
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                let what = (name, datastore.to_owned());
                if let Some(before) = decided.insert((uid.clone(), revision), what.clone()) {
                    assert_eq!(before, what, "revision {revision} was decided twice");
                } else {
                    let (name, datastore) = &what;
                    let found = promised.iter().any(|(u, d)| *u == uid && d == datastore);
                    assert!(found, "{name} was given {datastore} without a promise in the journal");
                }
                let open = status["claim"]["state"] == "Open";
                let bytes = if open { status["claim"]["bytes"].as_i64().unwrap() } else { 0 };
                kept.insert(uid, (datastore.to_owned(), bytes));
                let on: i64 = kept.values().filter(|(d, _)| d == datastore).map(|(_, bytes)| bytes).sum();
                assert!(on <= capacity, "{on} B are kept on {datastore}, which has {capacity} B");
            }
            _ => {}
        }
    }
    decided.len()
}

/// uid and datastore of an intent.
fn promise(intent: &Value) -> (String, String) {
    let body: Value = serde_json::from_str(intent["body"].as_str().unwrap()).unwrap();
    let datastore = body["status"]["datastore"]["moRef"].as_str().unwrap().to_owned();
    (intent["uid"].as_str().unwrap().to_owned(), datastore)
}
