//! From a file to an inventory, checked: a file comes from anywhere. No I/O.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::check::{
    MAX_NAME, MAX_PATH, MAX_SHOWN, MAX_URL, MAX_WORD, hosts, mounts, reference, size, text, told,
};
use super::error::{ReadError, nonsense};
use super::storage::{alarms, attributes, flags, policy_checks, storage_policies, tags};
use super::{API_VERSION, Recording, file};
use crate::objects::one_line;
use crate::placement::{
    Cluster, Compute, Datacenter, Datastore, DatastoreCluster, Host, Inventory, MoRef, Overview, Property,
};

/// A file is at most this long: 10,000 datastores with 64 mounts each are 12 MB.
pub const MAX_BYTES: usize = 64 << 20;

/// What is read first: another version is named before its unknown fields are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: Option<String>,
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is not one, or not one that this version of Berth reads, see [`ReadError`].
    pub fn read(text: &str) -> Result<Self, ReadError> {
        if text.len() > MAX_BYTES {
            return Err(ReadError::TooLong);
        }
        if text.trim().is_empty() {
            return Err(ReadError::Empty);
        }
        let Head { api_version } = serde_json::from_str(text)?;
        let family = API_VERSION.trim_end_matches("v1");
        match api_version {
            Some(version) if version == API_VERSION => {}
            Some(version) if version.starts_with(family) => {
                return Err(ReadError::OtherVersion(one_line(&version, MAX_WORD)));
            }
            _ => return Err(ReadError::NoRecording),
        }
        Checked::default().recording(serde_json::from_str(text)?)
    }
}

/// What was seen so far.
#[derive(Default)]
struct Checked {
    morefs: BTreeSet<String>,
}

impl Checked {
    fn recording(mut self, file: file::File) -> Result<Recording, ReadError> {
        let file::File {
            _api_version: _,
            vcenter,
            datacenters,
            clusters,
            hosts,
            datastore_clusters,
            policies,
            datastores,
        } = file;
        let file::VCenter { server, instance_uuid, version, consumer } = vcenter;
        text("vCenter", "consumer", consumer.as_deref().unwrap_or_default(), MAX_NAME)?;
        text("vCenter", "server", &server, MAX_URL)?;
        text("vCenter", "instanceUUID", &instance_uuid, MAX_SHOWN)?;
        text("vCenter", "version", &version, MAX_SHOWN)?;
        let server = super::server(&server)
            .ok_or_else(|| nonsense("vCenter", &format!("server {server:?} is not https://host[:port]")))?;
        if instance_uuid.is_empty() {
            return Err(nonsense("vCenter", "instanceUUID is empty"));
        }
        let datacenters = datacenters.into_iter().map(|place| {
            let (moref, name, path) = self.place(place)?;
            Ok(Datacenter { moref, name, path })
        });
        let datacenters = datacenters.collect::<Result<Vec<_>, ReadError>>()?;
        let clusters = clusters.into_iter().map(|place| {
            let (moref, name, path) = self.place(place)?;
            Ok(Cluster { moref, name, path })
        });
        let clusters = clusters.collect::<Result<Vec<_>, ReadError>>()?;
        let known_datacenters: BTreeSet<_> = datacenters.iter().map(|one| one.moref.clone()).collect();
        let known_clusters: BTreeSet<_> = clusters.iter().map(|one| one.moref.clone()).collect();
        let hosts = hosts.into_iter().map(|host| {
            let file::Host { mo_ref, name, path, cluster, datacenter, in_maintenance } = host;
            let (moref, name, path) = self.place(file::Place { mo_ref, name, path })?;
            Ok(Host {
                cluster: reference(&moref, "cluster", cluster, &known_clusters)?,
                datacenter: reference(&moref, "datacenter", datacenter, &known_datacenters)?,
                moref,
                name,
                path,
                in_maintenance,
            })
        });
        let hosts = hosts.collect::<Result<Vec<_>, ReadError>>()?;
        let compute = Compute::new(datacenters, clusters, hosts);
        let datastore_clusters = datastore_clusters.map(|all| self.datastore_clusters(all)).transpose()?;
        let policies = policies.map(storage_policies).transpose()?;
        let known = Known {
            datacenters: known_datacenters,
            datastore_clusters: datastore_clusters
                .as_ref()
                .map(|all| all.iter().map(|one| one.moref.clone()).collect()),
            policies: policies.iter().flatten().map(|one| one.id.clone()).collect(),
            compute: &compute,
        };
        let datastores = datastores.into_iter().map(|one| self.datastore(one, &known));
        let datastores = datastores.collect::<Result<Vec<_>, _>>()?;
        let overview = Overview { instance_uuid, version, policies, datastore_clusters, consumer };
        Ok(Recording { server, inventory: Inventory::new(overview, compute, datastores) })
    }

    fn moref(&mut self, moref: String) -> Result<MoRef, ReadError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        if moref.is_empty() || moref.len() > MAX_WORD || !moref.bytes().all(word) {
            return Err(nonsense(&format!("moRef {moref:?}"), "it is no managed object reference"));
        }
        if !self.morefs.insert(moref.clone()) {
            return Err(nonsense(&moref, "it is there twice"));
        }
        Ok(MoRef(moref))
    }

    fn place(&mut self, place: file::Place) -> Result<(MoRef, String, String), ReadError> {
        let moref = self.moref(place.mo_ref)?;
        text(&moref.0, "name", &place.name, MAX_NAME)?;
        text(&moref.0, "path", &place.path, MAX_PATH)?;
        Ok((moref, place.name, place.path))
    }

    fn datastore_clusters(&mut self, all: Vec<file::Place>) -> Result<Vec<DatastoreCluster>, ReadError> {
        let read = all.into_iter().map(|place| {
            let (moref, name, path) = self.place(place)?;
            Ok(DatastoreCluster { moref, name, path })
        });
        read.collect()
    }

    fn datastore(&mut self, file: file::Datastore, known: &Known<'_>) -> Result<Datastore, ReadError> {
        let moref = self.moref(file.mo_ref)?;
        text(&moref.0, "name", &file.name, MAX_NAME)?;
        text(&moref.0, "url", &file.url, MAX_URL)?;
        text(&moref.0, "type", file.kind.as_deref().unwrap_or_default(), MAX_WORD)?;
        text(&moref.0, "maintenanceMode", file.maintenance_mode.as_deref().unwrap_or_default(), MAX_WORD)?;
        let size = |field, number| size(&moref, field, number);
        let max_virtual_disk = size("maxVirtualDiskBytes", file.max_virtual_disk_bytes)?;
        let property = |field| file.withheld.contains(&field);
        Ok(Datastore {
            datacenter: reference(&moref, "datacenter", file.datacenter, &known.datacenters)?,
            name: file.name,
            kind: file.kind,
            url: file.url,
            accessible: file.accessible,
            maintenance_mode: file.maintenance_mode,
            capacity: size("capacityBytes", file.capacity_bytes)?,
            free: size("freeBytes", file.free_bytes)?,
            uncommitted: size("uncommittedBytes", file.uncommitted_bytes)?,
            multiple_host_access: file.multiple_host_access,
            max_virtual_disk: told(
                &moref,
                "maxVirtualDiskBytes",
                max_virtual_disk,
                property(file::Withheld::MaxVirtualDiskBytes),
            )?,
            thin_provisioning: told(
                &moref,
                "thinProvisioning",
                file.thin_provisioning,
                property(file::Withheld::ThinProvisioning),
            )?,
            figures_time: file.figures_time,
            mounts: mounts(&moref, file.mounts, known.compute)?,
            datastore_cluster: match &known.datastore_clusters {
                None if file.cluster.is_none() => Property::Withheld,
                clusters => {
                    let none = BTreeSet::new();
                    let clusters = clusters.as_ref().unwrap_or(&none);
                    let cluster = reference(&moref, "datastoreCluster", file.cluster, clusters)?;
                    told(&moref, "datastoreCluster", cluster, property(file::Withheld::DatastoreCluster))?
                }
            },
            tags: file.tags.map(|all| tags(&moref, all)).transpose()?,
            custom_attributes: file.custom_attributes.map(|all| attributes(&moref, all)).transpose()?,
            alarms: file.alarms.map(|all| alarms(&moref, all)).transpose()?,
            policies: policy_checks(&moref, file.policies, known)?,
            privileges: flags(&moref, "privileges", file.privileges)?,
            arrays: flags(&moref, "arrays", file.arrays)?,
            endpoints: file
                .endpoints
                .map(|all| hosts(&moref, "endpoints", all, known.compute))
                .transpose()?,
            moref,
        })
    }
}

/// What datastores can refer to.
pub(super) struct Known<'a> {
    datacenters: BTreeSet<MoRef>,
    datastore_clusters: Option<BTreeSet<MoRef>>,
    /// Their ids.
    pub policies: BTreeSet<String>,
    pub compute: &'a Compute,
}
