//! Running one of two Helms. Does I/O: starts processes.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::environment::repository;
use super::process::output_of;
use super::programs::program;

/// A major version of Helm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelmVersion {
    /// The last one, still in use.
    Three,
    /// The present one.
    Four,
}

/// Helm, with its caches away from the user's own.
pub struct Helm {
    program: PathBuf,
    home: PathBuf,
    kubeconfig: Option<PathBuf>,
}

impl Helm {
    /// A Helm that knows no cluster. Its files go to `home`.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn new(version: HelmVersion, home: &Path) -> anyhow::Result<Self> {
        let module = match version {
            HelmVersion::Three => "helm3",
            HelmVersion::Four => "helm4",
        };
        Ok(Self { program: program(module, "helm")?, home: home.join(module), kubeconfig: None })
    }

    /// The same for a cluster.
    #[must_use]
    pub fn on(self, kubeconfig: &Path) -> Self {
        Self { kubeconfig: Some(kubeconfig.to_owned()), ..self }
    }

    /// Runs it and answers with its stdout.
    ///
    /// # Errors
    /// When it fails, with its stderr.
    pub fn run(&self, args: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .env("HOME", &self.home)
            .env("HELM_CACHE_HOME", self.home.join("cache"))
            .env("HELM_CONFIG_HOME", self.home.join("config"))
            .env("HELM_DATA_HOME", self.home.join("data"))
            .env("KUBECONFIG", self.kubeconfig.as_deref().unwrap_or(Path::new("/dev/null")));
        output_of(&mut command, None)
    }
}

/// The folder of Berth's chart.
#[must_use]
pub fn chart() -> PathBuf {
    repository().join("charts/berth")
}
