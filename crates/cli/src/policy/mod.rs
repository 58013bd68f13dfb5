//! `claviger policy`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

mod check;
mod diff;
mod effective;
mod examples;
mod explain;
mod export;
mod file;
mod import;
mod preview;
mod reference;
mod show;

pub(crate) use examples::POLICY as EXIT_CODES;

/// `claviger policy …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell all faults of policy documents, each with its place and what is allowed there
    ///
    /// Settings that do not exist, values that are not allowed, rules between settings. What is allowed and yet hardly
    /// meant is a warning.
    #[command(visible_alias = "validate", after_long_help = examples::CHECK)]
    Check(check::Args),
    /// Show what a policy says
    #[command(after_long_help = examples::SHOW)]
    Show(show::Args),
    /// Show what one policy says otherwise than another
    #[command(after_long_help = examples::DIFF)]
    Diff(diff::Args),
    /// Explain what a policy configures: meaning, default, and how Windows and Configuration Manager are told
    #[command(after_long_help = examples::EXPLAIN)]
    Explain(explain::Args),
    /// Make a policy document from a Group Policy backup, a .reg file or Configuration Manager's cmdlets
    ///
    /// What is not understood is told on standard error and kept as comments at the document's end.
    #[command(after_long_help = examples::IMPORT)]
    Import(import::Args),
    /// Write a policy for Group Policy, the registry editor, device management (CSP) or Configuration Manager
    ///
    /// What the format cannot express is told on standard error.
    #[command(after_long_help = examples::EXPORT)]
    Export(export::Args),
    /// Tell what holds for one device, who says so, and what was overruled
    #[command(after_long_help = examples::EFFECTIVE)]
    Effective(effective::Args),
    /// Show which devices a policy would change, and how, before it is deployed
    #[command(after_long_help = preview::HELP)]
    Preview(preview::Args),
    /// Print the reference of all settings
    #[command(after_long_help = examples::REFERENCE)]
    Reference(reference::Args),
}

/// Carries a command out.
///
/// # Errors
/// In words for the person at the terminal.
pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Check(args) => check::run(args),
        Command::Show(args) => show::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Import(args) => import::run(args),
        Command::Export(args) => export::run(args),
        Command::Effective(args) => effective::run(args),
        Command::Preview(args) => preview::run(args),
        Command::Reference(args) => reference::run(args),
    }
}
