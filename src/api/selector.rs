//! Conditions on datastores, the same at all three kinds. No I/O.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Conditions that a datastore must meet. All given ones must hold; an empty one is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatastoreSelector {
    /// Allowed types, such as VMFS, NFS, NFS41, vsan, vsanD, VVOL or PMEM; upper and lower case are the
    /// same.
    // Atomic: two appliers' lists put together would allow more than either wants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 32)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub types: Vec<String>,
    /// Regular expression that the whole name must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub name_pattern: Option<String>,
    /// Regular expression; a datastore whose whole name matches it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub exclude_pattern: Option<String>,
}
