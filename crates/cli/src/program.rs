//! `claviger`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::{admin, completions, decide, demo, man, policy, serve, system, volume};

/// Manages BitLocker across a fleet.
#[derive(Debug, Parser)]
#[command(name = "claviger", version, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server: recovery service, portals, jobs
    Serve(serve::Args),
    /// Look after a server
    #[command(subcommand)]
    Admin(admin::Command),
    /// The whole product on one machine, with three simulated devices on real volumes
    Demo(demo::Args),
    /// Look at, open, make, convert and repair one BitLocker volume
    #[command(subcommand, after_long_help = volume::EXIT_CODES)]
    Volume(volume::Command),
    /// Write, check, compare and convert policies; see what they would do
    #[command(subcommand, after_long_help = policy::EXIT_CODES)]
    Policy(policy::Command),
    /// Judge a device by a policy
    #[command(subcommand)]
    Compliance(decide::ComplianceCommand),
    /// Show what a device would do next
    Plan(decide::PlanArgs),
    /// Write the manual pages of both programs
    Man(man::Args),
    /// Write what a shell needs to complete commands and options
    Completions(completions::Args),
}

/// Carries a command out.
///
/// # Errors
/// In words for the person at the terminal.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    system::forbid_core_dumps().context("forbidding core dumps")?;
    match &arguments.command {
        Command::Serve(args) => serve::run(args)?,
        Command::Admin(command) => admin::run(command)?,
        Command::Demo(args) => demo::run(args)?,
        Command::Man(args) => man::run(args)?,
        Command::Completions(args) => completions::run(args)?,
        Command::Policy(command) => return policy::run(command),
        Command::Volume(command) => return volume::run(command),
        Command::Compliance(command) => return Ok(decide::compliance(command)),
        Command::Plan(args) => return Ok(decide::plan(args)),
    }
    Ok(ExitCode::SUCCESS)
}
