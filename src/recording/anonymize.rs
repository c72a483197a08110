//! The same inventory under other names, to be shown to others. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::Recording;
use crate::placement::{Cluster, Compute, Datacenter, Datastore, Host, Inventory};

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
        let paths = Paths::of(compute, [&datacenters, &clusters, &hosts]);
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
            ..one.clone()
        });
        let identity = identity(&[own]);
        Self {
            server: format!("https://vcenter-{:08x}.invalid", identity.as_fields().0),
            version: self.version.clone(),
            inventory: Inventory::new(identity.to_string(), anonymous, datastores.collect()),
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

/// Inventory paths, level by level: what is among the inventory's objects has their names, and the folders between
/// get names of their own.
struct Paths<'a> {
    objects: BTreeMap<&'a str, String>,
    folders: Names<'a>,
}

impl<'a> Paths<'a> {
    fn of(compute: &'a Compute, [datacenters, clusters, hosts]: [&Names; 3]) -> Self {
        let datacenters = compute.datacenters().iter().map(|one| (&one.path, &one.name, datacenters));
        let clusters = compute.clusters().iter().map(|one| (&one.path, &one.name, clusters));
        let hosts = compute.hosts().iter().map(|one| (&one.path, &one.name, hosts));
        let all = || datacenters.clone().chain(clusters.clone()).chain(hosts.clone());
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
