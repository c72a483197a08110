//! What a plan says of manifests and inventories.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::manifests::{Kind, Place};
use crate::placement::{Datastore, samples};
use crate::scheduler::Key;

fn plan(inputs: &Inputs) -> Plan {
    super::plan(inputs, &mut |_, _| {})
}

const GIB: u64 = 1 << 30;
const VCENTER: &str = "dbed6e0c-bd88-4ef6-b594-21283e1c677f";

fn manifest(kind: Kind, object: Value) -> Manifest {
    Manifest { place: Place { source: "test.yaml".into(), line: 1, column: 1 }, kind, object }
}

fn placement(name: &str, spec: &Value) -> Manifest {
    manifest(
        Kind::InstancePlacement,
        json!({"metadata": {"name": name, "namespace": "team-a"}, "spec": spec}),
    )
}

fn class(name: &str, spec: &Value) -> Manifest {
    let annotations = json!({"berth.dev/is-default-class": "true"});
    manifest(
        Kind::PlacementClass,
        json!({"metadata": {"name": name, "annotations": annotations}, "spec": spec}),
    )
}

fn vcenter(name: &str, more: &Value) -> Manifest {
    let mut spec = json!({
        "server": format!("https://{name}.example.com"),
        "credentialsSecretName": name,
        "allowedNamespaces": {"from": "All"},
    });
    for (field, value) in more.as_object().unwrap() {
        spec[field] = value.clone();
    }
    manifest(Kind::VCenter, json!({"metadata": {"name": name}, "spec": spec}))
}

fn datastore(name: &str, capacity: u64, free: u64) -> Datastore {
    Datastore {
        capacity: Some(capacity * GIB),
        free: Some(free * GIB),
        ..samples::datastore(&format!("datastore-{name}"), name, "VMFS")
    }
}

fn recorded(server: &str, datastores: Vec<Datastore>) -> Recorded {
    Recorded {
        vcenter: None,
        server: server.into(),
        inventory: Arc::new(Inventory::new(VCENTER, samples::compute(), datastores)),
    }
}

/// One class, one vCenter with these datastores, and these placements.
fn inputs(datastores: Vec<Datastore>, placements: Vec<Manifest>) -> Inputs {
    let mut manifests = vec![class("standard", &json!({})), vcenter("vc", &json!({}))];
    manifests.extend(placements);
    Inputs {
        manifests,
        inventories: vec![recorded("https://vc.example.com", datastores)],
        namespace: "default".into(),
        matrix: true,
        ..Inputs::default()
    }
}

fn thick(gib: u64) -> Value {
    json!({"rootDisk": {"size": format!("{gib}Gi"), "provisioning": "Thick"}})
}

fn suspended() -> Value {
    json!({"rootDisk": {"size": "1Gi"}, "suspend": true})
}

/// Name, reason and datastore of every placement.
fn answers(plan: &Plan) -> Vec<(String, String, Option<String>)> {
    let placements = plan.report.placements.iter();
    placements.map(|one| (one.name.clone(), one.reason.clone(), one.datastore().map(str::to_owned))).collect()
}

fn answer(name: &str, reason: &str, datastore: Option<&str>) -> (String, String, Option<String>) {
    (name.into(), reason.into(), datastore.map(str::to_owned))
}

#[test]
fn manifests_are_placed_one_after_another_with_claims() {
    let stores = vec![datastore("a", 100, 90), datastore("b", 100, 80)];
    let placements = (1..=4).map(|n| placement(&format!("web-{n}"), &thick(60))).collect();
    let plan = plan(&inputs(stores, placements));
    assert_eq!(
        answers(&plan),
        [
            answer("web-1", "Placed", Some("a")),
            answer("web-2", "Placed", Some("b")),
            answer("web-3", "NoEligibleDatastore", None),
            answer("web-4", "NoEligibleDatastore", None),
        ]
    );
    assert_eq!(plan.report.summary, Summary { total: 4, placed: 2, refused: 2 });
    assert_eq!((plan.missing, plan.warnings), (vec![], vec![]));
    let claims: Vec<_> =
        plan.report.datastores.iter().map(|d| (d.claimed_before_bytes, d.claimed_after_bytes)).collect();
    assert_eq!(claims, [(0, 60 * GIB), (0, 60 * GIB)]);
    let refused = &plan.report.placements[2];
    assert!(
        refused.message.starts_with("0/2 datastores are eligible: 2 InsufficientFreeSpace"),
        "{refused:?}"
    );
    let matrix = plan.report.matrix.unwrap();
    assert_eq!(matrix.rows[0].cells, [Cell::Eligible { rank: 1 }, Cell::Eligible { rank: 2 }]);
    assert_eq!(matrix.rows[1].cells[1], Cell::Eligible { rank: 1 });
    let Cell::Refused { codes, detail: Some(detail) } = matrix.rows[1].cells[0] else { panic!("{matrix:?}") };
    let codes: Vec<_> = matrix.code_sets[codes as usize].iter().map(|code| code.as_str()).collect();
    assert_eq!(codes, ["InsufficientFreeSpace", "OversubscriptionLimit"]);
    assert!(matrix.details[detail as usize].contains("30.0 GiB"), "{:?}", matrix.details);
}

#[test]
fn a_hundred_instances_never_oversell() {
    let stores: Vec<_> = (0..7).map(|n| datastore(&format!("d{n}"), 1000, 900 - 100 * n)).collect();
    let placements = (0..100).map(|n| placement(&format!("web-{n:03}"), &thick(30 + n % 50))).collect();
    let plan = plan(&inputs(stores, placements));
    let room = |d: &PlannedDatastore| d.free_bytes.unwrap() - d.claimed_after_bytes;
    assert!(plan.report.datastores.iter().all(|d| d.claimed_after_bytes <= d.free_bytes.unwrap()));
    assert!(plan.report.summary.refused > 0, "the test means something: there is too little room");
    assert!(plan.report.summary.placed > 40, "{:?}", plan.report.summary);
    let sizes: u64 = plan.report.datastores.iter().map(|d| d.claimed_after_bytes).sum();
    let placed = plan.report.placements.iter().filter(|one| one.ready);
    let claims: u64 = placed.map(|one| one.status["claim"]["bytes"].as_u64().unwrap()).sum();
    assert_eq!(sizes, claims, "every claim is on a datastore of the report, once");
    // Whoever was refused fits nowhere even now.
    let largest = plan.report.datastores.iter().map(room).max().unwrap();
    for refused in plan.report.placements.iter().filter(|one| !one.ready) {
        let number: u64 = refused.name.strip_prefix("web-").unwrap().parse().unwrap();
        assert!((30 + number % 50) * GIB > largest, "{refused:?}");
    }
}

#[test]
fn what_is_placed_already_keeps_its_room_and_its_datastore() {
    let stores = || vec![datastore("a", 100, 90), datastore("b", 100, 80)];
    let first = plan(&inputs(stores(), vec![placement("web-1", &thick(60))]));
    let existing = |status: &Value| {
        let object = json!({
            "metadata": {"name": "web-1", "namespace": "team-a", "uid": "u-1", "generation": 3},
            "spec": thick(60), "status": status,
        });
        manifest(Kind::InstancePlacement, object)
    };
    let placed = vec![existing(&first.report.placements[0].status)];
    // Unchanged, it stays where it is; a new one goes elsewhere.
    let both = vec![placement("web-1", &thick(60)), placement("web-2", &thick(60))];
    let second = plan(&Inputs { placed: placed.clone(), ..inputs(stores(), both) });
    assert_eq!(
        answers(&second),
        [answer("web-1", "Placed", Some("a")), answer("web-2", "Placed", Some("b"))]
    );
    assert_eq!(second.report.placements[0].status["observedGeneration"], 3, "its spec is what it was");
    let mut spelled = thick(60);
    spelled["rootDisk"]["size"] = json!("60Gi");
    spelled["additionalDisks"] = json!([]);
    let same =
        plan(&Inputs { placed: placed.clone(), ..inputs(stores(), vec![placement("web-1", &spelled)]) });
    assert_eq!(same.report.placements[0].status["observedGeneration"], 3, "a default that is written out");
    assert_eq!(second.report.datastores[0].claimed_before_bytes, 60 * GIB);
    assert_eq!(second.report.datastores[0].claimed_after_bytes, 60 * GIB);
    // In the matrix the datastore that it has comes first, whatever would be selected now.
    let emptier = vec![datastore("a", 100, 90), datastore("b", 1000, 900)];
    let again = vec![placement("web-1", &thick(60)), placement("later", &suspended())];
    let again = plan(&Inputs { placed: placed.clone(), ..inputs(emptier, again) });
    let matrix = again.report.matrix.unwrap();
    assert_eq!(matrix.rows[0].cells, [Cell::Eligible { rank: 1 }, Cell::Eligible { rank: 2 }]);
    assert_eq!(matrix.rows[1].cells[1], Cell::Eligible { rank: 2 }, "nothing is selected for it");
    // Only what is to be applied is reported; what exists takes room.
    let third =
        plan(&Inputs { placed: placed.clone(), ..inputs(stores(), vec![placement("web-2", &thick(85))]) });
    assert_eq!(answers(&third), [answer("web-2", "NoEligibleDatastore", None)]);
    // A changed spec without a higher revision is taken note of; the decision stands.
    let mut grown = thick(60);
    grown["rootDisk"]["provisioning"] = json!("Thin");
    let fourth = plan(&Inputs { placed, ..inputs(stores(), vec![placement("web-1", &grown)]) });
    assert_eq!(answers(&fourth), [answer("web-1", "Placed", Some("a"))]);
    assert_eq!(fourth.report.placements[0].status["observedGeneration"], 4);
}

#[test]
fn a_raised_revision_is_decided_afresh_without_its_own_claim() {
    let stores = || vec![datastore("a", 100, 90)];
    let first = plan(&inputs(stores(), vec![placement("web-1", &thick(60))]));
    let object = json!({
        "metadata": {"name": "web-1", "namespace": "team-a", "uid": "u-1", "generation": 1},
        "spec": thick(60), "status": first.report.placements[0].status,
    });
    let mut spec = thick(80);
    spec["revision"] = json!(2);
    let again = inputs(stores(), vec![placement("web-1", &spec)]);
    let again = plan(&Inputs { placed: vec![manifest(Kind::InstancePlacement, object)], ..again });
    assert_eq!(answers(&again), [answer("web-1", "Placed", Some("a"))]);
    assert_eq!(again.report.placements[0].status["revision"], 2);
    assert_eq!(again.report.datastores[0].claimed_before_bytes, 60 * GIB);
    assert_eq!(again.report.datastores[0].claimed_after_bytes, 80 * GIB);
}

#[test]
fn what_no_input_has_is_said_once_with_what_to_add() {
    let named =
        |name: &str| placement(name, &json!({"rootDisk": {"size": "1Gi"}, "placementClassName": "gold"}));
    let gold = plan(&inputs(vec![datastore("a", 100, 90)], vec![named("web-1"), named("web-2")]));
    assert_eq!(answers(&gold)[0], answer("web-1", "ClassNotFound", None));
    assert_eq!(gold.missing, ["PlacementClass gold is in none of the inputs: add its manifest with -f"]);

    let other = placement("web-1", &json!({"rootDisk": {"size": "1Gi"}, "vCenterName": "west"}));
    let west = plan(&inputs(vec![datastore("a", 100, 90)], vec![other]));
    assert_eq!(answers(&west), [answer("web-1", "VCenterNotAllowed", None)]);
    assert_eq!(west.missing, ["VCenter west is in none of the inputs: add its manifest with -f"]);

    let mut unrecorded = inputs(vec![], vec![placement("web-1", &thick(1))]);
    unrecorded.inventories = vec![recorded("https://other.example.com", vec![datastore("a", 100, 90)])];
    let without = plan(&unrecorded);
    assert_eq!(answers(&without), [answer("web-1", "VCenterUnavailable", None)]);
    assert!(
        without.missing[0].starts_with("no --inventory is of VCenter vc (https://vc.example.com)"),
        "{without:?}"
    );
    assert!(
        without.warnings[0].starts_with("the --inventory of https://other.example.com is not used"),
        "{without:?}"
    );
    unrecorded.inventories[0].vcenter = Some("vc".into());
    assert_eq!(
        answers(&plan(&unrecorded)),
        [answer("web-1", "Placed", Some("a"))],
        "a name beats the server"
    );

    let mut spec = thick(1);
    spec["vCenterName"] = json!("vc");
    let mut two = inputs(vec![], vec![vcenter("west", &json!({})), placement("web-1", &spec)]);
    two.inventories.clear();
    let two = plan(&two).missing;
    assert!(two.len() == 1 && two[0].starts_with("no --inventory is of VCenter vc ("), "{two:?}");

    // Two placements of one name: each asks for what its own manifest names.
    let away = |name: &str, class: &str, namespace: &str| {
        let spec = json!({"rootDisk": {"size": "1Gi"}, "placementClassName": class});
        let metadata = json!({"name": name, "namespace": namespace});
        manifest(Kind::InstancePlacement, json!({"metadata": metadata, "spec": spec}))
    };
    let twins = vec![away("web-1", "gold", "team-a"), away("web-1", "silver", "team-b")];
    assert_eq!(
        plan(&inputs(vec![datastore("a", 100, 90)], twins)).missing,
        [
            "PlacementClass gold is in none of the inputs: add its manifest with -f",
            "PlacementClass silver is in none of the inputs: add its manifest with -f",
        ]
    );

    // The VCenter that a class names, and none where there are some.
    let mut of_class = inputs(vec![datastore("a", 100, 90)], vec![named("web-1")]);
    of_class.manifests.push(class("gold", &json!({"vCenterName": "west"})));
    assert_eq!(plan(&of_class).missing, ["VCenter west is in none of the inputs: add its manifest with -f"]);
    let closed = vcenter("vc", &json!({"allowedNamespaces": {"from": "None"}}));
    let mut nobody = inputs(vec![datastore("a", 100, 90)], vec![placement("web-1", &thick(1))]);
    nobody.manifests[1] = closed;
    let nobody = plan(&nobody);
    assert_eq!(answers(&nobody), [answer("web-1", "VCenterNotAllowed", None)]);
    assert_eq!(nobody.missing, [""; 0], "it is there, and may not be used");

    let nothing = Inputs { manifests: vec![placement("web-1", &thick(1))], ..Inputs::default() };
    let nothing = plan(&nothing);
    assert!(nothing.missing[0].starts_with("no PlacementClass is in any of the inputs"), "{nothing:?}");
    assert!(nothing.report.datastores.is_empty());
}

#[test]
fn labels_of_a_namespace_that_matter_are_asked_for() {
    let selector = json!({"from": "Selector", "selector": {"matchLabels": {"tier": "prod"}}});
    let mut with = inputs(vec![datastore("a", 100, 90)], vec![placement("web-1", &thick(1))]);
    with.manifests[1] = vcenter("vc", &json!({"allowedNamespaces": selector}));
    let unknown = plan(&with);
    assert_eq!(answers(&unknown), [answer("web-1", "VCenterNotAllowed", None)]);
    assert_eq!(unknown.warnings.len(), 1);
    assert!(unknown.warnings[0].starts_with("the labels of namespace team-a are not known"), "{unknown:?}");
    let labels = json!({"metadata": {"name": "team-a", "labels": {"tier": "prod"}}});
    with.manifests.push(manifest(Kind::Namespace, labels));
    let known = plan(&with);
    assert_eq!(answers(&known), [answer("web-1", "Placed", Some("a"))]);
    assert!(known.warnings.is_empty());
}

#[test]
fn a_datastore_that_the_vcenters_limits_hide_is_not_there() {
    let mut hidden = inputs(
        vec![datastore("a", 100, 90), datastore("iso-1", 100, 95), datastore("z", 100, 80)],
        vec![placement("web-1", &thick(1))],
    );
    hidden.manifests[1] = vcenter("vc", &json!({"datastores": {"excludePattern": "iso-.*"}}));
    let plan = plan(&hidden);
    let names: Vec<_> = plan.report.datastores.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["a", "z"]);
    assert_eq!(
        plan.report.matrix.unwrap().rows[0].cells,
        [Cell::Eligible { rank: 1 }, Cell::Eligible { rank: 2 }]
    );
}

#[test]
fn two_vcenters_each_have_their_columns() {
    let mut two = inputs(vec![datastore("a", 100, 90)], vec![]);
    two.manifests.push(vcenter("west", &json!({})));
    let on = |name: &str, vcenter: &str| {
        let mut spec = thick(1);
        spec["vCenterName"] = json!(vcenter);
        placement(name, &spec)
    };
    two.manifests.extend([on("web-1", "west"), on("web-2", "vc"), placement("web-3", &thick(1))]);
    let other = Inventory::new("a-second-one", samples::compute(), vec![datastore("w", 100, 90)]);
    two.inventories
        .push(Recorded { inventory: Arc::new(other), ..recorded("https://west.example.com", vec![]) });
    let plan = plan(&two);
    assert_eq!(
        answers(&plan),
        [
            answer("web-1", "Placed", Some("w")),
            answer("web-2", "Placed", Some("a")),
            answer("web-3", "AmbiguousVCenter", None),
        ]
    );
    let columns: Vec<_> =
        plan.report.datastores.iter().map(|d| (d.vcenter.as_str(), d.name.as_str())).collect();
    assert_eq!(columns, [("vc", "a"), ("west", "w")]);
    let matrix = plan.report.matrix.unwrap();
    assert_eq!(matrix.rows[0].cells, [Cell::Elsewhere, Cell::Eligible { rank: 1 }]);
    assert_eq!(matrix.rows[1].cells, [Cell::Eligible { rank: 1 }, Cell::Elsewhere]);
    assert!(matrix.rows[2].cells.is_empty());
}

#[test]
fn no_deadline_runs_out_while_others_wait() {
    let mut impatient = thick(500);
    impatient["progressDeadlineSeconds"] = json!(30);
    let lost = placement("lost", &json!({"rootDisk": {"size": "1Gi"}, "placementClassName": "gold"}));
    let stores = vec![datastore("a", 100, 90)];
    let plan = plan(&inputs(stores, vec![placement("web-1", &impatient), lost]));
    assert_eq!(
        answers(&plan),
        [answer("web-1", "NoEligibleDatastore", None), answer("lost", "ClassNotFound", None)]
    );
}

#[test]
fn the_same_input_gives_the_same_report() {
    let stores = || (0..5).map(|n| datastore(&format!("d{n}"), 1000, 900 - n)).collect::<Vec<_>>();
    let placements = || (0..20).map(|n| placement(&format!("web-{n:03}"), &thick(30 + n))).collect();
    let mut other = stores();
    other.reverse();
    assert_eq!(plan(&inputs(stores(), placements())).report, plan(&inputs(other, placements())).report);
}

#[test]
fn an_explanation_is_of_the_moment_when_its_turn_comes() {
    let stores = || vec![datastore("a", 100, 90), datastore("b", 100, 80)];
    let all = || (1..=3).map(|n| placement(&format!("web-{n}"), &thick(60))).collect();
    let key = |name: &str| Key { namespace: "team-a".into(), name: name.into() };
    let second = explain(&inputs(stores(), all()), &key("web-2")).unwrap();
    assert_eq!(second.placement.datastore(), Some("b"));
    assert_eq!(second.vcenter, "vc");
    let verdicts: Vec<_> = second.verdicts.iter().map(|v| (v.name.as_str(), v.rank)).collect();
    assert_eq!(verdicts, [("b", Some(1)), ("a", None)]);
    assert!(second.verdicts[1].reasons[0].1.contains("has 30.0 GiB"), "{second:?}");
    assert_eq!(explain(&inputs(stores(), all()), &key("web-9")).map(|e| e.placement), None);
}

#[test]
fn what_a_manifest_says_of_its_own_status_counts_for_nothing() {
    let stores = || vec![datastore("a", 100, 90), datastore("b", 100, 80)];
    let first = plan(&inputs(stores(), vec![placement("web-1", &thick(60))]));
    let mut copied = placement("web-1", &thick(85));
    copied.object["status"] = first.report.placements[0].status.clone();
    let again = plan(&inputs(vec![datastore("a", 100, 10), datastore("b", 100, 90)], vec![copied]));
    assert_eq!(answers(&again), [answer("web-1", "Placed", Some("b"))]);
}

#[test]
fn every_namespace_has_the_label_of_its_name() {
    let selector = |name: &str| json!({"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": name}}});
    let mut with = inputs(vec![datastore("a", 100, 90)], vec![placement("web-1", &thick(1))]);
    with.manifests[1] = vcenter("vc", &json!({"allowedNamespaces": selector("team-a")}));
    assert_eq!(answers(&plan(&with)), [answer("web-1", "Placed", Some("a"))]);
    with.manifests[1] = vcenter("vc", &json!({"allowedNamespaces": selector("team-b")}));
    assert_eq!(answers(&plan(&with)), [answer("web-1", "VCenterNotAllowed", None)]);
}

#[test]
fn of_two_default_classes_the_one_that_does_not_exist_yet_is_newer() {
    let only = |pattern: &str| json!({"datastores": {"namePattern": pattern}});
    let mut old = class("old", &only("a"));
    old.object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    let stores = || vec![datastore("a", 100, 90), datastore("b", 100, 80), datastore("c", 100, 70)];
    let with = |classes: Vec<Manifest>| {
        let mut with = inputs(stores(), vec![placement("web-1", &thick(1))]);
        with.manifests.remove(0);
        with.manifests.extend(classes);
        plan(&with)
    };
    let two = with(vec![class("new", &only("b")), old]);
    assert_eq!(answers(&two), [answer("web-1", "Placed", Some("b"))]);
    assert!(
        two.warnings[0].starts_with("PlacementClass new: several classes are marked"),
        "{:?}",
        two.warnings
    );
    // Of those that are new, the one that is written last.
    let order = with(vec![class("z", &only("b")), class("a", &only("c"))]);
    assert_eq!(answers(&order), [answer("web-1", "Placed", Some("c"))]);
}

#[test]
fn a_class_that_is_there_and_not_allowed_is_not_missing() {
    let mut with = inputs(vec![datastore("a", 100, 90)], vec![]);
    with.manifests.push(class("gold", &json!({"allowedNamespaces": {"from": "None"}})));
    with.manifests
        .push(placement("web-1", &json!({"rootDisk": {"size": "1Gi"}, "placementClassName": "gold"})));
    let refused = plan(&with);
    assert_eq!(answers(&refused), [answer("web-1", "ClassNotFound", None)]);
    assert_eq!(refused.missing, Vec::<String>::new());
}

#[test]
fn every_cell_names_its_own_reasons() {
    let stores = vec![
        datastore("a", 100, 10),
        Datastore { maintenance_mode: Some("inMaintenance".into()), ..datastore("b", 100, 90) },
        Datastore { maintenance_mode: Some("enteringMaintenance".into()), ..datastore("c", 100, 90) },
    ];
    let matrix = plan(&inputs(stores, vec![placement("web-1", &thick(20))])).report.matrix.unwrap();
    let cell = |column: usize| match matrix.rows[0].cells[column] {
        Cell::Refused { codes, detail: Some(detail) } => {
            let codes: Vec<_> = matrix.code_sets[codes as usize].iter().map(|code| code.as_str()).collect();
            (codes.join(" "), matrix.details[detail as usize].clone())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(cell(0).0, "InsufficientFreeSpace OversubscriptionLimit");
    assert_eq!(cell(0).1.lines().count(), 2, "a line for each code");
    assert_eq!(cell(1), ("MaintenanceMode".into(), "maintenanceMode is inMaintenance".into()));
    assert_eq!(cell(2), ("MaintenanceMode".into(), "maintenanceMode is enteringMaintenance".into()));
    assert_eq!(matrix.code_sets.len(), 2, "each set is there once");
}
