//! The status of an `InstancePlacement`: what Berth says of it. No I/O.

use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, rules, schema};

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
    /// Ready, Reconciling or Stalled while it is not, and `RoomKept` once there is a datastore.
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
    /// Where the VM can run with this datastore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<ComputeStatus>,
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

/// Where a VM can run with the selected datastore, at the time of the decision.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComputeStatus {
    /// The cluster with the most hosts that can use the datastore; a standalone host is one by itself.
    #[schemars(length(max = 256))]
    pub cluster: String,
    /// How many of its hosts can use the datastore and are not in maintenance.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub usable_hosts: i32,
    /// How many hosts it has.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub hosts: i32,
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
    /// When the room is given back unless the instance has appeared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 64), extend("format" = "date-time"))]
    pub expiration_time: Option<Timestamp>,
}

/// How far an instance has come to use the room kept for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ClaimState {
    /// All of it is kept.
    Open,
    /// The instance did not appear in time: nothing is kept.
    Expired,
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
