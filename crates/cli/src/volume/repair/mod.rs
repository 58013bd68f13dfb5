//! `claviger volume repair`: when a drive will not open.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Subcommand, ValueEnum};
use fve::Guid;
use fve::io::ReadAt;
use fve::repair::{ExamineOptions, Extent, Findings, RescueOptions, Rescued, ScanMode, rescue};

use super::credential::Secret;
use super::metadata::backup_bytes;
use super::work::{Outcome, Work, WorkArgs};

mod examine;
mod image;
mod mend;
mod undo;

/// `claviger volume repair …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look for what is left of a volume; needs no key and writes nothing
    ///
    /// Reads boot sector and metadata copies, and every sector of the drive if these do not lead to sound metadata.
    /// Sectors that cannot be read are stepped over.
    #[command(visible_alias = "scan", after_long_help = super::examples::EXAMINE)]
    Examine(examine::Args),
    /// Copy a failing drive past what it does not give out, encrypted as it is or in plain text
    ///
    /// Reads the good parts first, then the edges of the bad ones, then their sectors. The map says what was copied; the
    /// same command goes on where it stopped. With a credential the copy is in plain text, and files that lost something
    /// are named at the end. Work on the copy, not on a failing drive.
    #[command(after_long_help = super::examples::IMAGE)]
    Image(image::Args),
    /// Mend boot sector and metadata in place
    ///
    /// Only what decrypting proves to be right is written, and what lies there now is kept in a file first.
    #[command(after_long_help = super::examples::MEND)]
    #[command(override_usage = "claviger volume repair mend [OPTIONS] --undo-file <FILE> <CREDENTIAL> <VOLUME>")]
    Mend(mend::Args),
    /// Take back what mend changed
    #[command(after_long_help = super::examples::UNDO)]
    Undo(undo::Args),
}

pub(super) fn run(command: &Command) -> Result<Outcome> {
    match command {
        Command::Examine(args) => examine::run(args),
        Command::Image(args) => image::run(args),
        Command::Mend(args) => mend::run(args),
        Command::Undo(args) => undo::run(args).map(|()| Outcome::Done),
    }
}

/// Where to look.
#[derive(Debug, clap::Args)]
pub(super) struct LookArgs {
    /// A metadata backup: a file of `metadata backup`, or 64 KiB of metadata as the server keeps it; may be given more
    /// than once
    #[arg(long, value_name = "FILE")]
    metadata: Vec<PathBuf>,
    /// Whether every sector is looked at
    #[arg(long, value_enum, default_value = "auto")]
    scan: Scan,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Scan {
    /// When boot sector and backups do not lead to sound metadata
    Auto,
    /// In any case
    Always,
    /// Never
    Never,
}

/// What to make of what was found.
#[derive(Debug, clap::Args)]
pub(super) struct RescueArgs {
    /// Which volume, when several were found
    #[arg(long, value_name = "GUID")]
    volume: Option<Guid>,
    /// Use metadata whose checksum or integrity hash is wrong
    #[arg(long)]
    accept_damaged: bool,
    /// 512 or 4096, when the metadata does not tell
    #[arg(long, value_name = "BYTES", value_parser = ["512", "4096"])]
    sector_size: Option<String>,
    /// How much is encrypted when a backup is too old to tell: all, none, or the number of bytes from the front
    #[arg(long, value_name = "EXTENT", value_parser = parse_extent)]
    encrypted: Option<Extent>,
}

fn parse_extent(text: &str) -> Result<Extent, String> {
    match text {
        "all" => Ok(Extent::Encrypted),
        "none" => Ok(Extent::Plain),
        _ => text
            .parse()
            .map(Extent::Watermark)
            .map_err(|_| "all, none or a number of bytes is allowed".to_owned()),
    }
}

impl LookArgs {
    /// Looks; `None` when a signal came.
    ///
    /// # Errors
    /// When a backup or the device cannot be read.
    pub(super) fn look(&self, device: &dyn ReadAt, work: &WorkArgs) -> Result<Option<Findings>> {
        let backups = self.metadata.iter().map(|path| backup_bytes(path));
        let backups = backups.collect::<Result<Vec<_>>>()?;
        let backups: Vec<&[u8]> = backups.iter().map(Vec::as_slice).collect();
        let options = ExamineOptions {
            scan: match self.scan {
                Scan::Auto => ScanMode::Auto,
                Scan::Always => ScanMode::Always,
                Scan::Never => ScanMode::Never,
            },
            backups: &backups,
            resume: None,
        };
        let mut work = Work::begin(work, "looking", device.size())?;
        let findings = fve::repair::examine(device, &options, &mut |progress| {
            work.at(progress.done_bytes, progress.total_bytes);
            work.flow()
        })?;
        work.end();
        Ok((!work.stopped()).then_some(findings))
    }
}

impl RescueArgs {
    /// Opens what was found.
    ///
    /// # Errors
    /// When that makes no volume, or the secret does not open it.
    pub(super) fn open<D: ReadAt + Clone>(
        &self,
        device: &D,
        findings: &Findings,
        secret: &Secret,
    ) -> Result<Rescued<D>> {
        let sector_size = self.sector_size.as_deref().map(str::parse).transpose()?;
        let options = RescueOptions {
            volume: self.volume,
            accept_damaged: self.accept_damaged,
            sector_size,
            extent: self.encrypted,
        };
        if findings.volumes.is_empty() {
            bail!("nothing of a BitLocker volume was found; a metadata backup may help: --metadata FILE");
        }
        secret.attempt(|credential| {
            rescue(device.clone(), findings, &options)
                .context("what was found does not make a volume")?
                .unlock(credential)
                .context("the volume does not open")
        })
    }
}

/// What looking says when a signal came.
fn stopped() -> Outcome {
    crate::terminal::note("stopped; nothing was changed");
    Outcome::Stopped
}
