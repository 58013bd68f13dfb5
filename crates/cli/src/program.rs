//! `claviger`.

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::volume;

/// Manages BitLocker across a fleet.
#[derive(Debug, Parser)]
#[command(name = "claviger", version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at, open and export one BitLocker volume
    #[command(subcommand)]
    Volume(volume::Command),
}

/// Carries a command out.
///
/// # Errors
/// In words for the person at the terminal.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Volume(command) => volume::run(command),
    }
}
