//! `claviger volume`: what a technician and an imaging engineer do with one BitLocker volume.

use std::process::ExitCode;

use clap::Subcommand;

mod confirm;
mod conversion;
mod create;
mod credential;
mod decrypt;
mod encrypt;
mod examples;
mod export;
mod in_use;
mod info;
mod metadata;
mod method;
mod mount;
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

pub(crate) use examples::VOLUME as EXIT_CODES;
use work::{Outcome, STOPPED};

/// `claviger volume …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what a volume says of itself; needs no key and writes nothing
    ///
    /// Method, sizes, state of a conversion, metadata copies and their health, protectors. Works on volumes that Windows
    /// made, and while another program works on them.
    #[command(visible_alias = "status", after_long_help = examples::INFO)]
    Info(info::Args),
    /// Make an encrypted volume from a plain image
    ///
    /// The image is only read, and no plain text touches the new volume. The new volume gets its name once it is whole;
    /// when this is interrupted, nothing is left behind.
    #[command(visible_alias = "new", after_long_help = examples::CREATE)]
    #[command(override_usage = "claviger volume create [OPTIONS] --from <IMAGE> <NEW PROTECTORS> <VOLUME>")]
    Create(create::Args),
    /// Encrypt a plain volume in place; goes on where an earlier run stopped
    ///
    /// First the protectors are made and every new secret is written out, durably; only then does encryption begin. It
    /// survives power cuts at any instant. Until the end a clear key lies on the volume, so that the same command goes on
    /// without a secret; with the last byte it goes, and protection is on.
    #[command(after_long_help = examples::ENCRYPT)]
    #[command(override_usage = "claviger volume encrypt [OPTIONS] <NEW PROTECTORS> <VOLUME>")]
    Encrypt(encrypt::Args),
    /// Decrypt a volume in place and take its metadata off; goes on where an earlier run stopped
    ///
    /// At the end the volume is as it was before encryption: a plain file system, without keys, protectors and reserved
    /// files.
    #[command(after_long_help = examples::DECRYPT)]
    #[command(override_usage = "claviger volume decrypt [OPTIONS] <CREDENTIAL> <VOLUME>")]
    Decrypt(decrypt::Args),
    /// Give an encrypted volume another key, and another method if wanted, in place
    ///
    /// Nothing is in plain text on the disk at any time. Until the end only claviger reads the volume; others refuse it.
    /// With --new-master-key every old password, old metadata copy and old key is worth nothing afterwards, except those
    /// of protectors that still are on the volume.
    #[command(after_long_help = examples::REENCRYPT)]
    #[command(override_usage = "claviger volume reencrypt [OPTIONS] <CREDENTIAL> <VOLUME>")]
    Reencrypt(reencrypt::Args),
    /// Let an unfinished conversion stand still, readable for other programs
    #[command(after_long_help = examples::PAUSE)]
    #[command(override_usage = "claviger volume pause [OPTIONS] <CREDENTIAL> <VOLUME>")]
    Pause(conversion::PauseArgs),
    /// Carry a paused or interrupted conversion to its end
    #[command(after_long_help = examples::RESUME)]
    #[command(override_usage = "claviger volume resume [OPTIONS] <CREDENTIAL> <VOLUME>")]
    Resume(conversion::ResumeArgs),
    /// The ways in: list, add, remove, suspend, resume, rotate
    #[command(subcommand)]
    Protectors(protectors::Command),
    /// Give a volume a new master key; passwords and keys stay
    ///
    /// Every protector stays as it is for its user. The old master key opens nothing on the volume any more; but whoever
    /// kept an old metadata copy and an old password can still get at the key of the sectors, which stays. Only
    /// `reencrypt --new-master-key` revokes that.
    #[command(after_long_help = examples::ROTATE_MASTER_KEY)]
    #[command(override_usage = "claviger volume rotate-master-key [OPTIONS] <CREDENTIAL> <VOLUME>")]
    RotateMasterKey(rotate_master_key::Args),
    /// Overwrite free space, where old plain text may lie
    ///
    /// Worth doing once after an encryption of used space only.
    #[command(after_long_help = examples::WIPE)]
    #[command(override_usage = "claviger volume wipe-free-space [OPTIONS] <CREDENTIAL> <VOLUME>")]
    WipeFreeSpace(wipe::Args),
    /// Back up and restore the 64 KiB without which a volume is noise
    #[command(subcommand)]
    Metadata(metadata::Command),
    /// When a drive will not open: look, copy, mend, take back
    #[command(subcommand)]
    Repair(repair::Command),
    /// Write the whole plain text of a volume to a file or to standard output
    #[command(after_long_help = examples::EXPORT)]
    Export(export::Args),
    /// Show the plain text of a volume as a file, to read and write, until it is unmounted
    #[command(after_long_help = examples::MOUNT)]
    Mount(mount::Args),
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
        Command::Export(args) => export::run(args),
        Command::Mount(args) => mount::run(args).map(done),
    }?;
    Ok(match outcome {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Stopped => ExitCode::from(STOPPED),
    })
}
