//! Whatever happens, in whatever order: no promise is broken, none is made twice, and the ledger is what
//! statuses and open promises add up to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::world::{Fate, GIB, World, datastore, key};
use crate::placement::{Ledger, samples};

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Create(u8, u64),
    Delete(u8),
    /// A new revision with another size.
    Revise(u8, u64),
    /// An edit that the controller has not seen yet.
    EditUnseen(u8),
    Fate(u8),
    LetGo(u8),
    /// The process is killed and a new one starts.
    Restart,
    LandLate(u8),
    Pass(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let (name, size) = (0..6_u8, 1..20_u64);
    prop_oneof![
        4 => (name.clone(), size.clone()).prop_map(|(n, s)| Happening::Create(n, s)),
        1 => name.clone().prop_map(Happening::Delete),
        2 => (name.clone(), size).prop_map(|(n, s)| Happening::Revise(n, s)),
        1 => name.prop_map(Happening::EditUnseen),
        4 => (0..4_u8).prop_map(Happening::Fate),
        2 => (0..3_u8).prop_map(Happening::LetGo),
        1 => Just(Happening::Restart),
        2 => (0..8_u8).prop_map(Happening::LandLate),
        2 => (1..20_u64).prop_map(Happening::Pass),
    ]
}

fn fate(n: u8) -> Fate {
    [Fate::Done, Fate::StoredUnanswered, Fate::LostUnanswered, Fate::Held][usize::from(n) % 4]
}

fn perform(world: &mut World, happening: Happening) {
    let exists = |world: &World, n: u8| world.objects.contains_key(&key(&format!("p{n}")));
    match happening {
        Happening::Create(n, size) if !exists(world, n) => {
            world.create(&format!("p{n}"), json!({"image": {"virtualSize": format!("{size}Gi")}}));
        }
        Happening::Delete(n) if exists(world, n) => world.delete(&key(&format!("p{n}"))),
        Happening::Revise(n, size) if exists(world, n) => world.edit(&key(&format!("p{n}")), |spec| {
            spec["revision"] = json!(spec["revision"].as_i64().unwrap_or(0) + 1);
            spec["image"]["virtualSize"] = json!(format!("{size}Gi"));
        }),
        Happening::EditUnseen(n) if exists(world, n) => {
            world.edit_unseen(&key(&format!("p{n}")), |spec| spec["suspend"] = json!(false));
        }
        Happening::Fate(n) => world.fates.push_back(fate(n)),
        Happening::LetGo(n) if !world.held.is_empty() => world.let_go(fate(n % 3)),
        Happening::Restart => world.boot(),
        Happening::LandLate(n) if !world.late.is_empty() => {
            world.land_late(usize::from(n) % world.late.len());
        }
        Happening::Pass(seconds) => world.pass_with_answers(Duration::from_secs(seconds)),
        _ => {}
    }
}

/// What is promised never exceeds the room, and no revision is decided twice.
fn check_promises(world: &World) {
    let mut promised: BTreeMap<String, u64> = BTreeMap::new();
    for object in world.objects.values() {
        if let Some(name) = object.status["datastore"]["name"].as_str() {
            *promised.entry(name.to_owned()).or_default() +=
                object.status["claim"]["bytes"].as_u64().unwrap();
        }
        let revisions: BTreeSet<_> = object.decisions.iter().map(|(revision, _)| revision).collect();
        assert_eq!(revisions.len(), object.decisions.len(), "decided twice: {:?}", object.decisions);
    }
    assert!(promised.values().all(|bytes| *bytes <= 30 * GIB), "oversold: {promised:?}");
}

fn check_ledger(world: &World) {
    let mut ledger = Ledger::default();
    let scheduler = &world.scheduler;
    let kept = scheduler.rows.iter().filter_map(|(_, row)| row.placed.as_ref()?.own());
    let promised = scheduler.term.open().map(|(_, open)| open.own.clone());
    for own in kept.chain(promised).chain(scheduler.departed.claims().cloned()) {
        ledger.add(&own.backing, &own.claim);
    }
    assert_eq!(scheduler.ledger, ledger);
}

proptest! {
    #![proptest_config(samples::cases(if cfg!(debug_assertions) { 256 } else { 10_000 }))]

    #[test]
    fn hold_whatever_happens(happenings in prop::collection::vec(happening(), 1..40)) {
        let mut world = World::start(vec![datastore("a", "VMFS", 30 * GIB), datastore("b", "NFS", 30 * GIB)]);
        for happening in happenings {
            perform(&mut world, happening);
            check_promises(&world);
            check_ledger(&world);
        }
        // When nothing happens any more, everything settles, and then nothing is written.
        world.fates.clear();
        while !world.held.is_empty() {
            world.let_go(Fate::Done);
        }
        let unseen: Vec<_> = world.objects.keys().cloned().collect();
        for key in unseen {
            let seen = world.seen(&key);
            world.input(crate::scheduler::Input::PlacementSeen(Box::new(seen)));
        }
        world.pass_with_answers(Duration::from_mins(20));
        check_promises(&world);
        for object in world.objects.keys() {
            prop_assert!(["Placed", "NoEligibleDatastore"].contains(&world.reason(object).as_str()), "{}", world.reason(object));
        }
        let writes = world.puts.len();
        world.boot();
        world.pass_with_answers(Duration::from_mins(20));
        prop_assert_eq!(world.puts.len(), writes);
    }
}
