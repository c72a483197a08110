//! `InstancePlacement`: what a team asks for. No I/O.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ComputeSpec, DatastoreSelector, InstancePlacementStatus, Quantity, rules, schema};

/// The datastore that a VM instance needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "berth.dev",
    version = "v1alpha1",
    kind = "InstancePlacement",
    namespaced,
    status = "InstancePlacementStatus",
    shortname = "iplace",
    category = "berth",
    selectable = ".spec.vCenterName",
    selectable = ".spec.placementClassName",
    selectable = ".status.datastore.name",
    doc = "Asks for a datastore for one VM instance, and says which one it got.",
    validation = rules::revision_never_goes_back(),
    validation = rules::decided_once(),
    validation = rules::spec_immutable_once_placed(),
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Datastore", "type": "string", "jsonPath": ".status.datastore.name"}"#,
    printcolumn = r#"{"name": "Type", "type": "string", "jsonPath": ".status.datastore.type"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Class", "type": "string", "jsonPath": ".status.decision.placementClass.name", "priority": 1}"#,
    printcolumn = r#"{"name": "VCenter", "type": "string", "jsonPath": ".status.datastore.vCenter.name", "priority": 1}"#,
    printcolumn = r#"{"name": "Eligible", "type": "integer", "jsonPath": ".status.decision.eligible", "priority": 1}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].message", "priority": 1}"#
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::something_to_place(),
    validation = rules::whole_mib_where_only_vvol("image", "virtualSize"),
    validation = rules::whole_mib_where_only_vvol("rootDisk", "size"),
    validation = rules::whole_mib_of_additional_disks_where_only_vvol()
)]
pub struct InstancePlacementSpec {
    /// Name of the `PlacementClass`. The default class when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), pattern(schema::OBJECT_NAME))]
    pub placement_class_name: Option<String>,
    /// Name of the `VCenter`. When absent, the class's; else the only one that this namespace may use.
    #[serde(default, rename = "vCenterName", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), pattern(schema::OBJECT_NAME))]
    pub vcenter_name: Option<String>,
    /// The image that the root disk is made from. Optional when the root disk's size is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageSpec>,
    /// The root disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_disk: Option<RootDiskSpec>,
    /// Disks besides the root disk. They go to the same datastore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub additional_disks: Vec<AdditionalDiskSpec>,
    /// The VM's memory, when room for its swap file is to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemorySpec>,
    /// Where the VM will run. It narrows what the class says, and never widens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<ComputeSpec>,
    /// What is asked of the datastore, besides what the class asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datastores: Option<PlacementDatastores>,
    /// Keeps members of a group on different datastores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<SpreadSpec>,
    /// Raise it above `status.revision` to ask for a new decision. A lower number means nothing.
    #[serde(default)]
    #[schemars(range(min = 0, max = schema::LARGEST_EXACT))]
    pub revision: i64,
    /// While true, nothing is decided. What is decided already stays.
    #[serde(default)]
    pub suspend: bool,
    /// When it is not placed for so many seconds, it is said to be stalled; Berth keeps trying. Never when
    /// absent. The time in which it is suspended does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub progress_deadline_seconds: Option<i32>,
}

/// The image that a root disk is made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageSpec {
    /// The image's own virtual disk size, exact to the byte: the disk is created at this size.
    #[x_kube(validation = rules::positive_size())]
    pub virtual_size: Quantity,
    /// Format of the image's disk. It matters where images are uploaded instead of imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_type: Option<DiskType>,
}

/// Format of an image's disk. It matters where images are uploaded instead of imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DiskType {
    /// A flat extent with all of its bytes.
    Flat,
    /// A monolithic sparse extent.
    Sparse,
    /// A compressed extent that is made to be streamed.
    StreamOptimized,
    /// An OVA archive.
    #[serde(rename = "OVA")]
    Ova,
}

/// The root disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RootDiskSpec {
    /// Size after growing. At least the image's, which is meant when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::positive_size())]
    pub size: Option<Quantity>,
    /// How its room is taken; Thin when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning: Option<Provisioning>,
}

/// A disk besides the root disk. It is created blank.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdditionalDiskSpec {
    /// Name within the placement.
    #[schemars(length(max = 63), pattern(schema::LABEL))]
    pub name: String,
    /// Its size.
    #[x_kube(validation = rules::positive_size())]
    pub size: Quantity,
    /// How its room is taken; Thin when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning: Option<Provisioning>,
}

/// How a disk takes its room; Thin when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Provisioning {
    /// As it is written.
    #[default]
    Thin,
    /// All of it at once; zeroed when first written.
    Thick,
    /// All of it at once, zeroed at once.
    EagerZeroedThick,
}

/// Memory of the VM: its swap file is as large as what is not reserved.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::reservation_within_size())]
pub struct MemorySpec {
    /// The VM's memory.
    #[x_kube(validation = rules::positive_size())]
    pub size: Quantity,
    /// How much of it is reserved; nothing when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::size_or_zero())]
    pub reservation: Option<Quantity>,
}

/// What a team asks of the datastore: the conditions, and which it would like best.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlacementDatastores {
    /// The conditions.
    #[serde(flatten)]
    pub selector: DatastoreSelector,
    /// Datastores to take before others when they are eligible: name, `datacenter/name` or moRef each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub preferred: Vec<String>,
}

/// Membership in a group whose members are to be on different datastores.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpreadSpec {
    /// Name of the group. It is one group within a namespace and a vCenter.
    #[schemars(length(max = 63), pattern(schema::LABEL))]
    pub group_name: String,
    /// What becomes of it when every eligible datastore has a member; `PlaceAnyway` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_unsatisfiable: Option<WhenUnsatisfiable>,
}

/// What becomes of a placement that cannot be spread; `PlaceAnyway` when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum WhenUnsatisfiable {
    /// It is placed all the same, where no member is if possible.
    #[default]
    PlaceAnyway,
    /// It waits.
    DoNotPlace,
}
