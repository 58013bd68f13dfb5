//! `claviger volume create`.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail};
use fve::io::{FileDevice, ReadAt, WriteAt};
use fve::{CreateOptions, NewProtector};

use super::confirm::ConfirmArgs;
use super::conversion::protect;
use super::method::Method;
use super::new_protector::NewProtectorArgs;
use super::target::{TargetArgs, open_to_read};
use super::work::{Outcome, Work, WorkArgs};
use crate::system::Fresh;
use crate::terminal::{note, say};

/// `claviger volume create`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The volume to make: a file that does not exist yet, or a block device of the image's size
    #[command(flatten)]
    target: TargetArgs,
    /// The plain image that it is made from: NTFS, left in order by whoever used it last
    #[arg(long, value_name = "IMAGE")]
    from: PathBuf,
    /// How sectors are encrypted
    #[arg(long, value_enum, default_value = "aes-xts-128")]
    method: Method,
    /// Encrypt only what the file system uses; the rest of the volume stays as it is
    #[arg(long)]
    used_space_only: bool,
    /// Text shown on the recovery screen: usually computer, label and date
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    protectors: NewProtectorArgs,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let path = &args.target.image;
    let plan = args.target.plan;
    let protectors = args.protectors.prepare(plan)?;
    if protectors.is_empty() {
        bail!("a protector is needed: --recovery-password-out, --new-passphrase-file or --startup-key-out");
    }
    let from = open_to_read(&args.from)?;
    if plan {
        say(&format!("would write all {} bytes of {}", from.size(), path.display()));
        protectors.tell();
        note("nothing was changed");
        return Ok(Outcome::Done);
    }
    let work = Work::begin(&args.work, "encrypting", from.size())?;
    let watched = Watched {
        size: from.size(),
        from,
        work: Mutex::new(work),
    };
    let make = |device: &dyn WriteAt| -> Result<()> {
        let mut fresh = Fresh::new();
        let ctx = &mut fresh.context();
        let options = CreateOptions {
            method: args.method.into(),
            description: args.description.as_deref(),
            protectors: &[NewProtector::ClearKey],
            used_space_only: args.used_space_only,
            ..CreateOptions::default()
        };
        let volume = fve::create(device, &watched, &options, ctx)
            .with_context(|| format!("{} cannot become a BitLocker volume", args.from.display()))?;
        watched.end();
        protectors.add(&volume, ctx)?;
        protect(&volume, ctx)
    };
    let made = if is_block(path) {
        onto_device(args, watched.size, make)
    } else {
        into_new_file(path, watched.size, make)
    };
    if made.is_err() && watched.stopped() {
        return Ok(watched.end_stopped());
    }
    made?;
    say(&format!("{} is fully encrypted and protected", path.display()));
    Ok(Outcome::Done)
}

fn is_block(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|metadata| metadata.file_type().is_block_device())
}

fn onto_device(args: &Args, size: u64, make: impl FnOnce(&dyn WriteAt) -> Result<()>) -> Result<()> {
    let target = args.target.open()?;
    if target.bytes().size() != size {
        bail!(
            "{} has {} bytes, the image {size}; they must be equal; nothing was changed",
            target.path().display(),
            target.bytes().size()
        );
    }
    args.confirm.ask(&format!(
        "everything on {} will be overwritten",
        target.path().display()
    ))?;
    make(&target.device())
}

/// The file gets its name once it is whole and durable.
fn into_new_file(path: &Path, size: u64, make: impl FnOnce(&dyn WriteAt) -> Result<()>) -> Result<()> {
    let creating = || format!("creating {}", path.display());
    if path.symlink_metadata().is_ok() {
        bail!("{} exists already; nothing was changed", path.display());
    }
    let Some(name) = path.file_name() else {
        bail!("{} names no file", path.display());
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut prefix = OsString::from(name);
    prefix.push(".");
    let file = tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(".part")
        .tempfile_in(folder)
        .with_context(creating)?;
    file.as_file().set_len(size).with_context(creating)?;
    make(&FileDevice::from_file(file.reopen().with_context(creating)?)?)?;
    file.as_file().sync_all().with_context(creating)?;
    file.persist_noclobber(path)
        .map_err(|failed| failed.error)
        .with_context(creating)?;
    Ok(())
}

/// The plain image: tells how far it was read, and fails once a signal came.
struct Watched {
    from: FileDevice,
    size: u64,
    work: Mutex<Work>,
}

impl Watched {
    fn with<T>(&self, use_it: impl FnOnce(&mut Work) -> T) -> T {
        use_it(&mut self.work.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn stopped(&self) -> bool {
        self.with(|work| work.stopped())
    }

    fn end(&self) {
        self.with(|work| work.end());
    }

    fn end_stopped(&self) -> Outcome {
        self.with(|work| work.end_stopped("nothing was left behind; run the same command again to begin anew"))
    }
}

impl ReadAt for Watched {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.with(|work| {
            if work.stopped() {
                return Err(io::Error::other("a signal came"));
            }
            work.at(offset, self.size);
            Ok(())
        })?;
        self.from.read_at(offset, buf)
    }

    fn size(&self) -> u64 {
        self.size
    }
}
