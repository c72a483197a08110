//! `berth crd`: the CRDs, to standard output or as files.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::output;

/// Arguments of `berth crd`.
#[derive(Debug, Args)]
pub struct Crd {
    /// Write one file per kind into this folder, instead of everything to standard output.
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

impl Crd {
    /// Writes the CRDs.
    ///
    /// # Errors
    /// When a file or standard output cannot be written.
    pub fn run(self) -> anyhow::Result<()> {
        let Some(folder) = self.output_dir else {
            let yaml = berth::api::crds_yaml()?;
            return output::print(&yaml);
        };
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for file in berth::api::crd_files()? {
            let path = folder.join(&file.name);
            std::fs::write(&path, &file.text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}
