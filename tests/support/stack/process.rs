//! One server process with its log, and the watchdog that ends it whatever happens to us; and commands that
//! end by themselves. Does I/O.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::wait::wait_within;

/// Reads orders until the pipe closes, which the kernel does when we end, however we end. Then it kills
/// what it still guards and removes the folder.
const WATCHDOG: &str = r#"
guarded=
while read -r order pid; do
  case $order in
    guard) guarded="$guarded $pid" ;;
    release)
      rest=
      for other in $guarded; do [ "$other" = "$pid" ] || rest="$rest $other"; done
      guarded=$rest ;;
  esac
done
for pid in $guarded; do kill -9 "$pid" 2>/dev/null; done
[ -z "$1" ] || rm -rf -- "$1"
"#;

/// Ends processes and removes a folder when this process is gone. Statics are never dropped and a killed
/// test runs no destructor, so owning handles is not enough.
pub(super) struct Watchdog {
    pipe: Mutex<Option<ChildStdin>>,
    shell: Mutex<Child>,
}

impl Watchdog {
    /// `remove` is a folder that must not stay behind.
    pub(super) fn start(remove: Option<&Path>) -> anyhow::Result<Arc<Self>> {
        let mut shell = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(remove.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C goes to the whole foreground group; the watchdog must see it through.
            .process_group(0)
            .spawn()
            .context("cannot start a shell as watchdog")?;
        let pipe = Mutex::new(shell.stdin.take());
        Ok(Arc::new(Self { pipe, shell: Mutex::new(shell) }))
    }

    fn tell(&self, order: &str, pid: u32) -> anyhow::Result<()> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let pipe = pipe.as_mut().context("the watchdog has no pipe")?;
        writeln!(pipe, "{order} {pid}").context("the watchdog is gone")
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.pipe.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(self.shell.lock().unwrap_or_else(PoisonError::into_inner).wait());
    }
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Everything resident (`VmRSS`).
    pub resident: u64,
    /// Of it, what is not backed by a file (`RssAnon`).
    pub anonymous: u64,
}

/// A running server. Dropping it kills and reaps it.
pub(super) struct Server {
    name: String,
    child: Child,
    log: PathBuf,
    watchdog: Arc<Watchdog>,
}

impl Server {
    /// Starts `command` with both outputs appended to `log`, or with stdout in a file of its own.
    pub(super) fn start(
        name: &str,
        command: &mut Command,
        log: PathBuf,
        stdout: Option<&Path>,
        watchdog: &Arc<Watchdog>,
    ) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(&log)?;
        let stdout = match stdout {
            Some(path) => File::create(path)?,
            None => file.try_clone()?,
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name} ({})", command.get_program().display()))?;
        let server = Self { name: name.to_owned(), child, log, watchdog: watchdog.clone() };
        server.watchdog.tell("guard", server.pid())?;
        Ok(server)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks until the server is ready. Fails early when it exits; the error holds the end of its log.
    pub(super) fn wait_ready<T>(
        &mut self,
        limit: Duration,
        mut ask: impl FnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let name = self.name.clone();
        let mut exit = None;
        let ready = wait_within(limit, &format!("{name} to be ready"), || {
            exit = self.child.try_wait()?;
            if exit.is_some() { Ok(Some(None)) } else { ask().map(|answer| answer.map(Some)) }
        })
        .and_then(|answer| {
            answer.with_context(|| {
                format!("{name} ended: {}", exit.map_or_else(String::new, |e| e.to_string()))
            })
        });
        ready.with_context(|| format!("last lines of {name}'s log:\n{}", self.log_tail()))
    }

    /// Sends a signal by its name without `SIG`, for example `TERM` or `STOP`.
    pub(super) fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let pid = self.pid().to_string();
        let status = Command::new("sh").args(["-c", r#"kill -s "$0" "$1""#, signal, &pid]).status()?;
        ensure!(status.success(), "cannot send SIG{signal} to {}", self.name);
        Ok(())
    }

    /// SIGKILL, and the exit status.
    pub(super) fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        // Killing what has ended is not an error worth telling.
        drop(self.child.kill());
        self.reap()
    }

    /// Waits for the end; an error when it does not come within `limit`.
    pub(super) fn wait_exit(&mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        wait_within(limit, &what, || Ok(self.child.try_wait()?))?;
        self.reap()
    }

    /// The exit status when it has ended.
    pub(super) fn exited(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    fn reap(&mut self) -> anyhow::Result<ExitStatus> {
        let status = self.child.wait()?;
        self.watchdog.tell("release", self.pid())?;
        Ok(status)
    }

    pub(super) fn log(&self) -> anyhow::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    pub(super) fn log_tail(&self) -> String {
        let log = self.log().unwrap_or_else(|error| format!("(no log: {error})"));
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }

    pub(super) fn memory(&self) -> anyhow::Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line
                .and_then(|rest| rest.trim().strip_suffix(" kB"))
                .and_then(|n| n.trim().parse::<u64>().ok());
            kib.map(|kib| kib * 1024).with_context(|| format!("no {name} of {}", self.name))
        };
        Ok(Memory { resident: field("VmRSS:")?, anonymous: field("RssAnon:")? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.kill());
    }
}

/// Runs a command to its end and answers with its stdout; when it fails, the error has its stderr.
pub(super) fn output_of(command: &mut Command, stdin: Option<&str>) -> anyhow::Result<String> {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().display().to_string();
    let mut child = command
        .stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    // Written beside the reading: the program may answer while it reads, and both pipes are small.
    let pipe = child.stdin.take();
    let output = std::thread::scope(|scope| {
        if let (Some(mut pipe), Some(text)) = (pipe, stdin) {
            // When it stops reading, its own message says why.
            scope.spawn(move || drop(pipe.write_all(text.as_bytes())));
        }
        child.wait_with_output()
    })?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let args = command.get_args().map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    ensure!(output.status.success(), "{program} {args}: {}", errors.trim());
    Ok(String::from_utf8(output.stdout)?)
}

/// A loopback port that nobody listens on now. Someone else may take it before we do; whoever uses it
/// tries again with another one.
pub(super) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "BERTH_TEST_OWNER_OF";

    /// Run by the test below in a process of its own, which is then killed.
    #[test]
    fn owner_that_is_killed() {
        let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
        let files = folder.join("files");
        fs::create_dir(&files).unwrap();
        let watchdog = Watchdog::start(Some(&files)).unwrap();
        let mut sleep = Command::new("sleep");
        let server = Server::start("sleep", sleep.arg("600"), files.join("log"), None, &watchdog).unwrap();
        fs::write(folder.join("pid"), format!("{}\n", server.pid())).unwrap();
        std::thread::sleep(Duration::from_mins(10));
    }

    #[test]
    fn a_server_does_not_outlive_a_killed_owner() {
        let folder = tempfile::tempdir().unwrap();
        let mut owner = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "stack::process::tests::owner_that_is_killed"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = wait_within(Duration::from_secs(30), "the owner's server", || {
            let text = fs::read_to_string(folder.path().join("pid"))?;
            Ok(text.ends_with('\n').then(|| text.trim().to_owned()))
        });
        owner.kill().unwrap();
        owner.wait().unwrap();
        let process = Path::new("/proc").join(pid.unwrap());
        wait_within(Duration::from_secs(30), "the server and its folder to go", || {
            let dead = fs::read_to_string(process.join("stat")).map_or(true, |stat| stat.contains(") Z "));
            Ok((dead && !folder.path().join("files").exists()).then_some(()))
        })
        .unwrap();
    }

    #[test]
    fn a_server_that_ends_early_is_reported_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let watchdog = Watchdog::start(None).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such flag >&2; exit 3"]);
        let log = folder.path().join("log");
        let mut server = Server::start("broken", &mut command, log, None, &watchdog).unwrap();
        let error = server.wait_ready(Duration::from_secs(30), || Ok(None::<()>)).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("no such flag") && text.contains("exit status: 3"), "{text}");
    }
}
