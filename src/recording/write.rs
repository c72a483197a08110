//! From an inventory to a file. No I/O.

use serde::Serialize;
use thiserror::Error;

use super::{API_VERSION, Recording, file};
use crate::placement::{Compute, Datastore, HostSet, MoRef, Mounts, Property};

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
        let Self { server, version, inventory } = self;
        let mut unread = inventory.datastores().iter().filter(|one| one.mounts == Mounts::Unread);
        if let Some(datastore) = unread.next() {
            return Err(WriteError::Unread(datastore.moref.clone()));
        }
        let compute = inventory.compute();
        let vcenter = file::VCenter {
            server: server.clone(),
            instance_uuid: inventory.instance_uuid.clone(),
            version: version.clone(),
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
        let parts = [
            format!("\"apiVersion\": {}", serde_json::to_string(API_VERSION)?),
            format!("\"vCenter\": {}", serde_json::to_string(&vcenter)?),
            lines(
                "datacenters",
                compute.datacenters().iter().map(|dc| place(&dc.moref, &dc.name, &dc.path)),
            )?,
            lines("clusters", compute.clusters().iter().map(|c| place(&c.moref, &c.name, &c.path)))?,
            lines("hosts", hosts)?,
            lines("datastores", inventory.datastores().iter().map(|one| datastore(one, compute)))?,
        ];
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

fn datastore(datastore: &Datastore, compute: &Compute) -> file::Datastore {
    let mut withheld = Vec::new();
    let max_virtual_disk_bytes =
        shown(&datastore.max_virtual_disk, file::Withheld::MaxVirtualDiskBytes, &mut withheld);
    let thin_provisioning =
        shown(&datastore.thin_provisioning, file::Withheld::ThinProvisioning, &mut withheld);
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
    }
}

fn shown<T: Copy>(
    property: &Property<T>,
    field: file::Withheld,
    withheld: &mut Vec<file::Withheld>,
) -> Option<T> {
    match property {
        Property::Absent => None,
        Property::Known(value) => Some(*value),
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
