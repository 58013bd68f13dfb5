//! The volume that a command works on: opened so that nobody else works on it at the same time.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use fve::io::{FileDevice, ReadAt, WriteAt};
use fve::{UnlockedVolume, Volume};

use super::credential::Secret;
use super::in_use;
use super::plan::Rehearsal;

/// Where commands write: the real device, or a rehearsal that remembers instead of writing.
pub(super) type Device = Box<dyn WriteAt>;

/// The volume, as the first argument.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// The volume: an image file or a block device
    #[arg(value_name = "VOLUME")]
    pub(super) image: PathBuf,
    /// Show every byte range and file that would be changed, and change nothing
    #[arg(long)]
    pub(super) plan: bool,
}

/// An opened target.
pub(super) struct Target {
    path: PathBuf,
    device: Arc<dyn WriteAt>,
    rehearsal: Option<Arc<Rehearsal>>,
}

impl TargetArgs {
    /// Opens the volume for a change, or for the rehearsal of one.
    ///
    /// # Errors
    /// When it cannot be opened, is mounted or in use, or another claviger works on it.
    pub(super) fn open(&self) -> Result<Target> {
        let path = self.image.clone();
        if self.plan {
            let device = FileDevice::from_file(open_locked(&path, false)?)?;
            let rehearsal = Arc::new(Rehearsal::new(device));
            return Ok(Target {
                path,
                device: rehearsal.clone(),
                rehearsal: Some(rehearsal),
            });
        }
        let file = open_locked(&path, true)?;
        let device = FileDevice::from_file(file).with_context(|| format!("opening {}", path.display()))?;
        Ok(Target {
            path,
            device: Arc::new(device),
            rehearsal: None,
        })
    }
}

impl Target {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing is to be changed.
    pub(super) fn is_plan(&self) -> bool {
        self.rehearsal.is_some()
    }

    pub(super) fn rehearsal(&self) -> Option<&Rehearsal> {
        self.rehearsal.as_deref()
    }

    /// What the library works on.
    pub(super) fn device(&self) -> Device {
        Box::new(self.device.clone())
    }

    /// The device, to look at.
    pub(super) fn bytes(&self) -> &dyn ReadAt {
        &self.device
    }

    /// The locked volume.
    ///
    /// # Errors
    /// When it is no BitLocker volume or is damaged.
    pub(super) fn volume(&self) -> Result<Volume<Device>> {
        Volume::open(self.device()).with_context(|| format!("{} cannot be read as BitLocker", self.path.display()))
    }

    /// The unlocked volume.
    ///
    /// # Errors
    /// As [`volume`](Self::volume), and when the secret does not open it.
    pub(super) fn unlock(&self, secret: &Secret) -> Result<UnlockedVolume<Device>> {
        // Looked at first, so that a wrong file is told before a secret is asked for twice.
        self.volume()?;
        secret.unlock(|| self.volume())
    }
}

/// Opens a file for reading while nobody writes to it.
///
/// # Errors
/// When it cannot be opened, is mounted or in use, or another claviger writes to it.
pub(super) fn open_to_read(path: &Path) -> Result<FileDevice> {
    FileDevice::from_file(open_locked(path, false)?).with_context(|| format!("opening {}", path.display()))
}

/// Opens a file for writing, as [`TargetArgs::open`] does.
///
/// # Errors
/// When it cannot be opened, is mounted or in use, or another claviger works on it.
pub(super) fn open_to_write(path: &Path) -> Result<FileDevice> {
    FileDevice::from_file(open_locked(path, true)?).with_context(|| format!("opening {}", path.display()))
}

/// Opens a file, to read it while nobody writes, or to be its only user.
///
/// # Errors
/// As [`open_to_read`].
pub(super) fn open_locked(path: &Path, write: bool) -> Result<File> {
    let opening = || format!("opening {}", path.display());
    let metadata = std::fs::metadata(path).with_context(opening)?;
    let is_block = metadata.file_type().is_block_device();
    if !is_block && !metadata.is_file() {
        bail!("{} is neither a file nor a block device", path.display());
    }
    if write {
        let user = if is_block {
            in_use::of_device(metadata.rdev())
        } else {
            in_use::of_file(metadata.dev(), metadata.ino())
        };
        if let Some(user) = user.with_context(opening)? {
            bail!("{} is in use: {user}; nothing was changed", path.display());
        }
    }
    let mut options = OpenOptions::new();
    options.read(true).write(write);
    if is_block && write {
        // On a block device: fails while the kernel uses it.
        options.custom_flags(rustix::fs::OFlags::EXCL.bits().cast_signed());
    }
    let file = match options.open(path) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::BUSY.raw_os_error()) => {
            bail!("{} is in use by the system; nothing was changed", path.display())
        }
        other => other.with_context(opening)?,
    };
    let locked = if write { file.try_lock() } else { file.try_lock_shared() };
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another program works on {} at present", path.display()),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}
