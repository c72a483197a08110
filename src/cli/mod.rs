//! The command line: one file per subcommand.
//!
//! Exit codes: 0 for success; 1 when something was wrong with the input, the arguments or the world, said on
//! standard error; more only where a subcommand says so.

mod admin;
mod cluster;
mod completion;
mod controller;
mod crd;
mod explain;
mod files;
#[cfg(test)]
#[path = "../../tests/support/generated.rs"]
mod generated;
mod http;
mod inputs;
mod inventory;
mod output;
mod plan;
mod progress;
mod ready;
#[cfg(test)]
mod reference;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

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
    /// Ask a running controller whether it is ready.
    Ready(ready::Ready),
    /// Write the CRDs: the definitions of the three kinds.
    Crd(crd::Crd),
    Plan(plan::Plan),
    Explain(explain::Explain),
    Inventory(inventory::InventoryCommand),
    /// Write a script that completes Berth's arguments in a shell.
    Completion(completion::Completion),
}

/// Parses the arguments, the program's own name first, and runs the subcommand that was asked for.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.collect();
    let cli =
        match command(&arguments).try_get_matches_from(&arguments).and_then(|m| Cli::from_arg_matches(&m)) {
            Ok(cli) => cli,
            Err(said) => {
                // Help and version are said in the same way. Nobody is left to hear that nobody listens.
                drop(said.print());
                return if said.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
            }
        };
    let done = match cli.command {
        Command::Controller(controller) => controller.run().map(|()| ExitCode::SUCCESS),
        Command::Ready(ready) => ready.run().map(|()| ExitCode::SUCCESS),
        Command::Crd(crd) => crd.run().map(|()| ExitCode::SUCCESS),
        Command::Plan(plan) => plan.run(),
        Command::Explain(explain) => explain.run(),
        Command::Inventory(inventory) => inventory.run(),
        Command::Completion(completion) => completion.run(command(&arguments)).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        output::complain(&[format!("{error:#}")]);
        ExitCode::FAILURE
    })
}

/// The command by the name that it was called by: installed as `kubectl-berth`, it is `kubectl berth`.
fn command(arguments: &[OsString]) -> clap::Command {
    let called = arguments.first().and_then(|program| Path::new(program).file_stem());
    match called.and_then(|name| name.to_str()) {
        Some("kubectl-berth") => Cli::command().name("kubectl-berth").bin_name("kubectl berth"),
        _ => Cli::command(),
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_plugin_of_kubectl_calls_itself_so() {
        let usage = |program: &str| command(&[program.into()]).render_usage().to_string();
        assert!(
            usage("/usr/local/bin/kubectl-berth").contains("kubectl berth <COMMAND>"),
            "{}",
            usage("kubectl-berth")
        );
        assert!(usage("berth").contains("Usage: berth <COMMAND>"), "{}", usage("berth"));
    }
}
