//! Every word that Berth can say to a program is said in a story that a person can read.

use std::fs;
use std::path::Path;

use berth::api::{PlacementReason, RejectionCode, RoomReason, VCenterReason};

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

#[test]
fn every_reason_and_code_is_in_a_scenario() {
    let text = scenarios();
    let words = (PlacementReason::ALL.iter().map(|word| word.as_str()))
        .chain(VCenterReason::ALL.iter().map(|word| word.as_str()))
        .chain(RejectionCode::ALL.iter().map(|word| word.as_str()))
        .chain(RoomReason::ALL.iter().map(|word| word.as_str()));
    let missing: Vec<_> = words.filter(|word| !says(&text, word)).collect();
    assert!(missing.is_empty(), "no scenario has {}", missing.join(", "));
}
