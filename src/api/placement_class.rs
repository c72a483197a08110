//! `PlacementClass`: an admin's policy for placements. No I/O.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AllowedNamespaces, ComputeSpec, DatastoreSelector, Quantity, rules, schema};

/// The policy that a placement is decided by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "berth.dev",
    version = "v1alpha1",
    kind = "PlacementClass",
    shortname = "pclass",
    category = "berth",
    doc = "An admin's policy for placements: which datastores they may get, and how much room stays free.",
    printcolumn = r#"{"name": "VCenter", "type": "string", "jsonPath": ".spec.vCenterName"}"#,
    printcolumn = r#"{"name": "Default", "type": "string", "jsonPath": ".metadata.annotations.berth\\.dev/is-default-class"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct PlacementClassSpec {
    /// Name of the `VCenter` that placements of this class go to.
    #[serde(default, rename = "vCenterName", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253), pattern(schema::OBJECT_NAME))]
    pub vcenter_name: Option<String>,
    /// Which namespaces may use it. All when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,
    /// Where VMs run. A placement can narrow it, never widen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<ComputeSpec>,
    /// What is asked of every datastore. A placement can add to it, never widen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datastores: Option<DatastoreSelector>,
    /// Whether a datastore must be shared by hosts; `Shared` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Sharing>,
    /// Which of several eligible datastores is best; `MostFree` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Datastores that come before or after others, whatever the strategy says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub weights: Vec<Weight>,
    /// How much room there must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacitySpec>,
    /// What VVOL datastores ask of a disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vvol: Option<VvolSpec>,
    /// How images come to a datastore; `Import` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_transfer: Option<ImageTransfer>,
    /// For how long room is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<ClaimsSpec>,
}

/// Whether a datastore must be shared by hosts; `Shared` when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Sharing {
    /// At least two hosts must have access: local disks are left out.
    #[default]
    Shared,
    /// Local disks are allowed.
    Any,
}

/// Which of several eligible datastores is best; `MostFree` when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Strategy {
    /// The one with the most free room, less headroom and kept room.
    #[default]
    MostFree,
    /// The one with the smallest part in use, kept room included.
    LeastUtilized,
    /// The one that the most hosts can use; of equals, the least utilized.
    MostShared,
    /// The one with the least free room that still fits.
    Pack,
}

/// A weight for the datastores whose name matches.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Weight {
    /// Regular expression that the whole name must match. The first that matches counts.
    #[schemars(length(min = 1, max = 512))]
    pub name_pattern: String,
    /// Higher comes first; 0 is the weight of a datastore that no pattern matches.
    #[schemars(range(min = -1_000_000, max = 1_000_000))]
    pub weight: i32,
}

/// How images come to a datastore; `Import` when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ImageTransfer {
    /// By vSphere's own import, which converts every format.
    #[default]
    Import,
    /// As files: no flat file can be put on vSAN or VVOL datastores.
    DirectUpload,
    /// As OpenStack Nova's driver does it.
    NovaDriver,
}

/// For how long room is kept for an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimsSpec {
    /// An instance that has not appeared after so many seconds loses its room; 86400, a day, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub ttl_seconds: Option<i32>,
}

/// How much room there must be. Of the two headrooms the larger is kept free.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacitySpec {
    /// Percentage of the datastore's capacity that stays free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub headroom_percent: Option<i32>,
    /// A fixed amount that stays free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::size_or_zero())]
    pub headroom: Option<Quantity>,
    /// Whether what may be promised on a datastore is limited; `Limited` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oversubscription: Option<Oversubscription>,
    /// Percentage of the capacity that may be promised, thin disks at their full size; 100 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_oversubscription_percent: Option<i32>,
    /// What a byte costs on datastores of a type. 200 percent on vsan, which keeps two copies, and 100
    /// elsewhere, unless said here. The first entry with the type counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub space_factors: Vec<SpaceFactor>,
    /// Room for every instance besides its disks and swap: the VM's home, logs, snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::size_or_zero())]
    pub per_instance: Option<Quantity>,
}

/// Whether what may be promised on a datastore is limited; `Limited` when absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Oversubscription {
    /// To `maxOversubscriptionPercent` of its capacity.
    #[default]
    Limited,
    /// Thin disks are promised without limit: they can fill the datastore.
    Unlimited,
}

/// What a byte costs on datastores of these types.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpaceFactor {
    /// Types, such as vsan; upper and lower case are the same.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 32)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub types: Vec<String>,
    /// Percent of a disk's size that it takes of the datastore's free space.
    #[schemars(range(min = 1, max = 1000))]
    pub percent: i32,
}

/// What VVOL datastores ask of a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VvolSpec {
    /// The smallest disk that the array takes: whole MiB, 1Mi when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::positive_size(), validation = rules::whole_mib())]
    pub minimum_disk_size: Option<Quantity>,
}
