//! A simulated vCenter over TLS, and the hand that changes it while clients watch. Does I/O.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::aftermath::CANARY;
use super::http;
use super::process::{Server, Watchdog};
use super::programs::program;
use crate::tls::{Authority, Identity};

const READY: Duration = Duration::from_mins(1);

/// What a simulated vCenter is like.
pub struct VcenterOptions {
    /// The simulator's inventory file; see `tests/devstack/go/vcsim/inventory.go`.
    pub inventory: Value,
    /// The only accepted user.
    pub username: String,
    /// Its password.
    pub password: String,
    /// `about.instanceUuid`: two with the same are the same vCenter.
    pub instance_uuid: String,
}

impl Default for VcenterOptions {
    fn default() -> Self {
        Self {
            inventory: json!({}),
            username: format!("{CANARY}user@vsphere.local"),
            password: format!("{CANARY}password"),
            instance_uuid: "4d1a6d5e-8a7c-4c0b-9f0e-2b6f5c1d3e4f".to_owned(),
        }
    }
}

/// A session that a vCenter holds.
#[derive(Clone, Debug, Deserialize)]
pub struct Session {
    /// Its key, which is also the cookie's value.
    pub key: String,
    /// Who logged in.
    pub user: String,
}

/// How many calls of Login there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Logins {
    /// Answered with a session.
    pub succeeded: u64,
    /// Answered with a fault, injected ones included.
    pub failed: u64,
}

#[derive(Deserialize)]
struct Ready {
    url: String,
    datastores: Map<String, Value>,
}

/// A running vCenter; dropping it stops it.
pub struct Vcenter {
    name: String,
    options: VcenterOptions,
    folder: PathBuf,
    watchdog: Arc<Watchdog>,
    ca_pem: String,
    thumbprint: String,
    server: Server,
    ready: Ready,
}

impl Vcenter {
    pub(super) fn start(
        name: &str,
        options: VcenterOptions,
        folder: PathBuf,
        ca: &Authority,
        watchdog: &Arc<Watchdog>,
    ) -> anyhow::Result<Self> {
        let Identity { certificate, key, thumbprint } = ca.issue(name)?;
        fs::write(folder.join("tls.crt"), certificate)?;
        fs::write(folder.join("tls.key"), key)?;
        fs::write(folder.join("inventory.json"), options.inventory.to_string())?;
        let (server, ready) = run(name, &options, &folder, "127.0.0.1:0", watchdog)?;
        let (watchdog, ca_pem) = (watchdog.clone(), ca.pem().to_owned());
        Ok(Self { name: name.to_owned(), options, folder, watchdog, ca_pem, thumbprint, server, ready })
    }

    /// SIGKILL. Port, certificate and inventory file stay for [`Vcenter::restart`].
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.server.kill().map(drop)
    }

    /// Starts it again on the same port from the same inventory file: same vCenter, same references, no
    /// sessions, and what was changed meanwhile is forgotten.
    ///
    /// # Errors
    /// When it does not become ready.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.server.kill()?;
        let address = self.address()?.to_owned();
        (self.server, self.ready) = run(&self.name, &self.options, &self.folder, &address, &self.watchdog)?;
        Ok(())
    }

    /// Sends a signal by its name without `SIG`; `STOP` and `CONT` make a vCenter that hangs.
    ///
    /// # Errors
    /// When it is not running.
    pub fn signal(&self, signal: &str) -> anyhow::Result<()> {
        self.server.signal(signal)
    }

    /// Its name, also that of the `VCenter` object in [`Vcenter::manifests`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For `VCenter.spec.server`: `https://127.0.0.1:port`.
    #[must_use]
    pub fn server_url(&self) -> &str {
        self.ready.url.strip_suffix("/sdk").unwrap_or(&self.ready.url)
    }

    /// SHA-256 of its certificate, for `VCenter.spec.thumbprintSHA256`.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// What it was started with.
    #[must_use]
    pub fn options(&self) -> &VcenterOptions {
        &self.options
    }

    fn address(&self) -> anyhow::Result<&str> {
        self.server_url().strip_prefix("https://").context("the simulator speaks https")
    }

    /// The Secret with its credentials and a `VCenter` that every namespace may use.
    #[must_use]
    pub fn manifests(&self, namespace: &str) -> String {
        let VcenterOptions { username, password, .. } = &self.options;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": self.name, "namespace": namespace},
            "stringData": {"username": username, "password": password},
        });
        let vcenter = json!({
            "apiVersion": "berth.dev/v1alpha1", "kind": "VCenter",
            "metadata": {"name": self.name},
            "spec": {
                "server": self.server_url(),
                "credentialsSecretName": self.name,
                "caBundle": self.ca_pem,
                "allowedNamespaces": {"from": "All"},
            },
        });
        format!("{secret}\n---\n{vcenter}\n")
    }

    /// The reference of a datastore of the inventory file, for example `datastore-10001`. A name that
    /// several datacenters use is `datacenter/name`.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn moref(&self, datastore: &str) -> anyhow::Result<&str> {
        let moref = self.ready.datastores.get(datastore).and_then(Value::as_str);
        moref.with_context(|| format!("no datastore {datastore}"))
    }

    /// Changes properties of a datastore, for example `json!({"freeSpace": 1024, "mounts": []})`; watchers
    /// see it. The keys are those of the inventory file, but `freeSpace` for `free` and no `clusters`.
    ///
    /// # Errors
    /// When the simulator refuses.
    #[expect(clippy::needless_pass_by_value, reason = "reads better with json!")]
    pub fn set_datastore(&self, name: &str, set: Value) -> anyhow::Result<()> {
        self.control("POST", "datastore", Some(&json!({"name": name, "set": set}))).map(drop)
    }

    /// Adds a datastore, described as in the inventory file.
    ///
    /// # Errors
    /// When the simulator refuses.
    #[expect(clippy::needless_pass_by_value, reason = "reads better with json!")]
    pub fn create_datastore(&self, datastore: Value) -> anyhow::Result<()> {
        self.control("POST", "datastore/create", Some(&datastore)).map(drop)
    }

    /// Removes a datastore.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn delete_datastore(&self, name: &str) -> anyhow::Result<()> {
        self.control("DELETE", &format!("datastore?name={name}"), None).map(drop)
    }

    /// Changes a host, for example `json!({"maintenance": true, "connectionState": "notResponding"})`;
    /// watchers see it. Its mounts stay: they are properties of the datastores.
    ///
    /// # Errors
    /// When the simulator refuses.
    #[expect(clippy::needless_pass_by_value, reason = "reads better with json!")]
    pub fn set_host(&self, name: &str, set: Value) -> anyhow::Result<()> {
        self.control("POST", "host", Some(&json!({"name": name, "set": set}))).map(drop)
    }

    /// Adds a host to a cluster. It mounts nothing until a datastore says so.
    ///
    /// # Errors
    /// When the simulator refuses.
    pub fn create_host(&self, cluster: &str, name: &str) -> anyhow::Result<()> {
        self.control("POST", "host/create", Some(&json!({"cluster": cluster, "name": name}))).map(drop)
    }

    /// Removes a host from its cluster and from the mounts of all datastores.
    ///
    /// # Errors
    /// When there is none of that name, or it is in no cluster.
    pub fn delete_host(&self, name: &str) -> anyhow::Result<()> {
        self.control("DELETE", &format!("host?name={name}"), None).map(drop)
    }

    /// Makes a method fail or wait: `json!({"method": "Login", "fault": "InvalidLogin", "count": 2})`,
    /// `json!({"method": "*", "delayMs": 500, "count": 0})` (0: until [`Vcenter::clear_faults`]).
    ///
    /// # Errors
    /// When the simulator refuses.
    #[expect(clippy::needless_pass_by_value, reason = "reads better with json!")]
    pub fn inject_fault(&self, rule: Value) -> anyhow::Result<()> {
        self.control("POST", "fault", Some(&rule)).map(drop)
    }

    /// Ends all faults.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub fn clear_faults(&self) -> anyhow::Result<()> {
        self.control("DELETE", "fault", None).map(drop)
    }

    /// Answers the next SOAP request with an HTTP status.
    ///
    /// # Errors
    /// When the simulator refuses.
    pub fn next_status(&self, status: u16) -> anyhow::Result<()> {
        self.control("POST", "http", Some(&json!({"status": status}))).map(drop)
    }

    /// The sessions that are open.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub fn sessions(&self) -> anyhow::Result<Vec<Session>> {
        #[derive(Deserialize)]
        struct Sessions {
            sessions: Vec<Session>,
        }
        Ok(self.read::<Sessions>("sessions")?.sessions)
    }

    /// Ends all sessions, as when they expire.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub fn end_sessions(&self) -> anyhow::Result<()> {
        self.control("DELETE", "sessions", None).map(drop)
    }

    /// How often Login was called since the start.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub fn logins(&self) -> anyhow::Result<Logins> {
        self.read("logins")
    }

    /// Sends a SOAP body to `/sdk`, with the key of a session or without one; answers with status and text.
    ///
    /// # Errors
    /// When there is no answer, for example because `ca_pem` did not sign the certificate.
    pub fn soap(&self, ca_pem: &str, session: Option<&str>, body: &str) -> anyhow::Result<(u16, String)> {
        let envelope = format!(
            r#"<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>{body}</Body></Envelope>"#
        );
        let cookie = session.map(|key| format!("vmware_soap_session={key}"));
        let cookie = cookie.as_ref().map(|cookie| ("cookie", cookie.as_str()));
        let answer = http::request("POST", &self.ready.url, Some(ca_pem), cookie, Some(envelope))?;
        Ok((answer.status, answer.body))
    }

    fn read<T: DeserializeOwned>(&self, what: &str) -> anyhow::Result<T> {
        Ok(serde_json::from_str(&self.control("GET", what, None)?)?)
    }

    fn control(&self, method: &str, what: &str, body: Option<&Value>) -> anyhow::Result<String> {
        let url = format!("{}/ctl/{what}", self.server_url());
        let answer = http::request(method, &url, Some(&self.ca_pem), None, body.map(Value::to_string))?;
        ensure!(answer.status == 200, "{method} {url}: {} {}", answer.status, answer.body.trim());
        Ok(answer.body)
    }
}

fn run(
    name: &str,
    options: &VcenterOptions,
    folder: &std::path::Path,
    address: &str,
    watchdog: &Arc<Watchdog>,
) -> anyhow::Result<(Server, Ready)> {
    let mut command = Command::new(program("vcsim", "vcsim")?);
    command
        .args(["-listen", address, "-instance-uuid", &options.instance_uuid])
        .args(["-username", &options.username, "-password", &options.password])
        .arg("-cert")
        .arg(folder.join("tls.crt"))
        .arg("-key")
        .arg(folder.join("tls.key"))
        .arg("-inventory")
        .arg(folder.join("inventory.json"))
        .env("TMPDIR", folder);
    let stdout = folder.join("ready.json");
    let name = format!("vCenter {name}");
    let mut server = Server::start(&name, &mut command, folder.join("vcsim.log"), Some(&stdout), watchdog)?;
    let ready = server.wait_ready(READY, || {
        let text = fs::read_to_string(&stdout)?;
        if text.ends_with('\n') { Ok(Some(serde_json::from_str(&text)?)) } else { Ok(None) }
    })?;
    Ok((server, ready))
}
