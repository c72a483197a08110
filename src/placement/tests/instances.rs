//! Instances that are there: decided afresh, adopted, and compared with what they were given.

use proptest::prelude::*;

use super::worlds::{compile, seen_by, world};
use super::*;
use crate::api::DriftReason;

/// The VM of the placement, and what its files take there in GiB.
fn instance(datastore: &str, committed: u64, uncommitted: u64) -> Instance {
    let usage = Usage { committed: committed * GIB, uncommitted: uncommitted * GIB };
    Instance { datastore: MoRef(datastore.into()), usage }
}

fn with_free(n: u8, free: u64) -> Datastore {
    Datastore { free: Some(free * GIB), ..datastore(&format!("datastore-{n}"), &format!("vmfs-{n}"), "VMFS") }
}

#[test]
fn an_instance_stays_while_its_datastore_has_room_for_the_growth() {
    // Of 200 GiB it has written 80 and may still write 20 without growing.
    let thick = Ask { root_provisioning: api::Provisioning::Thick, ..ask(Some("100Gi"), Some("200Gi")) };
    let own =
        OwnClaim { backing: Backing("ds:///vmfs/volumes/datastore-1/".into()), claim: Claim::default() };
    let request = Request::compile(&thick, &ClassRules::default(), &Selector::default(), Some(own));
    let request = request.of_instance(instance("datastore-1", 80, 20));
    let decided = |free: u64| {
        let all = inventory(vec![with_free(1, free), with_free(2, 1000)]);
        decide(&request, &all, &Ledger::default())
    };
    let stays = decided(120);
    let selected = stays.selected.unwrap();
    assert_eq!(selected.datastore.name, "vmfs-1", "though the other one has more room");
    assert_eq!(selected.claim, Claim { bytes: bytes(100 * GIB), immediate: bytes(120 * GIB) });
    assert_eq!(stays.message, "selected vmfs-1 (2 of 2 eligible)");

    let moves = decided(119);
    let selected = moves.selected.unwrap();
    assert_eq!(selected.datastore.name, "vmfs-2");
    assert_eq!(selected.claim, Claim { bytes: bytes(200 * GIB), immediate: bytes(200 * GIB) });
    assert_eq!(
        moves.message,
        "selected vmfs-2 (1 of 2 eligible); the VM is on vmfs-1 and must be moved; not eligible: 1 InsufficientFreeSpace"
    );
    let alone = explain(&request, &inventory(vec![with_free(1, 119)]), &Ledger::default());
    assert_eq!(
        alone[0].reasons[0].1,
        "needs 120.0 GiB (200.0 - 80.0 in use), has 119.0 GiB: 119.0 free - 0.0 headroom - 0.0 claimed"
    );
    // A hidden datastore is not named.
    let hidden = decide(&request, &inventory(vec![with_free(2, 1000)]), &Ledger::default());
    let said = "selected vmfs-2 (1 of 1 eligible); the VM is on another datastore and must be moved";
    assert_eq!(hidden.message, said);
}

#[test]
fn an_instance_is_adopted_where_it_is() {
    let class = ClassRules { datastores: selector(&["VVOL", "vsan"], "", ""), ..ClassRules::default() };
    let request = Request::compile(&ask(Some("10Gi"), Some("40Gi")), &class, &Selector::default(), None);
    let adopt_on = |datastore: &str, all: Vec<Datastore>| {
        let request = request.clone().of_instance(instance(datastore, 10, 5));
        adopt(&request, &inventory(all), &Ledger::default()).unwrap()
    };
    let all = || {
        vec![
            datastore("datastore-1", "vmfs-1", "VMFS"),
            datastore("datastore-2", "vvol-2", "VVOL"),
            datastore("datastore-3", "vvol-3", "VVOL"),
            datastore("datastore-4", "vvol-4", "VVOL"),
        ]
    };
    let names = |adoption: &Adoption| {
        let candidates = adoption.decision.candidates.iter();
        candidates.map(|c| (c.name.clone(), c.rank)).collect::<Vec<_>>()
    };
    let fits = adopt_on("datastore-4", all()).unwrap();
    assert_eq!(fits.drift, Drift::default());
    assert_eq!(
        names(&fits),
        [("vvol-4".into(), Some(1)), ("vvol-2".into(), Some(2)), ("vvol-3".into(), Some(3))]
    );
    assert_eq!(
        fits.decision.message,
        "adopted vvol-4, where the VM is (3 of 4 eligible); not eligible: 1 TypeNotAllowed"
    );
    let selected = fits.decision.selected.unwrap();
    assert_eq!(
        selected.claim,
        Claim { bytes: bytes(25 * GIB), immediate: bytes(0) },
        "what it will still use"
    );

    let breaks = adopt_on("datastore-1", all()).unwrap();
    assert_eq!(breaks.decision.selected.as_ref().unwrap().datastore.name, "vmfs-1");
    assert_eq!(
        names(&breaks),
        [("vmfs-1".into(), None), ("vvol-2".into(), Some(1)), ("vvol-3".into(), Some(2))]
    );
    assert_eq!(
        breaks.decision.message,
        "adopted vmfs-1, where the VM is (3 of 4 eligible); it breaks TypeNotAllowed; not eligible: 1 TypeNotAllowed"
    );
    let said = "vmfs-1 breaks TypeNotAllowed (type VMFS is not one of vsan, VVOL)".to_owned();
    assert_eq!(breaks.drift.drifted, [(DriftReason::RulesBroken, said)]);

    // Its figures mean nothing, and its claim is known all the same.
    let lost = Datastore { accessible: Some(false), ..datastore("datastore-1", "vsan-1", "vsan") };
    let lost = adopt_on("datastore-1", vec![lost]).unwrap().decision.selected.unwrap();
    assert_eq!(lost.claim, Claim { bytes: bytes(65 * GIB), immediate: bytes(10 * GIB) });

    assert_eq!(adopt_on("datastore-9", all()), None, "its datastore does not exist for Berth");
    assert_eq!(adopt(&request, &inventory(all()), &Ledger::default()), Ok(None), "there is no instance");
}

proptest! {
    #![proptest_config(crate::testing::cases(400))]

    /// An adopted datastore is the instance's, whatever else there is, and its verdict is that of an explanation; all
    /// other things are as in a fresh decision.
    #[test]
    fn adoption_changes_nothing_but_the_choice(w in world()) {
        let (request, ledger) = compile(&w);
        let all = seen_by(&w);
        let verdicts = explain(&request, &all, &ledger);
        let there = w.instance.as_ref().and_then(|(moref, ..)| verdicts.iter().find(|v| v.moref.0 == *moref));
        let adoption = adopt(&request, &all, &ledger).unwrap();
        prop_assert_eq!(adoption.is_some(), there.is_some());
        let (Some(Adoption { decision, drift }), Some(there)) = (adoption, there) else { return Ok(()) };
        let fresh = decide(&request, &all, &ledger);
        prop_assert_eq!(&decision.selected.as_ref().unwrap().datastore.moref, &there.moref);
        prop_assert_eq!(&decision.candidates[0], there);
        prop_assert_eq!(drift.drifted.is_empty(), there.reasons.is_empty());
        prop_assert!(drift.drifted.iter().all(|(reason, _)| *reason == DriftReason::RulesBroken));
        prop_assert_eq!((decision.evaluated, decision.eligible), (fresh.evaluated, fresh.eligible));
        prop_assert_eq!(&decision.rejections, &fresh.rejections);
        prop_assert!(decision.message.len() <= 1024 && !decision.message.chars().any(char::is_control));
        if there.rank.is_some() {
            prop_assert_eq!(decision.selected, fresh.selected);
            prop_assert_eq!(decision.candidates, fresh.candidates);
        }
    }
}

/// Given vmfs-1 in POD-A, under policy gold.
fn given() -> Given {
    Given {
        vcenter: "vc-1".into(),
        datastore: MoRef("datastore-1".into()),
        name: "vmfs-1".into(),
        datastore_cluster: Some("POD-A".into()),
        policy: Some("id of gold".into()),
        appeared: true,
    }
}

/// Three datastores, of which two are in POD-A.
fn clustered(change: impl FnOnce(&mut Vec<Datastore>)) -> Inventory {
    let pod = |name: &str| DatastoreCluster {
        moref: MoRef(format!("group-{name}")),
        name: name.into(),
        path: String::new(),
    };
    let mut all: Vec<_> = [(1, "POD-A"), (2, "POD-A"), (3, "POD-B")]
        .map(|(n, pod)| Datastore {
            datastore_cluster: Property::Known(MoRef(format!("group-{pod}"))),
            policies: [("id of gold".into(), PolicyCheck::Compatible { hosts: None })].into(),
            ..with_free(n, 100)
        })
        .into();
    change(&mut all);
    let overview =
        Overview { datastore_clusters: Some(["POD-A", "POD-B"].map(pod).into()), ..Overview::from("vc-1") };
    Inventory::new(overview, compute(), all)
}

fn drifted(inventory: &Inventory, vm: &Sighting) -> Vec<(DriftReason, String)> {
    drift(&given(), inventory, vm).drifted
}

fn seen(datastore: &str) -> Sighting {
    Sighting::Seen(instance(datastore, 1, 1))
}

#[test]
fn what_is_as_it_was_decided_or_was_not_read_is_no_drift() {
    let as_given = clustered(|_| ());
    for vm in [Sighting::Unread, seen("datastore-1")] {
        assert_eq!(drift(&given(), &as_given, &vm), Drift::default());
    }
    let awaited = Given { appeared: false, ..given() };
    assert_eq!(drift(&awaited, &as_given, &Sighting::Absent), Drift::default(), "it has not appeared yet");
    let unread = clustered(|all| {
        all[0].accessible = None;
        all[0].maintenance_mode = None;
        all[0].policies.clear();
        all[0].name.clear();
    });
    assert_eq!(drift(&given(), &unread, &Sighting::Unread), Drift::default());
    let without_policy = Given { policy: None, ..given() };
    let incompatible = clustered(|all| refuse(&mut all[0]));
    assert_eq!(drift(&without_policy, &incompatible, &Sighting::Unread), Drift::default());
}

fn refuse(datastore: &mut Datastore) {
    let why = "the datastore is not\ntagged gold".to_owned();
    datastore.policies = [("id of gold".into(), PolicyCheck::Incompatible { why })].into();
}

#[test]
fn every_drift_says_what_became_of_the_datastore_or_the_vm() {
    let here = seen("datastore-1");
    let other = Inventory::new("vc-2", compute(), vec![]);
    for (found, expected) in [
        (drifted(&other, &Sighting::Absent), "OtherVCenter: the vCenter is vc-2; it was decided on vc-1"),
        (
            drifted(&clustered(|_| ()), &Sighting::Absent),
            "InstanceGone: the VM was deleted; no room is kept for it",
        ),
        (
            drifted(&clustered(|_| ()), &seen("datastore-3")),
            "InstanceMoved: the VM is on vmfs-3; it was given vmfs-1",
        ),
        (
            drifted(&clustered(|_| ()), &seen("datastore-9")),
            "InstanceMoved: the VM is on datastore-9; it was given vmfs-1",
        ),
        (
            drifted(&clustered(|all| drop(all.remove(0))), &here),
            "DatastoreGone: datastore vmfs-1 (datastore-1) is not in the vCenter",
        ),
        (
            drifted(&clustered(|all| all[0].accessible = Some(false)), &here),
            "NotAccessible: no host can reach datastore vmfs-1",
        ),
        (
            drifted(&clustered(|all| all[0].maintenance_mode = Some("inMaintenance".into())), &here),
            "MaintenanceMode: maintenanceMode of datastore vmfs-1 is inMaintenance",
        ),
        (
            drifted(&clustered(|all| refuse(&mut all[0])), &here),
            "PolicyIncompatible: datastore vmfs-1 no longer meets the storage policy: the datastore is \
             not\u{fffd}tagged gold",
        ),
        (
            drifted(&clustered(|all| all[0].name = "vmfs-9".into()), &here),
            "DatastoreRenamed: datastore vmfs-1 is now called vmfs-9",
        ),
    ] {
        let found: Vec<_> = found.iter().map(|(reason, message)| format!("{reason}: {message}")).collect();
        assert_eq!(found, [expected]);
    }
    let all = clustered(|all| {
        all[0].accessible = Some(false);
        all[0].maintenance_mode = Some("inMaintenance".into());
        all[0].name = "vmfs-9".into();
        refuse(&mut all[0]);
    });
    let reasons: Vec<_> = drifted(&all, &Sighting::Absent).into_iter().map(|(reason, _)| reason).collect();
    assert!(reasons.is_sorted(), "the gravest first");
    assert_eq!(reasons.len(), 5);
}

#[test]
fn only_a_deleted_vm_gives_its_room_back() {
    let as_given = clustered(|_| ());
    assert!(drift(&given(), &as_given, &Sighting::Absent).releases_claim());
    assert!(!drift(&given(), &as_given, &seen("datastore-3")).releases_claim());
    assert!(!drift(&given(), &as_given, &seen("datastore-1")).releases_claim());
}

/// Storage DRS moves VMs as it likes: that is worth a message. From then on the present datastore is the one that
/// counts.
#[test]
fn a_move_within_the_datastore_cluster_is_a_message_only() {
    let moved = seen("datastore-2");
    let note = "the VM is on vmfs-2, within datastore cluster POD-A".to_owned();
    let quiet = Drift { drifted: vec![], note: Some(note.clone()) };
    assert_eq!(drift(&given(), &clustered(|_| ()), &moved), quiet);
    let evacuated = clustered(|all| all[0].maintenance_mode = Some("inMaintenance".into()));
    assert_eq!(drift(&given(), &evacuated, &moved), quiet);
    let removed = clustered(|all| drop(all.remove(0)));
    assert_eq!(drift(&given(), &removed, &moved), quiet, "the status has the name of the cluster");
    let elsewhere = Given { datastore_cluster: None, ..given() };
    let reasons: Vec<_> = drift(&elsewhere, &removed, &moved).drifted.into_iter().map(|(r, _)| r).collect();
    assert_eq!(reasons, [DriftReason::InstanceMoved, DriftReason::DatastoreGone]);

    let down = drift(&given(), &clustered(|all| all[1].accessible = Some(false)), &moved);
    assert_eq!(down.note, Some(note));
    assert_eq!(down.drifted[0].0, DriftReason::NotAccessible);
}

#[test]
fn two_datastore_clusters_of_one_name_are_two() {
    let elsewhere = clustered(|all| all[1].datastore_cluster = Property::Known(MoRef("group-OTHER".into())));
    let names = [("group-POD-A", "POD-A"), ("group-OTHER", "POD-A"), ("group-POD-B", "POD-B")];
    let clusters = names.map(|(moref, name)| DatastoreCluster {
        moref: MoRef(moref.into()),
        name: name.into(),
        path: String::new(),
    });
    let overview = Overview { datastore_clusters: Some(clusters.into()), ..Overview::from("vc-1") };
    let inventory = Inventory::new(overview, compute(), elsewhere.datastores().to_vec());
    let found = drifted(&inventory, &seen("datastore-2"));
    assert_eq!(found, [(DriftReason::InstanceMoved, "the VM is on vmfs-2; it was given vmfs-1".to_owned())]);
}
