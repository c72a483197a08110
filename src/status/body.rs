//! The body of a status write. No I/O.

use serde::Serialize;
use serde_json::Value;

use crate::api::{GROUP, VERSION};

/// Which version of which object a status belongs to.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Target<'a> {
    /// Its kind.
    #[serde(skip)]
    pub kind: &'static str,
    /// Its namespace, unless the kind has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<&'a str>,
    /// Its name.
    pub name: &'a str,
    /// Its uid.
    pub uid: &'a str,
    /// The version that is replaced.
    pub resource_version: &'a str,
}

/// The smallest body that a status write needs, as JSON: the API server keeps spec, labels and annotations as
/// they are.
#[must_use]
pub fn body(target: &Target<'_>, status: &Value) -> String {
    serde_json::json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": target.kind,
        "metadata": target,
        "status": status,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_body_has_identity_and_status_alone() {
        let target = Target {
            kind: "InstancePlacement",
            namespace: Some("team-a"),
            name: "web-01",
            uid: "u-1",
            resource_version: "7",
        };
        let text = body(&target, &json!({"new": 2}));
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            body,
            json!({
                "apiVersion": "berth.dev/v1alpha1", "kind": "InstancePlacement",
                "metadata": {"name": "web-01", "namespace": "team-a", "uid": "u-1", "resourceVersion": "7"},
                "status": {"new": 2},
            })
        );
    }
}
