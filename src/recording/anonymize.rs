//! The same inventory under other names, to be shown to others. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::Recording;
use crate::placement::{
    Alarm, Cluster, Compute, Datacenter, Datastore, DatastoreCluster, Host, Inventory, Overview, PolicyCheck,
    StoragePolicy, Tag,
};

/// Makes identities of what must not be known. All of it is mixed with the vCenter's own identity, which is random
/// and shown to nobody, so that no guess can be confirmed.
const NAMESPACE: Uuid = Uuid::from_u128(0x6a1d_3f52_9b0e_4c77_8a54_1f0c_92d7_e6b3);

/// The folder of hosts and clusters that every datacenter has. It says nothing of a vCenter.
const HOST_FOLDER: &str = "host";

impl Recording {
    /// Replaces every name, path and url, and the vCenter's address and identity. Equal ones stay equal, different
    /// ones different, and names keep their order: two datastores of one volume are still of one, and whatever is
    /// decided without naming anything is decided as before. References such as `datastore-42`, types, versions and
    /// figures stay.
    ///
    /// The same vCenter always gets the same address, identity and urls. A volume that two vCenters show becomes
    /// two: what they are made of could be guessed otherwise.
    #[must_use]
    pub fn anonymized(&self) -> Self {
        let (compute, datastores) = (self.inventory.compute(), self.inventory.datastores());
        let datacenters = Names::of("datacenter", compute.datacenters().iter().map(|one| &one.name));
        let clusters = Names::of("cluster", compute.clusters().iter().map(|one| &one.name));
        let hosts = Names::of("host", compute.hosts().iter().map(|one| &one.name));
        let names = Names::of("datastore", datastores.iter().map(|one| &one.name));
        let storage = Storage::of(&self.inventory);
        let paths = Paths::of(&self.inventory, [&datacenters, &clusters, &hosts, &storage.clusters]);
        let anonymous = Compute::new(
            compute
                .datacenters()
                .iter()
                .map(|one| Datacenter {
                    moref: one.moref.clone(),
                    name: datacenters.instead_of(&one.name),
                    path: paths.instead_of(&one.path),
                })
                .collect(),
            compute
                .clusters()
                .iter()
                .map(|one| Cluster {
                    moref: one.moref.clone(),
                    name: clusters.instead_of(&one.name),
                    path: paths.instead_of(&one.path),
                })
                .collect(),
            compute
                .hosts()
                .iter()
                .map(|one| Host {
                    name: hosts.instead_of(&one.name),
                    path: paths.instead_of(&one.path),
                    ..one.clone()
                })
                .collect(),
        );
        let own = &self.inventory.instance_uuid;
        let datastores = datastores.iter().map(|one| Datastore {
            name: names.instead_of(&one.name),
            url: match one.url.as_str() {
                "" => String::new(),
                url => format!("ds:///vmfs/volumes/{}/", identity(&[own, url])),
            },
            tags: one.tags.as_ref().map(|all| all.iter().map(|tag| storage.tag(tag)).collect()),
            custom_attributes: one.custom_attributes.as_ref().map(|all| {
                let attribute = |(name, value): (&String, &String)| {
                    (storage.attributes.instead_of(name), storage.values.instead_of(value))
                };
                all.iter().map(attribute).collect()
            }),
            alarms: one.alarms.as_ref().map(|all| {
                let alarm =
                    |one: &Alarm| Alarm { name: storage.alarms.instead_of(&one.name), status: one.status };
                all.iter().map(alarm).collect()
            }),
            policies: one.policies.iter().map(|(id, check)| storage.policy_check(id, check)).collect(),
            arrays: one.arrays.iter().map(|(id, active)| (storage.arrays.instead_of(id), *active)).collect(),
            ..one.clone()
        });
        let identity = identity(&[own]);
        Self {
            server: format!("https://vcenter-{:08x}.invalid", identity.as_fields().0),
            inventory: Inventory::new(
                Overview {
                    instance_uuid: identity.to_string(),
                    version: self.inventory.vcenter_version.clone(),
                    policies: self.inventory.policies().map(|all| {
                        let policy = |one: &StoragePolicy| StoragePolicy {
                            id: storage.policy_ids.instead_of(&one.id),
                            name: storage.policies.instead_of(&one.name),
                        };
                        all.iter().map(policy).collect()
                    }),
                    datastore_clusters: self.inventory.datastore_clusters().map(|all| {
                        let cluster = |one: &DatastoreCluster| DatastoreCluster {
                            moref: one.moref.clone(),
                            name: storage.clusters.instead_of(&one.name),
                            path: paths.instead_of(&one.path),
                        };
                        all.iter().map(cluster).collect()
                    }),
                    consumer: self.inventory.consumer().map(|_| "consumer".to_owned()),
                },
                anonymous,
                datastores.collect(),
            ),
        }
    }
}

fn identity(of: &[&str]) -> Uuid {
    Uuid::new_v5(&NAMESPACE, of.join("\n").as_bytes())
}

/// What stands for each of some texts: a word with numbers of one length, in the order of the texts.
struct Names<'a>(BTreeMap<&'a str, String>);

impl<'a> Names<'a> {
    fn of(word: &str, texts: impl IntoIterator<Item = &'a (impl AsRef<str> + ?Sized + 'a)>) -> Self {
        let texts = texts.into_iter().map(AsRef::as_ref).filter(|text| !text.is_empty());
        let texts: BTreeSet<&str> = texts.collect();
        let width = texts.len().to_string().len();
        let numbered = texts.into_iter().zip(1_usize..);
        Self(numbered.map(|(text, number)| (text, format!("{word}-{number:0width$}"))).collect())
    }

    /// A text that is empty, because vCenter did not show it, stays so.
    fn instead_of(&self, text: &str) -> String {
        self.0.get(text).cloned().unwrap_or_default()
    }
}

/// What stands for the names that storage is described by. Privileges are vSphere's own words.
struct Storage<'a> {
    clusters: Names<'a>,
    policies: Names<'a>,
    policy_ids: Names<'a>,
    categories: Names<'a>,
    tags: Names<'a>,
    attributes: Names<'a>,
    values: Names<'a>,
    alarms: Names<'a>,
    arrays: Names<'a>,
}

impl<'a> Storage<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let all = inventory.datastores();
        let (clusters, policies) = (inventory.datastore_clusters(), inventory.policies());
        let (clusters, policies) = (clusters.unwrap_or_default(), policies.unwrap_or_default());
        let tags = || all.iter().flat_map(|one| one.tags.iter().flatten());
        let attributes = || all.iter().flat_map(|one| one.custom_attributes.iter().flatten());
        Self {
            clusters: Names::of("datastore-cluster", clusters.iter().map(|one| &one.name)),
            policies: Names::of("policy", policies.iter().map(|one| &one.name)),
            policy_ids: Names::of("policy-id", policies.iter().map(|one| &one.id)),
            categories: Names::of("category", tags().map(|tag| &tag.category)),
            tags: Names::of("tag", tags().map(|tag| &tag.name)),
            attributes: Names::of("attribute", attributes().map(|(name, _)| name)),
            values: Names::of("value", attributes().map(|(_, value)| value)),
            alarms: Names::of(
                "alarm",
                all.iter().flat_map(|one| one.alarms.iter().flatten()).map(|one| &one.name),
            ),
            arrays: Names::of("array", all.iter().flat_map(|one| one.arrays.keys())),
        }
    }

    fn tag(&self, tag: &Tag) -> Tag {
        Tag { category: self.categories.instead_of(&tag.category), name: self.tags.instead_of(&tag.name) }
    }

    /// PBM's text names what it is about.
    fn policy_check(&self, id: &str, check: &PolicyCheck) -> (String, PolicyCheck) {
        let check = match check {
            PolicyCheck::Compatible { .. } => check.clone(),
            PolicyCheck::Incompatible { .. } => PolicyCheck::Incompatible { why: "incompatible".to_owned() },
        };
        (self.policy_ids.instead_of(id), check)
    }
}

/// Inventory paths, level by level: what is among the inventory's objects has their names, and the folders between
/// get names of their own.
struct Paths<'a> {
    objects: BTreeMap<&'a str, String>,
    folders: Names<'a>,
}

impl<'a> Paths<'a> {
    fn of(inventory: &'a Inventory, [datacenters, clusters, hosts, stores]: [&Names; 4]) -> Self {
        let compute = inventory.compute();
        let stores = inventory
            .datastore_clusters()
            .unwrap_or_default()
            .iter()
            .map(|one| (&one.path, &one.name, stores));
        let datacenters = compute.datacenters().iter().map(|one| (&one.path, &one.name, datacenters));
        let clusters = compute.clusters().iter().map(|one| (&one.path, &one.name, clusters));
        let hosts = compute.hosts().iter().map(|one| (&one.path, &one.name, hosts));
        let all = || datacenters.clone().chain(clusters.clone()).chain(hosts.clone()).chain(stores.clone());
        let own = all().filter(|(path, name, _)| last_level(path) == name.replace('/', "%2f"));
        let objects: BTreeMap<_, _> =
            own.map(|(path, name, names)| (path.as_str(), names.instead_of(name))).collect();
        let levels = all().flat_map(|(path, ..)| levels(path));
        let folders = levels.filter(|level| !objects.contains_key(level)).map(last_level);
        let mut folders = Names::of("folder", folders.filter(|folder| *folder != HOST_FOLDER));
        folders.0.insert(HOST_FOLDER, HOST_FOLDER.to_owned());
        Self { objects, folders }
    }

    fn instead_of(&self, path: &str) -> String {
        let names = levels(path).map(|level| match self.objects.get(level) {
            Some(name) => name.clone(),
            None => self.folders.instead_of(last_level(level)),
        });
        names.collect::<Vec<_>>().join("/")
    }
}

/// `""`, `/DC0`, `/DC0/host` of `/DC0/host`.
fn levels(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
    ends.map(|end| path.get(..end).unwrap_or_default())
}

fn last_level(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
