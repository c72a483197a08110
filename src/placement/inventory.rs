//! What a vCenter holds, as plain values: datastores and their figures. No I/O.
//!
//! An [`Inventory`] is immutable and equal by [`Inventory::version`], a hash of its sorted content: two
//! reads of an unchanged vCenter are the same inventory, whenever they happened. The time of a read is
//! therefore not part of it.

use std::borrow::Borrow;
use std::fmt;

use sha2::{Digest, Sha256};

/// A managed object reference of a datastore, for example `datastore-42`: unique within one vCenter,
/// and the only identity that survives a rename.
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

/// One datastore as vCenter reports it. `None` means that vCenter did not return the property; what that
/// means for a rule is the rule's business. Sizes are bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Datastore {
    /// Managed object reference, for example `datastore-42`.
    pub moref: MoRef,
    /// Display name with vCenter's `%2f`, `%5c` and `%25` escapes resolved.
    pub name: String,
    /// Name of the datacenter above it; empty when vCenter does not show one.
    pub datacenter: String,
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
}

/// Everything that one vCenter showed in one complete answer.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// `about.instanceUuid`: which vCenter this is, whatever its address.
    pub instance_uuid: String,
    /// Sorted by moRef, each moRef once.
    datastores: Vec<Datastore>,
    version: String,
}

impl Inventory {
    /// Sorts, drops repeated moRefs (the first stays) and computes the version.
    #[must_use]
    pub fn new(instance_uuid: impl Into<String>, mut datastores: Vec<Datastore>) -> Self {
        datastores.sort_by(|a, b| a.moref.cmp(&b.moref));
        datastores.dedup_by(|later, first| later.moref == first.moref);
        let instance_uuid = instance_uuid.into();
        let version = content_hash(&instance_uuid, &datastores);
        Self { instance_uuid, datastores, version }
    }

    /// Sorted by moRef, each moRef once.
    #[must_use]
    pub fn datastores(&self) -> &[Datastore] {
        &self.datastores
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
fn content_hash(instance_uuid: &str, datastores: &[Datastore]) -> String {
    let mut hash = Sha256::new();
    let mut text = |value: Option<&str>| match value {
        None => hash.update([0]),
        Some(value) => {
            hash.update([1]);
            hash.update(value.len().to_be_bytes());
            hash.update(value.as_bytes());
        }
    };
    text(Some(instance_uuid));
    for d in datastores {
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
        } = d;
        for value in [&moref.0, name, datacenter, url] {
            text(Some(value));
        }
        text(kind.as_deref());
        text(maintenance_mode.as_deref());
        text(accessible.map(|yes| if yes { "yes" } else { "no" }));
        for number in [capacity, free, uncommitted] {
            text(number.map(|n| n.to_string()).as_deref());
        }
    }
    let start = hash.finalize().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    format!("{start:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datastore(moref: &str) -> Datastore {
        Datastore {
            moref: MoRef(moref.into()),
            name: moref.to_uppercase(),
            datacenter: "DC0".into(),
            kind: Some("VMFS".into()),
            url: format!("ds:///vmfs/volumes/{moref}/"),
            accessible: Some(true),
            maintenance_mode: Some("normal".into()),
            capacity: Some(1 << 40),
            free: Some(1 << 39),
            uncommitted: Some(0),
        }
    }

    #[test]
    fn order_and_repetition_do_not_change_the_version() {
        let a = Inventory::new("vc", vec![datastore("datastore-1"), datastore("datastore-2")]);
        let b = Inventory::new(
            "vc",
            vec![datastore("datastore-2"), datastore("datastore-1"), datastore("datastore-2")],
        );
        assert_eq!(a, b);
        assert_eq!(b.datastores().len(), 2);
    }

    #[test]
    fn every_property_changes_the_version() {
        let base = Inventory::new("vc", vec![datastore("datastore-1")]);
        let changes: [fn(&mut Datastore); 10] = [
            |d| d.moref = MoRef("datastore-9".into()),
            |d| d.name.push('x'),
            |d| d.datacenter.push('x'),
            |d| d.kind = None,
            |d| d.url.push('x'),
            |d| d.accessible = None,
            |d| d.maintenance_mode = None,
            |d| d.capacity = None,
            |d| d.free = Some(7),
            |d| d.uncommitted = None,
        ];
        for change in changes {
            let mut other = datastore("datastore-1");
            change(&mut other);
            assert_ne!(base, Inventory::new("vc", vec![other]));
        }
        assert_ne!(base, Inventory::new("other", vec![datastore("datastore-1")]));
    }

    #[test]
    fn a_volume_without_url_is_known_by_its_vcenter_and_moref() {
        let moref = MoRef("datastore-1".into());
        assert_eq!(Backing::of("", "vc", &moref).0, "vc/datastore-1");
        assert_eq!(Backing::of("ds:///a/", "vc", &moref).0, "ds:///a/");
    }
}
