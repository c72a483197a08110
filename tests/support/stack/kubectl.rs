//! Running kubectl as one user. Does I/O: starts processes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use super::process::output_of;

/// kubectl with a kubeconfig, and with its caches away from the user's own.
pub(super) struct Kubectl {
    pub(super) program: PathBuf,
    pub(super) kubeconfig: PathBuf,
    pub(super) home: PathBuf,
}

impl Kubectl {
    /// The command, for callers that pass it on.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", &self.home)
            .env("KUBECACHEDIR", self.home.join("kube-cache"));
        command
    }

    /// Runs it and answers with its stdout.
    pub(super) fn run(&self, args: &[&str], stdin: Option<&str>) -> anyhow::Result<String> {
        output_of(self.command().args(args), stdin)
    }
}

/// Writes a kubeconfig with one cluster and one user; JSON is YAML.
pub(super) fn write_kubeconfig(path: &Path, cluster: &serde_json::Value, token: &str) -> anyhow::Result<()> {
    let config = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "devstack", "cluster": cluster}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "devstack", "context": {"cluster": "devstack", "user": "user", "namespace": "default"}}],
        "current-context": "devstack",
    });
    std::fs::write(path, config.to_string()).with_context(|| format!("cannot write {}", path.display()))
}
