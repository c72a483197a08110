//! From a file to an inventory, checked: a file comes from anywhere. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use thiserror::Error;

use super::{API_VERSION, Recording, file};
use crate::objects::{nearest, one_line};
use crate::placement::{
    Alarm, AlarmStatus, Bytes, Cluster, Compute, Datacenter, Datastore, DatastoreCluster, Host, HostSet,
    Inventory, MoRef, Mount, Mounts, Overview, PolicyCheck, Property, StoragePolicy, Tag, clean,
};

/// A file is at most this long: 10,000 datastores with 64 mounts each are 12 MB.
pub const MAX_BYTES: usize = 64 << 20;
/// Bytes of a reference, of vSphere's own words, and of a version or identity.
const MAX_WORD: usize = 128;
/// Bytes of a version or identity; vCenter's own have 36 at most.
const MAX_SHOWN: usize = 1024;
/// Bytes of a name. vCenter's own limit is 80 characters.
const MAX_NAME: usize = 256;
/// Bytes of an address or url.
const MAX_URL: usize = 1024;
/// Bytes of an inventory path: 64 levels of the longest names.
const MAX_PATH: usize = 64 << 10;
/// Bytes of one part of a message.
const MAX_MESSAGE: usize = 512;

/// Why a file is refused. Reads after the name of the file; one line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// It is longer than [`MAX_BYTES`].
    #[error("it is longer than {} MiB", MAX_BYTES >> 20)]
    TooLong,
    /// Nothing is in it, as when the recording failed.
    #[error("it is empty: record it again")]
    Empty,
    /// It ends early.
    #[error("it ends early, in line {0}: record it again")]
    Truncated(usize),
    /// It is not JSON, or has a field that is unknown, repeated or of another type.
    #[error("line {line}, column {column}: {why}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1; 0 when the line before ends with it.
        column: usize,
        /// What is wrong there.
        why: String,
    },
    /// It has no `apiVersion`, or one of something else.
    #[error("it is no recorded inventory, whose apiVersion is {API_VERSION}; 'berth inventory' records one")]
    NoRecording,
    /// It was written by another version of Berth.
    #[error(
        "its apiVersion is {0:?}, and this version of Berth reads {API_VERSION}: use a newer Berth, or record it \
         again with this one"
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
        let (line, column) = (error.line(), error.column());
        if error.is_eof() {
            return Self::Truncated(line);
        }
        let words = error.to_string();
        let words = words.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&words);
        let why = unknown_field(words).unwrap_or_else(|| words.to_owned());
        Self::Syntax { line, column, why: one_line(&why, MAX_MESSAGE) }
    }
}

/// What to do about a field that is not known. serde lists all that are: ``unknown field `a`, expected one of
/// `b`, `c` ``.
fn unknown_field(words: &str) -> Option<String> {
    let mut names = words.strip_prefix("unknown field `")?.split('`').step_by(2);
    let unknown = one_line(names.next()?, MAX_WORD);
    Some(match nearest(&unknown, names) {
        Some(known) => format!("unknown field {unknown}; did you mean {known}?"),
        None => format!("unknown field {unknown}: if a newer Berth has recorded it, use that one"),
    })
}

fn nonsense(object: &str, why: &str) -> ReadError {
    ReadError::Nonsense { object: one_line(object, MAX_WORD), why: one_line(why, MAX_MESSAGE) }
}

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
            privileges: named(&moref, "privileges", file.privileges)?,
            arrays: named(&moref, "arrays", file.arrays)?,
            endpoints: file
                .endpoints
                .map(|all| hosts(&moref, "endpoints", all, known.compute))
                .transpose()?,
            moref,
        })
    }
}

/// What datastores can refer to.
struct Known<'a> {
    datacenters: BTreeSet<MoRef>,
    datastore_clusters: Option<BTreeSet<MoRef>>,
    /// Their ids.
    policies: BTreeSet<String>,
    compute: &'a Compute,
}

fn storage_policies(all: Vec<file::Policy>) -> Result<Vec<StoragePolicy>, ReadError> {
    let mut seen = BTreeSet::new();
    let read = all.into_iter().map(|file::Policy { id, name }| {
        text("policies", "id", &id, MAX_WORD)?;
        text("policies", "name", &name, MAX_NAME)?;
        if !seen.insert(id.clone()) {
            return Err(nonsense("policies", &format!("{id:?} is there twice")));
        }
        Ok(StoragePolicy { id, name })
    });
    read.collect()
}

fn tags(datastore: &MoRef, all: Vec<file::Tag>) -> Result<BTreeSet<Tag>, ReadError> {
    let mut read = BTreeSet::new();
    for file::Tag { category, name } in all {
        text(&datastore.0, "tags", &category, MAX_NAME)?;
        text(&datastore.0, "tags", &name, MAX_NAME)?;
        if !read.insert(Tag { category, name }) {
            return Err(nonsense(&datastore.0, "tags has one of them twice"));
        }
    }
    Ok(read)
}

fn attributes(
    datastore: &MoRef,
    all: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ReadError> {
    for (name, value) in &all {
        text(&datastore.0, "customAttributes", name, MAX_NAME)?;
        text(&datastore.0, "customAttributes", value, MAX_URL)?;
    }
    Ok(all)
}

fn alarms(datastore: &MoRef, all: Vec<file::Alarm>) -> Result<BTreeSet<Alarm>, ReadError> {
    let mut read = BTreeSet::new();
    for file::Alarm { name, status } in all {
        text(&datastore.0, "alarms", &name, MAX_NAME)?;
        let status = match status {
            file::AlarmStatus::Yellow => AlarmStatus::Yellow,
            file::AlarmStatus::Red => AlarmStatus::Red,
        };
        if !read.insert(Alarm { name, status }) {
            return Err(nonsense(&datastore.0, "alarms has one of them twice"));
        }
    }
    Ok(read)
}

fn policy_checks(
    datastore: &MoRef,
    all: BTreeMap<String, file::PolicyCheck>,
    known: &Known<'_>,
) -> Result<BTreeMap<String, PolicyCheck>, ReadError> {
    let read = all.into_iter().map(|(id, file::PolicyCheck { compatible, hosts: on, why })| {
        if !known.policies.contains(&id) {
            return Err(nonsense(&datastore.0, &format!("policies has {id:?}, which is not in the file")));
        }
        let check = match (compatible, on, why) {
            (true, on, None) => {
                let on = on.map(|all| hosts(datastore, "policies", all, known.compute)).transpose()?;
                PolicyCheck::Compatible { hosts: on }
            }
            (false, None, why) => {
                let why = why.unwrap_or_default();
                text(&datastore.0, "policies", &why, MAX_URL)?;
                PolicyCheck::Incompatible { why }
            }
            (true, _, Some(_)) => {
                return Err(nonsense(&datastore.0, &format!("policies: {id:?} is compatible and has a why")));
            }
            (false, Some(_), _) => {
                return Err(nonsense(
                    &datastore.0,
                    &format!("policies: {id:?} is not compatible and has hosts"),
                ));
            }
        };
        Ok((id, check))
    });
    read.collect()
}

fn named(
    datastore: &MoRef,
    field: &str,
    all: BTreeMap<String, bool>,
) -> Result<BTreeMap<String, bool>, ReadError> {
    all.keys().try_for_each(|name| text(&datastore.0, field, name, MAX_NAME))?;
    Ok(all)
}

fn hosts(datastore: &MoRef, field: &str, all: Vec<String>, compute: &Compute) -> Result<HostSet, ReadError> {
    let mut read = HostSet::default();
    for host in all.into_iter().map(MoRef) {
        let number = host_number(datastore, field, &host, compute)?;
        if read.contains(number) {
            return Err(nonsense(&datastore.0, &format!("{field} has {host} twice")));
        }
        read.insert(number);
    }
    Ok(read)
}

fn host_number(datastore: &MoRef, field: &str, host: &MoRef, compute: &Compute) -> Result<usize, ReadError> {
    let why = || format!("{field} has {:?}, which is not among the hosts", host.0);
    compute.number_of(host).ok_or_else(|| nonsense(&datastore.0, &why()))
}

fn mounts(datastore: &MoRef, mounts: Option<file::Mounts>, compute: &Compute) -> Result<Mounts, ReadError> {
    let Some(file::Mounts { usable, read_only, inaccessible }) = mounts else { return Ok(Mounts::Missing) };
    let lists = [(usable, Mount::Usable), (read_only, Mount::ReadOnly), (inaccessible, Mount::Inaccessible)];
    let (mut seen, mut read) = (BTreeSet::new(), Vec::new());
    for (host, mount) in
        lists.into_iter().flat_map(|(hosts, mount)| hosts.into_iter().map(move |h| (h, mount)))
    {
        let host = MoRef(host);
        let number = host_number(datastore, "mounts", &host, compute)?;
        if !seen.insert(number) {
            return Err(nonsense(&datastore.0, &format!("mounts has {host} twice")));
        }
        read.push((number, mount));
    }
    Ok(Mounts::Read(read.into_iter().collect()))
}

/// The value of a property that vCenter can withhold.
fn told<T>(object: &MoRef, field: &str, value: Option<T>, withheld: bool) -> Result<Property<T>, ReadError> {
    match (value, withheld) {
        (Some(_), true) => Err(nonsense(&object.0, &format!("{field} has a value and is withheld"))),
        (Some(value), false) => Ok(Property::Known(value)),
        (None, true) => Ok(Property::Withheld),
        (None, false) => Ok(Property::Absent),
    }
}

fn size(object: &MoRef, field: &str, number: Option<file::Size>) -> Result<Option<u64>, ReadError> {
    let Some(number) = number else { return Ok(None) };
    let bytes = u64::try_from(number).ok().and_then(Bytes::new).map(Bytes::get);
    let why = || format!("{field} is {number}; a size is from 0 to {} bytes", Bytes::MAX.get());
    bytes.map(Some).ok_or_else(|| nonsense(&object.0, &why()))
}

fn text(object: &str, field: &str, text: &str, most: usize) -> Result<(), ReadError> {
    if text.len() > most {
        return Err(nonsense(object, &format!("{field} is longer than {most} bytes")));
    }
    if clean(text) != text {
        return Err(nonsense(object, &format!("{field} has control characters")));
    }
    Ok(())
}

fn reference(
    object: &MoRef,
    field: &str,
    to: Option<String>,
    known: &BTreeSet<MoRef>,
) -> Result<Option<MoRef>, ReadError> {
    match to.map(MoRef) {
        Some(to) if !known.contains(&to) => {
            Err(nonsense(&object.0, &format!("{field} is {:?}, which is not in the file", to.0)))
        }
        to => Ok(to),
    }
}
