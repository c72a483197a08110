//! Every word that Berth can say to a program is said in a story that a person can read.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use berth::api::{DriftReason, PlacementReason, RejectionCode, RoomReason, VCenterReason};

/// Words that no scenario can say yet, and why not.
const UNSAID: [(&[&str], &str); 4] = [
    (
        &["PolicyIncompatible", "PolicyNotFound", "TagMissing", "NotInDatastoreCluster"],
        "no field of a placement or class asks for it, since the adapter does not read it",
    ),
    (
        &["MissingPrivilege", "DatastoreSuspended", "AlarmTriggered"],
        "no field of a VCenter names it, since the adapter does not read it",
    ),
    (&["VvolUnavailable"], "the adapter does not read storage arrays and protocol endpoints"),
    (
        &[
            "OtherVCenter",
            "InstanceGone",
            "InstanceMoved",
            "DatastoreGone",
            "DatastoreRenamed",
            "RulesBroken",
        ],
        "the adapter does not read VMs, so that no status tells drift",
    ),
];

/// The words of [`UNSAID`].
pub fn unsaid() -> BTreeSet<&'static str> {
    UNSAID.iter().flat_map(|(words, _)| *words).copied().collect()
}

/// All scenario files as one text.
fn scenarios() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let paths =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    paths.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// The word, and not a part of another one.
fn says(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|found| found == word)
}

/// A word that appears in a scenario has to leave the list of those that cannot.
#[test]
fn every_reason_and_code_is_in_a_scenario() {
    let text = scenarios();
    let words = (PlacementReason::ALL.iter().map(|word| word.as_str()))
        .chain(VCenterReason::ALL.iter().map(|word| word.as_str()))
        .chain(RejectionCode::ALL.iter().map(|word| word.as_str()))
        .chain(RoomReason::ALL.iter().map(|word| word.as_str()))
        .chain(DriftReason::ALL.iter().map(|word| word.as_str()));
    let missing: BTreeSet<_> = words.filter(|word| !says(&text, word)).collect();
    let unsaid = unsaid();
    let unexpected: Vec<_> = missing.difference(&unsaid).copied().collect();
    assert!(unexpected.is_empty(), "no scenario has {}", unexpected.join(", "));
    let said: Vec<_> = unsaid.difference(&missing).copied().collect();
    assert!(said.is_empty(), "a scenario has {}, or it is no word: take it off the list", said.join(", "));
}
