//! Writes the status of a `VCenter`, leaving what is not Berth's. Does I/O.

use serde_json::json;

use crate::api::{GROUP, VCenterStatus, VERSION};
use crate::scheduler::WriteFailure;
use crate::status::{Target, apply_vcenter, body};

use super::shell::Shell;
use super::writes::{Written, fetch_same, put_checked, version};

/// Reads the `VCenter`, replaces Berth's part of its status and writes it, unless that changes nothing.
pub(super) async fn put(shell: &Shell, name: &str, uid: &str, status: &VCenterStatus) -> Written {
    let path = format!("/apis/{GROUP}/{VERSION}/vcenters/{name}");
    let object = fetch_same(&shell.client, &path, uid).await?;
    let resource_version = version(&object)?;
    let current = object.get("status").cloned().unwrap_or_else(|| json!({}));
    let wanted =
        apply_vcenter(&current, status).map_err(|error| (WriteFailure::Rejected, error.to_string()))?;
    if wanted == current {
        return Ok(resource_version);
    }
    let target = Target { kind: "VCenter", namespace: None, name, uid, resource_version: &resource_version };
    put_checked(shell, &path, "VCenter schema", body(&target, &wanted)).await
}

#[cfg(test)]
mod tests {
    use super::super::mock::shell;
    use super::*;
    use crate::api::{ConditionStatus, ConditionType};
    use crate::status::condition;

    fn connected(at: &str) -> VCenterStatus {
        VCenterStatus {
            observed_generation: Some(1),
            conditions: vec![condition(
                ConditionType::Ready,
                ConditionStatus::True,
                "Connected",
                "m",
                1,
                at.parse().unwrap(),
            )],
            ..VCenterStatus::default()
        }
    }

    #[tokio::test]
    async fn an_unchanged_status_is_not_written() {
        let current = apply_vcenter(&json!({"note": 1}), &connected("2026-01-01T00:00:00Z")).unwrap();
        let (shell, _) = shell(move |line, _| {
            assert_eq!(line, "GET /apis/berth.dev/v1alpha1/vcenters/vc-east");
            let metadata = json!({"name": "vc-east", "uid": "u-1", "resourceVersion": "7"});
            (200, json!({"metadata": metadata, "status": current}).to_string(), None)
        });
        let written = put(&shell, "vc-east", "u-1", &connected("2026-02-02T00:00:00Z")).await;
        assert_eq!(written, Ok("7".into()));
    }
}
