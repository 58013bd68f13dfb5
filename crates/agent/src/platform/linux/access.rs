//! Getting at a volume: what it is now, and unlocking it by itself where that is possible.

use domain::volume::VolumeKind;
use fve::io::FileDevice;
use fve::{Context, Credential, Error, ProtectorInfo, ProtectorKind, UnlockedVolume, Volume, VolumeMasterKey};

use super::LinuxProvider;
use super::sealed;
use super::slot::{Memory, Slot};
use crate::provider::{Code, ProviderError, Result};

/// A volume as it was found.
pub(super) enum Access {
    /// Not a BitLocker volume.
    Plain(FileDevice),
    /// Nothing that is at hand opens it.
    Locked(Volume<FileDevice>),
    /// Open.
    Unlocked(UnlockedVolume<FileDevice>),
}

impl Access {
    /// The open volume, or the code for why it is not.
    pub(super) fn unlocked(self) -> Result<UnlockedVolume<FileDevice>> {
        match self {
            Self::Plain(_) => Err(Code::NotActivated.into()),
            Self::Locked(_) => Err(Code::LockedVolume.into()),
            Self::Unlocked(volume) => Ok(volume),
        }
    }

    /// The protectors, whether it is open or not.
    pub(super) fn protectors(&self) -> Result<Vec<ProtectorInfo>> {
        match self {
            Self::Plain(_) => Err(Code::NotActivated.into()),
            Self::Locked(volume) => Ok(volume.protectors().to_vec()),
            Self::Unlocked(volume) => Ok(volume.protectors()?),
        }
    }
}

impl LinuxProvider {
    /// Finds out what a device holds, and opens it if that is possible without asking anybody.
    pub(super) fn access(&self, slot: &Slot, memory: &mut Memory, device: FileDevice) -> Result<Access> {
        if !fve::is_fve(&device)? {
            memory.key = None;
            return Ok(Access::Plain(device));
        }
        let volume = Volume::open(device)?;
        match self.find_key(slot, memory, &volume)? {
            Some(key) => {
                let volume = volume.unlock(&Credential::Vmk(&key))?;
                memory.key = Some(key);
                Ok(Access::Unlocked(volume))
            }
            None => {
                memory.key = None;
                Ok(Access::Locked(volume))
            }
        }
    }

    /// The volume's key: remembered, in clear on the volume, from the TPM, or stored for automatic unlocking.
    fn find_key(
        &self,
        slot: &Slot,
        memory: &mut Memory,
        volume: &Volume<FileDevice>,
    ) -> Result<Option<VolumeMasterKey>> {
        if let Some(key) = &memory.key
            && let Some(key) = opens(volume, &Credential::Vmk(key))?
        {
            return Ok(Some(key));
        }
        if let Some(key) = opens(volume, &Credential::ClearKey)? {
            return Ok(Some(key));
        }
        if memory.locked {
            return Ok(None);
        }
        match slot.config.kind {
            VolumeKind::Os => self.key_from_tpm(slot, memory, volume),
            VolumeKind::Fixed | VolumeKind::Removable => self.key_from_os_volume(volume),
        }
    }

    /// A plain TPM protector is tried first: while there is one, the PIN of another is never asked for.
    fn key_from_tpm(
        &self,
        slot: &Slot,
        memory: &mut Memory,
        volume: &Volume<FileDevice>,
    ) -> Result<Option<VolumeMasterKey>> {
        let Some(tpm) = self.tpm.as_ref().filter(|_| !memory.tpm_refused) else {
            return Ok(None);
        };
        let now = self.now();
        let mut rng = self.rng();
        let ctx = &mut Context { now, rng: &mut **rng };
        for kind in [ProtectorKind::Tpm, ProtectorKind::TpmPin] {
            let pin = match (kind, &self.boot_pin) {
                (ProtectorKind::TpmPin, None) => continue,
                (ProtectorKind::TpmPin, Some(pin)) => Some(pin.as_str()),
                _ => None,
            };
            for protector in volume.protectors().iter().filter(|info| info.kind == kind) {
                match sealed::unseal(protector, tpm, pin, ctx) {
                    Ok(key) => {
                        let credential = Credential::Tpm {
                            protector: protector.id,
                            key: &key,
                        };
                        if let Some(key) = opens(volume, &credential)? {
                            return Ok(Some(key));
                        }
                    }
                    Err(error) => {
                        tracing::warn!(volume = %slot.config.path.display(), %error, "the TPM does not open the volume");
                        memory.tpm_refused |= error.code != Code::TpmServiceNotRunning;
                    }
                }
            }
        }
        Ok(None)
    }

    fn key_from_os_volume(&self, volume: &Volume<FileDevice>) -> Result<Option<VolumeMasterKey>> {
        let entry = self.store.entry(volume.info().volume).unwrap_or_else(|error| {
            tracing::warn!(%error, "the keys of automatic unlocking cannot be read");
            None
        });
        let Some(entry) = entry else {
            return Ok(None);
        };
        let Some(os) = self.os_key() else {
            return Ok(None);
        };
        match entry.key(&os) {
            Some(key) => opens(volume, &Credential::ExternalKey(&key)),
            None => Ok(None),
        }
    }

    /// The operating system volume's key, if there is one and it is open. Never called while that volume is in use, nor
    /// while randomness is.
    pub(super) fn os_key(&self) -> Option<VolumeMasterKey> {
        let outcome = self.os_volume()?.master_key();
        outcome.unwrap_or_else(|error| {
            tracing::warn!(%error, "the operating system volume cannot be read");
            None
        })
    }
}

/// The volume's key, when the credential opens it. Metadata whose integrity check fails is an error.
pub(super) fn opens(volume: &Volume<FileDevice>, credential: &Credential<'_>) -> Result<Option<VolumeMasterKey>> {
    match Volume::open(volume.device())?.unlock(credential) {
        Ok(open) => Ok(Some(open.master_key().clone())),
        Err(Error::WrongCredential | Error::NoProtectorOfKind | Error::NoSuchProtector(_)) => Ok(None),
        Err(error) => Err(ProviderError::from(error)),
    }
}
