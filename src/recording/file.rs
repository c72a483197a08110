//! The fields of the file, in the order in which they are written; [`super`] says what they mean. No I/O.
//!
//! A field that is added later has a default and is not written while it has that.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::bounded::{at_most, once_each, some_at_most, some_once_each};

/// Hosts, and so clusters and datacenters with hosts: four times what a vCenter supports.
const MAX_HOSTS: usize = 10_000;
/// Datastores: the largest vCenters have a tenth of it.
const MAX_DATASTORES: usize = 50_000;
/// Fields that can be withheld, with room for some more.
const MAX_WITHHELD: usize = 16;
/// Policies and datastore clusters: ten times what a vCenter supports.
const MAX_STORAGE: usize = 10_000;
/// Tags and the like of one datastore.
const MAX_OF_ONE: usize = 1_000;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct File {
    #[serde(rename = "apiVersion")]
    pub _api_version: String,
    #[serde(rename = "vCenter")]
    pub vcenter: VCenter,
    #[serde(default, deserialize_with = "at_most::<MAX_HOSTS, _, _>")]
    pub datacenters: Vec<Place>,
    #[serde(default, deserialize_with = "at_most::<MAX_HOSTS, _, _>")]
    pub clusters: Vec<Place>,
    #[serde(default, deserialize_with = "at_most::<MAX_HOSTS, _, _>")]
    pub hosts: Vec<Host>,
    #[serde(default, deserialize_with = "some_at_most::<MAX_STORAGE, _, _>")]
    pub datastore_clusters: Option<Vec<Place>>,
    #[serde(default, deserialize_with = "some_at_most::<MAX_STORAGE, _, _>")]
    pub policies: Option<Vec<Policy>>,
    #[serde(default, deserialize_with = "at_most::<MAX_DATASTORES, _, _>")]
    pub datastores: Vec<Datastore>,
}

/// As it is written. Wide enough for every number that is no size, so that the message can name its field.
pub(super) type Size = i128;

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
    /// The account that the datastores' privileges are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
}

/// A storage policy.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Policy {
    pub id: String,
    pub name: String,
}

/// A datacenter, a datastore cluster, or a cluster (also the compute resource that a standalone host is by itself).
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Place {
    pub mo_ref: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Inventory path, for example `/DC0/host/C0`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Host {
    pub mo_ref: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
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
    pub capacity_bytes: Option<Size>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<Size>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncommitted_bytes: Option<Size>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiple_host_access: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_virtual_disk_bytes: Option<Size>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thin_provisioning: Option<bool>,
    /// When vCenter last took the figures from the storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures_time: Option<Timestamp>,
    /// Fields of this object whose value vCenter has and does not show: [`Withheld`].
    #[serde(
        default,
        deserialize_with = "at_most::<MAX_WITHHELD, _, _>",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub withheld: Vec<Withheld>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mounts: Option<Mounts>,
    /// moRef of its datastore cluster.
    #[serde(default, rename = "datastoreCluster", skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    #[serde(
        default,
        deserialize_with = "some_at_most::<MAX_OF_ONE, _, _>",
        skip_serializing_if = "Option::is_none"
    )]
    pub tags: Option<Vec<Tag>>,
    #[serde(
        default,
        deserialize_with = "some_once_each::<MAX_OF_ONE, _, _>",
        skip_serializing_if = "Option::is_none"
    )]
    pub custom_attributes: Option<BTreeMap<String, String>>,
    #[serde(
        default,
        deserialize_with = "some_at_most::<MAX_OF_ONE, _, _>",
        skip_serializing_if = "Option::is_none"
    )]
    pub alarms: Option<Vec<Alarm>>,
    /// By the id of the policy.
    #[serde(
        default,
        deserialize_with = "once_each::<MAX_STORAGE, _, _>",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub policies: BTreeMap<String, PolicyCheck>,
    /// By the id of the privilege.
    #[serde(
        default,
        deserialize_with = "once_each::<MAX_OF_ONE, _, _>",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub privileges: BTreeMap<String, bool>,
    /// By the id of the array: whether it is active.
    #[serde(
        default,
        deserialize_with = "once_each::<MAX_OF_ONE, _, _>",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub arrays: BTreeMap<String, bool>,
    /// moRefs of the hosts that have a protocol endpoint to it.
    #[serde(
        default,
        deserialize_with = "some_at_most::<MAX_HOSTS, _, _>",
        skip_serializing_if = "Option::is_none"
    )]
    pub endpoints: Option<Vec<String>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Tag {
    pub category: String,
    pub name: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Alarm {
    pub name: String,
    pub status: AlarmStatus,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum AlarmStatus {
    Yellow,
    Red,
}

/// What PBM says of a datastore and a policy.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicyCheck {
    pub compatible: bool,
    /// moRefs of the hosts on which they fit together, when it is not on all.
    #[serde(
        default,
        deserialize_with = "some_at_most::<MAX_HOSTS, _, _>",
        skip_serializing_if = "Option::is_none"
    )]
    pub hosts: Option<Vec<String>>,
    /// PBM's own text when they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Fields for which "not shown" is another answer than "absent".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Withheld {
    MaxVirtualDiskBytes,
    ThinProvisioning,
    DatastoreCluster,
}

/// moRefs of the hosts that mount a datastore, by how they can use it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Mounts {
    /// Accessible and readWrite.
    #[serde(default, deserialize_with = "at_most::<MAX_HOSTS, _, _>", skip_serializing_if = "Vec::is_empty")]
    pub usable: Vec<String>,
    /// Accessible, but not readWrite.
    #[serde(default, deserialize_with = "at_most::<MAX_HOSTS, _, _>", skip_serializing_if = "Vec::is_empty")]
    pub read_only: Vec<String>,
    /// No path leads there.
    #[serde(default, deserialize_with = "at_most::<MAX_HOSTS, _, _>", skip_serializing_if = "Vec::is_empty")]
    pub inaccessible: Vec<String>,
}
