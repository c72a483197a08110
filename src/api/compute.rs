//! Where the VM will run, the same at placements and classes. No I/O.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the VM will run. All given conditions must hold; an absent one is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComputeSpec {
    /// Name or inventory path of a datacenter, such as DC0 or `/europe/DC0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub datacenter: Option<String>,
    /// Names or inventory paths of clusters, such as C0 or `/DC0/host/C0`. One of them is enough.
    // Atomic: two appliers' lists put together would allow more than either wants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub clusters: Vec<String>,
    /// Names or inventory paths of hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub hosts: Vec<String>,
    /// Which of the hosts must be able to use the datastore; `OneCluster` when absent. A host in maintenance
    /// is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_access: Option<HostAccess>,
}

/// Which of the hosts in scope must be able to use a datastore, the least demanding first; `OneCluster` when
/// absent. A host in maintenance is left out.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum HostAccess {
    /// At least one host.
    AnyHost,
    /// All hosts of at least one cluster.
    #[default]
    OneCluster,
    /// All hosts.
    AllHosts,
}
