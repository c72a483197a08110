//! Generated worlds: what the oracle reads in plain words, and the same as the decision takes it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::oracle::{Conditions, HOSTS, Mark, Names, Seen, Where, Wish, World};
use super::*;
use crate::api::{
    DiskType, HostAccess, ImageTransfer, Provisioning, Sharing, Strategy as Strategy_, WhenUnsatisfiable,
};
use crate::placement::inventory::Property::{Absent, Known, Withheld};

fn sizes() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => 1_u64..=24,
        6 => (1_u64..=24).prop_map(|n| n * MIB / 2),
        1 => (1_u64..=24).prop_map(|n| n * MIB + 1),
        1 => select(vec![Bytes::MAX.get(), Bytes::MAX.get() / 2 + 1]),
    ]
}

/// Figures of datastores: around the sizes, and at the edges.
fn figure() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        12 => (0_u64..=64).prop_map(|n| Some(n * MIB / 2)),
        2 => (0_u64..=64).prop_map(Some),
        2 => select(vec![Some(Bytes::MAX.get()), Some(u64::MAX)]),
        1 => Just(None),
    ]
}

/// Mostly of the same grain as sizes and figures, so that sums often meet a limit exactly.
fn promise() -> impl Strategy<Value = u64> {
    prop_oneof![4 => (0_u64..8).prop_map(|n| n * MIB / 2), 1 => 0_u64..8 * MIB]
}

fn kinds() -> impl Strategy<Value = Option<String>> {
    let known = vec!["VMFS", "vmfs", "NFS", "NFS41", "vsan", "VSAN", "VVOL", "vvol", "vsanD", "PMEM"];
    prop_oneof![20 => select(known).prop_map(|kind| Some(kind.to_owned())), 1 => Just(None)]
}

pub(super) fn one_datastore() -> impl Strategy<Value = Seen> {
    (plain_datastore(), services()).prop_map(|(seen, services)| Seen {
        datastore: Datastore {
            datastore_cluster: services.datastore_cluster,
            tags: services.tags,
            custom_attributes: services.custom_attributes,
            alarms: services.alarms,
            policies: services.policies,
            privileges: services.privileges,
            arrays: services.arrays,
            endpoints: services.endpoints,
            ..seen.datastore
        },
        ..seen
    })
}

pub(super) fn tag(name: &str) -> Tag {
    Tag { category: "tier".into(), name: name.into() }
}

/// The names that have a value, with it.
fn named<T, const N: usize>(names: [&str; N], values: [Option<T>; N]) -> BTreeMap<String, T> {
    names.into_iter().zip(values).filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// A datastore of which only that counts which vCenter's services say.
fn services() -> impl Strategy<Value = Datastore> {
    let pod = |name: &str| Known(MoRef(format!("group-{name}")));
    let pods = select(vec![Absent, Withheld, pod("POD-A"), pod("POD-A"), pod("POD-B")]);
    let alarm = |status| Alarm { name: "usage".into(), status };
    let (red, yellow) = (alarm(AlarmStatus::Red), alarm(AlarmStatus::Yellow));
    let alarms = vec![None, Some(vec![]), Some(vec![]), Some(vec![red]), Some(vec![yellow])];
    let tags = vec![None, Some(vec![]), Some(vec!["fast"]), Some(vec!["fast"]), Some(vec!["fast", "drain"])];
    let attributes = vec![None, Some(vec![]), Some(vec![("drain", "no")]), Some(vec![("drain", "yes")])];
    let hosts = |all: &[usize]| all.iter().copied().collect::<HostSet>();
    let check = || {
        select(vec![
            None,
            Some(PolicyCheck::Incompatible { why: "it is\nslow".into() }),
            Some(PolicyCheck::Compatible { hosts: None }),
            Some(PolicyCheck::Compatible { hosts: None }),
            Some(PolicyCheck::Compatible { hosts: Some(hosts(&[0, 1])) }),
            Some(PolicyCheck::Compatible { hosts: Some(hosts(&[0, 2, 4])) }),
        ])
    };
    let granted = || select(vec![None, Some(true), Some(true), Some(true), Some(false)]);
    let active = || select(vec![None, None, Some(true), Some(false)]);
    let ends = select(vec![None, None, Some(hosts(&[0, 1, 2, 3, 4])), Some(hosts(&[1])), Some(hosts(&[]))]);
    (
        (pods, select(tags), select(attributes), select(alarms)),
        [check(), check()],
        [granted(), granted()],
        ([active(), active()], ends),
    )
        .prop_map(|((pod, tags, attributes, alarms), checks, granted, (active, endpoints))| Datastore {
            datastore_cluster: pod,
            tags: tags.map(|names| names.into_iter().map(tag).collect()),
            custom_attributes: attributes
                .map(|all| all.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()),
            alarms: alarms.map(|all| all.into_iter().collect()),
            policies: named(["id of gold", "id of silver"], checks),
            privileges: named(["Datastore.AllocateSpace", "Datastore.Browse"], granted),
            arrays: named(["array-1", "array-2"], active),
            endpoints,
            ..datastore("", "", "")
        })
}

fn plain_datastore() -> impl Strategy<Value = Seen> {
    let text = |all: &[&str]| select(all.iter().map(ToString::to_string).collect::<Vec<_>>());
    let mode = select(vec![
        None,
        Some("normal"),
        Some("normal"),
        Some("normal"),
        Some("inMaintenance"),
        Some("Normal"),
    ]);
    let accessible = select(vec![Some(true), Some(true), Some(true), Some(true), Some(false), None]);
    let usable = Some(Mount::Usable);
    let mount = || {
        select(vec![usable, usable, usable, usable, Some(Mount::ReadOnly), Some(Mount::Inaccessible), None])
    };
    let mounts =
        prop_oneof![9 => [mount(), mount(), mount(), mount(), mount()].prop_map(Some), 1 => Just(None)];
    let yes = || select(vec![None, Some(true), Some(true), Some(true), Some(false)]);
    let thin = select(vec![Absent, Withheld, Known(true), Known(true), Known(false)]);
    let most = prop_oneof![
        19 => select(vec![Absent, Absent, Known(0), Known(MIB), Known(3 * MIB)]),
        1 => Just(Withheld),
    ];
    (
        0_u8..20,
        (text(&["a", "a-old", "b", "ab", "b\u{7}old", "a-1"]), select(vec!["DC0", "DC0", "DC1"])),
        kinds(),
        text(&["", "ds:///1/", "ds:///2/", "ds:///3/"]),
        accessible,
        mode,
        (figure(), figure(), prop_oneof![3 => Just(Some(0)), 1 => figure()]),
        (mounts, yes(), thin, most),
    )
        .prop_map(
            |(n, (name, datacenter), kind, url, accessible, mode, figures, (mounts, shared, thin, most))| {
                let (capacity, free, uncommitted) = figures;
                let numbers: Vec<_> =
                    HOSTS.iter().map(|(name, _, _)| MoRef(format!("host-{name}"))).collect();
                let read = mounts.map(|mounts| {
                    let mounts = numbers.iter().zip(mounts).filter_map(|(host, mount)| Some((host, mount?)));
                    topology([false; 5]).mounts(mounts)
                });
                Seen {
                    datacenter,
                    mounts,
                    datastore: Datastore {
                        datacenter: Some(MoRef(format!("datacenter-{datacenter}"))),
                        maintenance_mode: mode.map(str::to_owned),
                        kind,
                        url,
                        accessible,
                        capacity,
                        free,
                        uncommitted,
                        multiple_host_access: shared,
                        thin_provisioning: thin,
                        max_virtual_disk: most,
                        mounts: read.map_or(Mounts::Missing, Mounts::Read),
                        ..datastore(&format!("datastore-{n}"), &name, "")
                    },
                }
            },
        )
}

/// The hosts of [`HOSTS`], some of them in maintenance.
fn topology(away: [bool; 5]) -> Compute {
    let moref = |kind: &str, name: &str| MoRef(format!("{kind}-{name}"));
    let hosts = HOSTS.iter().zip(away).map(|((name, cluster, datacenter), in_maintenance)| Host {
        moref: moref("host", name),
        name: (*name).into(),
        path: String::new(),
        cluster: Some(moref("domain", cluster)),
        datacenter: Some(moref("datacenter", datacenter)),
        in_maintenance,
    });
    let cluster =
        |name: &str| Cluster { moref: moref("domain", name), name: name.into(), path: String::new() };
    let datacenter =
        |name: &str| Datacenter { moref: moref("datacenter", name), name: name.into(), path: String::new() };
    Compute::new(
        ["DC0", "DC1"].map(datacenter).into(),
        ["C0", "C1", "C2"].map(cluster).into(),
        hosts.collect(),
    )
}

fn place() -> impl Strategy<Value = Where> {
    let access =
        vec![None, None, Some(HostAccess::AnyHost), Some(HostAccess::OneCluster), Some(HostAccess::AllHosts)];
    (
        select(vec![None, None, None, None, Some("DC0"), Some("DC1")]),
        select(vec![vec![], vec![], vec![], vec!["C0"], vec!["C1", "C2"]]),
        select(vec![vec![], vec![], vec![], vec![], vec!["h0"], vec!["h1", "h2", "h4"]]),
        select(access),
    )
        .prop_map(|(datacenter, clusters, hosts, access)| Where { datacenter, clusters, hosts, access })
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let types =
        vec![vec![], vec![], vec!["vmfs", "VVOL", "VSAN"], vec!["nfs", "PMEM", "VMFS", "vvol"], vec!["vmfs"]];
    let names =
        || select(vec![Names::Any, Names::Any, Names::Any, Names::StartingWithA, Names::EndingWithOld]);
    (select(types), names(), names()).prop_map(|(types, names, excludes)| Conditions {
        types,
        names,
        excludes,
    })
}

fn disks() -> impl Strategy<Value = World> {
    let disk_type = vec![
        None,
        Some(DiskType::Flat),
        Some(DiskType::Sparse),
        Some(DiskType::StreamOptimized),
        Some(DiskType::Ova),
    ];
    (
        (sizes(), sizes(), 0_u8..3, any::<bool>()),
        prop::collection::vec((sizes(), any::<bool>()), 0..3),
        select(vec![0, 0, 0, 1, MIB]),
        select(disk_type),
    )
        .prop_map(|((image, more, given, root_thick), additional, swap, disk_type)| {
            let root = image.saturating_add(more).min(Bytes::MAX.get() / 4);
            World {
                image: (given != 1).then_some(image.min(Bytes::MAX.get() / 4)),
                root: (given != 0).then_some(root),
                root_thick,
                additional: additional.into_iter().map(|(s, t)| (s.min(Bytes::MAX.get() / 4), t)).collect(),
                swap,
                disk_type,
                ..plain()
            }
        })
}

fn policy() -> impl Strategy<Value = World> {
    let strategies =
        vec![Strategy_::MostFree, Strategy_::LeastUtilized, Strategy_::MostShared, Strategy_::Pack];
    (
        (place(), place(), any::<bool>(), select(strategies)),
        (select(vec![0, 0, 5, -5]), select(vec![vec![], vec!["b"], vec!["DC1/a", "datastore-3"]])),
        (select(vec![0_u32, 0, 10, 33, 100]), select(vec![0_u64, 0, 1, MIB, 5 * MIB])),
        (
            select(vec![Some(100), Some(100), Some(150), Some(33), None]),
            select(vec![None, None, Some(150), Some(33)]),
        ),
        (select(vec![0, 0, MIB]), select(vec![MIB, MIB, 4 * MIB])),
        select(vec![ImageTransfer::Import, ImageTransfer::DirectUpload, ImageTransfer::NovaDriver]),
        (any::<bool>(), select(vec![vec![], vec![], vec!["ds:///1/", "vc-1/datastore-1"]])),
    )
        .prop_map(
            |(
                places,
                (weight, preferred),
                (percent, headroom),
                space,
                (per_instance, minimum),
                transfer,
                spread,
            )| {
                let (class_where, ask_where, any_sharing, strategy) = places;
                World {
                    class_where,
                    ask_where,
                    any_sharing,
                    strategy,
                    weight,
                    preferred: preferred.into_iter().map(str::to_owned).collect(),
                    percent,
                    headroom,
                    oversubscription: space.0,
                    nfs_factor: space.1,
                    per_instance,
                    minimum,
                    transfer,
                    do_not_place: spread.0,
                    taken: spread.1.into_iter().map(str::to_owned).collect(),
                    ..plain()
                }
            },
        )
}

fn wish() -> impl Strategy<Value = Wish> {
    (
        select(vec![None, None, None, Some("gold"), Some("silver")]),
        select(vec![None, None, None, None, Some("POD-A"), Some("POD-B")]),
        select(vec![vec![], vec![], vec![], vec!["fast"], vec!["fast", "drain"]]),
    )
        .prop_map(|(policy, pod, tags)| Wish { policy, pod, tags })
}

fn storage() -> impl Strategy<Value = World> {
    let marks =
        vec![vec![], vec![], vec![Mark::Attribute], vec![Mark::Tag], vec![Mark::Attribute, Mark::Tag]];
    let privileges =
        vec![vec![], vec!["Datastore.AllocateSpace"], vec!["Datastore.AllocateSpace", "Datastore.Browse"]];
    let consumer = select(privileges).prop_map(|privileges| Some(("VSPHERE.LOCAL\\builder", privileges)));
    let read = || select(vec![true, true, true, true, true, true, true, false]);
    let known = vec![
        None,
        Some("vsphere.local\\Builder"),
        Some("vsphere.local\\Builder"),
        Some("VSPHERE.LOCAL\\other"),
    ];
    (
        (wish(), wish()),
        select(marks),
        select(vec![None, None, Some(AlarmStatus::Red), Some(AlarmStatus::Yellow)]),
        prop_oneof![2 => Just(None), 1 => consumer],
        (read(), read(), select(known)),
    )
        .prop_map(|((class_wish, ask_wish), marks, alarms, consumer, read)| World {
            class_wish,
            ask_wish,
            marks,
            alarms,
            consumer,
            policies_read: read.0,
            pods_read: read.1,
            known_consumer: read.2,
            ..plain()
        })
}

/// Nothing is there and nothing is asked.
fn plain() -> World {
    let anything = || Conditions { types: vec![], names: Names::Any, excludes: Names::Any };
    let anywhere = || Where { datacenter: None, clusters: vec![], hosts: vec![], access: None };
    World {
        datastores: vec![],
        away: [false; 5],
        claims: vec![],
        own: None,
        image: None,
        root: None,
        root_thick: false,
        additional: vec![],
        swap: 0,
        disk_type: None,
        limits: anything(),
        class: anything(),
        ask: anything(),
        class_where: anywhere(),
        ask_where: anywhere(),
        any_sharing: false,
        strategy: Strategy_::MostFree,
        weight: 0,
        preferred: vec![],
        percent: 0,
        headroom: 0,
        oversubscription: Some(100),
        nfs_factor: None,
        per_instance: 0,
        minimum: MIB,
        transfer: ImageTransfer::Import,
        do_not_place: false,
        taken: vec![],
        class_wish: Wish::default(),
        ask_wish: Wish::default(),
        marks: vec![],
        alarms: None,
        consumer: None,
        policies_read: false,
        pods_read: false,
        known_consumer: None,
        instance: None,
    }
}

pub(super) fn world() -> impl Strategy<Value = World> {
    let claims = (select(vec!["ds:///1/", "ds:///2/", "vc-1/datastore-1"]), promise(), promise())
        .prop_map(|(url, bytes, now)| (url.to_owned(), bytes, now));
    // Most worlds differ from a plain one in disks or in policy: all at once would leave little eligible.
    let asks = prop_oneof![
        2 => (disks(), Just(plain())),
        2 => (disks(), policy()),
        2 => (disks(), storage()),
    ];
    let instance = (0_u8..20, figure(), figure()).prop_map(|(n, committed, uncommitted)| {
        Some((format!("datastore-{n}"), committed.unwrap_or(0), uncommitted.unwrap_or(0)))
    });
    let away = || select(vec![false, false, false, true]);
    (
        prop::collection::vec(one_datastore(), 0..16),
        [away(), away(), away(), away(), away()],
        prop::collection::vec(claims, 0..5),
        asks,
        (conditions(), conditions(), conditions()),
        (any::<Option<Index>>(), prop_oneof![2 => Just(None), 1 => instance]),
    )
        .prop_map(
            |(datastores, away, claims, (disks, policy), (limits, class, ask), (own, instance))| World {
                instance,
                own: own.filter(|_| !claims.is_empty()).map(|own| own.index(claims.len())),
                datastores: once_each(datastores),
                away,
                claims,
                limits,
                class,
                ask,
                image: disks.image,
                root: disks.root,
                root_thick: disks.root_thick,
                additional: disks.additional,
                swap: disks.swap,
                disk_type: disks.disk_type,
                ..policy
            },
        )
}

/// Of several with one moRef the first is the one that an inventory keeps.
fn once_each(mut datastores: Vec<Seen>) -> Vec<Seen> {
    datastores.sort_by(|a, b| a.datastore.moref.cmp(&b.datastore.moref));
    datastores.dedup_by(|later, first| later.datastore.moref == first.datastore.moref);
    datastores
}

fn parsed(conditions: &Conditions) -> Selector {
    selector(&conditions.types, conditions.names.pattern(), conditions.excludes.pattern())
}

fn scope(place: &Where) -> ScopeAsk {
    let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    ScopeAsk {
        datacenter: place.datacenter.map(str::to_owned),
        clusters: owned(&place.clusters),
        hosts: owned(&place.hosts),
        access: place.access,
    }
}

fn storage_ask(wish: &Wish) -> StorageAsk {
    StorageAsk {
        policy: wish.policy.map(str::to_owned),
        datastore_cluster: wish.pod.map(str::to_owned),
        tags: wish.tags.iter().map(|name| tag(name)).collect(),
    }
}

fn guards(w: &World) -> Guards {
    let mark = |mark: &Mark| match mark {
        Mark::Attribute => SuspendMark::CustomAttribute { name: "drain".into(), value: "yes".into() },
        Mark::Tag => SuspendMark::Tag(tag("drain")),
    };
    Guards {
        suspend_marks: w.marks.iter().map(mark).collect(),
        alarms: w.alarms,
        consumer: w.consumer.as_ref().map(|(user, privileges)| Consumer {
            user: (*user).to_owned(),
            privileges: privileges.iter().map(ToString::to_string).collect(),
        }),
    }
}

fn overview(w: &World) -> Overview {
    let policy = |name: &str| StoragePolicy { id: format!("id of {name}"), name: name.to_owned() };
    let pod = |name: &str| DatastoreCluster {
        moref: MoRef(format!("group-{name}")),
        name: name.to_owned(),
        path: String::new(),
    };
    Overview {
        policies: w.policies_read.then(|| ["gold", "silver"].map(policy).into()),
        datastore_clusters: w.pods_read.then(|| ["POD-A", "POD-B"].map(pod).into()),
        consumer: w.known_consumer.map(str::to_owned),
        ..Overview::from("vc-1")
    }
}

pub(super) fn compile(w: &World) -> (Request, Ledger) {
    let text = |size: Option<u64>| size.map(|size| size.to_string());
    let provisioning = |thick| if thick { Provisioning::Thick } else { Provisioning::Thin };
    let class = ClassRules {
        compute: scope(&w.class_where),
        datastores: parsed(&w.class),
        storage: storage_ask(&w.class_wish),
        sharing: if w.any_sharing { Sharing::Any } else { Sharing::Shared },
        strategy: w.strategy,
        weights: vec![(Patterns::default().intern("a.*").unwrap(), w.weight)],
        headroom_percent: w.percent,
        headroom: w.headroom,
        oversubscription: w.oversubscription,
        space_factors: w.nfs_factor.map(|percent| (vec!["nfs".to_owned()], percent)).into_iter().collect(),
        per_instance: w.per_instance,
        minimum_vvol_disk: bytes(w.minimum),
        image_transfer: w.transfer,
        ..ClassRules::default()
    };
    let additional = w.additional.iter().map(|(size, thick)| AdditionalDisk {
        name: "more".into(),
        size: DiskSize { bytes: bytes(*size), decimal: None },
        provisioning: provisioning(*thick),
    });
    let when_unsatisfiable =
        if w.do_not_place { WhenUnsatisfiable::DoNotPlace } else { WhenUnsatisfiable::PlaceAnyway };
    let asked = Ask {
        datastores: parsed(&w.ask),
        storage: storage_ask(&w.ask_wish),
        compute: scope(&w.ask_where),
        disk_type: w.disk_type,
        root_provisioning: provisioning(w.root_thick),
        additional: additional.collect(),
        swap: w.swap,
        preferred: w.preferred.clone(),
        spread: Some(Spread { group: "g".into(), when_unsatisfiable }),
        ..ask(text(w.image).as_deref(), text(w.root).as_deref())
    };
    let claims: Vec<_> = w
        .claims
        .iter()
        .map(|(url, of, now)| OwnClaim {
            backing: Backing(url.clone()),
            claim: Claim { bytes: bytes(*of), immediate: bytes(*now) },
        })
        .collect();
    let mut ledger = Ledger::default();
    for kept in &claims {
        ledger.add(&kept.backing, &kept.claim);
    }
    let own = w.own.map(|n| claims[n].clone());
    let taken = w.taken.iter().cloned().map(Backing).collect();
    let request = Request::compile(&asked, &class, &parsed(&w.limits), own);
    let request = request.spread_from(taken).guarded(guards(w));
    let Some((datastore, committed, uncommitted)) = &w.instance else { return (request, ledger) };
    let usage = Usage { committed: *committed, uncommitted: *uncommitted };
    (request.of_instance(Instance { datastore: MoRef(datastore.clone()), usage }), ledger)
}

pub(super) fn seen_by(w: &World) -> Inventory {
    within(w, w.datastores.iter().map(|seen| seen.datastore.clone()).collect())
}

/// The same world with other datastores.
pub(super) fn within(w: &World, datastores: Vec<Datastore>) -> Inventory {
    Inventory::new(overview(w), topology(w.away), datastores)
}
