//! `InstancePlacement`: what a team asks for, and the datastore it got. No I/O.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, DatastoreSelector, Quantity, rules, schema};

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
    validation = rules::whole_mib_where_only_vvol("rootDisk", "size")
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
    /// What is asked of the datastore, besides what the class asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datastores: Option<DatastoreSelector>,
    /// Raise it above `status.revision` to ask for a new decision. A lower number means nothing.
    #[serde(default)]
    #[schemars(range(min = 0, max = schema::LARGEST_EXACT))]
    pub revision: i64,
    /// While true, nothing is decided. What is decided already stays.
    #[serde(default)]
    pub suspend: bool,
}

/// The image that a root disk is made from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageSpec {
    /// The image's own virtual disk size, exact to the byte: the disk is created at this size.
    #[x_kube(validation = rules::positive_size())]
    pub virtual_size: Quantity,
}

/// The root disk. It is thin.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RootDiskSpec {
    /// Size after growing. At least the image's.
    #[x_kube(validation = rules::positive_size())]
    pub size: Quantity,
}

/// What Berth says of a placement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
#[x_kube(validation = rules::decision_has_revision())]
pub struct InstancePlacementStatus {
    /// The generation that this status was written for; -1 until the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1, max = schema::LARGEST_EXACT))]
    pub observed_generation: Option<i64>,
    /// The `spec.revision` that the selected datastore answers. It never goes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = schema::LARGEST_EXACT))]
    pub revision: Option<i64>,
    /// Ready, and Reconciling or Stalled while it is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Create the VM with this instanceUuid, and Berth can tell that it belongs to this placement.
    #[serde(default, rename = "instanceUUID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub instance_uuid: Option<String>,
    /// The selected datastore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datastore: Option<SelectedDatastore>,
    /// What is known of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageStatus>,
    /// The room kept on the selected datastore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// How the last decision came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// The selected datastore. Its identity is the moRef together with the vCenter's instanceUUID.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SelectedDatastore {
    /// Name at the time of the decision.
    #[schemars(length(max = 256))]
    pub name: String,
    /// Managed object reference, such as datastore-42.
    #[schemars(length(max = 128))]
    pub mo_ref: String,
    /// Type in vSphere's spelling, such as VMFS or VVOL.
    #[serde(rename = "type")]
    #[schemars(length(max = 64))]
    pub type_: String,
    /// Where it is mounted, such as `ds:///vmfs/volumes/vvol:1a2b/`.
    #[schemars(length(max = 1024))]
    pub url: String,
    /// Name of its datacenter.
    #[schemars(length(max = 256))]
    pub datacenter: String,
    /// The vCenter that it is in.
    #[serde(rename = "vCenter")]
    pub vcenter: VCenterReference,
}

/// Which vCenter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VCenterReference {
    /// Name of the `VCenter` object.
    #[schemars(length(max = 253))]
    pub name: String,
    /// The vCenter's own identity.
    #[serde(rename = "instanceUUID")]
    #[schemars(length(max = 64))]
    pub instance_uuid: String,
}

/// What is known of the image.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageStatus {
    /// Its own virtual disk size.
    #[schemars(range(min = 1, max = schema::LARGEST_INT64))]
    pub virtual_size_bytes: i64,
    /// Where that size comes from.
    pub source: ImageSource,
}

/// Where an image's size comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ImageSource {
    /// From the placement's spec.
    Declared,
}

/// Room that is kept on a datastore.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Everything that the instance may come to use.
    #[schemars(range(min = 0, max = schema::LARGEST_INT64))]
    pub bytes: i64,
    /// The part of it that is written when the instance is created.
    #[schemars(range(min = 0, max = schema::LARGEST_INT64))]
    pub immediate_bytes: i64,
    /// How far the instance has come to use it.
    pub state: ClaimState,
}

/// How far an instance has come to use the room kept for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ClaimState {
    /// All of it is kept.
    Open,
}

/// How a decision came about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Who chose the datastore. Absent when none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<DecisionSource>,
    /// The class that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement_class: Option<ClassReference>,
    /// The inventory that was decided on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<InventoryReference>,
    /// How many datastores were looked at.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub evaluated: i32,
    /// How many of them are eligible.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub eligible: i32,
    /// How many datastores each reason excluded; a datastore counts under each of its reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub rejections: Vec<Rejection>,
    /// The selected datastore and the next best ones; when none is eligible, those nearest to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub candidates: Vec<Candidate>,
}

/// Who chose the datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DecisionSource {
    /// Berth selected it.
    Selected,
}

/// Which class, and which state of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassReference {
    /// Its name.
    #[schemars(length(max = 256))]
    pub name: String,
    /// Its uid.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// Its generation.
    #[schemars(range(min = 0, max = schema::LARGEST_EXACT))]
    pub generation: i64,
}

/// Which inventory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InventoryReference {
    /// Hash of its content.
    #[schemars(length(max = 64))]
    pub version: String,
    /// When the vCenter last confirmed it.
    #[schemars(with = "String", length(max = 64), extend("format" = "date-time"))]
    pub time: Timestamp,
}

/// How many datastores one reason excluded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The reason.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// How many datastores it excluded.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub count: i32,
}

/// One datastore with its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// Its name.
    #[schemars(length(max = 256))]
    pub name: String,
    /// Its managed object reference.
    #[schemars(length(max = 128))]
    pub mo_ref: String,
    /// Its type in vSphere's spelling.
    #[serde(rename = "type")]
    #[schemars(length(max = 64))]
    pub type_: String,
    /// Whether every rule holds.
    pub eligible: bool,
    /// Its place among the eligible ones; 1 is the selected one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub rank: Option<i32>,
    /// Every rule that it fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub reasons: Vec<CandidateReason>,
}

/// One rule that a datastore fails.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CandidateReason {
    /// The rule.
    #[schemars(length(max = 64))]
    pub code: String,
    /// With its numbers.
    #[schemars(length(max = 256))]
    pub message: String,
}
