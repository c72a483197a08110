//! What metrics are told.

use std::time::Duration;

use serde_json::json;

use super::world::{GIB, World, datastore, key};
use crate::scheduler::Input;

#[test]
fn the_figures_are_those_of_the_state() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.create_sized("placed", 10 * GIB);
    world.create_sized("refused", 10 * GIB);
    let figures = world.scheduler.figures(world.now());
    assert_eq!(figures.placements, [("placed", 1), ("waiting", 1)].into());
    assert_eq!((figures.queued, figures.claimed.bytes), (0, u128::from(10 * GIB)));
    assert_eq!(figures.vcenters, [("vc".to_owned(), true)]);

    world.create("suspended", json!({"image": {"virtualSize": "1Gi"}, "suspend": true}));
    world.create("invalid", json!({"image": {"virtualSize": "0"}}));
    let figures = world.scheduler.figures(world.now());
    assert_eq!(figures.placements, [("placed", 1), ("waiting", 1), ("suspended", 1), ("stalled", 1)].into());

    world.pass(Duration::from_hours(1));
    let figures = world.scheduler.figures(world.now());
    assert_eq!(figures.vcenters, [("vc".to_owned(), false)], "its inventory is too old");
}

#[test]
fn an_answer_is_timed_once_from_when_its_question_was_first_seen() {
    let mut world = World::empty(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.create_sized("found", GIB);
    world.boot();
    assert_eq!(world.reason(&key("found")), "Placed");
    assert!(world.answered.is_empty(), "it was found at the start");

    let missing = json!({"placementClassName": "gold", "image": {"virtualSize": "1Gi"}});
    let key = world.create("late", missing);
    world.pass_with_answers(Duration::from_secs(4));
    assert_eq!(world.reason(&key), "ClassNotFound");
    assert_eq!(world.answered, [Duration::from_secs(2)]);
    world.edit(&key, |spec| spec["placementClassName"] = json!("standard"));
    assert_eq!(world.reason(&key), "Placed");
    assert_eq!(world.answered, [Duration::from_secs(2), Duration::ZERO]);
}

#[test]
fn every_turn_tells_how_long_it_was_waited_for() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.waits.clear();
    world.journal_silent = true;
    world.create_sized("first", GIB);
    assert_eq!(world.waits, [Duration::ZERO]);
    world.create_sized("second", GIB);
    assert_eq!(world.waits.len(), 1, "a batch is being journalled");
    world.pass(Duration::from_secs(5));
    assert_eq!(world.scheduler.figures(world.now()).queued, 1);
    let resource_version = world.journal.as_ref().unwrap().0.to_string();
    world.input(Input::JournalWritten { resource_version });
    assert_eq!(world.waits[..2], [Duration::ZERO, Duration::from_secs(5)]);
}
