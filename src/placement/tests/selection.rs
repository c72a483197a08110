//! The selections of Nova, Cinder and Glance: every vector, each under the rule set that it is for.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::api::{
    DiskType, HostAccess, ImageTransfer, PlacementReason, Sharing, Strategy, WhenUnsatisfiable,
};

/// Vectors of rules that Berth does not have yet.
const WAITING: [(&[&str], &str); 3] = [
    (&["C1"], "storage policies; the rest of it has its own test below"),
    (&["N18", "N19", "N20", "C5a", "C5b", "C5c", "C5d", "C5e"], "storage policies"),
    (&["N24", "N25"], "an instance that exists keeps its datastore while that is eligible"),
];

/// Vectors of what Berth does not do.
const NOT_FOR_BERTH: [(&[&str], &str); 5] = [
    (&["N26", "C8a", "C8b"], "Berth reports no sums of capacity to another scheduler"),
    (&["C7a"], "a class of error in Cinder's driver; what leads to it is C2"),
    (
        &["C7c"],
        "an explicit host replaces Cinder's clusters; a placement narrows its class, so both must hold",
    ),
    (&["C9b"], "two sizes of one volume, of which one wins; a disk has one final size"),
    (&["G6", "G7", "G8", "G9", "G10", "G11", "G12"], "the text of Glance's option; weights are fields here"),
];

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    kind: Kind,
    rules: RuleSet,
    #[serde(default)]
    topic: String,
    #[serde(default)]
    request: Wanted,
    #[serde(default)]
    hosts: Vec<HostState>,
    #[serde(default)]
    datastores: Vec<Row>,
    #[serde(default)]
    input: Value,
    expected: Value,
    berth: Option<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Selection,
    Other,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum RuleSet {
    Nova,
    Cinder,
    Glance,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Wanted {
    size_bytes: Option<u64>,
    name_regex: Option<String>,
    regex_mode: Option<RegexMode>,
    disk_type: Option<String>,
    anti_affinity: Vec<String>,
    affinity_types: Vec<String>,
    hosts: Vec<String>,
    current_best: Option<Row>,
    // Of vectors that wait.
    #[serde(rename = "policyMatches")]
    _policy_matches: Vec<String>,
    #[serde(rename = "currentDatastore")]
    _current_datastore: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum RegexMode {
    Prefix,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HostState {
    id: String,
    in_maintenance_mode: bool,
    /// A disconnected host counts with its last known mounts: the state decides nothing.
    #[serde(rename = "connectionState")]
    _connection_state: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Row {
    id: String,
    name: String,
    r#type: Option<String>,
    accessible: Option<bool>,
    maintenance_mode: Option<String>,
    capacity_bytes: Option<u64>,
    free_bytes: Option<u64>,
    mounts: Vec<MountRow>,
    datacenter_path: Option<String>,
    weight: i32,
    /// A decision is made when all pages are there.
    #[serde(rename = "page")]
    _page: Option<u32>,
    /// Then none of its properties is written either.
    #[serde(rename = "noSummary")]
    _no_summary: bool,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MountRow {
    host: String,
    access_mode: String,
    mounted: Option<bool>,
    accessible: Option<bool>,
}

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

fn vectors() -> Vec<Vector> {
    let table = include_str!("../../../tests/vectors/selection.yaml");
    let table: Vectors = serde_saphyr::from_str(table).unwrap();
    table.vectors
}

/// No vector is left out unsaid, and none is listed that is not there.
#[test]
fn every_vector_is_replayed_or_says_why_not() {
    let all = vectors();
    assert_eq!(all.len(), 93);
    let listed = WAITING.iter().chain(&NOT_FOR_BERTH).flat_map(|(ids, why)| ids.iter().map(|id| (*id, *why)));
    let mut listed: BTreeMap<&str, &str> = listed.collect();
    let (mut replayed, excused) = (0, listed.len());
    for vector in &all {
        if listed.remove(vector.id.as_str()).is_some() {
            continue;
        }
        match vector.kind {
            Kind::Selection => replay(vector),
            Kind::Other => replay_other(vector),
        }
        replayed += 1;
    }
    assert_eq!(listed, BTreeMap::new(), "no such vectors, or listed twice");
    assert_eq!(replayed + excused, all.len());
    let waiting: usize = WAITING.iter().map(|(ids, _)| ids.len()).sum();
    println!("{replayed} vectors replayed, {waiting} wait, {} are not for Berth", excused - waiting);
}

/// The vector of all rules at once, without the datastore that only its policy refuses.
#[test]
fn all_rules_of_cinder_but_the_policy() {
    let mut whole = vectors().into_iter().find(|vector| vector.id == "C1").unwrap();
    whole.datastores.retain(|row| row.id != "ds-9");
    whole.expected["rejected"].as_object_mut().unwrap().remove("ds-9").unwrap();
    replay(&whole);
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
        "noSummary" => &[RejectionCode::NotAccessible, RejectionCode::IncompleteData],
        other => panic!("no rule is called {other}"),
    }
}

/// The class that makes Berth's rules those of another.
fn class_of(vector: &Vector) -> ClassRules {
    let types: &[&str] = match vector.rules {
        RuleSet::Nova => &["VMFS", "NFS", "NFS41", "vsan"],
        RuleSet::Cinder => &["VMFS", "NFS", "NFS41", "vsan", "VVOL"],
        RuleSet::Glance => &[],
    };
    let mut patterns = Patterns::default();
    let weights = vector.datastores.iter().filter(|_| vector.rules == RuleSet::Glance);
    ClassRules {
        compute: ScopeAsk { access: Some(HostAccess::AnyHost), ..ScopeAsk::default() },
        datastores: selector(types, "", ""),
        sharing: Sharing::Any,
        strategy: match vector.rules {
            RuleSet::Nova | RuleSet::Glance => Strategy::MostFree,
            RuleSet::Cinder => Strategy::MostShared,
        },
        weights: weights.map(|row| (patterns.intern(&row.name).unwrap(), row.weight)).collect(),
        oversubscription: None,
        space_factors: vec![(vec!["vsan".to_owned()], 100)],
        image_transfer: match vector.rules {
            RuleSet::Nova => ImageTransfer::NovaDriver,
            RuleSet::Cinder | RuleSet::Glance => ImageTransfer::Import,
        },
        ..ClassRules::default()
    }
}

fn compile(vector: &Vector) -> Request {
    let wanted = &vector.request;
    // A pattern of Python's `re.match` is held to the start of a name only; Berth's are held to the whole of it.
    let name = match (&wanted.name_regex, &wanted.regex_mode) {
        (Some(regex), Some(RegexMode::Prefix)) => format!("(?:{regex}).*"),
        (Some(regex), None) => regex.clone(),
        (None, _) => String::new(),
    };
    let types: Vec<&str> = wanted.affinity_types.iter().map(String::as_str).collect();
    let taken = wanted.anti_affinity.iter().map(|id| Backing(datastore(id, "", "").url));
    // Nova asks for no room; but a datastore without any is none to it either.
    let size = wanted.size_bytes.unwrap_or(1).to_string();
    let asked = Ask {
        datastores: selector(&types, &name, ""),
        disk_type: wanted.disk_type.as_deref().map(disk_type),
        compute: ScopeAsk { hosts: wanted.hosts.clone(), ..ScopeAsk::default() },
        spread: Some(Spread { group: "g".into(), when_unsatisfiable: WhenUnsatisfiable::DoNotPlace }),
        ..ask(Some(&size), None)
    };
    Request::compile(&asked, &class_of(vector), &Selector::default(), None).spread_from(taken.collect())
}

/// Nova's `thin` is a flat file as `preallocated` is.
fn disk_type(word: &str) -> DiskType {
    match word {
        "preallocated" | "thin" => DiskType::Flat,
        "sparse" => DiskType::Sparse,
        "streamOptimized" => DiskType::StreamOptimized,
        other => panic!("no disk type is called {other}"),
    }
}

/// Where everything is that says nothing else.
const DATACENTER: &str = "DC0";

fn seen_by(vector: &Vector) -> Inventory {
    let compute = compute_of(vector);
    // What Nova has seen so far is one datastore more.
    let rows = vector.datastores.iter().chain(&vector.request.current_best);
    let datastores = rows.map(|row| seen(vector, row, &compute)).collect();
    Inventory::new("vc-1", compute, datastores)
}

/// Every host is a compute resource by itself. Nova and Glance look at no hosts: one in each datacenter mounts
/// everything there.
fn compute_of(vector: &Vector) -> Compute {
    let mut hosts: BTreeMap<String, &str> = BTreeMap::new();
    for row in &vector.datastores {
        hosts.extend(row.mounts.iter().map(|mount| (mount.host.clone(), DATACENTER)));
        let datacenter = row.datacenter_path.as_deref().unwrap_or(DATACENTER);
        if vector.rules != RuleSet::Cinder {
            hosts.insert(only_host(datacenter), datacenter);
        }
    }
    let named = vector.hosts.iter().map(|host| &host.id).chain(&vector.request.hosts);
    hosts.extend(named.map(|id| (id.clone(), DATACENTER)));
    let datacenters: BTreeSet<&str> = hosts.values().copied().collect();
    let datacenters = datacenters.into_iter().map(|name| Datacenter {
        moref: MoRef(name.into()),
        name: name.into(),
        path: String::new(),
    });
    let clusters = hosts.keys().map(|name| Cluster {
        moref: MoRef(name.clone()),
        name: name.clone(),
        path: String::new(),
    });
    let away = |id: &String| vector.hosts.iter().any(|host| host.id == *id && host.in_maintenance_mode);
    let machines = hosts.iter().map(|(name, datacenter)| Host {
        moref: MoRef(name.clone()),
        name: name.clone(),
        path: String::new(),
        cluster: Some(MoRef(name.clone())),
        datacenter: Some(MoRef((*datacenter).into())),
        in_maintenance: away(name),
    });
    Compute::new(datacenters.collect(), clusters.collect(), machines.collect())
}

fn only_host(datacenter: &str) -> String {
    format!("host of {datacenter}")
}

fn seen(vector: &Vector, row: &Row, compute: &Compute) -> Datastore {
    let datacenter = row.datacenter_path.as_deref().unwrap_or(DATACENTER);
    let everywhere = [MoRef(only_host(datacenter))];
    let mounted: Vec<_> =
        row.mounts.iter().map(|mount| (MoRef(mount.host.clone()), usable(mount, row))).collect();
    let mounts = match vector.rules {
        RuleSet::Cinder => compute.mounts(mounted.iter().map(|(host, mount)| (host, *mount))),
        RuleSet::Nova | RuleSet::Glance => {
            compute.mounts(everywhere.iter().map(|host| (host, Mount::Usable)))
        }
    };
    let read = Datastore {
        datacenter: Some(MoRef(datacenter.into())),
        kind: row.r#type.clone(),
        accessible: row.accessible,
        maintenance_mode: row.maintenance_mode.clone(),
        capacity: row.capacity_bytes,
        free: row.free_bytes,
        uncommitted: None,
        multiple_host_access: None,
        thin_provisioning: Property::Absent,
        mounts: Mounts::Read(mounts),
        ..datastore(&row.id, &row.name, "")
    };
    let is_best = vector.request.current_best.as_ref().is_some_and(|best| best.id == row.id);
    if vector.rules == RuleSet::Glance || is_best {
        // Glance reads free space and nothing else; what Nova found best it had found good.
        let capacity = row.capacity_bytes.or(row.free_bytes);
        return Datastore { kind: Some("VMFS".into()), accessible: Some(true), capacity, ..read };
    }
    read
}

/// Absent values are as vSphere documents them.
fn usable(mount: &MountRow, row: &Row) -> Mount {
    if mount.mounted == Some(false) {
        Mount::Unmounted
    } else if mount.accessible.or(row.accessible) != Some(true) {
        Mount::Inaccessible
    } else if mount.access_mode == "readWrite" {
        Mount::Usable
    } else {
        Mount::ReadOnly
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
        ("sizeRequirement", "C9a") => {
            let size = format!("{}Gi", number("volumeSizeGiB").unwrap());
            let decision = decide(&request(Some(&size), None), &inventory(vec![plain()]), &Ledger::default());
            let claim = decision.selected.unwrap().claim;
            assert_eq!(vector.expected["sizeBytes"], claim.immediate.get(), "{id}");
            assert_eq!(claim.bytes, claim.immediate, "{id}");
        }
        (topic, _) => panic!("{id}: nothing replays {topic}, and nothing says why not"),
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
