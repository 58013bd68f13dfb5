//! `claviger volume`: what a technician does with one BitLocker volume.

use clap::Subcommand;

mod credential;
mod export;
mod info;

/// `claviger volume …`
#[derive(Debug, Subcommand)]

pub(crate) enum Command {
    /// Show what a volume says of itself; needs no key and writes nothing
    Info(info::Args),
    /// Write the whole plain text of a volume to a file or to standard output
    Export(export::Args),
}

/// Carries a command out.
///
/// # Errors
/// In words for the person at the terminal.
pub(crate) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Info(args) => info::run(args),
        Command::Export(args) => export::run(args),
    }
}
