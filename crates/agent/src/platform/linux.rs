//! The volume provider for Linux: BitLocker volumes in files and block devices, and a TPM 2.0.
//!
//! It does over `fve` what `Win32_EncryptableVolume` does on Windows, with the same codes; where it keeps what, and where
//! it has to differ, is in `docs/decisions/0011-linux-provider.md`. Every operation opens the volume anew under an
//! advisory lock and closes it again, so nothing but keys is remembered in between, and two programs do not write at
//! the same time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::inventory;
use domain::time::Clock;
use domain::volume::VolumeKind;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::provider::{Code, EncryptableVolume, Provider, ProviderError, Result};
use pin::PinRules;
use slot::Slot;
use store::Store;
use tpm::{Tpm, TpmAddress, TpmError};
use volume::LinuxVolume;

mod access;
mod boot;
mod errors;
mod pin;
mod sealed;
mod slot;
mod store;
pub mod tpm;
mod volume;

/// One volume to manage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeConfig {
    /// An image file or a block device. It is the volume's `DeviceID`.
    pub path: PathBuf,
    /// Drive letter or mount point, for people.
    pub letter: Option<String>,
    /// What it is for. A removable volume may be absent.
    pub kind: VolumeKind,
}

/// What the provider works with. `Debug` does not show the PIN.
#[derive(Clone)]
pub struct LinuxConfig {
    /// The volumes; at most one is the operating system volume.
    pub volumes: Vec<VolumeConfig>,
    /// Where the TPM is, if there is one.
    pub tpm: Option<TpmAddress>,
    /// A directory on the operating system volume: the keys of automatic unlocking (wrapped), and which boot was seen.
    pub state_dir: PathBuf,
    /// Least length of a PIN (`MinimumPIN`), 4 to 20; Windows takes 6 when policy says nothing.
    pub minimum_pin: u8,
    /// Identifies the present boot; suspensions are counted in these. [`kernel_boot_id`] in life.
    pub boot_id: String,
    /// The PIN that was typed in at start-up, when there was one.
    pub pin: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for LinuxConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinuxConfig")
            .field("volumes", &self.volumes)
            .field("tpm", &self.tpm)
            .field("state_dir", &self.state_dir)
            .field("minimum_pin", &self.minimum_pin)
            .field("boot_id", &self.boot_id)
            .field("pin", &self.pin.as_ref().map(|_| "[redacted]"))
            .finish()
    }
}

/// The running kernel's boot id.
///
/// # Errors
/// When `/proc` does not tell.
pub fn kernel_boot_id() -> std::io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

/// The provider.
pub struct LinuxProvider {
    slots: Vec<Slot>,
    tpm: Option<Tpm>,
    store: Store,
    pin_rules: PinRules,
    boot_pin: Option<Zeroizing<String>>,
    clock: Arc<dyn Clock>,
    rng: Mutex<Box<dyn CryptoRng + Send>>,
}

impl LinuxProvider {
    /// Takes over the volumes as an operating system does when it starts: the operating system volume opens by its clear
    /// key or TPM, the others by clear key or automatic unlocking, as far as they can. When the boot is another than
    /// the last one seen, a suspension that is counted in restarts counts down.
    ///
    /// # Errors
    /// When the configuration contradicts itself or the state directory cannot be used. A volume that does not open is no
    /// error.
    pub fn new(config: LinuxConfig, clock: Arc<dyn Clock>, rng: Box<dyn CryptoRng + Send>) -> Result<Self> {
        if config.volumes.iter().filter(|v| v.kind == VolumeKind::Os).count() > 1 {
            return Err(ProviderError::new(
                Code::InvalidArgument,
                "more than one operating system volume",
            ));
        }
        let mut volumes = config.volumes;
        volumes.sort_by_key(|volume| volume.kind != VolumeKind::Os);
        let mut provider = Self {
            slots: volumes.into_iter().map(Slot::new).collect(),
            tpm: config.tpm.map(Tpm::new),
            store: Store::open(config.state_dir)?,
            pin_rules: PinRules::new(config.minimum_pin),
            boot_pin: config.pin,
            clock,
            rng: Mutex::new(rng),
        };
        provider.start(&config.boot_id)?;
        Ok(provider)
    }

    fn rng(&self) -> MutexGuard<'_, Box<dyn CryptoRng + Send>> {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> fve::FileTime {
        fve::FileTime::from_unix_millis(self.clock.now().0)
    }

    fn views(&self) -> impl Iterator<Item = LinuxVolume<'_>> {
        self.slots.iter().map(|slot| LinuxVolume::new(self, slot))
    }

    /// The operating system volume.
    fn os_volume(&self) -> Option<LinuxVolume<'_>> {
        self.views().find(|volume| volume.kind() == VolumeKind::Os)
    }

    fn tpm_required(&self) -> Result<&Tpm> {
        self.tpm
            .as_ref()
            .ok_or_else(|| ProviderError::new(Code::TpmServiceNotRunning, "no TPM is configured"))
    }
}

impl Provider for LinuxProvider {
    fn volumes(&mut self) -> Result<Vec<Box<dyn EncryptableVolume + '_>>> {
        let mut volumes: Vec<Box<dyn EncryptableVolume + '_>> = Vec::new();
        for volume in self.views() {
            if volume.is_attached()? {
                volumes.push(Box::new(volume));
            }
        }
        Ok(volumes)
    }

    fn volume(&mut self, device: &str) -> Result<Box<dyn EncryptableVolume + '_>> {
        match self.views().find(|volume| volume.device_id() == device) {
            Some(volume) if volume.is_attached()? => Ok(Box::new(volume)),
            _ => Err(ProviderError::new(Code::FileNotFound, device)),
        }
    }

    fn tpm(&mut self) -> inventory::Tpm {
        let Some(tpm) = &self.tpm else {
            return inventory::Tpm::Absent;
        };
        match tpm.info() {
            Ok(info) => inventory::Tpm::Ready {
                manufacturer: info.manufacturer,
                spec_version: "2.0".to_owned(),
            },
            Err(TpmError::Unavailable(error)) if error.kind() == std::io::ErrorKind::NotFound => inventory::Tpm::Absent,
            Err(error) => inventory::Tpm::NotReady {
                reason: error.to_string(),
                cause: inventory::TpmCause::default(),
            },
        }
    }
}
