//! `berth explain`: what every datastore is to one placement.

use std::process::ExitCode;

use berth::plan::{self, Explanation, ExplanationFormat};
use berth::scheduler::Key;
use clap::{Args, ValueEnum};

use super::inputs::{Found, InputArgs};
use super::{admin, cluster, output};

/// Arguments of `berth explain`.
#[derive(Debug, Args)]
#[command(
    about = "Show what every datastore is to one placement, with the reasons",
    long_about = "Show what every datastore is to one placement, with the reasons.\n\nWith -f or --placed, the placement and \
                  everything that it refers to are read from files, and one that does not exist yet is decided \
                  when its turn comes. Without them, all are read from the cluster of the current kubeconfig.\n\nWith \
                  --server, the running controller is asked, which needs no recorded inventory: \
                  kubectl port-forward -n berth-system deployment/berth 8080, and --server localhost:8080."
)]
pub struct Explain {
    /// Name of the placement
    name: String,
    #[command(flatten)]
    inputs: InputArgs,
    /// Ask the controller whose metrics address this is
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["filenames", "inventories", "placed"])]
    server: Option<String>,
    /// How the answer looks
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
    /// Say nothing on standard error but what is wrong
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For a terminal
    Table,
    /// For programs: berth.dev/explanation/v1
    Json,
    /// The same as YAML
    Yaml,
}

impl Explain {
    /// Writes the explanation, and what is wrong with the input.
    ///
    /// # Errors
    /// When there is no such placement, or the cluster cannot be asked.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let key = Key { namespace: self.inputs.namespace.clone(), name: self.name.clone() };
        if let Some(address) = &self.server {
            return self.say(&admin::explain(address, &key)?);
        }
        let Found { mut inputs, mut problems } = self.inputs.read()?;
        if self.inputs.filenames.is_empty() && self.inputs.placed.is_empty() {
            inputs.placed = cluster::read()?;
        }
        let explanation = plan::explain(&inputs, &key);
        problems.extend(explanation.iter().flat_map(|explanation| explanation.missing.clone()));
        output::complain(&problems);
        let Some(explanation) = explanation else {
            anyhow::bail!("there is no InstancePlacement {} in namespace {}", key.name, key.namespace);
        };
        if !self.quiet {
            output::warn(&explanation.warnings);
        }
        let said = self.say(&explanation)?;
        Ok(if problems.is_empty() { said } else { ExitCode::FAILURE })
    }

    fn say(&self, explanation: &Explanation) -> anyhow::Result<ExitCode> {
        let format = match self.output {
            Output::Table => ExplanationFormat::Table,
            Output::Json => ExplanationFormat::Json,
            Output::Yaml => ExplanationFormat::Yaml,
        };
        output::print(&explanation.render(format)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
