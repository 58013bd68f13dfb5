//! `claviger policy`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

mod preview;

/// `claviger policy …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show which devices a policy would change, and how, before it is deployed
    #[command(after_long_help = preview::HELP)]
    Preview(preview::Args),
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Preview(args) => preview::run(args),
    }
}
