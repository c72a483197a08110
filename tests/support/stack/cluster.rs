//! etcd and a kube-apiserver: their flags, files and order of start. Does I/O.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use serde_json::{Value, json};

use super::http;
use super::process::{Server, Watchdog, free_port};
use super::programs::program;
use crate::tls::{Authority, random_token, signing_keys};

const READY: Duration = Duration::from_secs(90);
/// A free port may be taken before the server gets it.
const ATTEMPTS: usize = 3;

/// A Kubernetes API of our own. No controller manager: namespaces never finish deleting, Deployments stay
/// empty, nothing is garbage collected.
pub(super) struct Cluster {
    // Dropped in this order: the API server first.
    api_server: Server,
    etcd: Server,
    /// The `cluster` entry of a kubeconfig.
    pub(super) entry: Value,
    pub(super) token: String,
    pub(super) audit_log: PathBuf,
}

impl Cluster {
    pub(super) fn start(folder: &Path, ca: &Authority, watchdog: &Arc<Watchdog>) -> anyhow::Result<Self> {
        let mut attempt = 1;
        loop {
            let files = folder.join(format!("cluster-{attempt}"));
            match Self::try_start(&files, ca, watchdog) {
                Err(error)
                    if attempt < ATTEMPTS && format!("{error:#}").contains("address already in use") =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    fn try_start(files: &Path, ca: &Authority, watchdog: &Arc<Watchdog>) -> anyhow::Result<Self> {
        fs::create_dir_all(files)?;
        let (etcd, etcd_url) = start_etcd(files, watchdog)?;
        let token = random_token()?;
        let port = free_port()?;
        let audit_log = files.join("audit.log");
        let mut command = api_server(files, ca, &token, port, &etcd_url, &audit_log)?;
        let log = files.join("kube-apiserver.log");
        let mut api_server = Server::start("kube-apiserver", &mut command, log, None, watchdog)?;
        let url = format!("https://127.0.0.1:{port}");
        let bearer = format!("Bearer {token}");
        api_server.wait_ready(READY, || {
            let answer = http::request(
                "GET",
                &format!("{url}/readyz"),
                Some(ca.pem()),
                Some(("authorization", &bearer)),
                None,
            )?;
            Ok((answer.status == 200).then_some(()))
        })?;
        let entry = json!({
            "server": url,
            "certificate-authority-data": base64::engine::general_purpose::STANDARD.encode(ca.pem()),
        });
        Ok(Self { api_server, etcd, entry, token, audit_log })
    }

    pub(super) fn pids(&self) -> [u32; 2] {
        [self.etcd.pid(), self.api_server.pid()]
    }
}

fn start_etcd(files: &Path, watchdog: &Arc<Watchdog>) -> anyhow::Result<(Server, String)> {
    let client = format!("http://127.0.0.1:{}", free_port()?);
    let peer = format!("http://127.0.0.1:{}", free_port()?);
    let mut command = Command::new(program("etcd", "etcd")?);
    command
        .arg("--data-dir")
        .arg(files.join("etcd"))
        .args(["--name", "devstack", "--log-level", "warn"])
        // Nothing here must survive a power failure.
        .arg("--unsafe-no-fsync")
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("devstack={peer}")]);
    let mut etcd = Server::start("etcd", &mut command, files.join("etcd.log"), None, watchdog)?;
    etcd.wait_ready(READY, || {
        let answer = http::request("GET", &format!("{client}/readyz"), None, None, None)?;
        Ok((answer.status == 200).then_some(()))
    })?;
    Ok((etcd, client))
}

const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
";

fn api_server(
    files: &Path,
    ca: &Authority,
    token: &str,
    port: u16,
    etcd: &str,
    audit_log: &Path,
) -> anyhow::Result<Command> {
    let write = |name: &str, content: &str| -> anyhow::Result<PathBuf> {
        let path = files.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    };
    let identity = ca.issue("kube-apiserver")?;
    let (signing_key, public_key) = signing_keys()?;
    let mut command = Command::new(program("kube", "kube-apiserver")?);
    command
        .args(["--etcd-servers", etcd, "--bind-address", "127.0.0.1", "--secure-port", &port.to_string()])
        .args(["--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none"])
        .arg("--cert-dir")
        .arg(files)
        .arg("--tls-cert-file")
        .arg(write("kube-apiserver.crt", &identity.certificate)?)
        .arg("--tls-private-key-file")
        .arg(write("kube-apiserver.key", &identity.key)?)
        .args(["--service-account-issuer", "https://kubernetes.default.svc"])
        .arg("--service-account-key-file")
        .arg(write("service-account.pub", &public_key)?)
        .arg("--service-account-signing-key-file")
        .arg(write("service-account.key", &signing_key)?)
        .arg("--token-auth-file")
        .arg(write("tokens.csv", &format!("{token},admin,admin,system:masters\n"))?)
        .args(["--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.0.0.0/24"])
        // Its controller is not here to create the service accounts that it asks for.
        .args(["--disable-admission-plugins", "ServiceAccount"])
        .arg("--audit-policy-file")
        .arg(write("audit-policy.yaml", AUDIT_POLICY)?)
        .arg("--audit-log-path")
        .arg(audit_log);
    Ok(command)
}
