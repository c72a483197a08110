//! Parses the arguments, installs the TLS provider and hands over to the subcommand.

mod cli;

use clap::Parser;

fn main() -> anyhow::Result<()> {
    // Two providers are compiled in; without a choice the first TLS connection would panic.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        anyhow::bail!("the TLS provider is installed twice");
    }
    cli::Cli::parse().run()
}
