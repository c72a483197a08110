//! A running `berth controller`. Does I/O: starts a process and asks its endpoints.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;

use super::http;
use super::process::{Memory, Server, Watchdog};

/// Shutdown has 5 s by design; the rest is for a busy machine.
const SHUTDOWN: Duration = Duration::from_secs(30);
const READY: Duration = Duration::from_mins(1);

/// The controller's process. Dropping it kills it.
pub struct Controller {
    server: Server,
    health: String,
    metrics: String,
}

impl Controller {
    pub(super) fn start(
        binary: &Path,
        args: &[&str],
        namespace: &str,
        kubeconfig: &Path,
        folder: &Path,
        watchdog: &Arc<Watchdog>,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(binary);
        command
            .args(["controller", "--namespace", namespace])
            .args(["--health-probe-bind-address", "127.0.0.1:0", "--metrics-bind-address", "127.0.0.1:0"])
            .args(args)
            // Arguments come before these.
            .envs([("BERTH_CLUSTER_NAME", "devstack"), ("BERTH_LOG_LEVEL", "trace")])
            .env("KUBECONFIG", kubeconfig)
            .current_dir(folder);
        let mut server =
            Server::start("berth controller", &mut command, Self::log_file(folder), None, watchdog)?;
        let log = Self::log_file(folder);
        let (health, metrics) = server.wait_ready(READY, || {
            let log = fs::read_to_string(&log)?;
            Ok(listening(&log, "health probes").zip(listening(&log, "metrics")))
        })?;
        Ok(Self { server, health, metrics })
    }

    /// Where a controller of this folder logs.
    pub(super) fn log_file(folder: &Path) -> PathBuf {
        folder.join("berth.log")
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Errors
    /// When it does not, or the controller ends; with the end of its log.
    pub fn wait_ready(&mut self) -> anyhow::Result<()> {
        let url = format!("http://{}/readyz", self.health);
        self.server.wait_ready(READY, || {
            let answer = http::request("GET", &url, None, None, None)?;
            ensure!(answer.status == 200, "/readyz: {} {}", answer.status, answer.body.trim());
            Ok(Some(()))
        })
    }

    /// Status and text of `/readyz`.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn readyz(&self) -> anyhow::Result<(u16, String)> {
        let answer = http::request("GET", &format!("http://{}/readyz", self.health), None, None, None)?;
        Ok((answer.status, answer.body))
    }

    /// The text of a path of the metrics address, for example `/metrics`.
    ///
    /// # Errors
    /// When nobody answers, or not with 200.
    pub fn metrics(&self, path: &str) -> anyhow::Result<String> {
        let answer = http::request("GET", &format!("http://{}{path}", self.metrics), None, None, None)?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body.trim());
        Ok(answer.body)
    }

    /// Where `/livez` and `/readyz` are: host and port.
    #[must_use]
    pub fn health_address(&self) -> &str {
        &self.health
    }

    /// Sends a text to a path of the metrics address, and returns the answer's.
    ///
    /// # Errors
    /// When nobody answers, or not with 200.
    pub fn put(&self, path: &str, text: &str) -> anyhow::Result<String> {
        let url = format!("http://{}{path}", self.metrics);
        let answer = http::request("PUT", &url, None, None, Some(text.to_owned()))?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body.trim());
        Ok(answer.body)
    }

    /// Host and port of its metrics address.
    #[must_use]
    pub fn metrics_address(&self) -> &str {
        &self.metrics
    }

    /// Where it answers, in words.
    #[must_use]
    pub fn addresses(&self) -> String {
        format!("http://{}/readyz, http://{}/metrics", self.health, self.metrics)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Its memory.
    ///
    /// # Errors
    /// When it is not running.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        self.server.memory()
    }

    /// Everything it has logged.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        self.server.log()
    }

    /// Sends a signal by its name without `SIG`, for example `STOP` or `CONT`.
    ///
    /// # Errors
    /// When it is not running.
    pub fn signal(&self, signal: &str) -> anyhow::Result<()> {
        self.server.signal(signal)
    }

    /// SIGTERM, and the exit status.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        self.server.signal("TERM")?;
        self.server.wait_exit(SHUTDOWN)
    }

    /// SIGKILL, and the exit status.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.server.kill()
    }

    /// The exit status when it has ended by itself.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn exited(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.server.exited()
    }
}

/// Where the log says that it listens for something: host and port.
fn listening(log: &str, what: &str) -> Option<String> {
    let what = format!("listening what=\"{what}\" address=");
    // The last line may not be complete.
    let (whole, _) = log.rsplit_once('\n')?;
    let (_, address) = whole.lines().find_map(|line| line.split_once(&what))?;
    Some(address.trim().to_owned())
}
