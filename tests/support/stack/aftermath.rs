//! What must be true after every test, whatever it was about. Does I/O: asks the cluster and reads logs.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::environment::Stack;

/// Every user name and password of a simulated vCenter begins so.
pub(super) const CANARY: &str = "canary-";

impl Stack {
    /// No credential has got into what Berth said or wrote, and Berth has asked nothing that it may not.
    ///
    /// # Errors
    /// Where a credential is, or what was forbidden.
    pub fn check_aftermath(&self) -> anyhow::Result<()> {
        let secrets = self.credentials()?;
        for (place, text) in self.outputs()? {
            for secret in &secrets {
                let found = text.lines().find(|line| line.contains(secret.as_str()));
                ensure!(found.is_none(), "a credential is in {place}: {found:?}");
            }
        }
        let forbidden: BTreeSet<_> = self
            .audit_events()?
            .into_iter()
            .filter(|event| event.is_berths() && event.response_status.code == 403)
            .map(|event| format!("{} {}", event.verb, event.request_uri))
            .collect();
        ensure!(forbidden.is_empty(), "Berth was forbidden to {forbidden:?}");
        Ok(())
    }

    /// What must not be seen: as it is, and as the API server stores it.
    fn credentials(&self) -> anyhow::Result<Vec<String>> {
        // Three bytes become four characters, so a common beginning stays one up to its last whole three.
        let encoded = BASE64_STANDARD.encode(&CANARY[..CANARY.len() / 3 * 3]);
        let kubeconfig: Value = serde_json::from_str(&fs::read_to_string(self.berth_kubeconfig()?)?)?;
        let token = kubeconfig.pointer("/users/0/user/token").and_then(Value::as_str);
        let token = token.context("a kubeconfig without a token")?.to_owned();
        Ok(vec![CANARY.to_owned(), encoded, token])
    }

    /// Everything that Berth has said and written since the last reset, but its Secrets.
    fn outputs(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut outputs = Vec::new();
        for log in self.controller_logs() {
            outputs.push((log.display().to_string(), fs::read_to_string(&log)?));
        }
        let kinds = self.kinds()?.join(",");
        for kinds in [&kinds, "events.events.k8s.io", "configmaps", "leases.coordination.k8s.io"] {
            let list = self.kubectl(&["get", kinds, "--all-namespaces", "--output=yaml"], None)?;
            outputs.push((kinds.to_owned(), list));
        }
        Ok(outputs)
    }
}
