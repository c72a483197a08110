//! An independent observer of everything that was ever stored: what must be true of it whatever went wrong.
//! No I/O.

use std::collections::BTreeMap;

use serde_json::Value;

/// One version of an object of Berth's, as it was stored.
pub struct Stored<'a> {
    /// `configmaps` or `instanceplacements`; others are passed over.
    pub resource: &'a str,
    /// This is how it was when it was deleted.
    pub deleted: bool,
    pub object: &'a Value,
}

/// Checks a whole record, in the order of its commits: each revision of a placement is decided at most once,
/// and keeps its datastore; every decision was promised in the journal before; terms never go back; and at no
/// time is more room kept on a datastore than `capacity` bytes. Returns how many decisions there were.
pub fn check<'a>(record: impl IntoIterator<Item = Stored<'a>>, capacity: i64) -> usize {
    let mut decided = BTreeMap::<(String, i64), &Value>::new();
    let mut kept = BTreeMap::<String, (&str, i64)>::new();
    let (mut term, mut promised) = (0, Vec::new());
    for Stored { resource, deleted, object } in record {
        let name = object["metadata"]["name"].as_str().unwrap();
        match resource {
            "configmaps" if name == "berth-journal" && !deleted => {
                let Some(journal) = journal(object) else { continue };
                let now = journal["term"].as_i64().unwrap();
                assert!(now >= term, "the term went back from {term} to {now}");
                term = now;
                let intents = journal["intents"].as_array().unwrap();
                promised.extend(intents.iter().map(promise));
            }
            "instanceplacements" => {
                let uid = object["metadata"]["uid"].as_str().unwrap();
                if deleted {
                    kept.remove(uid);
                    continue;
                }
                let status = &object["status"];
                let datastore = &status["datastore"];
                let Some(volume) = datastore["moRef"].as_str() else {
                    assert!(!kept.contains_key(uid), "{name} has lost its datastore");
                    continue;
                };
                let revision = status["revision"].as_i64().unwrap();
                if let Some(before) = decided.insert((uid.to_owned(), revision), datastore) {
                    assert_eq!(before, datastore, "revision {revision} of {name} was decided twice");
                } else {
                    let found = promised.iter().any(|(u, promised)| u == uid && promised == datastore);
                    assert!(found, "{name} was given {volume} without a promise in the journal");
                }
                let open = status["claim"]["state"] == "Open";
                let bytes = if open { status["claim"]["bytes"].as_i64().unwrap() } else { 0 };
                kept.insert(uid.to_owned(), (volume, bytes));
                let on: i64 = kept.values().filter(|(d, _)| *d == volume).map(|(_, bytes)| bytes).sum();
                assert!(on <= capacity, "{on} B are kept on {volume}, which has {capacity} B");
            }
            _ => {}
        }
    }
    decided.len()
}

/// What the journal's `ConfigMap` holds, if it can be decoded.
pub fn journal(config_map: &Value) -> Option<Value> {
    serde_json::from_str(config_map["data"]["journal.json"].as_str()?).ok()
}

/// The object that an intent is going to write.
pub fn promised_object(intent: &Value) -> Value {
    serde_json::from_str(intent["body"].as_str().unwrap()).unwrap()
}

/// uid and datastore of an intent.
fn promise(intent: &Value) -> (String, Value) {
    (intent["uid"].as_str().unwrap().to_owned(), promised_object(intent)["status"]["datastore"].clone())
}
