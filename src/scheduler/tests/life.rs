//! The life of one placement.

use std::time::Duration;

use serde_json::json;

use super::world::{Fate, GIB, World, datastore};
use crate::scheduler::{Input, SeenPlacement};

#[test]
fn it_is_placed_with_one_write_and_an_event() {
    let mut world =
        World::start(vec![datastore("small", "VMFS", 20 * GIB), datastore("big", "NFS", 90 * GIB)]);
    let key = world.create_sized("web", 10 * GIB);
    let status = &world.objects[&key].status;
    assert_eq!(status["datastore"]["name"], "big");
    assert_eq!(status["datastore"]["vCenter"]["name"], "vc");
    assert_eq!(status["observedGeneration"], 1);
    assert_eq!(status["revision"], 0);
    assert_eq!(status["claim"]["bytes"], 10 * GIB);
    assert_eq!(status["decision"]["placementClass"]["name"], "standard");
    assert_eq!(world.condition(&key, "Ready").unwrap().0, "True");
    assert_eq!(world.condition(&key, "Reconciling"), None);
    assert_eq!(world.puts.len(), 1);
    let reasons: Vec<_> = world.announcements.iter().map(|a| a.reason).collect();
    assert_eq!(reasons, ["Connected", "Placed"]);
}

#[test]
fn raising_the_revision_decides_afresh_and_the_old_room_is_its_own() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    let key = world.create_sized("web", 10 * GIB);
    world.edit(&key, |spec| spec["revision"] = json!(1));
    assert_eq!(world.objects[&key].status["revision"], 1);
    assert_eq!(world.datastore_of(&key).as_deref(), Some("a"), "its own claim does not stand in its way");
    assert_eq!(world.gets.len(), 1, "a status that is there is read before it is decided onto");

    world.edit(&key, |spec| {
        spec["revision"] = json!(2);
        spec["image"]["virtualSize"] = json!("100Gi");
    });
    assert_eq!(world.reason(&key), "NoEligibleDatastore");
    assert_eq!(world.datastore_of(&key).as_deref(), Some("a"), "the last decision stands until replaced");
    world.edit(&key, |spec| spec["revision"] = json!(1));
    assert_eq!(world.reason(&key), "Placed");
    assert_eq!(world.objects[&key].status["observedGeneration"], 4);
}

#[test]
fn an_edit_that_asks_for_nothing_new_only_moves_the_observed_generation() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    let key = world.create_sized("web", 10 * GIB);
    world.edit(&key, |spec| spec["suspend"] = json!(true));
    assert_eq!(world.objects[&key].status["observedGeneration"], 2);
    assert_eq!(world.condition(&key, "Ready").unwrap().1, "Placed");
    assert_eq!(world.puts.len(), 2);
}

#[test]
fn a_suspended_placement_waits_until_it_is_not() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    let key = world.create("web", json!({"image": {"virtualSize": "10Gi"}, "suspend": true}));
    assert_eq!(world.reason(&key), "Suspended");
    assert_eq!(world.condition(&key, "Reconciling"), None);
    world.edit(&key, |spec| spec["suspend"] = json!(false));
    assert_eq!(world.reason(&key), "Placed");
}

#[test]
fn a_missing_class_is_told_after_two_seconds_and_heals() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.input(Input::ClassGone("standard".into()));
    let key = world.create_sized("web", 10 * GIB);
    world.pass(Duration::from_millis(1900));
    assert_eq!(world.reason(&key), "nothing");
    world.pass(Duration::from_millis(200));
    assert_eq!(world.reason(&key), "ClassNotFound");
    assert_eq!(world.condition(&key, "Reconciling").unwrap().0, "True");
    world.class(json!({}));
    assert_eq!(world.reason(&key), "Placed");
}

#[test]
fn references_that_arrive_within_two_seconds_cost_one_write() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.input(Input::ClassGone("standard".into()));
    let key = world.create_sized("web", 10 * GIB);
    world.pass(Duration::from_secs(1));
    world.class(json!({}));
    world.pass(Duration::from_secs(5));
    assert_eq!((world.reason(&key).as_str(), world.puts.len()), ("Placed", 1));
}

#[test]
fn an_invalid_spec_is_stalled_with_one_write_and_heals_on_edit() {
    let mut world = World::start(vec![datastore("a", "VMFS", 50 * GIB)]);
    let key = world.create("web", json!({"image": {"virtualSize": "10Gi"}, "rootDisk": {"size": "5Gi"}}));
    assert_eq!(world.reason(&key), "RootDiskSmallerThanImage");
    assert_eq!(world.condition(&key, "Stalled").unwrap().0, "True");
    world.pass_with_answers(Duration::from_mins(10));
    assert_eq!(world.puts.len(), 1);
    world.edit(&key, |spec| spec["rootDisk"]["size"] = json!("20Gi"));
    assert_eq!(world.reason(&key), "Placed");
    assert_eq!(world.condition(&key, "Stalled"), None);
}

#[test]
fn another_vcenter_than_the_classs_is_an_invalid_spec() {
    let mut world = World::start(vec![datastore("a", "VMFS", 50 * GIB)]);
    world.class(json!({"vCenterName": "vc"}));
    let key = world.create("web", json!({"image": {"virtualSize": "1Gi"}, "vCenterName": "other"}));
    world.pass(Duration::from_secs(3));
    assert_eq!(world.reason(&key), "InvalidSpec");
    assert_eq!(world.condition(&key, "Stalled").unwrap().0, "True");
}

#[test]
fn a_namespace_that_may_not_use_the_vcenter_reads_as_if_there_were_none() {
    let mut world = World::start(vec![datastore("a", "VMFS", 50 * GIB)]);
    let selector =
        json!({"allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {"vm": "yes"}}}});
    world.vcenter(2, &selector);
    let key = world.create("web", json!({"image": {"virtualSize": "1Gi"}, "vCenterName": "vc"}));
    world.pass(Duration::from_secs(3));
    let (_, reason, message) = world.condition(&key, "Ready").unwrap();
    assert_eq!(reason, "VCenterNotAllowed");
    assert_eq!(message, "there is no VCenter vc that this namespace may use");
    let labels = [("vm".to_owned(), "yes".to_owned())].into();
    world.input(Input::NamespaceSeen { name: "team-a".into(), labels });
    assert_eq!(world.reason(&key), "Placed");
}

#[test]
fn a_recreated_placement_is_another_one() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    let key = world.create_sized("web", 10 * GIB);
    world.objects.remove(&key);
    world.create_sized("web", 12 * GIB);
    assert_eq!(world.reason(&key), "Placed", "the room of the old one is free again");
    assert_eq!(world.objects[&key].status["claim"]["bytes"], 12 * GIB);
}

#[test]
fn a_namespace_that_is_not_watched_is_left_alone_but_its_room_counts() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.create_sized("before", 10 * GIB);
    world.settings.watch_namespaces.insert("team-b".into());
    world.boot();
    let ours = world.create_sized("later", GIB);
    world.pass_with_answers(Duration::from_mins(1));
    assert_eq!(world.reason(&ours), "nothing");
    let mut theirs = world.seen(&ours);
    theirs.key.namespace = "team-b".into();
    theirs.meta.uid = "theirs".into();
    theirs.spec.as_mut().unwrap().image.as_mut().unwrap().virtual_size.0 = "10Gi".into();
    world.decided.clear();
    world.input(Input::NamespaceSeen { name: "team-b".into(), labels: [].into() });
    let key = theirs.key.clone();
    world.objects.insert(key, world.objects[&ours].clone());
    world.input(Input::PlacementSeen(Box::new(theirs)));
    assert_eq!(world.decided.len(), 1);
    assert_eq!(world.decided[0].reason.as_str(), "NoEligibleDatastore", "10 of 15 GiB are kept");
}

/// The time that a placement may take begins anew when something new is asked for, and at no other edit.
#[test]
fn a_new_revision_has_its_own_deadline() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    let key = world.create(
        "web",
        json!({"image": {"virtualSize": "10Gi"}, "progressDeadlineSeconds": 60, "revision": 1}),
    );
    world.pass_with_answers(Duration::from_mins(10));
    assert_eq!(world.reason(&key), "Placed");
    world.edit(&key, |spec| {
        spec["revision"] = json!(2);
        spec["image"]["virtualSize"] = json!("100Gi");
    });
    assert_eq!(world.reason(&key), "NoEligibleDatastore");
    world.pass_with_answers(Duration::from_secs(40));
    assert_eq!(world.reason(&key), "NoEligibleDatastore");
    world.edit(&key, |spec| spec["image"]["virtualSize"] = json!("200Gi"));
    world.pass_with_answers(Duration::from_secs(25));
    assert_eq!(world.reason(&key), "DeadlineExceeded", "65 s since the revision was raised");
    world.edit(&key, |spec| spec["revision"] = json!(3));
    world.pass_with_answers(Duration::from_secs(55));
    assert_eq!(world.reason(&key), "NoEligibleDatastore");
    world.pass_with_answers(Duration::from_secs(10));
    assert_eq!(world.reason(&key), "DeadlineExceeded");
}

#[test]
fn a_status_that_somebody_took_away_is_written_again() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    let key = world.create_sized("web", 10 * GIB);
    let refused = world.create_sized("refused", 100 * GIB);
    for (key, reason) in [(&key, "Placed"), (&refused, "NoEligibleDatastore")] {
        world.edit_status(key, json!({}));
        assert_eq!(world.reason(key), reason);
    }
    // While something is being said of another one, too.
    world.fates.push_back(Fate::Held);
    world.create_sized("other", 100 * GIB);
    world.edit_status(&refused, json!({}));
    assert_eq!(world.reason(&refused), "NoEligibleDatastore");
}

/// A status with something in it is read before it is written, so that nothing of others is lost.
#[test]
fn only_a_bare_status_is_written_without_being_read() {
    for (status, foreign, reads) in [
        (json!({"observedGeneration": -1}), false, 0),
        (json!({"observedGeneration": -1}), true, 1),
        (
            json!({"conditions": [{
                "type": "Inspected", "status": "True", "reason": "Seen", "message": "", "observedGeneration": 1,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }]}),
            false,
            1,
        ),
    ] {
        let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
        let key = world.store("web", json!({"image": {"virtualSize": "1Gi"}}));
        world.objects.get_mut(&key).unwrap().status = status.clone();
        let seen = SeenPlacement { foreign_status: foreign, ..world.seen(&key) };
        world.input(Input::PlacementSeen(Box::new(seen)));
        assert_eq!(world.reason(&key), "Placed");
        assert_eq!(world.gets.len(), reads, "{status} {foreign}");
    }
}

#[test]
fn a_claim_ends_when_the_instance_has_not_appeared_in_time() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.class(json!({"claims": {"ttlSeconds": 60}}));
    let key = world.create_sized("web", 10 * GIB);
    let claimed = |world: &World| world.scheduler.figures(world.now()).claimed.bytes;
    world.pass(Duration::from_secs(59));
    assert_eq!((world.puts.len(), claimed(&world)), (1, u128::from(10 * GIB)));
    world.pass(Duration::from_secs(2));
    assert_eq!((world.puts.len(), claimed(&world)), (2, 0));
    assert_eq!(world.condition(&key, "RoomKept").unwrap().1, "Expired");
    assert_eq!(world.reason(&key), "Placed");
    let event = world.announcements.last().unwrap();
    assert_eq!((event.reason, event.warning), ("ClaimExpired", true));
    world.pass_with_answers(Duration::from_mins(10));
    assert_eq!(world.puts.len(), 2);
}

#[test]
fn events_tell_of_placements_and_refusals_and_of_no_other_wait() {
    let mut world = World::start(vec![datastore("a", "VMFS", 15 * GIB)]);
    world.create_sized("placed", 10 * GIB);
    world.create_sized("refused", 100 * GIB);
    world.create("lost", json!({"placementClassName": "none", "rootDisk": {"size": "1Gi"}}));
    world.pass_with_answers(Duration::from_secs(5));
    let told: Vec<_> = world.announcements.iter().map(|a| (a.reason, a.warning)).collect();
    assert_eq!(told, [("Connected", false), ("Placed", false), ("NoEligibleDatastore", true)]);
}
