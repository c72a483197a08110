//! An inventory as the scenario files write it: the same keys as the simulator's inventory file. No I/O.
//!
//! `{}` is one datacenter `DC0` with one cluster `C0` of three hosts and without datastores. A key that is
//! missing has a usual value; a key that is `null` is absent on the wire.

use serde::{Deserialize, Deserializer};

/// A key that may be missing, null or given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Given<T> {
    #[default]
    Missing,
    Null,
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

impl<T: Clone> Given<T> {
    /// The value on the wire, `usual` when the key is missing.
    pub fn or(&self, usual: impl Into<Option<T>>) -> Option<T> {
        match self {
            Self::Missing => usual.into(),
            Self::Null => None,
            Self::Value(value) => Some(value.clone()),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct InventorySpec {
    pub datacenters: Option<Vec<DatacenterSpec>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DatacenterSpec {
    pub name: Option<String>,
    pub clusters: Option<Vec<ClusterSpec>>,
    /// Outside of clusters, each in a `ComputeResource` of its own.
    pub hosts: Hosts,
    /// As [`DatastoreSpec`]; kept as they are, because changes are merged into them.
    pub datastores: Vec<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ClusterSpec {
    pub name: Option<String>,
    pub hosts: Option<Hosts>,
}

/// A list of hosts, or how many there are.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Hosts {
    Number(usize),
    List(Vec<HostSpec>),
}

impl Default for Hosts {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl Hosts {
    pub fn list(&self) -> Vec<HostSpec> {
        match self {
            Self::Number(number) => vec![HostSpec::default(); *number],
            Self::List(list) => list.clone(),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct HostSpec {
    /// Missing: after where it is, `DC0_C0_H0` or `DC0_H0`.
    pub name: Option<String>,
    pub maintenance: Given<bool>,
    /// `connected`, `disconnected`, `notResponding`.
    pub connection_state: Given<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct DatastoreSpec {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Given<String>,
    pub capacity: Given<i64>,
    /// Missing: all of the capacity. Changes call it `freeSpace`.
    #[serde(alias = "freeSpace")]
    pub free: Given<i64>,
    pub uncommitted: Given<i64>,
    pub accessible: Given<bool>,
    pub multiple_host_access: Given<bool>,
    pub maintenance_mode: Given<String>,
    pub url: Given<String>,
    /// `info.maxVirtualDiskCapacity`.
    pub max_virtual_disk_capacity: Given<i64>,
    /// `info.timestamp`, RFC 3339.
    pub timestamp: Given<String>,
    /// `capability.perFileThinProvisioningSupported`.
    pub thin_provisioning: Given<bool>,
    /// The clusters whose hosts mount it; missing: all of the datacenter.
    pub clusters: Given<Vec<String>>,
    /// The mounts one by one, instead of `clusters`.
    pub mounts: Given<Vec<MountSpec>>,
    /// The datastore cluster that it is in, made when there is none of this name.
    pub pod: Option<String>,
    /// The folder that it is in, likewise.
    pub folder: Option<String>,
    /// Paths of properties that the user may not read.
    pub withheld: Given<Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct MountSpec {
    pub host: String,
    pub mounted: Given<bool>,
    pub accessible: Given<bool>,
    /// `readWrite` or `readOnly`.
    pub access_mode: Given<String>,
    pub inaccessible_reason: Given<String>,
}
