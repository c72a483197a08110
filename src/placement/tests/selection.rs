//! The selections of Nova, Cinder and Glance: every vector, each under the rule set that it is for.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::vectors::{
    Kind, Row, Vector, check, class_of, compile, disk_type, policy_of, seen_by, vectors, with_policies,
};
use super::*;
use crate::api::{HostAccess, ImageTransfer, PlacementReason};

/// What a selection is to be; `berth` of a vector has the same form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expected {
    result: String,
    selected: Option<String>,
    host: Option<String>,
    capacity_bytes: Option<u64>,
    free_bytes: Option<u64>,
    eligible: Option<BTreeSet<String>>,
    rejected: Option<BTreeMap<String, Vec<String>>>,
}

/// A test for each vector, by its id.
macro_rules! vectors {
    ($($id:ident)*) => {
        mod vector {
            $(#[test] fn $id() { super::replay_named(stringify!($id)); })*
        }
        const NAMED: &[&str] = &[$(stringify!($id)),*];
    };
}

vectors! {
    n1 n2 n3 n4 n5 n6 n7 n8 n9 n10 n11 n12a n12b n13a n13b n14a n14b n14c n14d n15 n16a n16b n17a n17b n18 n19 n20 n21 n22a n22b n23 n24 n25 n26 n27a n27b n28a n28b n28c n28d n29a n29b n29c n29d n29e n29f n29g n29h n29i n29j n30a n30b c1 c2 c3 c4a c4b c4c c4d c4e c4f c5a c5b c5c c5d c5e c6 c7a c7b c7c c7d c8a c8b c9a c9b c10a c10b c11a c11b g1 g2 g3 g4 g5 g6 g7 g8 g9 g10 g11 g12 g13 g14
}

/// No vector is left out, and none is named that is not there.
#[test]
fn every_vector_has_a_test() {
    let mut named: Vec<String> = NAMED.iter().map(|id| (*id).to_owned()).collect();
    let mut all: Vec<String> = vectors().iter().map(|vector| vector.id.to_lowercase()).collect();
    named.sort();
    all.sort();
    assert_eq!(named, all);
}

fn replay_named(id: &str) {
    let all = vectors();
    let vector = all.iter().find(|vector| vector.id.eq_ignore_ascii_case(id)).unwrap();
    match vector.kind {
        Kind::Selection => replay(vector),
        Kind::Other => replay_other(vector),
    }
}

fn replay(vector: &Vector) {
    let id = &vector.id;
    let expected: Expected = serde_json::from_value(vector.expected.clone()).unwrap();
    let expected = vector.berth.as_ref().map_or(expected, meant_to_differ);
    let (all, request) = (seen_by(vector), compile(vector));
    let decision = decide(&request, &all, &Ledger::default());
    let verdicts = explain(&request, &all, &Ledger::default());
    let ranked = verdicts.iter().filter(|verdict| verdict.rank.is_some());
    let mut eligible: BTreeSet<String> = ranked.map(|verdict| verdict.moref.0.clone()).collect();
    let selected = decision.selected.as_ref();
    if expected.result == "reselect" {
        let current = vector.request.current_datastore.as_ref();
        assert!(selected.is_some_and(|selected| Some(&selected.datastore.moref.0) != current), "{id}");
        assert!(decision.message.contains("must be moved"), "{id}: {}", decision.message);
        return;
    }
    assert_eq!(selected.map(|s| &s.datastore.moref.0), expected.selected.as_ref(), "{id}: {decision:?}");
    assert_eq!(expected.selected.is_none(), expected.result == "none", "{id}");
    if let Some(best) = &vector.request.current_best {
        assert!(eligible.remove(&best.id), "{id}: it competes with all others, and is not listed with them");
    }
    if let Some(expected) = expected.eligible {
        assert_eq!(eligible, expected, "{id}: {}", decision.message);
    }
    if let Some(selected) = selected {
        // Each host is a compute resource by itself, so that the cluster of a decision is the host.
        let host = selected.cluster.as_ref().map(|cluster| &cluster.name);
        assert!(expected.host.is_none() || host == expected.host.as_ref(), "{id}: {host:?}");
        let Datastore { capacity, free, .. } = selected.datastore;
        assert!(expected.capacity_bytes.is_none_or(|bytes| capacity == Some(bytes)), "{id}");
        assert!(expected.free_bytes.is_none_or(|bytes| free == Some(bytes)), "{id}");
    }
    let Some(rejected) = expected.rejected else { return };
    let refused = verdicts.iter().filter(|verdict| verdict.rank.is_none());
    let refused: BTreeMap<String, Vec<RejectionCode>> = refused
        .map(|verdict| (verdict.moref.0.clone(), verdict.reasons.iter().map(|(code, _)| *code).collect()))
        .collect();
    assert!(refused.keys().eq(rejected.keys()), "{id}: {refused:?}");
    for (datastore, words) in rejected {
        let codes = &refused[&datastore];
        let means = |word: &String, code: &RejectionCode| codes_of(word).contains(code);
        assert!(
            words.iter().all(|word| codes.iter().any(|code| means(word, code))),
            "{id} {datastore}: {codes:?}"
        );
        assert!(
            codes.iter().all(|code| words.iter().any(|word| means(word, code))),
            "{id} {datastore}: {codes:?}"
        );
    }
}

/// These vectors have one datastore each.
fn meant_to_differ(berth: &Value) -> Expected {
    let expected: Expected = serde_json::from_value(berth.clone()).unwrap();
    Expected { eligible: Some(expected.selected.iter().cloned().collect()), ..expected }
}

/// Berth's codes for a rule in the vectors' plain words.
fn codes_of(word: &str) -> &'static [RejectionCode] {
    match word {
        "accessible" => &[RejectionCode::NotAccessible],
        "maintenance" => &[RejectionCode::MaintenanceMode],
        // Nova takes vSAN off the allowed types for some images.
        "type" => &[RejectionCode::TypeNotAllowed, RejectionCode::DiskTypeUnsupported],
        "affinityType" => &[RejectionCode::TypeNotAllowed],
        "regex" => &[RejectionCode::NameNotMatched],
        "antiAffinity" => &[RejectionCode::SpreadConflict],
        "capacityZero" | "freeSpace" => &[RejectionCode::InsufficientFreeSpace],
        "mounts" => &[RejectionCode::NotInScope, RejectionCode::NotMountedOnHosts],
        "policy" => &[RejectionCode::PolicyIncompatible],
        "noSummary" => &[RejectionCode::NotAccessible, RejectionCode::IncompleteData],
        other => panic!("no rule is called {other}"),
    }
}

fn replay_other(vector: &Vector) {
    let id = vector.id.as_str();
    let number = |key: &str| vector.input[key].as_u64();
    match (vector.topic.as_str(), id) {
        ("badSizes", _) => bad_sizes(vector, number("capacityBytes"), number("freeBytes").unwrap()),
        ("imageSizeGate", _) => {
            // Nova's 0 is no size.
            let root = number("rootBytes").filter(|size| *size > 0).map(|size| size.to_string());
            let image = number("imageBytes").unwrap().to_string();
            let parsed = Ask::parse(&spec(Some(&image), root.as_deref()), &mut Patterns::default());
            let reason = (vector.expected["result"] == "rejected")
                .then_some(PlacementReason::RootDiskSmallerThanImage);
            assert_eq!(parsed.err().map(|invalid| invalid.reason), reason, "{id}");
        }
        ("invalidRegex", _) => {
            let mut spec = spec(Some("1Gi"), None);
            let pattern = vector.input["nameRegex"].clone();
            spec.datastores = serde_json::from_value(serde_json::json!({"namePattern": pattern})).unwrap();
            let invalid = Ask::parse(&spec, &mut Patterns::default()).unwrap_err();
            assert_eq!(vector.berth.as_ref().unwrap()["result"], invalid.reason.as_str(), "{id}");
        }
        // A cluster whose hosts mount nothing.
        ("noDatastores", "N12a") => {
            let unmounted = Datastore { mounts: Mounts::Read(HostMounts::default()), ..plain() };
            assert_eq!(eligible_in_cluster(compute(), unmounted), [] as [String; 0], "{id}");
            assert_eq!(eligible_in_cluster(compute(), plain()), ["datastore-1"], "{id}: the mounts decide");
        }
        ("noDatastores", "N12b") | ("errors", "C7b") => {
            let whole = compute();
            let empty = Compute::new(whole.datacenters().to_vec(), whole.clusters().to_vec(), vec![]);
            let unmounted = Datastore { mounts: Mounts::Read(HostMounts::default()), ..plain() };
            assert_eq!(eligible_in_cluster(empty, unmounted), [] as [String; 0], "{id}");
        }
        ("hostScope", "C7d") => {
            let all = compute();
            let host = all.hosts()[1].moref.clone();
            let one = Datastore { mounts: Mounts::Read(all.mounts([(&host, Mount::Usable)])), ..plain() };
            let request =
                Request::compile(&ask(Some("1"), None), &class_of(vector), &Selector::default(), None);
            assert_eq!(decide(&request, &inventory(vec![one]), &Ledger::default()).eligible, 1, "{id}");
        }
        ("errors", "C7a") => {
            let decision = decide(&request(Some("1Gi"), None), &inventory(vec![]), &Ledger::default());
            assert!(decision.selected.is_none(), "{id}");
            assert!(decision.message.starts_with("there is no datastore to choose from"), "{id}");
        }
        ("hostScope", "C7c") => one_host(vector),
        ("storagePolicyName", _) => policy_name(vector),
        ("compliance", _) => compliance(vector),
        ("affinityTypes", "C6") => {
            let class = ClassRules { image_transfer: ImageTransfer::DirectUpload, ..class_of(vector) };
            let image = number("imageBytes").unwrap().to_string();
            let asked = Ask {
                disk_type: vector.input["diskType"].as_str().map(disk_type),
                ..ask(Some(&image), None)
            };
            let request = Request::compile(&asked, &class, &Selector::default(), None);
            let all = ["nfs", "nfs41", "vmfs", "vsan", "vvol"].map(|kind| datastore(kind, kind, kind));
            let found = eligible(&request, &inventory(all.into()));
            assert_eq!(serde_json::json!(found), vector.expected["affinityTypes"], "{id}");
        }
        // The size of the disk counts where it is another than that of what is put on it.
        ("sizeRequirement", _) => {
            let [volume, disk] =
                ["volumeSizeGiB", "diskSizeGiB"].map(number).map(|n| n.map(|n| format!("{n}Gi")));
            let request = request(volume.as_deref(), disk.as_deref());
            let decision = decide(&request, &inventory(vec![plain()]), &Ledger::default());
            assert_eq!(vector.expected["sizeBytes"], decision.selected.unwrap().claim.bytes.get(), "{id}");
        }
        ("report", _) => report(vector),
        ("weightParsing", _) => super::options::replay(vector),
        (topic, _) => panic!("{id}: nothing replays {topic}"),
    }
}

/// Cinder takes the host instead of the clusters, so the host alone is asked for.
fn one_host(vector: &Vector) {
    let id = &vector.id;
    let all = compute();
    let named = [&vector.input["host"], &vector.input["clusterHosts"][0]].map(|v| v.as_str().unwrap());
    let hosts = all.hosts().iter().zip(named);
    let hosts: Vec<_> = hosts.map(|(host, name)| Host { name: name.into(), ..host.clone() }).collect();
    let all = Compute::new(all.datacenters().to_vec(), all.clusters().to_vec(), hosts);
    let mounted = all.hosts().iter().map(|host| Datastore {
        mounts: Mounts::Read(all.mounts([(&host.moref, Mount::Usable)])),
        ..datastore(&host.name, &host.name, "VMFS")
    });
    let compute = ScopeAsk { hosts: vec![named[0].to_owned()], ..ScopeAsk::default() };
    let asked = Ask { compute, ..ask(Some("1Gi"), None) };
    let request = Request::compile(&asked, &class_of(vector), &Selector::default(), None);
    let found = eligible(&request, &Inventory::new("vc-1", all.clone(), mounted.collect()));
    assert_eq!(serde_json::json!(found), vector.expected["hosts"], "{id}");
}

/// A flavor's policy outranks that of the host: as a placement's does that of its class.
fn policy_name(vector: &Vector) {
    let id = &vector.id;
    let default = vector.input["pbmDefaultPolicy"].as_str().unwrap();
    let flavor = vector.input["flavorExtraSpecs"]["vmware:storage_policy"].as_str();
    let known = if vector.input.get("policyIdFound").is_some() { vec![] } else { vec![default] };
    let known: Vec<&str> = known.into_iter().chain(flavor).collect();
    let class = ClassRules { storage: policy_of(Some(default)), ..class_of(vector) };
    let asked = Ask { storage: policy_of(flavor), ..ask(Some("1Gi"), None) };
    let request = Request::compile(&asked, &class, &Selector::default(), None);
    match with_policy(&request, &known, true) {
        Ok(decision) => {
            let policy = decision.selected.unwrap().policy.unwrap();
            assert_eq!(vector.expected["policy"], policy.name, "{id}");
        }
        Err(not_found) => {
            assert_eq!(not_found.reason(), PlacementReason::PolicyNotFound, "{id}");
            assert!(vector.expected.get("error").is_some(), "{id}: {not_found}");
        }
    }
}

/// Whether one datastore meets a policy.
fn compliance(vector: &Vector) {
    let id = &vector.id;
    let profile = vector.input["profile"].as_str();
    let found = vector.input.get("profileIdFound").is_none();
    let known: Vec<&str> = profile.into_iter().filter(|_| found).collect();
    let matches = vector.input["policyMatches"].as_array();
    let matches = matches.is_none_or(|all| all.contains(&vector.input["datastore"]));
    let asked = Ask { storage: policy_of(profile), ..ask(Some("1Gi"), None) };
    let request = Request::compile(&asked, &class_of(vector), &Selector::default(), None);
    let decision = with_policy(&request, &known, matches);
    if let Some(compliant) = vector.expected["compliant"].as_bool() {
        assert_eq!(decision.unwrap().selected.is_some(), compliant, "{id}");
    } else if let Some(lookups) = vector.expected["vcenterLookups"].as_u64() {
        // The policies are read with an inventory, so that any number of decisions look nothing up.
        let again = with_policy(&request, &known, matches);
        assert_eq!((decision, lookups), (again, 1), "{id}");
    } else {
        let not_found = decision.unwrap_err();
        assert_eq!(not_found.reason(), PlacementReason::PolicyNotFound, "{id}");
        let said = "datastores: there is no storage policy \"nope\" in the vCenter";
        assert_eq!(not_found.to_string(), said, "{id}");
    }
}

/// vCenter does report more free space than capacity; without a capacity nothing can be said of the room.
fn bad_sizes(vector: &Vector, capacity: Option<u64>, free: u64) {
    let volume = Datastore { capacity, free: Some(free), ..plain() };
    let codes = |size: u64| {
        let asked = ask(Some(&size.to_string()), None);
        let request = Request::compile(&asked, &class_of(vector), &Selector::default(), None);
        reasons(&request, volume.clone()).into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    let berth = vector.berth.as_ref().unwrap();
    if let Some(most) = berth["usableFreeBytes"].as_u64() {
        assert_eq!(berth["result"], "accepted");
        assert_eq!(codes(most), []);
        assert_eq!(codes(most + 1), [RejectionCode::InsufficientFreeSpace]);
    } else {
        assert_eq!(berth["result"], "unknownSize");
        assert_eq!(codes(1), [RejectionCode::IncompleteData]);
    }
}

/// Nova and Cinder report sums to another scheduler. Berth decides itself: the same figures are those of its decisions,
/// and the largest unit is the largest disk that is placed.
fn report(vector: &Vector) {
    let id = &vector.id;
    let expected = |key: &str| vector.expected[key].as_u64().map(|gib| gib * GIB);
    let rows: Vec<Row> = serde_json::from_value(vector.input["datastores"].clone()).unwrap_or_default();
    let seen = rows.iter().zip(1..).map(|(row, n)| Datastore {
        capacity: row.capacity_bytes,
        free: row.free_bytes,
        ..datastore(&format!("datastore-{n}"), &format!("datastore-{n}"), "VMFS")
    });
    let seen: Vec<Datastore> = seen.collect();
    let decide_for = |size: u64, datastores: &[Datastore]| {
        let asked = ask(Some(&size.to_string()), None);
        let request = Request::compile(&asked, &class_of(vector), &Selector::default(), None);
        decide(&request, &inventory(datastores.to_vec()), &Ledger::default())
    };
    let Some(total) = expected("totalGiB") else {
        // Without statistics nothing is known, and what is not known is not room.
        assert_eq!(vector.expected["free"], "unknown", "{id}");
        let unknown = Datastore { capacity: None, free: None, ..plain() };
        let decision = decide_for(1, &[unknown]);
        assert!(decision.selected.is_none(), "{id}");
        assert_eq!(decision.rejections, [(RejectionCode::IncompleteData, 1)], "{id}");
        return;
    };
    let told = seen.iter().map(|one| decide_for(1, std::slice::from_ref(one)).selected.unwrap().datastore);
    assert_eq!(told.map(|datastore| datastore.capacity.unwrap()).sum::<u64>(), total, "{id}");
    let most = expected("maxUnitGiB").or(expected("freeGiB")).unwrap();
    let selected = decide_for(most, &seen).selected.unwrap();
    assert_eq!(selected.datastore.free, Some(most), "{id}");
    assert!(decide_for(most + 1, &seen).selected.is_none(), "{id}");
}

/// The decision where there are these policies, and one datastore that matches all of them or none.
fn with_policy(request: &Request, known: &[&str], matches: bool) -> Result<Decision, NotFound> {
    let policies = known.iter().map(|name| ((*name).to_owned(), check(matches)));
    let one = Datastore { policies: policies.collect(), ..plain() };
    let inventory = Inventory::new(with_policies(known), compute(), vec![one]);
    crate::placement::decide(request, &inventory, &Ledger::default())
}

fn plain() -> Datastore {
    datastore("datastore-1", "a", "VMFS")
}

/// The eligible datastores for the cluster of [`compute`].
fn eligible_in_cluster(compute: Compute, one: Datastore) -> Vec<String> {
    let scope =
        ScopeAsk { clusters: vec!["C0".into()], access: Some(HostAccess::AnyHost), ..ScopeAsk::default() };
    let class = ClassRules { compute: scope, ..ClassRules::default() };
    let request = Request::compile(&ask(Some("1Gi"), None), &class, &Selector::default(), None);
    eligible(&request, &Inventory::new("vc-1", compute, vec![one]))
}

/// In the order of their moRefs.
fn eligible(request: &Request, inventory: &Inventory) -> Vec<String> {
    let verdicts = explain(request, inventory, &Ledger::default());
    let ranked = verdicts.into_iter().filter(|verdict| verdict.rank.is_some());
    ranked.map(|verdict| verdict.moref.0).collect::<BTreeSet<_>>().into_iter().collect()
}
