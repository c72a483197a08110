//! Standard output and standard error, as people and pipes want them.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use anyhow::Context as _;

/// Writes a result to standard output. A reader that has seen enough is not an error.
///
/// # Errors
/// When it cannot be written.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Says what is wrong, on standard error.
pub fn complain(problems: &[String]) {
    for problem in problems {
        eprintln!("error: {problem}");
    }
}

/// Says what should be known, on standard error.
pub fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}

/// Standard output is a terminal whose user has nothing against colours (<https://no-color.org>).
pub fn is_colourful() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !unwanted && io::stdout().is_terminal()
}
