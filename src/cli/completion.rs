//! `berth completion`: a completion script for a shell, to standard output.

use clap::Args;
use clap_complete::Shell;

use super::output;

/// Arguments of `berth completion`.
#[derive(Debug, Args)]
pub struct Completion {
    /// Which shell, for example in `source <(berth completion bash)`
    #[arg(value_enum)]
    shell: Shell,
}

impl Completion {
    /// Writes the script for this command.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn run(self, mut command: clap::Command) -> anyhow::Result<()> {
        // The shell completes the program's own name, not `kubectl berth`.
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        output::print(&String::from_utf8(script)?)
    }
}
