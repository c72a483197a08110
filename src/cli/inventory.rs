//! `berth inventory`: records what a vCenter shows, for plans without it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use berth::placement::{Inventory, Mounts, Selector};
use berth::recording::{self, Recording};
use berth::vsphere::{self, CertificateProblem, Credentials, Endpoint, Report, Trust};
use clap::{Args, ValueEnum};
use secrecy::SecretString;
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
const MAX_PASSWORD: u64 = 4096;
/// Bytes of a file with CA certificates.
const MAX_CA: u64 = 1 << 20;

/// Arguments of `berth inventory`.
#[derive(Debug, Args)]
#[command(
    about = "Record what a vCenter shows, for plans without it",
    long_about = "Record what a vCenter shows, for plans without it.\n\nIt logs in, reads, and logs out; it changes \
                  nothing. The account needs no more than System.Read on the datastores, hosts and clusters. \
                  Recorded twice without a change between, the file is the same."
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
    /// Replace names, paths, urls and the vCenter's identity, the same ones by the same
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
        let server = recording::server(&self.server)
            .with_context(|| format!("--server {}: it is not HOST[:PORT]", self.server))?;
        let endpoint = Endpoint::new(server.parse()?, self.trust()?, MAX_AGE);
        let password = read_password(&self.password_file)?;
        let credentials = Credentials::new(self.username.clone().into(), password)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let progress = Progress::new(self.quiet);
        let (recording, skipped) =
            runtime.block_on(Box::pin(record(server, endpoint, credentials, progress)))?;
        if skipped > 0 && !self.quiet {
            output::warn(&[format!("{skipped} objects make no sense and are left out")]);
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
            (None, Some(path)) => {
                let of = || format!("--ca {}", path.display());
                let bytes = File::open(path).and_then(|file| read_at_most(file, MAX_CA)).with_context(of)?;
                let pem = String::from_utf8(bytes).with_context(of)?;
                Trust::ca_bundle(pem).with_context(of)
            }
            (None, None) => Ok(Trust::System),
        }
    }
}

/// The first inventory that has everything, and how many objects it leaves out.
async fn record(
    server: String,
    endpoint: Endpoint,
    credentials: Credentials,
    mut progress: Progress,
) -> anyhow::Result<(Recording, usize)> {
    let (reports, mut received) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let mut connection = Box::pin(vsphere::run(endpoint, credentials, reports, stop.clone()));
    let (mut known_version, mut complete) = (String::new(), None);
    let mut stage = format!("connecting to {server}");
    let mut told = time::interval(Duration::from_millis(250));
    let deadline = time::sleep(PATIENCE);
    let mut deadline = std::pin::pin!(deadline);
    let interrupted = loop {
        tokio::select! {
            outcome = &mut connection => {
                outcome.map_err(|error| anyhow::anyhow!("{server}: {}", advice(&error)))?;
                bail!("{server}: the connection ended early");
            }
            report = received.recv() => match report {
                Some(Report::Connected { version, .. }) => {
                    known_version = version;
                    "reading the inventory".clone_into(&mut stage);
                }
                Some(Report::Inventory { inventory, skipped, .. }) => {
                    stage = reading_mounts(&inventory);
                    if !inventory.lacks_mounts(&Selector::default()) {
                        complete = Some((inventory, skipped));
                        break None;
                    }
                }
                Some(Report::Confirmed { .. }) | None => {}
            },
            _ = told.tick() => progress.tell(|| stage.clone()),
            _ = tokio::signal::ctrl_c() => break Some("interrupted".to_owned()),
            () = &mut deadline => break Some(format!("not everything was shown within {} min", PATIENCE.as_secs() / 60)),
        }
    };
    // Whatever happened, it logs out. What comes of that changes nothing.
    stop.cancel();
    drop(connection.await);
    progress.end();
    if let Some(why) = interrupted {
        bail!("{server}: {why}");
    }
    let (inventory, skipped) = complete.context("there is no inventory")?;
    let inventory = Inventory::clone(&inventory);
    Ok((Recording { server, version: known_version, inventory }, skipped))
}

fn reading_mounts(inventory: &Inventory) -> String {
    let all = inventory.datastores();
    let read = all.iter().filter(|datastore| datastore.mounts != Mounts::Unread).count();
    format!("read which hosts mount {read} of {} datastores", all.len())
}

/// What went wrong, and what to do about it.
fn advice(error: &vsphere::Error) -> String {
    let advice = match error {
        vsphere::Error::Certificate(CertificateProblem::Trust(_)) | vsphere::Error::Endpoint(_) => "",
        vsphere::Error::Certificate(_) => "; give its CA with --ca, or its thumbprint with --thumbprint",
        vsphere::Error::InvalidLogin => {
            "; check --username (NAME@DOMAIN) and the password file before trying again: several refusals lock the \
             account"
        }
        vsphere::Error::NoPermission(_) => "; grant it to the account",
        vsphere::Error::Unreachable(_) | vsphere::Error::Timeout { .. } => "; check --server and the network",
        _ => "",
    };
    format!("{error}{advice}")
}

fn read_password(path: &Path) -> anyhow::Result<SecretString> {
    let of = || format!("--password-file {}", path.display());
    let bytes = if path.as_os_str() == "-" {
        read_at_most(io::stdin(), MAX_PASSWORD)
    } else {
        File::open(path).and_then(|file| read_at_most(file, MAX_PASSWORD))
    };
    let text = String::from_utf8(bytes.with_context(of)?)
        .ok()
        .with_context(|| format!("{}: it is not UTF-8", of()))?;
    let password =
        text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    ensure!(!password.is_empty(), "{}: it is empty", of());
    Ok(password.to_owned().into())
}

fn read_at_most(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {most} bytes")));
    }
    Ok(bytes)
}
