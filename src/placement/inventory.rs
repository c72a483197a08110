//! What a vCenter holds, as plain values: datastores and their figures, and where VMs run. No I/O.
//!
//! An [`Inventory`] is immutable and equal by [`Inventory::version`], a hash of its sorted content: two
//! reads of an unchanged vCenter are the same inventory, whenever they happened. The time of a read is
//! therefore not part of it.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use super::compute::{Compute, Datacenter, HostSet, Mounts, once_each};
use super::content::content_hash;
use super::selector::Selector;
use super::storage::{Alarm, DatastoreCluster, PolicyCheck, StoragePolicy, Tag};

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
    /// The datastore cluster (`StoragePod`) that it is in; absent when in none, withheld until it is read.
    pub datastore_cluster: Property<MoRef>,
    /// The tags attached to it. None: not read.
    pub tags: Option<BTreeSet<Tag>>,
    /// `customValue` by the names of the custom attributes. None: not read.
    pub custom_attributes: Option<BTreeMap<String, String>>,
    /// `triggeredAlarmState`, as far as it is yellow or red. None: not read.
    pub alarms: Option<BTreeSet<Alarm>>,
    /// What PBM says of it, by the id of the policy. PBM was not asked for a policy that is not there.
    pub policies: BTreeMap<String, PolicyCheck>,
    /// Whether [`Inventory::consumer`] has a privilege on it, by the privilege's id. Nobody asked for one that is
    /// not there.
    pub privileges: BTreeMap<String, bool>,
    /// `info.vvolDS.vasaProviderInfo[].arrayState[]`: its storage arrays by id, and whether one of its providers
    /// has the array active. Empty: not reported.
    pub arrays: BTreeMap<String, bool>,
    /// `info.vvolDS.hostPE[]`: the hosts that have a protocol endpoint to it. None: not reported.
    pub endpoints: Option<HostSet>,
}

impl Datastore {
    /// One of which nothing else was read.
    #[must_use]
    pub fn unread(moref: MoRef) -> Self {
        Self {
            moref,
            name: String::new(),
            datacenter: None,
            kind: None,
            url: String::new(),
            accessible: None,
            maintenance_mode: None,
            capacity: None,
            free: None,
            uncommitted: None,
            multiple_host_access: None,
            max_virtual_disk: Property::Withheld,
            thin_provisioning: Property::Withheld,
            figures_time: None,
            mounts: Mounts::Unread,
            datastore_cluster: Property::Withheld,
            tags: None,
            custom_attributes: None,
            alarms: None,
            policies: BTreeMap::new(),
            privileges: BTreeMap::new(),
            arrays: BTreeMap::new(),
            endpoints: None,
        }
    }
}

/// What is said of a vCenter as a whole. Of one that is given by its identity alone, nothing else was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Overview {
    /// `about.instanceUuid`: which vCenter this is, whatever its address.
    pub instance_uuid: String,
    /// `about.version`, for example `8.0.3`; empty when not known.
    pub version: String,
    /// All storage policies. None: not read.
    pub policies: Option<Vec<StoragePolicy>>,
    /// All datastore clusters. None: not read.
    pub datastore_clusters: Option<Vec<DatastoreCluster>>,
    /// The account that [`Datastore::privileges`] are about. None: not read.
    pub consumer: Option<String>,
}

impl From<String> for Overview {
    fn from(instance_uuid: String) -> Self {
        Self { instance_uuid, ..Self::default() }
    }
}

impl From<&str> for Overview {
    fn from(instance_uuid: &str) -> Self {
        instance_uuid.to_owned().into()
    }
}

/// Everything that one vCenter showed in one complete answer.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// See [`Overview::instance_uuid`].
    pub instance_uuid: String,
    /// See [`Overview::version`].
    pub vcenter_version: String,
    policies: Option<Vec<StoragePolicy>>,
    datastore_clusters: Option<Vec<DatastoreCluster>>,
    consumer: Option<String>,
    compute: Compute,
    /// Sorted by moRef, each moRef once.
    datastores: Vec<Datastore>,
    unread: bool,
    version: String,
}

impl Inventory {
    /// Sorts, drops repeated ids (the first stays) and computes the version. The datastores' hosts are numbered by
    /// `compute`.
    #[must_use]
    pub fn new(overview: impl Into<Overview>, compute: Compute, datastores: Vec<Datastore>) -> Self {
        let Overview { instance_uuid, version: vcenter_version, policies, datastore_clusters, consumer } =
            overview.into();
        let mut inventory = Self {
            instance_uuid,
            vcenter_version,
            policies: policies.map(|all| once_each(all, |policy| &policy.id)),
            datastore_clusters: datastore_clusters.map(|all| once_each(all, |cluster| &cluster.moref)),
            consumer,
            compute,
            unread: datastores.iter().any(|datastore| datastore.mounts == Mounts::Unread),
            datastores: once_each(datastores, |datastore| &datastore.moref),
            version: String::new(),
        };
        inventory.version = content_hash(&inventory);
        inventory
    }

    /// Sorted by id, each id once. None: not read.
    #[must_use]
    pub fn policies(&self) -> Option<&[StoragePolicy]> {
        self.policies.as_deref()
    }

    /// Sorted by moRef, each moRef once. None: not read.
    #[must_use]
    pub fn datastore_clusters(&self) -> Option<&[DatastoreCluster]> {
        self.datastore_clusters.as_deref()
    }

    /// See [`Overview::consumer`].
    #[must_use]
    pub fn consumer(&self) -> Option<&str> {
        self.consumer.as_deref()
    }

    /// One of the datastores.
    #[must_use]
    pub fn datastore(&self, moref: &MoRef) -> Option<&Datastore> {
        let place = self.datastores.binary_search_by(|datastore| datastore.moref.cmp(moref)).ok()?;
        self.datastores.get(place)
    }

    /// Datacenters, clusters and hosts.
    #[must_use]
    pub fn compute(&self) -> &Compute {
        &self.compute
    }

    /// The volume that one of the datastores is.
    #[must_use]
    pub fn backing_of(&self, datastore: &Datastore) -> Backing {
        Backing::of(&datastore.url, &self.instance_uuid, &datastore.moref)
    }

    /// The datacenter of one of the datastores.
    #[must_use]
    pub fn datacenter_of(&self, datastore: &Datastore) -> Option<&Datacenter> {
        self.compute.datacenter(datastore.datacenter.as_ref()?)
    }

    /// The datastore cluster of one of the datastores, as far as it is read.
    #[must_use]
    pub fn datastore_cluster_of(&self, datastore: &Datastore) -> Option<&DatastoreCluster> {
        let Property::Known(moref) = &datastore.datastore_cluster else { return None };
        self.datastore_clusters.as_ref()?.iter().find(|cluster| cluster.moref == *moref)
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

#[cfg(test)]
mod tests {
    use super::super::samples::{compute, datastore};
    use super::*;
    use crate::api::DatastoreSelector;
    use crate::placement::Patterns;

    #[test]
    fn mounts_that_matter_are_waited_for_and_no_others() {
        let unread = |name: &str| Datastore { mounts: Mounts::Unread, ..datastore(name, name, "VMFS") };
        let lacks = |datastores: Vec<Datastore>, pattern: &str| {
            let limits = DatastoreSelector { exclude_pattern: Some(pattern.into()), ..Default::default() };
            let limits = Selector::parse(&limits, &mut Patterns::default()).unwrap();
            Inventory::new("vc-1", compute(), datastores).lacks_mounts(&limits)
        };
        assert!(!lacks(vec![datastore("a", "a", "VMFS"), datastore("b", "b", "VMFS")], ""));
        assert!(lacks(vec![datastore("a", "a", "VMFS"), unread("b")], ""));
        assert!(!lacks(vec![datastore("a", "a", "VMFS"), unread("b")], "b"), "it is hidden");
        assert!(lacks(vec![unread("a"), unread("b")], "b"));
    }

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
    fn a_volume_without_url_is_known_by_its_vcenter_and_moref() {
        let moref = MoRef("datastore-1".into());
        assert_eq!(Backing::of("", "vc", &moref).0, "vc/datastore-1");
        assert_eq!(Backing::of("ds:///a/", "vc", &moref).0, "ds:///a/");
    }
}
