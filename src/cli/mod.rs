//! The command line: one file per subcommand.

mod crd;

use clap::{Parser, Subcommand};

/// Gives every VM instance its vSphere datastore.
#[derive(Debug, Parser)]
#[command(name = "berth", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the CRDs: the definitions of the three kinds.
    Crd(crd::Crd),
}

impl Cli {
    /// Runs the subcommand that was asked for.
    ///
    /// # Errors
    /// What the subcommand could not do.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Crd(crd) => crd.run(),
        }
    }
}
