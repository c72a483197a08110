//! `berth inventory`: records what a vCenter shows, for plans without it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use berth::placement::{Inventory, Mounts, Selector};
use berth::recording::{self, Recording};
use berth::vsphere::{self, CertificateProblem, Credentials, Endpoint, Observer, Report, Trust};
use clap::{Args, ValueEnum};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::output;
use super::progress::Progress;

/// A vCenter that has not shown everything by then is not going to.
const PATIENCE: Duration = Duration::from_mins(30);
/// How often its long polls are answered.
const MAX_AGE: Duration = Duration::from_mins(1);
/// Bytes of a password file.
const MAX_PASSWORD: usize = 4096;
/// Bytes of a file with CA certificates.
const MAX_CA: usize = 1 << 20;

/// Arguments of `berth inventory`.
#[derive(Debug, Args)]
#[command(
    about = "Record what a vCenter shows, for plans without it",
    long_about = "Record what a vCenter shows, for plans without it.\n\nIt logs in, reads, and logs out; it changes \
                  nothing. The account needs no more than System.View and System.Read (the role Read-only) on the \
                  datastores, hosts and clusters. Recorded twice without a change between, the file is the same."
)]
pub struct InventoryCommand {
    /// Address of the vCenter
    #[arg(long, value_name = "HOST[:PORT]")]
    server: String,
    /// Name of the account
    #[arg(long, value_name = "NAME")]
    username: String,
    /// File with its password, or - for standard input; a line break at the end is no part of it
    #[arg(long, value_name = "FILE|-")]
    password_file: PathBuf,
    /// File with the CA certificates to trust, in PEM [default: the system's]
    #[arg(long, value_name = "FILE", conflicts_with = "thumbprint")]
    ca: Option<PathBuf>,
    /// SHA-256 thumbprint of the certificate to trust
    #[arg(long, value_name = "SHA256")]
    thumbprint: Option<String>,
    /// Replace names, paths, urls and the vCenter's address and identity, the same ones by the same
    #[arg(long)]
    anonymize: bool,
    /// How it is written
    #[arg(short, long, value_enum, default_value = "json")]
    output: Output,
    /// Say nothing on standard error but what is wrong
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// The file that berth plan reads: berth.dev/inventory/v1
    Json,
    /// For a terminal
    Table,
}

impl InventoryCommand {
    /// Records and writes.
    ///
    /// # Errors
    /// When the vCenter cannot be read.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        // Not repeated: somebody may have put a password into it.
        let server = recording::server(&self.server)
            .context("--server: it is not HOST[:PORT], without user and path")?;
        let withheld = Arc::new(Withheld::default());
        let observer = withheld.clone();
        let endpoint = Endpoint { observer, ..Endpoint::new(server.parse()?, self.trust()?, MAX_AGE) };
        let password = password(&self.password_file)
            .with_context(|| format!("--password-file {}", self.password_file.display()))?;
        let credentials = Credentials::new(self.username.clone().into(), password)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut progress = Progress::new(self.quiet);
        let recorded =
            runtime.block_on(Box::pin(record(server.clone(), endpoint, credentials, &mut progress)));
        progress.end();
        let (recording, skipped) = recorded.with_context(|| server)?;
        if !self.quiet {
            output::warn(&warnings(skipped, withheld.0.load(Ordering::Relaxed)));
        }
        let recording = if self.anonymize { recording.anonymized() } else { recording };
        output::print(&match self.output {
            Output::Json => recording.to_json()?,
            Output::Table => recording.to_table(),
        })?;
        Ok(ExitCode::SUCCESS)
    }

    fn trust(&self) -> anyhow::Result<Trust> {
        match (&self.thumbprint, &self.ca) {
            (Some(thumbprint), _) => Trust::thumbprint(thumbprint).context("--thumbprint"),
            (None, Some(path)) => ca_bundle(path).with_context(|| format!("--ca {}", path.display())),
            (None, None) => Ok(Trust::System),
        }
    }
}

/// The first inventory that has everything, and how many objects it leaves out. It has logged out then.
async fn record(
    server: String,
    endpoint: Endpoint,
    credentials: Credentials,
    progress: &mut Progress,
) -> anyhow::Result<(Recording, usize)> {
    let (reports, mut received) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let mut connection = std::pin::pin!(vsphere::run(endpoint, credentials, reports, stop.clone()));
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut deadline = std::pin::pin!(time::sleep(PATIENCE));
    let mut tick = time::interval(Duration::from_millis(250));
    let mut stage = "connecting".to_owned();
    let outcome = loop {
        tokio::select! {
            ended = &mut connection => match ended {
                Ok(()) => bail!("the connection has ended early"),
                Err(error) => bail!(advice(&error)),
            },
            Some(report) = received.recv() => match report {
                Report::Connected { .. } => "reading the inventory".clone_into(&mut stage),
                Report::Inventory { inventory, skipped, .. } => {
                    if !inventory.lacks_mounts(&Selector::default()) {
                        break Ok((inventory, skipped));
                    }
                    stage = reading_mounts(&inventory);
                }
                Report::Confirmed { .. } => {}
            },
            _ = tick.tick() => progress.tell(|| format!("{server}: {stage}")),
            _ = interrupt.recv() => break Err(anyhow!("interrupted")),
            _ = terminate.recv() => break Err(anyhow!("interrupted")),
            () = &mut deadline => {
                let minutes = PATIENCE.as_secs() / 60;
                break Err(anyhow!("not everything was shown within {minutes} minutes"));
            }
        }
    };
    // Logging out is all that is left to do. How that ends changes nothing.
    stop.cancel();
    drop(connection.await);
    let (inventory, skipped) = outcome?;
    Ok((Recording { server, inventory: Inventory::clone(&inventory) }, skipped))
}

/// How many datastores have properties that vCenter does not show.
#[derive(Debug, Default)]
struct Withheld(AtomicUsize);

impl Observer for Withheld {
    fn withheld(&self, datastores: usize) {
        self.0.store(datastores, Ordering::Relaxed);
    }
}

fn warnings(skipped: usize, withheld: usize) -> Vec<String> {
    let skipped = (skipped > 0).then(|| format!("objects that make no sense and are left out: {skipped}"));
    let withheld = (withheld > 0).then(|| {
        format!("datastores of which vCenter does not show everything: {withheld}; grant the account Read-only on them")
    });
    skipped.into_iter().chain(withheld).collect()
}

fn reading_mounts(inventory: &Inventory) -> String {
    let all = inventory.datastores();
    let read = all.iter().filter(|datastore| datastore.mounts != Mounts::Unread).count();
    format!("reading which hosts mount what: {read} of {} datastores", all.len())
}

/// What went wrong, and what to do about it.
fn advice(error: &vsphere::Error) -> String {
    let advice = match error {
        vsphere::Error::Certificate(problem) => match problem {
            CertificateProblem::Chain(_) | CertificateProblem::Trust(_) => {
                "; give its CA with --ca, or its thumbprint with --thumbprint"
            }
            CertificateProblem::Name => {
                "; give one of the names that it is issued for with --server, or its thumbprint with --thumbprint"
            }
            CertificateProblem::Thumbprint(_) => "; find out why before you give that one with --thumbprint",
            CertificateProblem::Expired => "; look at the clocks of both, or have it renewed",
            CertificateProblem::Key => "; another server answers in its place",
        },
        vsphere::Error::InvalidLogin => {
            "; check --username (such as NAME@vsphere.local) and the password file before trying again: several \
             refusals lock the account"
        }
        vsphere::Error::NoPermission(_) => "; grant it to the account",
        vsphere::Error::Unreachable(_) | vsphere::Error::Timeout { .. } => {
            "; check --server and the way there: a proxy is not used"
        }
        vsphere::Error::Redirect(_) | vsphere::Error::Endpoint(_) => {
            "; give the address of the vCenter itself with --server"
        }
        vsphere::Error::HttpStatus(_)
        | vsphere::Error::Malformed(_)
        | vsphere::Error::TooLarge(_)
        | vsphere::Error::Fault { .. }
        | vsphere::Error::NotAuthenticated => "; try again, and see whether that vCenter is well",
    };
    format!("{error}{advice}")
}

fn ca_bundle(path: &Path) -> anyhow::Result<Trust> {
    let bytes = read_at_most(File::open(path)?, MAX_CA)?;
    Ok(Trust::ca_bundle(std::str::from_utf8(&bytes)?.to_owned())?)
}

fn password(path: &Path) -> anyhow::Result<SecretString> {
    let bytes = if path.as_os_str() == "-" {
        read_at_most(io::stdin(), MAX_PASSWORD)?
    } else {
        read_at_most(File::open(path)?, MAX_PASSWORD)?
    };
    // What the error would say has a byte of the password.
    let text = std::str::from_utf8(&bytes).map_err(|_| anyhow!("it is not UTF-8"))?;
    let password = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    ensure!(!password.is_empty(), "it is empty");
    Ok(password.to_owned().into())
}

/// Leaves no copy behind: the buffer never grows, and is wiped.
fn read_at_most(from: impl Read, most: usize) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let one_more = most.saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(one_more.saturating_add(64)));
    from.take(u64::try_from(one_more)?).read_to_end(&mut bytes)?;
    ensure!(bytes.len() <= most, "it is longer than {most} bytes");
    Ok(bytes)
}
