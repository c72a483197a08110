//! Generated recordings: everything that the adapter can make of a vCenter, with names that cannot be overlooked.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::placement::{Bytes, Cluster, Compute, Datacenter, Host};

/// Is in every name, folder, url, address and identity, and in nothing else.
pub(super) const MARK: &str = "Zorg";

/// More than a word of a host set.
const MOST_HOSTS: usize = 70;

/// So few that some are equal, and some not shown.
fn name() -> impl Strategy<Value = String> {
    let some = r#"[/a%"\\ é]{0,2}"#.prop_map(|rest| format!("{MARK}{rest}"));
    prop_oneof![9 => some, 1 => Just(String::new())]
}

/// Where an object is, in folders; not shown, or not as vCenter would say it.
fn path(above: &str, folder: Option<String>, name: &str, kind: u8) -> String {
    let name = name.replace('/', "%2f");
    match (kind, folder) {
        (0, _) => String::new(),
        (1, folder) => format!("{}/{MARK}", folder.unwrap_or_default()),
        (_, Some(folder)) => format!("{above}/{}/{name}", folder.replace('/', "%2f")),
        (_, None) => format!("{above}/{name}"),
    }
}

type Place = (String, Option<String>, u8);

fn place() -> impl Strategy<Value = Place> {
    (name(), option::of(name()), 0_u8..12)
}

type HostParts = (Place, Option<Index>, Option<Index>, bool);

fn compute_of(datacenters: Vec<Place>, clusters: Vec<(Place, Index)>, hosts: Vec<HostParts>) -> Compute {
    let moref = |kind: &str, number: usize| MoRef(format!("{kind}-{number}"));
    let datacenters: Vec<_> = datacenters
        .into_iter()
        .zip(0..)
        .map(|((name, folder, kind), n)| Datacenter {
            moref: moref("datacenter", n),
            path: path("", folder, &name, kind),
            name,
        })
        .collect();
    let clusters: Vec<_> = clusters
        .into_iter()
        .zip(0..)
        .map(|(((name, folder, kind), above), n)| {
            let above = if datacenters.is_empty() { "" } else { &above.get(&datacenters).path };
            let path = path(&format!("{above}/host"), folder, &name, kind);
            Cluster { moref: moref("domain-c", n), path, name }
        })
        .collect();
    let hosts = hosts.into_iter().zip(0..).map(|(((name, folder, kind), cluster, datacenter, away), n)| {
        let cluster = cluster.filter(|_| !clusters.is_empty()).map(|index| index.get(&clusters));
        let datacenter = datacenter.filter(|_| !datacenters.is_empty()).map(|index| index.get(&datacenters));
        let above = cluster.map_or("/host", |cluster| cluster.path.as_str());
        Host {
            moref: moref("host", n),
            path: path(above, folder, &name, kind),
            name,
            cluster: cluster.map(|one| one.moref.clone()),
            datacenter: datacenter.map(|one| one.moref.clone()),
            in_maintenance: away,
        }
    });
    let hosts = hosts.collect();
    Compute::new(datacenters, clusters, hosts)
}

fn compute() -> impl Strategy<Value = Compute> {
    let clusters = vec((place(), any::<Index>()), 0..4);
    let host = || {
        (
            place(),
            option::weighted(0.9, any::<Index>()),
            option::weighted(0.9, any::<Index>()),
            prop::bool::weighted(0.2),
        )
    };
    let hosts = prop_oneof![4 => vec(host(), 0..6), 1 => vec(host(), 60..MOST_HOSTS)];
    (vec(place(), 0..3), clusters, hosts)
        .prop_map(|(datacenters, clusters, hosts)| compute_of(datacenters, clusters, hosts))
}

/// Around the sizes that are asked for, and at the edges.
fn size() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        8 => (0..4_u64).prop_map(|some| Some(some * 20 * GIB)),
        1 => select(vec![Some(0), Some(1), Some(Bytes::MAX.get())]),
        1 => Just(None),
    ]
}

fn property<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Property<T>> {
    prop_oneof![2 => Just(Property::Absent), 1 => Just(Property::Withheld), 2 => value.prop_map(Property::Known)]
}

/// Whatever vCenter can say of one.
fn any_datastore() -> impl Strategy<Value = Datastore> {
    let kinds = vec![Some("VMFS"), Some("NFS"), Some("vsan"), Some("VVOL"), Some("new"), None];
    let modes = vec![None, Some("normal"), Some("inMaintenance")];
    let flag = || select(vec![Some(true), Some(false), None]);
    (
        (select(kinds), select(modes), flag(), flag()),
        (size(), size(), size()),
        (property((0..100_u64).prop_map(|gib| gib * GIB)), property(any::<bool>())),
        option::of(any::<i64>()),
    )
        .prop_map(
            |((kind, mode, accessible, shared), (capacity, free, uncommitted), (most, thin), nanos)| {
                Datastore {
                    kind: kind.map(Into::into),
                    maintenance_mode: mode.map(Into::into),
                    accessible,
                    multiple_host_access: shared,
                    capacity,
                    free,
                    uncommitted,
                    max_virtual_disk: most,
                    thin_provisioning: thin,
                    figures_time: nanos.map(|n| jiff::Timestamp::from_nanosecond(n.into()).unwrap()),
                    ..datastore("", "", "")
                }
            },
        )
}

/// One that is likely to be eligible, and as good as others.
fn good_datastore() -> impl Strategy<Value = Datastore> {
    let good = |free| Datastore { free: Some(free * 20 * GIB), ..datastore("", "", "VMFS") };
    (1..4_u64).prop_map(good)
}

fn mounts() -> impl Strategy<Value = Option<Vec<Mount>>> {
    let mount = || {
        let other = select(vec![Mount::ReadOnly, Mount::Inaccessible, Mount::Unmounted]);
        prop_oneof![1 => Just(Mount::Usable), 1 => other]
    };
    prop_oneof![3 => Just(Some(vec![Mount::Usable; MOST_HOSTS])), 1 => option::of(vec(mount(), MOST_HOSTS))]
}

/// A datastore with its number, and what is numbered by the inventory.
#[derive(Clone, Debug)]
struct Parts {
    datastore: Datastore,
    number: u16,
    datacenter: Option<Index>,
    mounts: Option<Vec<Mount>>,
    cluster: Property<Index>,
    /// Whether they are compatible, and hosts.
    checks: Vec<(Index, bool, Option<Vec<usize>>)>,
    endpoints: Option<Vec<usize>>,
}

fn parts() -> impl Strategy<Value = Parts> {
    let url = prop_oneof![1 => Just(String::new()), 2 => "[a-d]".prop_map(|v| format!("ds:///{MARK}/{v}/"))];
    let datastore = prop_oneof![1 => any_datastore(), 2 => good_datastore()];
    let some_hosts = || option::of(vec(0..MOST_HOSTS, 0..4));
    let tag = || (name(), name()).prop_map(|(category, name)| Tag { category, name });
    let status = select(vec![AlarmStatus::Yellow, AlarmStatus::Red]);
    let alarm = (name(), status).prop_map(|(name, status)| Alarm { name, status });
    let privilege = select(vec!["Datastore.AllocateSpace", "System.Read"]).prop_map(str::to_owned);
    (
        (datastore, name(), url, 0..200_u16),
        (option::weighted(0.9, any::<Index>()), mounts(), property(any::<Index>())),
        (vec((any::<Index>(), any::<bool>(), some_hosts()), 0..3), some_hosts()),
        (
            option::of(btree_set(tag(), 0..3)),
            option::of(btree_map(name(), name(), 0..3)),
            option::of(btree_set(alarm, 0..3)),
        ),
        (btree_map(privilege, any::<bool>(), 0..3), btree_map(name(), any::<bool>(), 0..3)),
    )
        .prop_map(
            |(own, (datacenter, mounts, cluster), (checks, endpoints), marks, (privileges, arrays))| {
                let (datastore, name, url, number) = own;
                let (tags, custom_attributes, alarms) = marks;
                let datastore =
                    Datastore { name, url, tags, custom_attributes, alarms, privileges, arrays, ..datastore };
                Parts { datastore, number, datacenter, mounts, cluster, checks, endpoints }
            },
        )
}

/// Policies and datastore clusters, as far as they are read.
fn overview() -> impl Strategy<Value = Overview> {
    let policies = vec(name(), 0..4).prop_map(|names| {
        let policy = |(name, n)| StoragePolicy { id: format!("{MARK}-id-{n}"), name };
        names.into_iter().zip(0..).map(policy).collect()
    });
    let clusters = vec(place(), 0..3).prop_map(|places| {
        let cluster = |((name, folder, kind), n): (Place, u8)| DatastoreCluster {
            moref: MoRef(format!("group-p{n}")),
            path: path("/datastore", folder, &name, kind),
            name,
        };
        places.into_iter().zip(0..).map(cluster).collect()
    });
    let version = select(vec!["", "8.0.3", "9.0"]);
    (version, option::of(policies), option::of(clusters), option::of(name())).prop_map(
        |(version, policies, datastore_clusters, consumer)| Overview {
            instance_uuid: format!("{MARK}-{UUID}"),
            version: version.to_owned(),
            policies,
            datastore_clusters,
            consumer,
        },
    )
}

fn placed(parts: Parts, compute: &Compute, overview: &Overview) -> Datastore {
    let hosts = |some: Vec<usize>| some.into_iter().filter(|host| *host < compute.hosts().len()).collect();
    let policies = overview.policies.as_deref().unwrap_or_default();
    let checks = parts.checks.into_iter().filter(|_| !policies.is_empty()).map(|(policy, fits, on)| {
        let check = if fits {
            PolicyCheck::Compatible { hosts: on.map(hosts) }
        } else {
            PolicyCheck::Incompatible { why: format!("{MARK} is full") }
        };
        (policy.get(policies).id.clone(), check)
    });
    let clusters = overview.datastore_clusters.as_deref();
    Datastore {
        moref: MoRef(format!("datastore-{}", parts.number)),
        datacenter: parts
            .datacenter
            .filter(|_| !compute.datacenters().is_empty())
            .map(|index| index.get(compute.datacenters()).moref.clone()),
        mounts: parts
            .mounts
            .map_or(Mounts::Missing, |mounts| Mounts::Read((0..compute.hosts().len()).zip(mounts).collect())),
        policies: checks.collect(),
        endpoints: parts.endpoints.map(hosts),
        datastore_cluster: match (clusters, parts.cluster) {
            (None, _) | (_, Property::Withheld) => Property::Withheld,
            (Some(all), Property::Known(index)) if !all.is_empty() => {
                Property::Known(index.get(all).moref.clone())
            }
            (Some(_), _) => Property::Absent,
        },
        ..parts.datastore
    }
}

pub(super) fn one() -> impl Strategy<Value = Recording> {
    (compute(), vec(parts(), 0..12), overview()).prop_map(|(compute, datastores, overview)| {
        let datastores = datastores.into_iter().map(|parts| placed(parts, &compute, &overview)).collect();
        Recording {
            server: format!("https://{}.example.com:8443", MARK.to_lowercase()),
            inventory: Inventory::new(overview, compute, datastores),
        }
    })
}
