//! What a vCenter holds, as plain values: datastores and their figures, and where VMs run. No I/O.
//!
//! An [`Inventory`] is immutable and equal by [`Inventory::version`], a hash of its sorted content: two
//! reads of an unchanged vCenter are the same inventory, whenever they happened. The time of a read is
//! therefore not part of it.

use std::borrow::Borrow;
use std::fmt;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::compute::{Cluster, Compute, Datacenter, Host, Mounts};
use super::selector::Selector;

/// A managed object reference, for example `datastore-42` or `host-12`: unique within one vCenter, and the
/// only identity that survives a rename.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MoRef(pub String);

impl fmt::Display for MoRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a volume is, wherever it is seen: the key under which room is kept.
///
/// The same volume mounted in two datacenters, or reached through two `VCenter` objects, has one url and
/// therefore one backing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Backing(pub String);

impl Backing {
    /// The url when there is one, else the vCenter's identity with the moRef.
    #[must_use]
    pub fn of(url: &str, vcenter_instance_uuid: &str, moref: &MoRef) -> Self {
        if url.is_empty() { Self(format!("{vcenter_instance_uuid}/{moref}")) } else { Self(url.to_owned()) }
    }
}

impl Borrow<str> for Backing {
    /// A backing is equal, ordered and hashed as its text.
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A property whose absence is an answer, so that one that is not shown must not pass for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Property<T> {
    /// vCenter has no value for it.
    #[default]
    Absent,
    /// vCenter does not show it, usually for want of a privilege: its value can be any.
    Withheld,
    /// Its value.
    Known(T),
}

/// One datastore as vCenter reports it. `None` means that vCenter did not return the property; what that
/// means for a rule is the rule's business. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Datastore {
    /// Managed object reference, for example `datastore-42`.
    pub moref: MoRef,
    /// Display name with vCenter's `%2f`, `%5c` and `%25` escapes resolved.
    pub name: String,
    /// The datacenter above it; none when vCenter does not show one.
    pub datacenter: Option<MoRef>,
    /// `summary.type` in vSphere's own spelling: `VMFS NFS NFS41 vsan vsanD VVOL PMEM` or one yet unknown.
    pub kind: Option<String>,
    /// `summary.url`, for example `ds:///vmfs/volumes/vvol:1a2b/`; empty when absent.
    pub url: String,
    /// `summary.accessible`: some host reaches it. While false, vCenter does not guarantee the figures.
    pub accessible: Option<bool>,
    /// `summary.maintenanceMode`: `normal`, `enteringMaintenance`, `inMaintenance`.
    pub maintenance_mode: Option<String>,
    /// `summary.capacity`.
    pub capacity: Option<u64>,
    /// `summary.freeSpace`, as reported: it can exceed the capacity.
    pub free: Option<u64>,
    /// `summary.uncommitted`: what thin disks may still grow by.
    pub uncommitted: Option<u64>,
    /// `summary.multipleHostAccess`: more than one host has access.
    pub multiple_host_access: Option<bool>,
    /// `info.maxVirtualDiskCapacity`, in bytes; 0 is no limit known, too.
    pub max_virtual_disk: Property<u64>,
    /// `capability.perFileThinProvisioningSupported`.
    pub thin_provisioning: Property<bool>,
    /// `info.timestamp`: when vCenter last took the figures from the storage.
    pub figures_time: Option<Timestamp>,
    /// Which hosts mount it, and how.
    pub mounts: Mounts,
}

/// Everything that one vCenter showed in one complete answer.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// `about.instanceUuid`: which vCenter this is, whatever its address.
    pub instance_uuid: String,
    compute: Compute,
    /// Sorted by moRef, each moRef once.
    datastores: Vec<Datastore>,
    unread: bool,
    version: String,
}

impl Inventory {
    /// Sorts, drops repeated moRefs (the first stays) and computes the version. The datastores' mounts are
    /// numbered by `compute`.
    #[must_use]
    pub fn new(instance_uuid: impl Into<String>, compute: Compute, mut datastores: Vec<Datastore>) -> Self {
        datastores.sort_by(|a, b| a.moref.cmp(&b.moref));
        datastores.dedup_by(|later, first| later.moref == first.moref);
        let instance_uuid = instance_uuid.into();
        let version = content_hash(&instance_uuid, &compute, &datastores);
        let unread = datastores.iter().any(|datastore| datastore.mounts == Mounts::Unread);
        Self { instance_uuid, compute, datastores, unread, version }
    }

    /// Datacenters, clusters and hosts.
    #[must_use]
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// The datacenter of one of the datastores.
    #[must_use]
    pub fn datacenter_of(&self, datastore: &Datastore) -> Option<&Datacenter> {
        self.compute.datacenter(datastore.datacenter.as_ref()?)
    }

    /// Sorted by moRef, each moRef once.
    #[must_use]
    pub fn datastores(&self) -> &[Datastore] {
        &self.datastores
    }

    /// The mounts of some datastore that is not hidden were not read yet: nothing can be decided until they
    /// are.
    #[must_use]
    pub fn lacks_mounts(&self, limits: &Selector) -> bool {
        self.unread && self.datastores.iter().any(|d| d.mounts == Mounts::Unread && limits.admits(d))
    }

    /// Hash of the content, 16 hexadecimal digits.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

impl PartialEq for Inventory {
    fn eq(&self, other: &Self) -> bool {
        self.version == other.version
    }
}
impl Eq for Inventory {}
impl std::hash::Hash for Inventory {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.version.hash(state);
    }
}

/// Every field is written with its length or a presence mark, so that no two contents share a text.
fn content_hash(instance_uuid: &str, compute: &Compute, datastores: &[Datastore]) -> String {
    let mut content = Content(Sha256::new());
    content.text(instance_uuid);
    for Datacenter { moref, name, path } in compute.datacenters() {
        content.texts([&moref.0, name, path]);
    }
    content.end();
    for Cluster { moref, name, path } in compute.clusters() {
        content.texts([&moref.0, name, path]);
    }
    content.end();
    for Host { moref, name, path, cluster, datacenter, in_maintenance } in compute.hosts() {
        content.texts([&moref.0, name, path]);
        content.moref(cluster.as_ref());
        content.moref(datacenter.as_ref());
        content.flag(Some(*in_maintenance));
    }
    content.end();
    for datastore in datastores {
        content.datastore(datastore);
    }
    content.hash()
}

/// What is hashed, part by part.
struct Content(Sha256);

impl Content {
    fn datastore(&mut self, datastore: &Datastore) {
        let Datastore {
            moref,
            name,
            datacenter,
            kind,
            url,
            accessible,
            maintenance_mode,
            capacity,
            free,
            uncommitted,
            multiple_host_access,
            max_virtual_disk,
            thin_provisioning,
            figures_time,
            mounts,
        } = datastore;
        self.texts([&moref.0, name, url]);
        self.moref(datacenter.as_ref());
        self.optional_text(kind.as_deref());
        self.optional_text(maintenance_mode.as_deref());
        for flag in [accessible, multiple_host_access] {
            self.flag(*flag);
        }
        for number in [capacity, free, uncommitted] {
            self.number(number.map(u64::to_be_bytes));
        }
        let disk = self.known(max_virtual_disk);
        self.number(disk.map(u64::to_be_bytes));
        let thin = self.known(thin_provisioning);
        self.flag(thin);
        self.number(figures_time.map(|time| time.as_second().to_be_bytes()));
        match mounts {
            Mounts::Unread => self.0.update([0]),
            Mounts::Missing => self.0.update([1]),
            Mounts::Read(hosts) => {
                self.0.update([2]);
                for set in [&hosts.usable, &hosts.read_only, &hosts.inaccessible] {
                    self.0.update(set.words().len().to_be_bytes());
                    for word in set.words() {
                        self.0.update(word.to_be_bytes());
                    }
                }
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.0.update([1]);
        self.0.update(text.len().to_be_bytes());
        self.0.update(text.as_bytes());
    }

    fn texts(&mut self, texts: [&str; 3]) {
        for text in texts {
            self.text(text);
        }
    }

    /// The mark of what is not shown, and the value if there is one.
    fn known<T: Copy>(&mut self, property: &Property<T>) -> Option<T> {
        self.0.update([u8::from(matches!(property, Property::Withheld))]);
        if let Property::Known(value) = property { Some(*value) } else { None }
    }

    fn optional_text(&mut self, text: Option<&str>) {
        match text {
            None => self.0.update([0]),
            Some(text) => self.text(text),
        }
    }

    fn moref(&mut self, moref: Option<&MoRef>) {
        self.optional_text(moref.map(|moref| moref.0.as_str()));
    }

    fn flag(&mut self, flag: Option<bool>) {
        self.0.update([flag.map_or(0, |yes| if yes { 2 } else { 1 })]);
    }

    fn number(&mut self, number: Option<[u8; 8]>) {
        match number {
            None => self.0.update([0]),
            Some(bytes) => {
                self.0.update([1]);
                self.0.update(bytes);
            }
        }
    }

    /// The end of one list.
    fn end(&mut self) {
        self.0.update([9]);
    }

    fn hash(self) -> String {
        let start = self.0.finalize().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        format!("{start:016x}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::compute::HostMounts;
    use super::super::samples::{compute, datastore};
    use super::*;

    fn one(moref: &str) -> Datastore {
        datastore(moref, "name", "VMFS")
    }

    #[test]
    fn order_and_repetition_do_not_change_the_version() {
        let (first, second) = (one("datastore-1"), one("datastore-2"));
        let a = Inventory::new("vc", compute(), vec![first.clone(), second.clone()]);
        let b = Inventory::new("vc", compute(), vec![second.clone(), first, second]);
        assert_eq!(a, b);
        assert_eq!(b.datastores().len(), 2);
    }

    #[test]
    fn every_property_changes_the_version() {
        let base = Inventory::new("vc", compute(), vec![one("datastore-1")]);
        let changes: [fn(&mut Datastore); 19] = [
            |d| d.moref = MoRef("datastore-9".into()),
            |d| d.name.push('x'),
            |d| d.datacenter = None,
            |d| d.kind = None,
            |d| d.url.push('x'),
            |d| d.accessible = Some(false),
            |d| d.maintenance_mode = Some("inMaintenance".into()),
            |d| d.capacity = Some(1),
            |d| d.free = Some(1),
            |d| d.uncommitted = None,
            |d| d.multiple_host_access = None,
            |d| d.max_virtual_disk = Property::Known(1),
            |d| d.max_virtual_disk = Property::Withheld,
            |d| d.thin_provisioning = Property::Absent,
            |d| d.thin_provisioning = Property::Withheld,
            |d| d.figures_time = Some(Timestamp::UNIX_EPOCH),
            |d| d.mounts = Mounts::Unread,
            |d| d.mounts = Mounts::Missing,
            |d| d.mounts = Mounts::Read(HostMounts::default()),
        ];
        let mut versions = std::collections::BTreeSet::from([base.version().to_owned()]);
        for change in changes {
            let mut other = one("datastore-1");
            change(&mut other);
            versions.insert(Inventory::new("vc", compute(), vec![other]).version().to_owned());
        }
        versions.insert(Inventory::new("other", compute(), vec![one("datastore-1")]).version().to_owned());
        let host_changes: [fn(&mut Host); 5] = [
            |host| host.name.push('x'),
            |host| host.path.push('x'),
            |host| host.cluster = None,
            |host| host.datacenter = None,
            |host| host.in_maintenance = true,
        ];
        for change in host_changes {
            let whole = compute();
            let mut hosts = whole.hosts().to_vec();
            hosts.iter_mut().take(1).for_each(change);
            let other = Compute::new(whole.datacenters().to_vec(), whole.clusters().to_vec(), hosts);
            versions.insert(Inventory::new("vc", other, vec![one("datastore-1")]).version().to_owned());
        }
        assert_eq!(versions.len(), 1 + 19 + 1 + 5);
    }

    #[test]
    fn a_volume_without_url_is_known_by_its_vcenter_and_moref() {
        let moref = MoRef("datastore-1".into());
        assert_eq!(Backing::of("", "vc", &moref).0, "vc/datastore-1");
        assert_eq!(Backing::of("ds:///a/", "vc", &moref).0, "ds:///a/");
    }
}
