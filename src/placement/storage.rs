//! What administrators and vCenter's services say of storage, as plain values: datastore clusters, policies, tags
//! and alarms. No I/O.

use super::compute::HostSet;
use super::inventory::MoRef;

/// A datastore cluster (`StoragePod`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DatastoreCluster {
    /// Managed object reference, for example `group-p12`.
    pub moref: MoRef,
    /// Display name.
    pub name: String,
    /// Inventory path, for example `/DC0/datastore/POD-A`. Empty when vCenter does not show the way up.
    pub path: String,
}

/// A storage policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoragePolicy {
    /// `profileId.uniqueId`.
    pub id: String,
    /// Its name, unique within a vCenter.
    pub name: String,
}

/// What vCenter's PBM says of a datastore and a policy: `PbmPlacementCompatibilityResult`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PolicyCheck {
    /// They fit together.
    Compatible {
        /// `matchingResources`: they do so on these hosts only. None: on all.
        hosts: Option<HostSet>,
    },
    /// They do not.
    Incompatible {
        /// PBM's own text.
        why: String,
    },
}

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// Name of its category.
    pub category: String,
    /// Its name within the category.
    pub name: String,
}

/// An alarm that is triggered: `AlarmState`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alarm {
    /// Display name.
    pub name: String,
    /// `overallStatus`.
    pub status: AlarmStatus,
}

/// How bad an alarm is, the milder first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmStatus {
    /// A warning.
    Yellow,
    /// Something is wrong.
    Red,
}
