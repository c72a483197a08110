//! One Kubernetes API with Berth's CRDs and rights installed. Does I/O.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use anyhow::Context as _;
use serde_json::Value;

use super::audit::{self, AuditEvent};
use super::cluster::Cluster;
use super::controller::Controller;
use super::helm::{Helm, HelmVersion, chart};
use super::kubectl::{Kubectl, write_kubeconfig};
use super::process::Watchdog;
use super::programs::program;
use super::vcenter::{Vcenter, VcenterOptions};
use crate::tls::{Authority, Identity};

/// Berth's own namespace.
pub(super) const NAMESPACE: &str = "berth-system";

/// The folder that holds `Cargo.toml`.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A cluster and the folder of everything that runs for it. Dropping it stops and removes all.
pub struct Stack {
    pub(super) cluster: Option<Cluster>,
    /// The `cluster` entry of a kubeconfig.
    entry: Value,
    kubectl: Kubectl,
    ca: Authority,
    other_ca: Authority,
    folder: PathBuf,
    namespaces: AtomicU32,
    started: AtomicU32,
    /// Where in the audit log the present test begins.
    pub(super) audit_start: AtomicU64,
    // Last: it removes the folder.
    watchdog: Arc<Watchdog>,
}

impl Stack {
    /// Starts etcd and a kube-apiserver and installs `crds/` and the rights that the chart gives Berth. Blocks
    /// for some seconds, and for minutes when the programs are not built yet.
    ///
    /// # Errors
    /// When a server does not become ready, with the end of its log.
    pub fn start() -> anyhow::Result<Self> {
        let stack = Self::start_empty()?;
        stack.install()?;
        Ok(stack)
    }

    /// [`Stack::start`] without anything of Berth in it.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub fn start_empty() -> anyhow::Result<Self> {
        let (folder, watchdog) = new_folder()?;
        let ca = Authority::new("Berth devstack CA")?;
        let cluster = Cluster::start(&folder, &ca, &watchdog)?;
        let kubeconfig = folder.join("admin.kubeconfig");
        write_kubeconfig(&kubeconfig, &cluster.entry, &cluster.token)?;
        let kubectl = Kubectl { program: program("kube", "kubectl")?, kubeconfig, home: folder.clone() };
        let entry = cluster.entry.clone();
        let stack = Self::assemble(Some(cluster), entry, kubectl, ca, folder, watchdog)?;
        // A new API server makes its own roles and namespaces a moment after it is ready.
        super::wait_for("namespace default", || {
            stack.kubectl(&["get", "namespace", "default"], None).map(Some)
        })?;
        Ok(stack)
    }

    /// Uses the cluster of a context of the user's kubeconfig; vCenters are still our own.
    ///
    /// # Errors
    /// When kubectl or the context is missing, or the cluster refuses.
    pub fn on_context(context: &str) -> anyhow::Result<Self> {
        let (folder, watchdog) = new_folder()?;
        let view =
            ["config", "view", "--minify", "--flatten", "--raw", "--output=json", "--context", context];
        let output =
            std::process::Command::new("kubectl").args(view).output().context("cannot start kubectl")?;
        let text = String::from_utf8(output.stdout)?;
        let config: Value = serde_json::from_str(&text)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let kubeconfig = folder.join("admin.kubeconfig");
        fs::write(&kubeconfig, text)?;
        let entry = config.pointer("/clusters/0/cluster").context("the context names no cluster")?.clone();
        let kubectl = Kubectl { program: "kubectl".into(), kubeconfig, home: folder.clone() };
        let ca = Authority::new("Berth devstack CA")?;
        let stack = Self::assemble(None, entry, kubectl, ca, folder, watchdog)?;
        stack.install()?;
        Ok(stack)
    }

    fn assemble(
        cluster: Option<Cluster>,
        entry: Value,
        kubectl: Kubectl,
        ca: Authority,
        folder: PathBuf,
        watchdog: Arc<Watchdog>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            cluster,
            entry,
            kubectl,
            ca,
            other_ca: Authority::new("Someone else's CA")?,
            folder,
            namespaces: AtomicU32::new(0),
            started: AtomicU32::new(0),
            audit_start: AtomicU64::new(0),
            watchdog,
        })
    }

    fn install(&self) -> anyhow::Result<()> {
        self.apply_yaml(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n"))?;
        let crds = repository().join("crds");
        let crds = crds.to_str().context("the repository's path is not UTF-8")?;
        let apply = |file, stdin| {
            self.kubectl(&["apply", "--server-side", "--force-conflicts", "--filename", file], stdin)
        };
        apply(crds, None)?;
        apply("-", Some(&self.rights()?))?;
        for crd in self.crds()? {
            self.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", &crd], None)?;
        }
        Ok(())
    }

    /// Berth's service account and what the chart lets it do.
    fn rights(&self) -> anyhow::Result<String> {
        let chart = chart();
        let chart = chart.to_str().context("the repository's path is not UTF-8")?;
        let only = ["--show-only", "templates/serviceaccount.yaml", "--show-only", "templates/rbac.yaml"];
        let template = ["template", "berth", chart, "--namespace", NAMESPACE];
        Helm::new(HelmVersion::Four, &self.folder)?.run(&[&template[..], &only].concat())
    }

    /// A Helm that talks to this cluster as its administrator.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn helm(&self, version: HelmVersion) -> anyhow::Result<Helm> {
        Ok(Helm::new(version, &self.folder)?.on(self.kubeconfig()))
    }

    /// Berth's CRDs as kubectl names them.
    pub(super) fn crds(&self) -> anyhow::Result<Vec<String>> {
        let names = self.kubectl(&["get", "crds", "--output=name"], None)?;
        Ok(names.lines().filter(|name| name.ends_with(".berth.dev")).map(str::to_owned).collect())
    }

    /// Runs kubectl as the cluster's administrator and answers with its stdout.
    ///
    /// # Errors
    /// When it fails, with its stderr.
    pub fn kubectl(&self, args: &[&str], stdin: Option<&str>) -> anyhow::Result<String> {
        self.kubectl.run(args, stdin)
    }

    /// Applies one or more YAML documents.
    ///
    /// # Errors
    /// When kubectl fails, with its stderr.
    pub fn apply_yaml(&self, yaml: &str) -> anyhow::Result<()> {
        self.kubectl(&["apply", "--filename", "-"], Some(yaml)).map(drop)
    }

    /// `kubectl get ... --output=json`.
    ///
    /// # Errors
    /// When kubectl fails, with its stderr.
    pub fn get_json(&self, args: &[&str]) -> anyhow::Result<Value> {
        let args: Vec<_> = ["get", "--output=json"].iter().chain(args).copied().collect();
        Ok(serde_json::from_str(&self.kubectl(&args, None)?)?)
    }

    /// Creates a namespace that no other test has used; answers with its name.
    ///
    /// # Errors
    /// When the API server refuses.
    pub fn fresh_namespace(&self, prefix: &str) -> anyhow::Result<String> {
        let name = format!("{prefix}-{}", self.namespaces.fetch_add(1, Ordering::Relaxed));
        self.kubectl(&["create", "namespace", &name], None)?;
        Ok(name)
    }

    /// A client with the administrator's rights.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub async fn client(&self) -> anyhow::Result<kube::Client> {
        self.client_at(self.api_server()?).await
    }

    /// [`Stack::client`] with another address of the API server, for example a proxy's in front of it.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub async fn client_at(&self, server: &str) -> anyhow::Result<kube::Client> {
        let kubeconfig = kube::config::Kubeconfig::read_from(self.kubeconfig())?;
        let options = kube::config::KubeConfigOptions::default();
        let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        config.cluster_url = server.parse()?;
        Ok(config.try_into()?)
    }

    /// The requests that the API server has answered since the last reset.
    ///
    /// # Errors
    /// When the log cannot be read, or the cluster is not ours.
    pub fn audit_events(&self) -> anyhow::Result<Vec<AuditEvent>> {
        let cluster = self.cluster.as_ref().context("only a cluster of our own has a readable audit log")?;
        audit::read(&cluster.audit_log, self.audit_start.load(Ordering::Relaxed))
    }

    /// Starts a simulated vCenter, trusted through [`Stack::ca_pem`].
    ///
    /// # Errors
    /// When it does not become ready, with the end of its log.
    pub fn start_vcenter(&self, name: &str, options: VcenterOptions) -> anyhow::Result<Vcenter> {
        let folder = self.numbered_folder(&format!("vcenter-{name}"))?;
        Vcenter::start(name, options, folder, &self.ca, &self.watchdog)
    }

    /// Stores a vCenter's credentials in Berth's namespace and applies a `VCenter` object for it that every
    /// namespace may use.
    ///
    /// # Errors
    /// When the API server refuses.
    pub fn register_vcenter(&self, vcenter: &Vcenter) -> anyhow::Result<()> {
        self.apply_yaml(&vcenter.manifests(NAMESPACE))
    }

    /// Starts `berth controller` as the service account of the chart. `binary` is
    /// `env!("CARGO_BIN_EXE_berth")` in a test; `args` are added to the usual ones.
    ///
    /// # Errors
    /// When it cannot be started. It is not ready yet.
    pub fn start_controller(&self, binary: &Path, args: &[&str]) -> anyhow::Result<Controller> {
        let folder = self.numbered_folder("controller")?;
        Controller::start(binary, args, NAMESPACE, &self.berth_kubeconfig()?, &folder, &self.watchdog)
    }

    /// [`Stack::start_controller`] with another address of the API server, for example a proxy's in front of
    /// it, whose certificate is from [`Stack::issue`].
    ///
    /// # Errors
    /// When it cannot be started. It is not ready yet.
    pub fn start_controller_at(
        &self,
        server: &str,
        binary: &Path,
        args: &[&str],
    ) -> anyhow::Result<Controller> {
        let folder = self.numbered_folder("controller")?;
        let kubeconfig = folder.join("kubeconfig");
        let direct = fs::read_to_string(self.berth_kubeconfig()?)?;
        fs::write(&kubeconfig, direct.replace(self.api_server()?, server))?;
        Controller::start(binary, args, NAMESPACE, &kubeconfig, &folder, &self.watchdog)
    }

    /// The API server's address: `https://host:port`.
    ///
    /// # Errors
    /// When the kubeconfig has none.
    pub fn api_server(&self) -> anyhow::Result<&str> {
        self.entry.get("server").and_then(Value::as_str).context("a cluster without an address")
    }

    /// A certificate for a server on the loopback interface that everything here trusts.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn issue(&self, name: &str) -> anyhow::Result<Identity> {
        self.ca.issue(name)
    }

    /// A kubeconfig for Berth's own service account, valid for a day.
    ///
    /// # Errors
    /// When the service account does not exist.
    pub fn berth_kubeconfig(&self) -> anyhow::Result<PathBuf> {
        let path = self.folder.join("berth.kubeconfig");
        if !path.exists() {
            let token = ["create", "token", "berth", "--namespace", NAMESPACE, "--duration=24h"];
            write_kubeconfig(&path, &self.entry, self.kubectl(&token, None)?.trim())?;
        }
        Ok(path)
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubectl.kubeconfig
    }

    /// The kubectl that this stack uses.
    #[must_use]
    pub fn kubectl_program(&self) -> &Path {
        &self.kubectl.program
    }

    /// The authority behind every server here, PEM: for `VCenter.spec.caBundle`.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.ca.pem()
    }

    /// An authority that has signed nothing here, PEM.
    #[must_use]
    pub fn unrelated_ca_pem(&self) -> &str {
        self.other_ca.pem()
    }

    /// The processes of the cluster itself.
    #[must_use]
    pub fn cluster_pids(&self) -> Vec<u32> {
        self.cluster.iter().flat_map(Cluster::pids).collect()
    }

    /// Where logs and other files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn numbered_folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("{name}-{number}"));
        fs::create_dir(&folder)?;
        Ok(folder)
    }
}

/// A folder of our own, removed in the end unless `BERTH_STACK_DIR` says where to keep it.
fn new_folder() -> anyhow::Result<(PathBuf, Arc<Watchdog>)> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("berth-devstack-");
    if let Some(parent) = std::env::var_os("BERTH_STACK_DIR") {
        fs::create_dir_all(&parent)?;
        let folder = builder.tempdir_in(parent)?.keep();
        return Ok((folder, Watchdog::start(None)?));
    }
    let folder = builder.tempdir()?.keep();
    let watchdog = Watchdog::start(Some(&folder))?;
    Ok((folder, watchdog))
}
