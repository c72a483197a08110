//! The same inventory under other names, to be shown to others. No I/O.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Recording;
use crate::placement::{Cluster, Compute, Datacenter, Datastore, Host, Inventory, MoRef};

/// For the identity of an anonymous vCenter: what it is made of cannot be found from it.
const NAMESPACE: Uuid = Uuid::from_u128(0x6a1d_3f52_9b0e_4c77_8a54_1f0c_92d7_e6b3);

impl Recording {
    /// Replaces every name, path and url, and the vCenter's name and identity. Equal ones stay equal and
    /// different ones different, so that two datastores of one volume are still of one. References such as
    /// `datastore-42`, types and figures stay: every decision that names nothing stays the same.
    #[must_use]
    pub fn anonymized(&self) -> Self {
        let compute = self.inventory.compute();
        let datacenters = renamed(compute.datacenters().iter().map(|dc| &dc.moref), "dc");
        let clusters = renamed(compute.clusters().iter().map(|cluster| &cluster.moref), "cluster");
        let hosts = renamed(compute.hosts().iter().map(|host| &host.moref), "host");
        let name =
            |names: &BTreeMap<&MoRef, String>, moref: &MoRef| names.get(moref).cloned().unwrap_or_default();
        let mut cluster_datacenters = BTreeMap::new();
        for host in compute.hosts() {
            if let (Some(cluster), Some(datacenter)) = (&host.cluster, &host.datacenter) {
                cluster_datacenters.insert(cluster, datacenter);
            }
        }
        let datacenter_path = |datacenter: Option<&MoRef>| match datacenter {
            Some(datacenter) => format!("/{}", name(&datacenters, datacenter)),
            None => String::new(),
        };
        let cluster_path = |cluster: &MoRef| {
            format!(
                "{}/host/{}",
                datacenter_path(cluster_datacenters.get(cluster).copied()),
                name(&clusters, cluster)
            )
        };
        let anonymous = Compute::new(
            compute
                .datacenters()
                .iter()
                .map(|dc| Datacenter {
                    moref: dc.moref.clone(),
                    name: name(&datacenters, &dc.moref),
                    path: datacenter_path(Some(&dc.moref)),
                })
                .collect(),
            compute
                .clusters()
                .iter()
                .map(|cluster| Cluster {
                    moref: cluster.moref.clone(),
                    name: name(&clusters, &cluster.moref),
                    path: cluster_path(&cluster.moref),
                })
                .collect(),
            compute
                .hosts()
                .iter()
                .map(|host| {
                    let own = name(&hosts, &host.moref);
                    let above = match &host.cluster {
                        Some(cluster) => cluster_path(cluster),
                        None => format!("{}/host", datacenter_path(host.datacenter.as_ref())),
                    };
                    Host { name: own.clone(), path: format!("{above}/{own}"), ..host.clone() }
                })
                .collect(),
        );
        let all = self.inventory.datastores();
        let names = renamed_texts(all.iter().map(|one| one.name.as_str()), "datastore-", "");
        let urls = renamed_texts(all.iter().map(|one| one.url.as_str()), "ds:///vmfs/volumes/volume-", "/");
        let datastores = all.iter().map(|one| Datastore {
            name: names.get(one.name.as_str()).cloned().unwrap_or_default(),
            url: urls.get(one.url.as_str()).cloned().unwrap_or_default(),
            ..one.clone()
        });
        let identity = Uuid::new_v5(&NAMESPACE, self.inventory.instance_uuid.as_bytes()).to_string();
        Self {
            name: "vcenter".to_owned(),
            version: self.version.clone(),
            inventory: Inventory::new(identity, anonymous, datastores.collect()),
        }
    }
}

fn renamed<'a>(morefs: impl Iterator<Item = &'a MoRef>, word: &str) -> BTreeMap<&'a MoRef, String> {
    morefs.zip(1..).map(|(moref, number): (_, usize)| (moref, format!("{word}-{number}"))).collect()
}

/// In the order in which they come first; an empty text stays empty.
fn renamed_texts<'a>(
    texts: impl Iterator<Item = &'a str>,
    before: &str,
    after: &str,
) -> BTreeMap<&'a str, String> {
    let mut names = BTreeMap::new();
    for text in texts.filter(|text| !text.is_empty()) {
        let number = names.len().saturating_add(1);
        names.entry(text).or_insert_with(|| format!("{before}{number}{after}"));
    }
    names
}
