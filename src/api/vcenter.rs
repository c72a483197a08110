//! `VCenter`: an admin's connection to a vCenter, and its outer limits. No I/O.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{AllowedNamespaces, Condition, DatastoreSelector, rules, schema};

/// How to reach a vCenter, and what of it may be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "berth.dev",
    version = "v1alpha1",
    kind = "VCenter",
    plural = "vcenters",
    shortname = "vc",
    category = "berth",
    status = "VCenterStatus",
    doc = "A vCenter whose datastores placements can get, and who may use it.",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name": "Version", "type": "string", "jsonPath": ".status.version"}"#,
    printcolumn = r#"{"name": "Datastores", "type": "integer", "jsonPath": ".status.datastoreCount"}"#,
    printcolumn = r#"{"name": "Namespaces", "type": "integer", "jsonPath": ".status.allowedNamespaceCount"}"#,
    printcolumn = r#"{"name": "Server", "type": "string", "jsonPath": ".spec.server"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::one_way_to_trust())]
pub struct VCenterSpec {
    /// Address, such as `https://vc-east.example.com`: no path.
    #[schemars(length(max = 267), pattern(schema::SERVER))]
    pub server: String,
    /// Secret in Berth's own namespace with the keys username and password.
    #[schemars(length(max = 253), pattern(schema::OBJECT_NAME))]
    pub credentials_secret_name: String,
    /// CA certificates in PEM that sign the vCenter's certificate. The system's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65_536))]
    pub ca_bundle: Option<String>,
    /// SHA-256 thumbprint of the vCenter's certificate, instead of a CA.
    #[serde(default, rename = "thumbprintSHA256", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 95), pattern(schema::THUMBPRINT))]
    pub thumbprint_sha256: Option<String>,
    /// Which namespaces may use it. None when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,
    /// What this hides does not exist for Berth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datastores: Option<DatastoreSelector>,
    /// No decision is made on an answer of the vCenter older than this.
    #[serde(default = "default_inventory_max_age")]
    #[schemars(range(min = 5, max = 3600))]
    pub inventory_max_age_seconds: i32,
}

const fn default_inventory_max_age() -> i32 {
    60
}

/// What Berth says of a vCenter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct VCenterStatus {
    /// The generation that this status was written for; -1 until the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1, max = schema::LARGEST_EXACT))]
    pub observed_generation: Option<i64>,
    /// Ready, and Reconciling or Stalled while it is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The vCenter's version, such as 8.0.3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version: Option<String>,
    /// The vCenter's own identity.
    #[serde(default, rename = "instanceUUID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub instance_uuid: Option<String>,
    /// resourceVersion of the Secret that was last tried, so that a refused one is not repeated too soon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub credentials_version: Option<String>,
    /// How many datastores are there for Berth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub datastore_count: Option<i32>,
    /// How many of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub datastores: Vec<DatastoreTypeCount>,
    /// How many namespaces may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub allowed_namespace_count: Option<i32>,
}

/// How many datastores of one type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatastoreTypeCount {
    /// The type in vSphere's spelling.
    #[serde(rename = "type")]
    #[schemars(length(max = 64))]
    pub type_: String,
    /// How many.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub count: i32,
}
