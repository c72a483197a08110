//! Conditions on datastores, the same at all three kinds. No I/O.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Conditions that a datastore must meet. All given ones must hold; an empty one is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatastoreSelector {
    /// Allowed types, such as VMFS, NFS, NFS41, vsan, vsanD, VVOL or PMEM; upper and lower case are the
    /// same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Regular expression that the whole name must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_pattern: Option<String>,
    /// Regular expression; a datastore whose whole name matches it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_pattern: Option<String>,
}
