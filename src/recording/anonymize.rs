//! The same inventory under other names, to be shown to others. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::Recording;
use crate::placement::{Cluster, Compute, Datacenter, Datastore, Host, Inventory};

/// For the identity of an anonymous vCenter: what it is made of cannot be found from it.
const NAMESPACE: Uuid = Uuid::from_u128(0x6a1d_3f52_9b0e_4c77_8a54_1f0c_92d7_e6b3);

/// Stands for the address.
const SERVER: &str = "https://vcenter.invalid";

impl Recording {
    /// Replaces every name, path and url, and the vCenter's address and identity. Equal ones stay equal, different
    /// ones different, and names keep their order: two datastores of one volume are still of one, and whatever is
    /// decided without naming anything is decided as before. References such as `datastore-42`, types and figures
    /// stay.
    #[must_use]
    pub fn anonymized(&self) -> Self {
        let (compute, all) = (self.inventory.compute(), self.inventory.datastores());
        let datacenters = Names::of("dc-", compute.datacenters().iter().map(|one| one.name.as_str()));
        let clusters = Names::of("cluster-", compute.clusters().iter().map(|one| one.name.as_str()));
        let hosts = Names::of("host-", compute.hosts().iter().map(|one| one.name.as_str()));
        let datacenter_paths = Names::of("/dc-", compute.datacenters().iter().map(|one| one.path.as_str()));
        let cluster_paths =
            Names::of("/dc/host/cluster-", compute.clusters().iter().map(|one| one.path.as_str()));
        let host_paths =
            Names::of("/dc/host/cluster/host-", compute.hosts().iter().map(|one| one.path.as_str()));
        let anonymous = Compute::new(
            compute
                .datacenters()
                .iter()
                .map(|one| Datacenter {
                    moref: one.moref.clone(),
                    name: datacenters.instead_of(&one.name),
                    path: datacenter_paths.instead_of(&one.path),
                })
                .collect(),
            compute
                .clusters()
                .iter()
                .map(|one| Cluster {
                    moref: one.moref.clone(),
                    name: clusters.instead_of(&one.name),
                    path: cluster_paths.instead_of(&one.path),
                })
                .collect(),
            compute
                .hosts()
                .iter()
                .map(|one| Host {
                    name: hosts.instead_of(&one.name),
                    path: host_paths.instead_of(&one.path),
                    ..one.clone()
                })
                .collect(),
        );
        let names = Names::of("datastore-", all.iter().map(|one| one.name.as_str()));
        let urls = Names::of("ds:///vmfs/volumes/volume-", all.iter().map(|one| one.url.as_str()));
        let datastores = all.iter().map(|one| Datastore {
            name: names.instead_of(&one.name),
            url: urls.instead_of(&one.url),
            ..one.clone()
        });
        let identity = Uuid::new_v5(&NAMESPACE, self.inventory.instance_uuid.as_bytes()).to_string();
        Self {
            server: SERVER.to_owned(),
            version: self.version.clone(),
            inventory: Inventory::new(identity, anonymous, datastores.collect()),
        }
    }
}

/// What stands for each of some texts: numbers of one length, in the order of the texts.
struct Names<'a>(BTreeMap<&'a str, String>);

impl<'a> Names<'a> {
    /// An absent text stays absent.
    fn of(before: &str, texts: impl Iterator<Item = &'a str>) -> Self {
        let texts: BTreeSet<&str> = texts.filter(|text| !text.is_empty()).collect();
        let width = texts.len().to_string().len();
        let numbered = texts.into_iter().zip(1_usize..);
        Self(numbered.map(|(text, number)| (text, format!("{before}{number:0width$}"))).collect())
    }

    fn instead_of(&self, text: &str) -> String {
        self.0.get(text).cloned().unwrap_or_default()
    }
}
