//! What `berth plan` and `berth explain` are made from: manifests and recorded inventories, read from files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth::api::is_object_name;
use berth::manifests::{self, Kind, Manifest, Reader};
use berth::plan::{Inputs, Recorded};
use berth::recording::{self, Recording};
use clap::Args;

use super::files;

/// Arguments that name the inputs.
#[derive(Debug, Args)]
pub struct InputArgs {
    /// Manifests: a file, a folder (its *.yaml, *.yml and *.json), or - for standard input; other kinds in
    /// them are left alone
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-")]
    pub filenames: Vec<PathBuf>,
    /// Read the folders within folders too
    #[arg(short = 'R', long)]
    recursive: bool,
    /// A file that berth inventory has recorded; it is of the VCenter that has its server, or the name that
    /// is given
    #[arg(long = "inventory", value_name = "[NAME=]FILE")]
    inventories: Vec<String>,
    /// What exists already and keeps its room: the output of kubectl get instanceplacements -A -o yaml
    #[arg(long, value_name = "FILE|DIR|-")]
    pub placed: Vec<PathBuf>,
    /// Namespace of a placement that names none
    #[arg(short = 'n', long, default_value = "default")]
    pub namespace: String,
    /// The name that the controller is given for its cluster; with it, instanceUUIDs are foretold
    #[arg(long, env = "BERTH_CLUSTER_NAME", value_name = "NAME")]
    cluster_name: Option<String>,
}

/// What the files hold, and what is wrong with them, one line each.
pub struct Found {
    pub inputs: Inputs,
    pub problems: Vec<String>,
}

impl InputArgs {
    /// Reads all of them: what can be read is there, whatever is wrong with the rest.
    ///
    /// # Errors
    /// When Berth's own CRDs are not understood.
    pub fn read(&self) -> anyhow::Result<Found> {
        let reader = Reader::new()?;
        let (mut problems, mut stdin) = (Vec::new(), Some(io::stdin()));
        let mut read = |paths: &[PathBuf], stored: bool| {
            let (sources, unreadable) = files::read(paths, self.recursive, &mut stdin);
            problems.extend(unreadable);
            let mut manifests = Vec::new();
            for source in &sources {
                let reading = if stored { reader.read_stored(source) } else { reader.read(source) };
                problems.extend(reading.problems);
                manifests.extend(reading.manifests);
            }
            manifests
        };
        let mut manifests = read(&self.filenames, false);
        let placed = read(&self.placed, true);
        problems.extend(manifests::duplicates(&manifests));
        let stored: BTreeMap<_, _> = placed.iter().map(|one| (self.identity(one), one)).collect();
        // What the API server would not let happen does not happen here either.
        manifests.retain(|wanted| {
            let refused =
                stored.get(&self.identity(wanted)).map(|stored| reader.check_update(stored, wanted));
            let refused = refused.unwrap_or_default();
            problems.extend_from_slice(&refused);
            refused.is_empty()
        });
        let mut problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let mut inventories = Vec::new();
        for argument in &self.inventories {
            match read_inventory(argument) {
                Ok(recorded) => inventories.push(recorded),
                Err(why) => problems.push(why),
            }
        }
        let inputs = Inputs {
            manifests,
            placed,
            inventories,
            namespace: self.namespace.clone(),
            cluster_name: self.cluster_name.clone().filter(|name| !name.is_empty()),
            matrix: false,
        };
        Ok(Found { inputs, problems })
    }

    /// What tells an object from all others.
    fn identity<'a>(&'a self, manifest: &'a Manifest) -> (Kind, &'a str, &'a str) {
        let namespace = match manifest.kind {
            Kind::InstancePlacement => manifest.namespace().unwrap_or(&self.namespace),
            Kind::PlacementClass | Kind::VCenter | Kind::Namespace => "",
        };
        (manifest.kind, namespace, manifest.name())
    }
}

/// `NAME=FILE` or `FILE`.
fn read_inventory(argument: &str) -> Result<Recorded, String> {
    let named = argument.split_once('=').filter(|(name, _)| is_object_name(name));
    let (vcenter, path) = match named {
        Some((name, path)) => (Some(name.to_owned()), Path::new(path)),
        None => (None, Path::new(argument)),
    };
    let why = |what: String| format!("{}: {what}", path.display());
    // What is no regular file has no length before it is read.
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(recording::MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| why(error.to_string()))?;
    if bytes.len() > recording::MAX_BYTES {
        return Err(why(recording::ReadError::TooLong.to_string()));
    }
    let text = String::from_utf8(bytes).map_err(|error| why(error.to_string()))?;
    let Recording { server, inventory } = Recording::read(&text).map_err(|error| why(error.to_string()))?;
    Ok(Recorded { vcenter, server, inventory: Arc::new(inventory) })
}
