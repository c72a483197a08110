//! Many placements at once.

use serde_json::json;

use super::world::{Fate, GIB, World, datastore, key};
use crate::scheduler::{Input, Kind};

/// Room for eight instances of 10 GiB on each of five datastores.
fn five(free: u64) -> Vec<crate::placement::Datastore> {
    ["a", "b", "c", "d", "e"].into_iter().map(|name| datastore(name, "VMFS", free)).collect()
}

#[test]
fn sixty_at_once_for_forty_places_fill_every_datastore_and_oversell_none() {
    let mut world = World::start(five(85 * GIB));
    for n in 0..60 {
        world.store(&format!("p{n:02}"), json!({"image": {"virtualSize": "10Gi"}}));
    }
    for n in 0..60 {
        let seen = world.seen(&key(&format!("p{n:02}")));
        world.input(Input::PlacementSeen(Box::new(seen)));
    }
    let placed = world.placed();
    assert_eq!(placed.values().sum::<usize>(), 40);
    assert!(placed.values().all(|count| *count == 8), "{placed:?}");
    assert_eq!(world.puts.len(), 60, "one write for each");
    assert!(world.gets.is_empty(), "no read of what was never written");

    world.set_inventory(five(185 * GIB));
    let placed = world.placed();
    assert_eq!(placed.values().sum::<usize>(), 60);
    assert!(placed.values().all(|count| *count <= 18), "{placed:?}");
    assert_eq!(world.puts.len(), 80, "one more for each that waited");
}

#[test]
fn a_list_of_many_is_journalled_in_batches() {
    let mut world = World::empty(five(900 * GIB));
    for n in 0..200 {
        world.store(&format!("p{n:03}"), json!({"image": {"virtualSize": "10Gi"}}));
    }
    world.boot();
    assert_eq!(world.placed().values().sum::<usize>(), 200);
    // One claims the term; a batch takes up to 64.
    assert!(world.journal_writes <= 1 + 200 / 32, "{} journal writes", world.journal_writes);
}

#[test]
fn free_space_that_alters_no_verdict_causes_no_write() {
    let mut world = World::empty(five(5 * GIB));
    for n in 0..500 {
        world.store(&format!("p{n:03}"), json!({"image": {"virtualSize": "10Gi"}}));
    }
    world.boot();
    assert_eq!(world.puts.len(), 500);
    assert_eq!(world.reason(&key("p000")), "NoEligibleDatastore");
    world.set_inventory(five(6 * GIB));
    world.set_inventory(five(7 * GIB));
    assert_eq!(world.puts.len(), 500);
}

#[test]
fn a_restart_writes_nothing() {
    let mut world = World::empty(five(25 * GIB));
    for n in 0..20 {
        world.store(&format!("p{n:02}"), json!({"image": {"virtualSize": "10Gi"}}));
    }
    world.store("bad", json!({"image": {"virtualSize": "10Gi"}, "rootDisk": {"size": "5Gi"}}));
    world.store("still", json!({"image": {"virtualSize": "10Gi"}, "suspend": true}));
    world.boot();
    assert_eq!(world.placed().values().sum::<usize>(), 10);
    let (puts, vcenter_puts) = (world.puts.len(), world.vcenter_puts.len());
    for _ in 0..3 {
        world.boot();
        world.pass_with_answers(std::time::Duration::from_mins(2));
    }
    assert_eq!((world.puts.len(), world.vcenter_puts.len()), (puts, vcenter_puts));
}

#[test]
fn what_a_smaller_one_of_the_same_name_leaves_free_goes_to_one_that_waits() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    let large = world.create_sized("large", 12 * GIB);
    let waits = world.create_sized("waits", 10 * GIB);
    assert_eq!(world.reason(&waits), "NoEligibleDatastore");
    world.delete(&large);
    let small = world.create_sized("large", GIB);
    assert_eq!(world.reason(&small), "Placed");
    assert_eq!(world.reason(&waits), "Placed", "nobody else would have told it");
}

#[test]
fn room_that_was_counted_twice_during_a_new_revision_goes_to_one_that_waits() {
    let mut world = World::start(vec![datastore("a", "VMFS", 25 * GIB)]);
    let web = world.create_sized("web", 10 * GIB);
    world.fates.push_back(Fate::Held);
    world.edit(&web, |spec| spec["revision"] = json!(1));
    let waits = world.create_sized("waits", 15 * GIB);
    assert_eq!(world.reason(&waits), "NoEligibleDatastore", "the old claim and the new promise both count");
    world.let_go(Fate::Done);
    assert_eq!(world.objects[&web].status["revision"], 1);
    assert_eq!(world.reason(&waits), "Placed");
}

#[test]
fn a_deleted_placement_gives_its_room_to_one_that_waits() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    let first = world.create_sized("first", 10 * GIB);
    let second = world.create_sized("second", 10 * GIB);
    assert_eq!(world.reason(&second), "NoEligibleDatastore");
    world.delete(&first);
    world.pass_with_answers(std::time::Duration::from_secs(299));
    assert_eq!(world.reason(&second), "NoEligibleDatastore", "a consumer may still be building on it");
    world.pass_with_answers(std::time::Duration::from_secs(2));
    assert_eq!(world.datastore_of(&second).as_deref(), Some("a"));
}

#[test]
fn a_list_that_lags_behind_does_not_undo_what_is_known() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    let key = world.store("first", json!({"image": {"virtualSize": "10Gi"}}));
    let before = world.seen(&key);
    world.input(Input::PlacementSeen(Box::new(before.clone())));
    assert_eq!(world.puts.len(), 1);
    world.input(Input::ListStarted(Kind::Placement));
    world.input(Input::PlacementSeen(Box::new(before)));
    let second = world.create_sized("second", 10 * GIB);
    assert_eq!(world.reason(&second), "NoEligibleDatastore", "the room of the first is still kept");
    assert_eq!((world.puts.len(), world.gets.len()), (2, 0), "one write for each");
}

#[test]
fn the_room_of_a_deleted_placement_ends_without_any_news() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    let first = world.create_sized("first", 10 * GIB);
    world.delete(&first);
    let claimed = |world: &World| world.scheduler.figures(world.now()).claimed.bytes;
    world.pass(std::time::Duration::from_secs(299));
    assert_eq!(claimed(&world), u128::from(10 * GIB));
    world.pass(std::time::Duration::from_secs(2));
    assert_eq!(claimed(&world), 0);
}

#[test]
fn one_that_comes_back_takes_its_own_room_and_not_that_of_another() {
    let mut world = World::start(vec![datastore("a", "VMFS", 16 * GIB)]);
    let large = world.create_sized("large", 10 * GIB);
    let small = world.create_sized("small", 4 * GIB);
    world.delete(&large);
    world.delete(&small);
    world.create_sized("large", GIB);
    let other = world.create_sized("other", 10 * GIB);
    assert_eq!(world.reason(&other), "Placed", "4 and 1 GiB are kept");
}

/// What is new, or was edited, has its turn before what only waits.
#[test]
fn news_goes_before_what_waits() {
    for is_edit in [false, true] {
        let mut world = World::start(vec![datastore("a", "VMFS", 5 * GIB)]);
        let waits = world.create_sized("waits", 10 * GIB);
        let edited = world.create_sized("edited", 100 * GIB);
        world.journal_silent = true;
        world.create_sized("busy", GIB);
        world.set_inventory(vec![datastore("a", "VMFS", 15 * GIB)]);
        let new = if is_edit {
            world.edit(&edited, |spec| spec["image"]["virtualSize"] = json!("10Gi"));
            edited
        } else {
            world.create_sized("new", 10 * GIB)
        };
        world.journal_silent = false;
        world.input(Input::JournalAmbiguous("no answer".into()));
        world.pass_with_answers(std::time::Duration::from_secs(30));
        assert_eq!(world.reason(&new), "Placed", "{is_edit}");
        assert_eq!(world.reason(&waits), "NoEligibleDatastore", "{is_edit}");
    }
}
