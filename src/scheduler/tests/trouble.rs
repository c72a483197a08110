//! When something goes wrong between decision and status.

use std::time::Duration;

use serde_json::json;

use super::world::{Fate, GIB, World, datastore};
use crate::scheduler::{Action, Input, Journal, Kind};

fn one() -> World {
    World::start(vec![datastore("a", "VMFS", 15 * GIB)])
}

#[test]
fn killed_between_journal_and_status_the_next_process_completes_the_same_decision() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB), datastore("b", "VMFS", 14 * GIB)]);
    world.fates.push_back(Fate::Held);
    let key = world.create_sized("web", 10 * GIB);
    assert_eq!(world.journal.as_ref().unwrap().1.intents.len(), 1);
    // The world has changed since: a fresh decision would differ.
    world.set_inventory(vec![datastore("a", "VMFS", 15 * GIB), datastore("b", "VMFS", 90 * GIB)]);
    world.boot();
    assert_eq!(world.datastore_of(&key).as_deref(), Some("a"));
    assert_eq!(world.objects[&key].decisions.len(), 1);
}

#[test]
fn what_is_found_in_the_journal_keeps_its_room() {
    let mut world = one();
    world.fates.push_back(Fate::Held);
    let first = world.create_sized("first", 10 * GIB);
    world.fates.push_back(Fate::Held);
    world.boot();
    let second = world.create_sized("second", 10 * GIB);
    assert_eq!(world.reason(&second), "NoEligibleDatastore");
    world.let_go(Fate::Done);
    assert_eq!(world.datastore_of(&first).as_deref(), Some("a"));
}

#[test]
fn a_write_that_was_stored_unanswered_is_one_decision() {
    let mut world = one();
    world.fates.push_back(Fate::StoredUnanswered);
    let key = world.create_sized("web", 10 * GIB);
    world.pass(Duration::from_secs(30));
    assert_eq!(world.objects[&key].decisions.len(), 1);
    assert_eq!(world.puts.len(), 1);
    let other = world.create_sized("other", 10 * GIB);
    assert_eq!(world.reason(&other), "NoEligibleDatastore", "its room is counted, once");
    let small = world.create_sized("small", 4 * GIB);
    assert_eq!(world.reason(&small), "Placed", "and not twice");
}

/// What is decided while a refusal is being written does not make it worth a second write: which of the two
/// comes first would be chance.
#[test]
fn the_sight_of_its_own_refusal_is_no_reason_to_look_again() {
    let mut world = one();
    world.fates.push_back(Fate::Held);
    let waiting =
        world.create("waiting", json!({"image": {"virtualSize": "10Gi"}, "datastores": {"types": ["NFS"]}}));
    let placed = world.create_sized("placed", 10 * GIB);
    assert_eq!(world.reason(&placed), "Placed", "now its size would be a second reason");
    world.let_go(Fate::Done);
    assert_eq!(world.puts.iter().filter(|key| **key == waiting).count(), 1);
    assert_eq!(world.objects[&waiting].status["decision"]["rejections"].as_array().unwrap().len(), 1);
    // Whatever else is said of it is.
    world.edit(&waiting, |spec| spec["datastores"]["types"] = json!(["VVOL"]));
    assert_eq!(world.objects[&waiting].status["decision"]["rejections"].as_array().unwrap().len(), 3);
}

#[test]
fn a_write_that_was_lost_is_sent_again() {
    let mut world = one();
    world.fates.extend([Fate::LostUnanswered, Fate::LostUnanswered]);
    let key = world.create_sized("web", 10 * GIB);
    assert_eq!(world.reason(&key), "nothing");
    world.pass(Duration::from_secs(30));
    assert_eq!(world.reason(&key), "Placed");
    assert_eq!(world.gets.len(), 2, "each time it was read first");
}

#[test]
fn an_edit_under_way_voids_the_promise_and_frees_its_room() {
    let mut world = one();
    world.fates.push_back(Fate::Held);
    let key = world.create_sized("web", 10 * GIB);
    world.edit_unseen(&key, |spec| spec["image"]["virtualSize"] = json!("12Gi"));
    world.let_go(Fate::Done);
    assert_eq!(world.reason(&key), "Placed");
    assert_eq!(world.objects[&key].status["claim"]["bytes"], 12 * GIB);
    assert_eq!(world.objects[&key].decisions.len(), 1);
    let small = world.create_sized("small", 3 * GIB);
    assert_eq!(world.reason(&small), "Placed", "only 12 GiB are kept");
}

#[test]
fn a_placement_deleted_under_way_frees_its_room() {
    let mut world = one();
    world.fates.push_back(Fate::Held);
    let key = world.create_sized("web", 10 * GIB);
    world.delete(&key);
    world.let_go(Fate::Done);
    world.pass_with_answers(Duration::from_mins(6));
    let other = world.create_sized("other", 10 * GIB);
    assert_eq!(world.reason(&other), "Placed");
}

#[test]
fn somebody_else_who_writes_the_journal_ends_the_term_and_a_new_one_begins() {
    let mut world = one();
    let before = world.journal.as_ref().unwrap().1.term;
    let (version, journal) = world.journal.clone().unwrap();
    world.journal = Some((version + 1, Journal { term: journal.term + 5, ..journal }));
    let key = world.create_sized("web", 10 * GIB);
    assert_eq!(world.reason(&key), "nothing");
    assert_eq!(world.warnings.len(), 1);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.reason(&key), "Placed");
    assert_eq!(world.journal.as_ref().unwrap().1.term, before + 6);
}

#[test]
fn a_journal_that_does_not_answer_is_told_to_those_who_wait() {
    let mut world = World::start(vec![datastore("a", "VMFS", 90 * GIB)]);
    world.journal_silent = true;
    let promised = world.create_sized("promised", 10 * GIB);
    let waits = world.create_sized("waits", 10 * GIB);
    world.pass_with_answers(Duration::from_secs(9));
    assert_eq!(world.reason(&waits), "nothing");
    world.pass_with_answers(Duration::from_secs(2));
    assert_eq!(world.reason(&waits), "Pending");
    assert_eq!(world.condition(&waits, "Reconciling").unwrap().0, "True");
    assert_eq!(world.reason(&promised), "nothing", "a write would void its promise");
    world.journal_silent = false;
    world.input(Input::JournalAmbiguous("no answer within 10 s".into()));
    world.pass_with_answers(Duration::from_secs(30));
    assert_eq!(world.reason(&waits), "Placed");
    assert_eq!(world.reason(&promised), "Placed");
}

#[test]
fn no_more_writes_are_under_way_than_the_window_allows() {
    let mut world = World::start(vec![datastore("a", "VMFS", 900 * GIB)]);
    world.fates.extend([Fate::Held; 40]);
    for n in 0..40 {
        world.create_sized(&format!("p{n}"), GIB);
    }
    assert_eq!(world.held.len(), 12);
    for _ in 0..12 {
        world.let_go(Fate::Done);
    }
    assert_eq!(world.held.len(), 12);
}

#[test]
fn shutdown_waits_for_what_is_under_way_and_starts_nothing() {
    let mut world = one();
    world.fates.push_back(Fate::Held);
    world.create_sized("web", GIB);
    world.input(Input::Shutdown);
    assert!(!world.stopped);
    world.create_sized("late", GIB);
    assert_eq!(world.held.len(), 1);
    world.let_go(Fate::Done);
    assert!(world.stopped);
}

#[test]
fn what_was_said_to_be_pending_is_decided_as_soon_as_the_journal_answers() {
    let mut world = one();
    world.watch_lags = true;
    let (version, good) = world.journal.clone().unwrap();
    // Somebody else writes it, and from then on nothing is heard of it.
    world.journal = Some((version + 1, good));
    let key = world.create_sized("web", 10 * GIB);
    world.journal_silent = true;
    world.pass(Duration::from_secs(30));
    assert_eq!(world.reason(&key), "Pending");
    world.journal_silent = false;
    world.input(Input::JournalAmbiguous("no answer".into()));
    world.pass(Duration::from_secs(10));
    assert_eq!(world.reason(&key), "Placed");
}

#[test]
fn a_replica_that_stands_by_says_nothing_and_decides_as_soon_as_it_leads() {
    let mut world = one();
    world.input(Input::LeaseLost);
    let writes = (world.journal_writes, world.vcenter_puts.len());
    let key = world.create_sized("web", 10 * GIB);
    let missing = world.create("lost", json!({"placementClassName": "none", "rootDisk": {"size": "1Gi"}}));
    world.pass_with_answers(Duration::from_hours(1));
    assert_eq!((world.journal_writes, world.vcenter_puts.len()), writes);
    assert!(world.puts.is_empty() && world.gets.is_empty());
    world.input(Input::LeaseHeld);
    assert_eq!(world.reason(&key), "Placed");
    assert_eq!(world.reason(&missing), "ClassNotFound");
    assert_eq!(world.puts.len(), 2, "no word of what was waited for");
}

#[test]
fn what_waited_for_a_leader_is_not_told_that_the_journal_is_slow() {
    let mut world = World::start(vec![datastore("a", "VMFS", 900 * GIB)]);
    world.input(Input::LeaseLost);
    let keys: Vec<_> = (0..100).map(|number| world.create_sized(&format!("web-{number}"), GIB)).collect();
    world.pass_with_answers(Duration::from_mins(1));
    world.input(Input::LeaseHeld);
    assert!(keys.iter().all(|key| world.reason(key) == "Placed"));
    assert_eq!(world.puts.len(), keys.len());
}

#[test]
fn a_promise_in_doubt_waits_for_the_next_term_without_a_stir() {
    let mut world = one();
    world.fates.push_back(Fate::StoredUnanswered);
    world.watch_lags = true;
    let key = world.create_sized("web", 10 * GIB);
    world.input(Input::LeaseLost);
    let gets = world.gets.len();
    world.pass_with_answers(Duration::from_hours(1));
    assert_eq!(world.gets.len(), gets);
    world.watch_lags = false;
    world.input(Input::LeaseHeld);
    assert_eq!(world.reason(&key), "Placed");
    assert_eq!(world.objects[&key].decisions.len(), 1);
}

#[test]
fn a_list_from_before_the_term_does_not_begin_it() {
    let mut world = one();
    world.journal_silent = true;
    world.boot();
    let step = |world: &mut World, input: Input| {
        let mut actions = Vec::new();
        world.scheduler.step(world.now(), input, &mut actions);
        actions
    };
    step(&mut world, Input::ListStarted(Kind::Placement));
    let resource_version = world.journal.as_ref().unwrap().0.to_string();
    let actions = step(&mut world, Input::JournalWritten { resource_version });
    assert!(actions.contains(&Action::ListPlacements), "{actions:?}");
    step(&mut world, Input::Synced(Kind::Placement));
    assert!(!world.scheduler.is_deciding(), "it may lack what the last leader wrote");
    step(&mut world, Input::ListStarted(Kind::Placement));
    assert!(!world.scheduler.is_deciding());
    step(&mut world, Input::Synced(Kind::Placement));
    assert!(world.scheduler.is_deciding());
}

/// What waited for room in the window when the term ended is forgotten, and done in the next one.
#[test]
fn a_term_that_ends_sends_nothing_more_and_the_next_one_begins_anew() {
    let mut world = World::start(vec![datastore("a", "VMFS", 900 * GIB)]);
    world.fates.extend([Fate::Held; 12]);
    let held: Vec<_> = (0..12).map(|n| world.create_sized(&format!("p{n}"), GIB)).collect();
    let lost = world.create("lost", json!({"placementClassName": "none", "rootDisk": {"size": "1Gi"}}));
    world.pass_with_answers(Duration::from_secs(3));
    world.vcenter(2, &json!({"datastores": {"excludePattern": "b"}}));
    let told = world.vcenter_puts.len();
    assert_eq!(world.held.len(), 12);
    world.input(Input::LeaseLost);
    for _ in 0..12 {
        world.let_go(Fate::Done);
    }
    world.pass_with_answers(Duration::from_mins(1));
    assert_eq!((world.puts.len(), world.vcenter_puts.len()), (12, told), "nothing is sent any more");
    world.input(Input::LeaseHeld);
    assert!(held.iter().all(|key| world.reason(key) == "Placed"));
    assert_eq!(world.reason(&lost), "ClassNotFound");
    assert_eq!(world.puts.len(), 13, "one write for each");
    assert_eq!(world.vcenter_puts.len(), told + 1);
    assert_eq!(world.vcenter_puts.last().unwrap().observed_generation, Some(2));
}

#[test]
fn a_promise_that_outlives_its_term_is_counted_once() {
    let mut world = one();
    world.fates.push_back(Fate::Held);
    let first = world.create_sized("first", 4 * GIB);
    world.input(Input::LeaseLost);
    world.input(Input::LeaseHeld);
    world.let_go(Fate::Done);
    world.pass_with_answers(Duration::from_mins(1));
    assert_eq!(world.objects[&first].decisions.len(), 1);
    let second = world.create_sized("second", 10 * GIB);
    assert_eq!(world.reason(&second), "Placed");
}

/// A status that may have been written may have been read by whoever creates the VM.
#[test]
fn the_room_of_one_that_was_deleted_under_way_is_kept_only_if_somebody_may_know_of_it() {
    let mut world = one();
    world.fates.push_back(Fate::Held);
    let written = world.create_sized("written", 10 * GIB);
    world.delete(&written);
    let other = world.create_sized("other", 10 * GIB);
    assert_eq!(world.reason(&other), "NoEligibleDatastore");

    let mut world = one();
    world.journal_silent = true;
    let promised = world.create_sized("promised", 10 * GIB);
    world.delete(&promised);
    assert_eq!(world.scheduler.figures(world.now()).claimed.bytes, 0, "nobody was told");
}
