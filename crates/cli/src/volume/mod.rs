//! `claviger volume`: what a technician and an imaging engineer do with one BitLocker volume.

use std::process::ExitCode;

use clap::Subcommand;

mod confirm;
mod conversion;
mod create;
mod credential;
mod decrypt;
mod encrypt;
mod export;
mod in_use;
mod info;
mod method;
mod new_protector;
mod plan;
mod protectors;
mod secret_out;
mod target;
mod work;

use work::{Outcome, STOPPED};

/// `claviger volume …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what a volume says of itself; needs no key and writes nothing
    #[command(visible_alias = "status")]
    Info(info::Args),
    /// Make an encrypted volume from a plain image
    #[command(visible_alias = "new")]
    Create(create::Args),
    /// Encrypt a plain volume in place; goes on where an earlier run stopped
    Encrypt(encrypt::Args),
    /// Decrypt a volume in place and take its metadata off; goes on where an earlier run stopped
    Decrypt(decrypt::Args),
    /// Let an unfinished conversion stand still, readable for every program
    Pause(conversion::PauseArgs),
    /// Carry a paused or interrupted conversion to its end
    Resume(conversion::ResumeArgs),
    /// The ways in: list, add, remove, suspend, resume, rotate
    #[command(subcommand)]
    Protectors(protectors::Command),
    /// Write the whole plain text of a volume to a file or to standard output
    Export(export::Args),
}

/// Carries a command out.
///
/// # Errors
/// In words for the person at the terminal.
pub(crate) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let done = |()| Outcome::Done;
    let outcome = match command {
        Command::Info(args) => info::run(args).map(done),
        Command::Create(args) => create::run(args),
        Command::Encrypt(args) => encrypt::run(args),
        Command::Decrypt(args) => decrypt::run(args),
        Command::Pause(args) => conversion::pause(args).map(done),
        Command::Resume(args) => conversion::resume(args),
        Command::Protectors(command) => protectors::run(command).map(done),
        Command::Export(args) => export::run(args).map(done),
    }?;
    Ok(match outcome {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Stopped => ExitCode::from(STOPPED),
    })
}
