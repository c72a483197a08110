//! A model of how promises are journalled and written: two processes with the shipped scheduler that both
//! believe they lead, one API server, one vCenter, and every order in which things can happen between them
//! while so much goes wrong as the [`scenarios`] say. `stateright` visits every state.
//!
//! | file | what |
//! |---|---|
//! | `api` | the API server: objects, versions, the journal |
//! | `process` | a process: the scheduler, and what it asks of the API server |
//! | `state`, `protocol` | the states, and the steps between them |
//! | `judge` | which promises hold, by what is stored alone |
//! | `scenarios`, `report`, `words` | what is explored, and how it is told |
//!
//! What it leaves out: a read and its answer are one step (a write and its answer are not), a list and its
//! delivery too; the API server never goes back to an older state; waits for people's sake never end; and
//! the time of day stands still.
//!
//! The feature `model-mutants` lets it switch off one safety device at a time: then it must find the harm.
//! `make model` runs it with optimisation, `make test-long` explores larger ones as well.

// Helpers of tests may fail loudly too; clippy's own exception covers only the test functions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod api;
mod judge;
mod process;
mod protocol;
mod report;
mod scenarios;
mod shared;
mod state;
mod words;

use std::fs;
use std::path::Path;
use std::process::Command;

use berth::scheduler::Device;
use serde_json::json;

use judge::{Broken, HARM, RULES};
use protocol::{Config, HELD, RESOLVED};
use report::explore;
use scenarios::{CRASH, CRASHES, LEASE, LONG, RECREATION, REVISION, SHRINKING, SHRINKING_AND_EDIT, holds};
use state::Budget;

#[test]
fn promises_hold_while_processes_and_answers_are_lost() {
    holds("crash, lost answer and duplicate", 2, CRASHES);
}

#[test]
fn promises_hold_while_a_new_revision_is_asked_for() {
    holds("revision", 2, REVISION);
}

#[test]
fn promises_hold_while_a_placement_is_made_anew() {
    holds("recreation", 2, RECREATION);
}

#[test]
fn promises_hold_while_a_datastore_shrinks_and_the_lease_moves() {
    holds("shrinking and lease", 2, SHRINKING);
}

#[test]
fn promises_hold_while_the_lease_moves_and_answers_are_lost() {
    holds("lease and lost answer", 2, LEASE);
}

/// Writes `target/long/model.json`.
#[test]
#[ignore = "takes minutes: make test-long"]
fn promises_hold_in_larger_models() {
    let runs: Vec<_> =
        LONG.iter().map(|(name, placements, budget)| holds(name, *placements, *budget).numbers).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let head = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(root).output().unwrap().stdout;
    let record = json!({ "commit": String::from_utf8(head).unwrap().trim(), "runs": runs });
    let folder = root.join("target/long");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("model.json"), serde_json::to_vec_pretty(&record).unwrap()).unwrap();
}

/// Without this device, one of the rules is broken, or what is promised is never done.
fn breaks(
    device: Device,
    placements: usize,
    budget: Budget,
    rules: &'static [Broken],
    property: &'static str,
) -> String {
    let name = format!("without {device:?}");
    let config = Config { placements, budget, without: Some(device), rules };
    let outcome = explore(&name, config, &[property]);
    let Some((_, path)) = outcome.violation else {
        panic!("{name}: nothing is broken in {} states", outcome.states)
    };
    path.join("\n")
}

#[test]
fn without_the_journal_harm_is_done() {
    breaks(Device::JournalWrite, 2, RECREATION, HARM, HELD);
}

#[test]
fn without_the_version_of_the_journal_harm_is_done() {
    breaks(Device::JournalVersion, 2, RECREATION, HARM, HELD);
}

#[test]
fn without_counting_what_was_found_harm_is_done() {
    breaks(Device::FoundCount, 2, RECREATION, HARM, HELD);
}

#[test]
fn without_the_version_of_the_object_harm_is_done() {
    breaks(Device::StatusVersion, 2, REVISION, HARM, HELD);
}

#[test]
fn without_keeping_room_at_once_harm_is_done() {
    breaks(Device::Assume, 2, RECREATION, HARM, HELD);
}

#[test]
fn without_counting_statuses_harm_is_done() {
    breaks(Device::ClaimRebuild, 2, RECREATION, HARM, HELD);
}

#[test]
fn without_completing_what_was_found_a_promise_stays_open() {
    breaks(Device::Completion, 2, CRASH, RULES, RESOLVED);
}

/// Each rule by itself: what it looks for is found where the device is off that keeps it.
#[test]
fn every_rule_can_be_broken() {
    for (rule, device, budget) in [
        (&[Broken::Oversold], Device::Assume, RECREATION),
        (&[Broken::DecidedTwice], Device::StatusVersion, SHRINKING_AND_EDIT),
        (&[Broken::WentBack], Device::StatusVersion, REVISION),
        (&[Broken::Overpromised], Device::FoundCount, RECREATION),
        (&[Broken::NotJournalled], Device::JournalWrite, CRASH),
        (&[Broken::TermWentBack], Device::JournalVersion, CRASH),
    ] {
        // The second decision of one revision takes no second placement.
        let placements = if budget == SHRINKING_AND_EDIT { 1 } else { 2 };
        let path = breaks(device, placements, budget, rule, HELD);
        assert!(path.ends_with(&format!("Some({:?})", rule[0])), "{path}");
    }
}
