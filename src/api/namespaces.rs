//! Which namespaces may use a class or a `VCenter`. No I/O.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{rules, schema};

/// Which namespaces may use something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::selector_when_selected())]
pub struct AllowedNamespaces {
    /// None, All, or those that the selector selects. When absent, what it means to leave out
    /// allowedNamespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NamespacesFrom>,
    /// Selects namespaces by their labels, with `from: Selector`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::namespace_selector")]
    pub selector: Option<LabelSelector>,
}

/// None, all, or the selected namespaces. When absent, what it means to leave out allowedNamespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum NamespacesFrom {
    /// No namespace.
    None,
    /// Every namespace.
    All,
    /// The namespaces that the selector selects.
    Selector,
}
