//! `PlacementClass`: an admin's policy for placements. No I/O.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{DatastoreSelector, Quantity, rules, schema};

/// The policy that a placement is decided by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, CustomResource, KubeSchema)]
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
    /// What is asked of every datastore. A placement can add to it, never widen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datastores: Option<DatastoreSelector>,
    /// How much room must stay free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacitySpec>,
    /// What VVOL datastores ask of a disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vvol: Option<VvolSpec>,
}

/// How much room must stay free. The larger of the two is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapacitySpec {
    /// Percentage of the datastore's capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub headroom_percent: Option<i32>,
    /// A fixed amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::size_or_zero())]
    pub headroom: Option<Quantity>,
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
