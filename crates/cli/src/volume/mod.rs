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
mod metadata;
mod method;
mod new_protector;
mod plan;
mod protectors;
mod reencrypt;
mod repair;
mod rotate_master_key;
mod secret_out;
mod target;
mod wipe;
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
    /// Give an encrypted volume another key, and another method if wanted, in place
    Reencrypt(reencrypt::Args),
    /// Let an unfinished conversion stand still, readable for every program
    Pause(conversion::PauseArgs),
    /// Carry a paused or interrupted conversion to its end
    Resume(conversion::ResumeArgs),
    /// The ways in: list, add, remove, suspend, resume, rotate
    #[command(subcommand)]
    Protectors(protectors::Command),
    /// Give a volume a new master key; passwords and keys stay
    RotateMasterKey(rotate_master_key::Args),
    /// Overwrite free space, where old plain text may lie
    WipeFreeSpace(wipe::Args),
    /// Back up and restore the 64 KiB without which a volume is noise
    #[command(subcommand)]
    Metadata(metadata::Command),
    /// When a drive will not open: look, copy, mend, take back
    #[command(subcommand)]
    Repair(repair::Command),
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
        Command::Reencrypt(args) => reencrypt::run(args),
        Command::RotateMasterKey(args) => rotate_master_key::run(args).map(done),
        Command::WipeFreeSpace(args) => wipe::run(args),
        Command::Metadata(command) => metadata::run(command).map(done),
        Command::Repair(command) => repair::run(command),
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
