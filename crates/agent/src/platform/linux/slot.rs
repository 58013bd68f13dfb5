//! What is remembered of a volume between operations: its key while it is unlocked.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fve::VolumeMasterKey;
use fve::io::FileDevice;

use super::VolumeConfig;
use crate::provider::{Code, ProviderError, Result};

/// One configured volume.
pub(super) struct Slot {
    pub(super) config: VolumeConfig,
    pub(super) memory: Mutex<Memory>,
}

/// What is remembered between operations.
#[derive(Default)]
pub(super) struct Memory {
    /// The key, while the volume is unlocked.
    pub(super) key: Option<VolumeMasterKey>,
    /// Somebody locked the volume: only a key given by hand opens it again.
    pub(super) locked: bool,
    /// The TPM was asked and refused; it is not asked again before the next start, lest it lock out.
    pub(super) tpm_refused: bool,
}

impl Slot {
    pub(super) fn new(config: VolumeConfig) -> Self {
        Self {
            config,
            memory: Mutex::default(),
        }
    }

    /// What is remembered. Held while the volume is in use.
    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_attached(&self) -> Result<bool> {
        self.config.path.try_exists().map_err(|error| self.io_error(&error))
    }

    /// Opens the device for looking; waits while somebody writes.
    pub(super) fn open_read(&self) -> Result<FileDevice> {
        let file = File::open(&self.config.path);
        file.and_then(|file| file.lock_shared().and_then(|()| FileDevice::from_file(file)))
            .map_err(|error| self.io_error(&error))
    }

    /// Opens the device for changes; waits until nobody else has it.
    pub(super) fn open_write(&self) -> Result<FileDevice> {
        let file = OpenOptions::new().read(true).write(true).open(&self.config.path);
        file.and_then(|file| file.lock().and_then(|()| FileDevice::from_file(file)))
            .map_err(|error| self.io_error(&error))
    }

    fn io_error(&self, error: &std::io::Error) -> ProviderError {
        let code = match error.kind() {
            ErrorKind::NotFound => Code::FileNotFound,
            ErrorKind::PermissionDenied => Code::AccessDenied,
            _ => Code::ReadFault,
        };
        ProviderError::new(code, format!("{}: {error}", self.config.path.display()))
    }
}
