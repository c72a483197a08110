//! From an inventory to a file. No I/O.

use serde::Serialize;
use thiserror::Error;

use super::{API_VERSION, Recording, file};
use crate::placement::{
    Alarm, AlarmStatus, Compute, Datastore, HostSet, Inventory, MoRef, Mounts, PolicyCheck, Property, Tag,
};

/// Why there is no file.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The mounts of a datastore were not read yet. A file has no way to say so: it would say that vCenter did not
    /// return them.
    #[error("the hosts that mount {0} were not read yet")]
    Unread(MoRef),
    /// None in practice: everything in it can be written as JSON.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

impl Recording {
    /// The file. Equal recordings give equal bytes.
    ///
    /// # Errors
    /// When the inventory is not complete.
    pub fn to_json(&self) -> Result<String, WriteError> {
        let Self { server, inventory } = self;
        let mut unread = inventory.datastores().iter().filter(|one| one.mounts == Mounts::Unread);
        if let Some(datastore) = unread.next() {
            return Err(WriteError::Unread(datastore.moref.clone()));
        }
        let compute = inventory.compute();
        let vcenter = file::VCenter {
            server: server.clone(),
            instance_uuid: inventory.instance_uuid.clone(),
            version: inventory.vcenter_version.clone(),
            consumer: inventory.consumer().map(str::to_owned),
        };
        let place = |moref: &MoRef, name: &str, path: &str| file::Place {
            mo_ref: moref.0.clone(),
            name: name.to_owned(),
            path: path.to_owned(),
        };
        let text = |moref: &MoRef| moref.0.clone();
        let hosts = compute.hosts().iter().map(|host| file::Host {
            mo_ref: text(&host.moref),
            name: host.name.clone(),
            path: host.path.clone(),
            cluster: host.cluster.as_ref().map(text),
            datacenter: host.datacenter.as_ref().map(text),
            in_maintenance: host.in_maintenance,
        });
        let mut parts = vec![
            format!("\"apiVersion\": {}", serde_json::to_string(API_VERSION)?),
            format!("\"vCenter\": {}", serde_json::to_string(&vcenter)?),
            lines(
                "datacenters",
                compute.datacenters().iter().map(|dc| place(&dc.moref, &dc.name, &dc.path)),
            )?,
            lines("clusters", compute.clusters().iter().map(|c| place(&c.moref, &c.name, &c.path)))?,
            lines("hosts", hosts)?,
        ];
        if let Some(clusters) = inventory.datastore_clusters() {
            let places = clusters.iter().map(|one| place(&one.moref, &one.name, &one.path));
            parts.push(lines("datastoreClusters", places)?);
        }
        if let Some(policies) = inventory.policies() {
            let policies =
                policies.iter().map(|one| file::Policy { id: one.id.clone(), name: one.name.clone() });
            parts.push(lines("policies", policies)?);
        }
        parts.push(lines("datastores", inventory.datastores().iter().map(|one| datastore(one, inventory)))?);
        Ok(format!("{{\n{}\n}}\n", parts.join(",\n")))
    }
}

/// A list with one object per line.
fn lines<T: Serialize>(field: &str, objects: impl Iterator<Item = T>) -> serde_json::Result<String> {
    let lines: Vec<String> =
        objects.map(|object| serde_json::to_string(&object)).collect::<Result<_, _>>()?;
    Ok(if lines.is_empty() {
        format!("\"{field}\": []")
    } else {
        format!("\"{field}\": [\n{}\n]", lines.join(",\n"))
    })
}

fn datastore(datastore: &Datastore, inventory: &Inventory) -> file::Datastore {
    let compute = inventory.compute();
    let mut withheld = Vec::new();
    let max_virtual_disk_bytes =
        shown(&datastore.max_virtual_disk, file::Withheld::MaxVirtualDiskBytes, &mut withheld);
    let thin_provisioning =
        shown(&datastore.thin_provisioning, file::Withheld::ThinProvisioning, &mut withheld);
    // Where no datastore clusters were read, none of any datastore was.
    let cluster = match (&datastore.datastore_cluster, inventory.datastore_clusters()) {
        (Property::Withheld, None) => None,
        (known, _) => shown(known, file::Withheld::DatastoreCluster, &mut withheld),
    };
    file::Datastore {
        mo_ref: datastore.moref.0.clone(),
        name: datastore.name.clone(),
        datacenter: datastore.datacenter.as_ref().map(|moref| moref.0.clone()),
        kind: datastore.kind.clone(),
        url: datastore.url.clone(),
        accessible: datastore.accessible,
        maintenance_mode: datastore.maintenance_mode.clone(),
        capacity_bytes: datastore.capacity.map(file::Size::from),
        free_bytes: datastore.free.map(file::Size::from),
        uncommitted_bytes: datastore.uncommitted.map(file::Size::from),
        multiple_host_access: datastore.multiple_host_access,
        max_virtual_disk_bytes: max_virtual_disk_bytes.map(file::Size::from),
        thin_provisioning,
        figures_time: datastore.figures_time,
        withheld,
        mounts: match &datastore.mounts {
            Mounts::Unread | Mounts::Missing => None,
            Mounts::Read(mounts) => Some(file::Mounts {
                usable: hosts(&mounts.usable, compute),
                read_only: hosts(&mounts.read_only, compute),
                inaccessible: hosts(&mounts.inaccessible, compute),
            }),
        },
        cluster: cluster.map(|moref| moref.0),
        tags: datastore.tags.as_ref().map(|all| {
            let tag = |one: &Tag| file::Tag { category: one.category.clone(), name: one.name.clone() };
            all.iter().map(tag).collect()
        }),
        custom_attributes: datastore.custom_attributes.clone(),
        alarms: datastore.alarms.as_ref().map(|all| all.iter().map(alarm).collect()),
        policies: datastore
            .policies
            .iter()
            .map(|(id, check)| (id.clone(), policy_check(check, compute)))
            .collect(),
        privileges: datastore.privileges.clone(),
        arrays: datastore.arrays.clone(),
        endpoints: datastore.endpoints.as_ref().map(|set| hosts(set, compute)),
    }
}

fn alarm(alarm: &Alarm) -> file::Alarm {
    let status = match alarm.status {
        AlarmStatus::Yellow => file::AlarmStatus::Yellow,
        AlarmStatus::Red => file::AlarmStatus::Red,
    };
    file::Alarm { name: alarm.name.clone(), status }
}

fn policy_check(check: &PolicyCheck, compute: &Compute) -> file::PolicyCheck {
    match check {
        PolicyCheck::Compatible { hosts: on } => {
            let on = on.as_ref().map(|set| hosts(set, compute));
            file::PolicyCheck { compatible: true, hosts: on, why: None }
        }
        PolicyCheck::Incompatible { why } => {
            file::PolicyCheck { compatible: false, hosts: None, why: Some(why.clone()) }
        }
    }
}

fn shown<T: Clone>(
    property: &Property<T>,
    field: file::Withheld,
    withheld: &mut Vec<file::Withheld>,
) -> Option<T> {
    match property {
        Property::Absent => None,
        Property::Known(value) => Some(value.clone()),
        Property::Withheld => {
            withheld.push(field);
            None
        }
    }
}

fn hosts(set: &HostSet, compute: &Compute) -> Vec<String> {
    let all = compute.hosts().iter().enumerate();
    all.filter(|(number, _)| set.contains(*number)).map(|(_, host)| host.moref.0.clone()).collect()
}
