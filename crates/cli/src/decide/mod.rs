//! `claviger compliance evaluate` and `claviger plan`: what is decided about a device, from files.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::terminal::note;

pub mod output;
pub mod schema;

mod evaluate;
mod inputs;
mod plan;
mod read;

/// A file that cannot be used.
pub(crate) const UNUSABLE: u8 = 2;

/// What both commands say about their files.
macro_rules! files {
    () => {
        "\
Files are JSON or, with the ending .toml, TOML; '-' is standard input. Their
schemas are docs/schema/{policy,inventory,ledger,situation}.json. Whatever a
schema does not require may be left out. Without a situation, or where it does
not say, the moment is now and the server can be reached.

How decisions are made, with examples: docs/decisions-explained.md."
    };
}
use files;

/// Whether a device is as policy wants it
#[derive(Debug, Subcommand)]
pub(crate) enum ComplianceCommand {
    /// Judge a device: each drive's verdict and reasons, dates, exemptions, categories
    #[command(after_long_help = evaluate::AFTER_HELP)]
    Evaluate(Device),
}

/// What a decision is made from.
#[derive(Debug, clap::Args)]
pub(crate) struct Device {
    /// The policy: a document, as `claviger policy check` takes it
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// What the device says about itself
    #[arg(long, value_name = "FILE")]
    inventory: PathBuf,
    /// What the server holds for the device; without it, nothing
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// The moment: time, power, people, exemptions, wishes of the server
    #[arg(long, value_name = "FILE")]
    situation: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `claviger plan`
#[derive(Debug, clap::Args)]
#[command(after_long_help = plan::AFTER_HELP)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    device: Device,
}

pub(crate) fn compliance(command: &ComplianceCommand) -> ExitCode {
    let ComplianceCommand::Evaluate(device) = command;
    done(evaluate::run(device))
}

pub(crate) fn plan(args: &PlanArgs) -> ExitCode {
    done(plan::run(&args.device))
}

fn done(outcome: Result<ExitCode, Vec<String>>) -> ExitCode {
    outcome.unwrap_or_else(|faults| {
        for fault in faults {
            note(&format!("error: {fault}"));
        }
        ExitCode::from(UNUSABLE)
    })
}
