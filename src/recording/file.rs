//! The fields of the file. Sizes are bytes; a field that is absent was not returned by vCenter. No I/O.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct File {
    #[serde(rename = "apiVersion")]
    pub _api_version: String,
    #[serde(rename = "vCenter")]
    pub vcenter: VCenter,
    #[serde(default)]
    pub datacenters: Vec<Place>,
    #[serde(default)]
    pub clusters: Vec<Place>,
    #[serde(default)]
    pub hosts: Vec<Host>,
    #[serde(default)]
    pub datastores: Vec<Datastore>,
}

/// Which vCenter.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct VCenter {
    /// `https://host[:port]`, as [`super::server`] writes it.
    pub server: String,
    /// `about.instanceUuid`.
    #[serde(rename = "instanceUUID")]
    pub instance_uuid: String,
    /// `about.version`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// A datacenter, or a cluster (also the compute resource that a standalone host is by itself).
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Place {
    pub mo_ref: String,
    pub name: String,
    /// Inventory path, for example `/DC0/host/C0`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Host {
    pub mo_ref: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// moRef of its cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// moRef of its datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_maintenance: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Datastore {
    pub mo_ref: String,
    /// Without vCenter's escapes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// moRef of its datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<String>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accessible: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance_mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncommitted_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiple_host_access: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_virtual_disk_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thin_provisioning: Option<bool>,
    /// When vCenter last took the figures from the storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures_time: Option<Timestamp>,
    /// Fields of this object whose value vCenter has and does not show: [`Withheld`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<Withheld>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mounts: Option<Mounts>,
}

/// Fields for which "not shown" is another answer than "absent".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Withheld {
    MaxVirtualDiskBytes,
    ThinProvisioning,
}

/// moRefs of the hosts that mount a datastore, by how they can use it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Mounts {
    /// Accessible and readWrite.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usable: Vec<String>,
    /// Accessible, but not readWrite.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read_only: Vec<String>,
    /// No path leads there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inaccessible: Vec<String>,
}
