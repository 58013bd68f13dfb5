//! `claviger volume metadata`: the 64 KiB without which a volume is noise.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Subcommand;
use fve::MetadataBackup;

use super::confirm::ConfirmArgs;
use super::conversion::tell_rehearsed;
use super::credential::CredentialArgs;
use super::secret_out::Place;
use super::target::{TargetArgs, open_to_read};
use crate::system::{Fresh, file_time};
use crate::terminal::{note, say};

/// `claviger volume metadata …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the metadata to a file, from which a damaged volume can be mended; needs no key
    ///
    /// Nothing in it opens the volume without a password or key, unless protection is suspended. Take one before every
    /// repair.
    #[command(after_long_help = super::examples::BACKUP)]
    Backup(BackupArgs),
    /// Write metadata back from a backup, once everything shows that it is the right one
    ///
    /// The credential has to open the backup, what is sound on the disk must not contradict it, and its key has to
    /// decrypt the file system; otherwise nothing is written.
    #[command(after_long_help = super::examples::RESTORE)]
    #[command(override_usage = "claviger volume metadata restore [OPTIONS] --metadata <FILE> <CREDENTIAL> <VOLUME>")]
    Restore(RestoreArgs),
}

/// `claviger volume metadata backup`
#[derive(Debug, clap::Args)]
pub(crate) struct BackupArgs {
    /// The volume: an image file or a block device
    #[arg(value_name = "VOLUME")]
    image: PathBuf,
    /// The new file, mode 0600
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

/// `claviger volume metadata restore`
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The backup: a file of `metadata backup`, or 64 KiB of metadata as the server keeps it
    #[arg(long, value_name = "FILE")]
    metadata: PathBuf,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(super) fn run(command: &Command) -> Result<()> {
    match command {
        Command::Backup(args) => backup(args),
        Command::Restore(args) => restore(args),
    }
}

fn backup(args: &BackupArgs) -> Result<()> {
    let device = open_to_read(&args.image)?;
    let volume =
        fve::Volume::open(device).with_context(|| format!("{} cannot be read as BitLocker", args.image.display()))?;
    let backup = volume.backup_metadata(file_time())?;
    Place::reserve(&args.output, false)?.write_bytes(&backup.to_bytes())?;
    note(&format!(
        "backed up: volume {} to {}",
        backup.volume(),
        args.output.display()
    ));
    Ok(())
}

fn restore(args: &RestoreArgs) -> Result<()> {
    let backup = read_backup(&args.metadata)?;
    let target = args.target.open()?;
    let secret = args.credential.read()?;
    let plan = secret.attempt(|credential| {
        fve::restore_metadata_plan(target.bytes(), &backup, credential).context("the metadata is not restored")
    })?;
    if target.is_plan() {
        plan.describe().iter().for_each(|line| say(line));
    } else {
        let consequence = format!("the metadata on {} will be overwritten", target.path().display());
        args.confirm.ask_about(&plan.describe(), &consequence)?;
    }
    let mut fresh = Fresh::new();
    let ctx = &mut fresh.context();
    secret.attempt(|credential| {
        fve::restore_metadata(target.device(), &backup, credential, ctx).context("restoring the metadata")
    })?;
    if target.is_plan() {
        return tell_rehearsed(&target);
    }
    say(&format!("restored: volume {}", plan.volume));
    Ok(())
}

/// Longest file that may be a backup.
const MAX_BACKUP: u64 = 1 << 20;

/// The bytes of a backup file, which may be none.
///
/// # Errors
/// When the file cannot be read or is longer than any backup.
pub(super) fn backup_bytes(path: &Path) -> Result<Vec<u8>> {
    use std::io::Read;
    let reading = || format!("reading {}", path.display());
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).with_context(reading)?;
    file.take(MAX_BACKUP + 1)
        .read_to_end(&mut bytes)
        .with_context(reading)?;
    if bytes.len() as u64 > MAX_BACKUP {
        anyhow::bail!("{} is longer than any metadata backup", path.display());
    }
    Ok(bytes)
}

fn read_backup(path: &Path) -> Result<MetadataBackup> {
    MetadataBackup::parse(&backup_bytes(path)?).with_context(|| path.display().to_string())
}
