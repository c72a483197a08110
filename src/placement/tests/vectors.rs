//! The vectors of selections by Nova, Cinder and Glance as they are written, and as Berth takes them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::api::{DiskType, HostAccess, ImageTransfer, Sharing, Strategy, WhenUnsatisfiable};

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Vector {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) rules: RuleSet,
    #[serde(default)]
    pub(super) topic: String,
    #[serde(default)]
    pub(super) request: Wanted,
    #[serde(default)]
    pub(super) hosts: Vec<HostState>,
    #[serde(default)]
    pub(super) datastores: Vec<Row>,
    #[serde(default)]
    pub(super) input: Value,
    pub(super) expected: Value,
    pub(super) berth: Option<Value>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Kind {
    #[default]
    Selection,
    Other,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum RuleSet {
    #[default]
    Nova,
    Cinder,
    Glance,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Wanted {
    pub(super) size_bytes: Option<u64>,
    pub(super) name_regex: Option<String>,
    pub(super) regex_mode: Option<RegexMode>,
    pub(super) disk_type: Option<String>,
    pub(super) anti_affinity: Vec<String>,
    pub(super) affinity_types: Vec<String>,
    pub(super) hosts: Vec<String>,
    pub(super) current_best: Option<Row>,
    pub(super) policy_matches: Option<Vec<String>>,
    pub(super) current_datastore: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum RegexMode {
    Prefix,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct HostState {
    pub(super) id: String,
    pub(super) in_maintenance_mode: bool,
    /// A disconnected host counts with its last known mounts: the state decides nothing.
    #[serde(rename = "connectionState")]
    pub(super) _connection_state: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) r#type: Option<String>,
    pub(super) accessible: Option<bool>,
    pub(super) maintenance_mode: Option<String>,
    pub(super) capacity_bytes: Option<u64>,
    pub(super) free_bytes: Option<u64>,
    pub(super) mounts: Vec<MountRow>,
    pub(super) datacenter_path: Option<String>,
    pub(super) weight: i32,
    /// A decision is made when all pages are there.
    #[serde(rename = "page")]
    pub(super) _page: Option<u32>,
    /// Then none of its properties is written either.
    #[serde(rename = "noSummary")]
    pub(super) _no_summary: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MountRow {
    pub(super) host: String,
    pub(super) access_mode: String,
    pub(super) mounted: Option<bool>,
    pub(super) accessible: Option<bool>,
}

pub(super) fn vectors() -> Vec<Vector> {
    let table = include_str!("../../../tests/vectors/selection.yaml");
    let table: Vectors = serde_saphyr::from_str(table).unwrap();
    table.vectors
}

/// The class that makes Berth's rules those of another.
pub(super) fn class_of(vector: &Vector) -> ClassRules {
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

pub(super) fn compile(vector: &Vector) -> Request {
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
        storage: policy_of(wanted.policy_matches.is_some().then_some(POLICY)),
        disk_type: wanted.disk_type.as_deref().map(disk_type),
        compute: ScopeAsk { hosts: wanted.hosts.clone(), ..ScopeAsk::default() },
        spread: Some(Spread { group: "g".into(), when_unsatisfiable: WhenUnsatisfiable::DoNotPlace }),
        ..ask(Some(&size), None)
    };
    let request = Request::compile(&asked, &class_of(vector), &Selector::default(), None);
    let request = request.spread_from(taken.collect());
    match &wanted.current_datastore {
        None => request,
        Some(id) => request.of_instance(Instance { datastore: MoRef(id.clone()), usage: Usage::default() }),
    }
}

/// The policy of every vector that has one and gives it no name.
pub(super) const POLICY: &str = "gold";

pub(super) fn policy_of(name: Option<&str>) -> StorageAsk {
    StorageAsk { policy: name.map(str::to_owned), ..StorageAsk::default() }
}

/// A vCenter that has these policies; each is its own id.
pub(super) fn with_policies(names: &[&str]) -> Overview {
    let policy = |name: &&str| StoragePolicy { id: (*name).to_owned(), name: (*name).to_owned() };
    Overview { policies: Some(names.iter().map(policy).collect()), ..Overview::from("vc-1") }
}

pub(super) fn check(compatible: bool) -> PolicyCheck {
    if compatible {
        PolicyCheck::Compatible { hosts: None }
    } else {
        PolicyCheck::Incompatible { why: "it does not match".to_owned() }
    }
}

/// Nova's `thin` is a flat file as `preallocated` is.
pub(super) fn disk_type(word: &str) -> DiskType {
    match word {
        "preallocated" | "thin" => DiskType::Flat,
        "sparse" => DiskType::Sparse,
        "streamOptimized" => DiskType::StreamOptimized,
        other => panic!("no disk type is called {other}"),
    }
}

/// Where everything is that says nothing else.
pub(super) const DATACENTER: &str = "DC0";

pub(super) fn seen_by(vector: &Vector) -> Inventory {
    let compute = compute_of(vector);
    // What Nova has seen so far is one datastore more.
    let rows = vector.datastores.iter().chain(&vector.request.current_best);
    let datastores = rows.map(|row| seen(vector, row, &compute)).collect();
    Inventory::new(with_policies(&[POLICY]), compute, datastores)
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
    let matches = vector.request.policy_matches.as_ref().is_none_or(|all| all.contains(&row.id));
    // Cinder asks PBM only about what is left: of the others nothing is said, and so nothing is held against them.
    let asked_about = vector.expected["policyAskedFor"].as_array();
    let unasked = asked_about.is_some_and(|all| !all.iter().any(|id| *id == row.id.as_str()));
    let read = Datastore {
        policies: [(POLICY.to_owned(), check(matches || unasked))].into(),
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
    if vector.request.current_datastore.is_some() {
        // Only the ids matter.
        return Datastore {
            mounts: read.mounts,
            datacenter: read.datacenter,
            ..datastore(&row.id, &row.id, "VMFS")
        };
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
