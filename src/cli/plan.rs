//! `berth plan`: where instances would land, and why not elsewhere, before anything is applied.

use std::process::ExitCode;

use berth::plan::{self, Format};
use clap::{Args, ValueEnum};

use super::inputs::{Found, InputArgs};
use super::{output, progress::Progress};

/// Some placements have no datastore.
const SOME_REFUSED: u8 = 2;

/// Arguments of `berth plan`.
#[derive(Debug, Args)]
#[command(
    about = "Show where instances would land, and why not elsewhere, before anything is applied",
    mut_arg("filenames", |argument| argument.required(true).num_args(1..)),
    after_help = "Exit codes: 0 all are placed, 2 some cannot be placed, 1 something is wrong with the input."
)]
pub struct Plan {
    #[command(flatten)]
    inputs: InputArgs,
    /// How the report looks
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
    /// For programs: berth.dev/plan/v1
    Json,
    /// The same as YAML
    Yaml,
    /// For a comment on a pull request
    Markdown,
    /// One file for a browser: every placement against every datastore
    Html,
}

impl From<Output> for Format {
    fn from(output: Output) -> Self {
        match output {
            Output::Table => Self::Table,
            Output::Json => Self::Json,
            Output::Yaml => Self::Yaml,
            Output::Markdown => Self::Markdown,
            Output::Html => Self::Html,
        }
    }
}

impl Plan {
    /// Writes the report, and what is wrong with the input.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let Found { mut inputs, mut problems } = self.inputs.read()?;
        inputs.matrix = self.output == Output::Html;
        let mut progress = Progress::new(self.quiet);
        let plan = plan::plan(&inputs, &mut |done, all| {
            progress.tell(|| format!("placed {done} of {all}"));
        });
        progress.end();
        problems.extend(plan.missing);
        if !self.quiet {
            output::warn(&plan.warnings);
        }
        output::complain(&problems);
        output::print(&plan.report.render(self.output.into(), output::is_colourful())?)?;
        Ok(match plan.report.summary.refused {
            _ if !problems.is_empty() => ExitCode::FAILURE,
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(SOME_REFUSED),
        })
    }
}
