//! Parses the arguments, installs the TLS provider and hands over to the subcommand.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Two providers are compiled in; without a choice the first TLS connection would panic.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("error: the TLS provider is installed twice");
        return ExitCode::FAILURE;
    }
    cli::run(std::env::args_os())
}
