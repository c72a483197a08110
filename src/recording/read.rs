//! From a file to an inventory, checked: a file comes from anywhere. No I/O.

use std::collections::BTreeSet;

use serde::Deserialize;
use thiserror::Error;

use super::{API_VERSION, Recording, file};
use crate::placement::{
    Cluster, Compute, Datacenter, Datastore, Host, Inventory, MoRef, Mount, Mounts, Property,
};

/// A file is at most this long: 10,000 datastores with 64 mounts each are 12 MB.
pub const MAX_BYTES: usize = 64 << 20;
/// The largest size that vSphere has: its sizes are signed.
const MAX_SIZE: u64 = i64::MAX.unsigned_abs();
/// Bytes of a moRef, a name, and a path or url.
const MAX_TEXT: [usize; 3] = [128, 256, 4096];

/// What is read first.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: Option<String>,
}

/// Why a file is refused.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is longer than [`MAX_BYTES`].
    #[error("it is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// It ends early.
    #[error("it ends early, in line {0}: record it again")]
    Truncated(usize),
    /// It is not JSON, or has a field that is unknown or of another type. The text has the line.
    #[error("{0}")]
    Syntax(serde_json::Error),
    /// It has no `apiVersion`.
    #[error("it has no apiVersion, so it is no recorded inventory; 'berth inventory' records one")]
    NoVersion,
    /// It was written by something else, or by a newer Berth.
    #[error(
        "its apiVersion is {0:?}, and this version of Berth reads {API_VERSION}: record it again, or use the Berth \
         that recorded it"
    )]
    OtherVersion(String),
    /// It says something that no vCenter shows.
    #[error("{object}: {why}")]
    Nonsense {
        /// Where, for example `datastore-42`.
        object: String,
        /// What is wrong there.
        why: String,
    },
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> Self {
        if error.is_eof() { Self::Truncated(error.line()) } else { Self::Syntax(error) }
    }
}

fn nonsense(object: &str, why: impl Into<String>) -> ReadError {
    ReadError::Nonsense { object: object.chars().take(MAX_TEXT[0]).collect(), why: why.into() }
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
        // Another version is named before its unknown fields are.
        match serde_json::from_str::<Head>(text)?.api_version {
            None => return Err(ReadError::NoVersion),
            Some(version) if version != API_VERSION => {
                return Err(ReadError::OtherVersion(version.chars().take(MAX_TEXT[0]).collect()));
            }
            Some(_) => {}
        }
        let file: file::File = serde_json::from_str(text)?;
        Checked::default().recording(file)
    }
}

/// What was seen so far.
#[derive(Default)]
struct Checked {
    morefs: BTreeSet<String>,
}

impl Checked {
    fn recording(mut self, file: file::File) -> Result<Recording, ReadError> {
        let file::File { _api_version: _, vcenter, datacenters, clusters, hosts, datastores } = file;
        let file::VCenter { server, instance_uuid, version } = vcenter;
        bounded("vCenter.server", "", &server, MAX_TEXT[2])?;
        let server = super::server(&server)
            .ok_or_else(|| nonsense("vCenter.server", "it is not https://host[:port]"))?;
        bounded("vCenter.instanceUUID", "", &instance_uuid, MAX_TEXT[0])?;
        if instance_uuid.is_empty() {
            return Err(nonsense("vCenter.instanceUUID", "it is empty"));
        }
        bounded("vCenter.version", "", &version, MAX_TEXT[0])?;
        let datacenters =
            datacenters.into_iter().map(|place| self.place(place)).collect::<Result<Vec<_>, _>>()?;
        let clusters = clusters.into_iter().map(|place| self.place(place)).collect::<Result<Vec<_>, _>>()?;
        let known = |places: &[(MoRef, String, String)]| -> BTreeSet<MoRef> {
            places.iter().map(|(moref, ..)| moref.clone()).collect()
        };
        let (known_datacenters, known_clusters) = (known(&datacenters), known(&clusters));
        let hosts = hosts.into_iter().map(|host| {
            let moref = self.moref(host.mo_ref)?;
            bounded(&moref.0, "name", &host.name, MAX_TEXT[1])?;
            bounded(&moref.0, "path", &host.path, MAX_TEXT[2])?;
            Ok(Host {
                cluster: reference(&moref, "cluster", host.cluster, &known_clusters)?,
                datacenter: reference(&moref, "datacenter", host.datacenter, &known_datacenters)?,
                moref,
                name: host.name,
                path: host.path,
                in_maintenance: host.in_maintenance,
            })
        });
        let hosts = hosts.collect::<Result<Vec<_>, ReadError>>()?;
        let compute = Compute::new(
            datacenters.into_iter().map(|(moref, name, path)| Datacenter { moref, name, path }).collect(),
            clusters.into_iter().map(|(moref, name, path)| Cluster { moref, name, path }).collect(),
            hosts,
        );
        let datastores = datastores.into_iter().map(|one| self.datastore(one, &compute, &known_datacenters));
        let datastores = datastores.collect::<Result<Vec<_>, _>>()?;
        Ok(Recording { server, version, inventory: Inventory::new(instance_uuid, compute, datastores) })
    }

    fn moref(&mut self, moref: String) -> Result<MoRef, ReadError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        if moref.is_empty() || moref.len() > MAX_TEXT[0] || !moref.bytes().all(word) {
            return Err(nonsense(&format!("{moref:?}"), "it is no managed object reference"));
        }
        if !self.morefs.insert(moref.clone()) {
            return Err(nonsense(&moref, "it is there twice"));
        }
        Ok(MoRef(moref))
    }

    fn place(&mut self, place: file::Place) -> Result<(MoRef, String, String), ReadError> {
        let moref = self.moref(place.mo_ref)?;
        bounded(&moref.0, "name", &place.name, MAX_TEXT[1])?;
        bounded(&moref.0, "path", &place.path, MAX_TEXT[2])?;
        Ok((moref, place.name, place.path))
    }

    fn datastore(
        &mut self,
        file: file::Datastore,
        compute: &Compute,
        datacenters: &BTreeSet<MoRef>,
    ) -> Result<Datastore, ReadError> {
        let moref = self.moref(file.mo_ref)?;
        bounded(&moref.0, "name", &file.name, MAX_TEXT[1])?;
        bounded(&moref.0, "url", &file.url, MAX_TEXT[2])?;
        for (field, text) in [("type", &file.kind), ("maintenanceMode", &file.maintenance_mode)] {
            bounded(&moref.0, field, text.as_deref().unwrap_or_default(), MAX_TEXT[0])?;
        }
        for (field, size) in [
            ("capacityBytes", file.capacity_bytes),
            ("freeBytes", file.free_bytes),
            ("uncommittedBytes", file.uncommitted_bytes),
            ("maxVirtualDiskBytes", file.max_virtual_disk_bytes),
        ] {
            if size.is_some_and(|size| size > MAX_SIZE) {
                return Err(nonsense(&moref.0, format!("{field} is more than {MAX_SIZE}")));
            }
        }
        let property = |field| file.withheld.contains(&field);
        let mounts = match file.mounts {
            None => Mounts::Missing,
            Some(file::Mounts { usable, read_only, inaccessible }) => {
                let mut mounts = Vec::new();
                for (hosts, mount) in [
                    (usable, Mount::Usable),
                    (read_only, Mount::ReadOnly),
                    (inaccessible, Mount::Inaccessible),
                ] {
                    for host in hosts {
                        let host = MoRef(host);
                        let number = compute.number_of(&host);
                        let why = || {
                            nonsense(
                                &moref.0,
                                format!("mounts names {:?}, which is not among the hosts", host.0),
                            )
                        };
                        mounts.push((number.ok_or_else(why)?, mount));
                    }
                }
                Mounts::Read(mounts.into_iter().collect())
            }
        };
        Ok(Datastore {
            datacenter: reference(&moref, "datacenter", file.datacenter, datacenters)?,
            name: file.name,
            kind: file.kind,
            url: file.url,
            accessible: file.accessible,
            maintenance_mode: file.maintenance_mode,
            capacity: file.capacity_bytes,
            free: file.free_bytes,
            uncommitted: file.uncommitted_bytes,
            multiple_host_access: file.multiple_host_access,
            max_virtual_disk: told(
                file.max_virtual_disk_bytes,
                property(file::Withheld::MaxVirtualDiskBytes),
            ),
            thin_provisioning: told(file.thin_provisioning, property(file::Withheld::ThinProvisioning)),
            figures_time: file.figures_time,
            mounts,
            moref,
        })
    }
}

fn told<T>(value: Option<T>, withheld: bool) -> Property<T> {
    match value {
        Some(value) => Property::Known(value),
        None if withheld => Property::Withheld,
        None => Property::Absent,
    }
}

fn bounded(object: &str, field: &str, text: &str, most: usize) -> Result<(), ReadError> {
    let of = |why: &str| if field.is_empty() { format!("it {why}") } else { format!("{field} {why}") };
    if text.len() > most {
        return Err(nonsense(object, of(&format!("is longer than {most} bytes"))));
    }
    if text.chars().any(char::is_control) {
        return Err(nonsense(object, of("has control characters")));
    }
    Ok(())
}

fn reference(
    object: &MoRef,
    field: &str,
    to: Option<String>,
    known: &BTreeSet<MoRef>,
) -> Result<Option<MoRef>, ReadError> {
    let Some(to) = to.map(MoRef) else { return Ok(None) };
    if known.contains(&to) {
        return Ok(Some(to));
    }
    Err(nonsense(&object.0, format!("{field} {:?} is not in the file", to.0)))
}
