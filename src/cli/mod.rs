//! The command line: one file per subcommand.

mod controller;
mod crd;
#[cfg_attr(not(test), expect(dead_code, reason = "only `berth plan` reads manifests"))]
mod files;

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
    /// Run the controller.
    Controller(controller::Controller),
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
            Command::Controller(controller) => controller.run(),
            Command::Crd(crd) => crd.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_of_the_controller_is_also_an_environment_variable() {
        let cli = Cli::command();
        let controller = cli.find_subcommand("controller").unwrap();
        for flag in controller.get_arguments().filter(|argument| argument.get_id() != "help") {
            let name = flag.get_long().unwrap().to_uppercase().replace('-', "_");
            assert_eq!(flag.get_env().unwrap().to_str().unwrap(), format!("BERTH_{name}"));
        }
    }
}
