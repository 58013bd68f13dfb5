//! Unlocking by hand, locking, and automatic unlocking.

use domain::ids::ProtectorId;
use domain::volume::VolumeKind;
use fve::{ConversionStatus, Credential, ProtectorKind};

use super::super::access::{Access, opens};
use super::super::store::Entry;
use super::protect::{parse_key, parse_passphrase, parse_password};
use super::state::{ClearKey, clear_key, real_protectors};
use super::{LinuxVolume, kinds};
use crate::provider::{Code, Result};

impl LinuxVolume<'_> {
    pub(super) fn unlock_by_password(&self, password: &str) -> Result<()> {
        let password = parse_password(password)?;
        self.unlock(
            &Credential::RecoveryPassword(&password),
            ProtectorKind::RecoveryPassword,
        )
    }

    pub(super) fn unlock_by_passphrase(&self, passphrase: &str) -> Result<()> {
        let passphrase = parse_passphrase(passphrase)?;
        self.unlock(&Credential::Passphrase(&passphrase), ProtectorKind::Passphrase)
    }

    pub(super) fn unlock_by_key(&self, key: &[u8]) -> Result<()> {
        let key = parse_key(key)?;
        self.unlock(&Credential::ExternalKey(&key), ProtectorKind::ExternalKey)
    }

    /// The credential must be right even when the volume is open already.
    fn unlock(&self, credential: &Credential<'_>, kind: ProtectorKind) -> Result<()> {
        let mut memory = self.slot.memory();
        let device = self.slot.open_read()?;
        if !fve::is_fve(&device)? {
            return Err(Code::NotActivated.into());
        }
        let volume = fve::Volume::open(device)?;
        if !volume.protectors().iter().any(|info| info.kind == kind) {
            return Err(Code::ProtectorNotFound.into());
        }
        let key = opens(&volume, credential)?.ok_or(Code::FailedAuthentication)?;
        (memory.key, memory.locked) = (Some(key), false);
        Ok(())
    }

    pub(super) fn shut(&self) -> Result<()> {
        let mut memory = self.slot.memory();
        let device = self.slot.open_read()?;
        let volume = match self.provider.access(self.slot, &mut memory, device)? {
            Access::Plain(_) => return Err(Code::NotEncrypted.into()),
            Access::Locked(_) => return Ok(()),
            Access::Unlocked(volume) => volume,
        };
        if volume.conversion_status() == ConversionStatus::FullyDecrypted {
            return Err(Code::NotEncrypted.into());
        }
        if clear_key(&volume)? != ClearKey::Absent {
            return Err(Code::ProtectionDisabled.into());
        }
        if self.kind() == VolumeKind::Os {
            return Err(Code::AccessDenied.into());
        }
        let by_hand = |kind| {
            matches!(
                kind,
                ProtectorKind::RecoveryPassword | ProtectorKind::ExternalKey | ProtectorKind::Passphrase
            )
        };
        if !real_protectors(&volume)?.iter().any(|info| by_hand(info.kind)) {
            return Err(Code::RecoveryKeyRequired.into());
        }
        (memory.key, memory.locked) = (None, true);
        Ok(())
    }

    pub(super) fn enable_auto(&self, id: ProtectorId) -> Result<()> {
        self.data_volume()?;
        let protector = self.protector(id)?;
        let key = self.look(|access| {
            let volume = access.unlocked()?;
            if protector.kind != ProtectorKind::ExternalKey {
                return Err(Code::InvalidArgument.into());
            }
            Ok((volume.volume_guid(), volume.external_key(protector.id)?))
        });
        let (volume, key) = key?;
        let os = self.provider.os_volume().ok_or(Code::OsNotProtected)?;
        if !os.is_encrypted_os_volume()? {
            return Err(Code::OsNotProtected.into());
        }
        if self.auto_unlock_protector()?.is_some() {
            return Err(Code::VolumeBoundAlready.into());
        }
        let os = os.master_key()?.ok_or(Code::OsNotProtected)?;
        let mut rng = self.provider.rng();
        self.provider.store.put(&os, volume, protector.id, &key, &mut **rng)
    }

    pub(super) fn disable_auto(&self) -> Result<()> {
        self.data_volume()?;
        let entry = self.auto_unlock_entry()?.ok_or(Code::VolumeNotBound)?;
        self.provider.store.remove(entry.volume)
    }

    /// The protector that unlocks the volume automatically. One whose key can no longer be read, because the operating
    /// system volume got another master key, does not count.
    pub(super) fn auto_unlock_protector(&self) -> Result<Option<ProtectorId>> {
        self.data_volume()?;
        let Some(entry) = self.auto_unlock_entry()? else {
            return Ok(None);
        };
        if let Some(os) = self.provider.os_key()
            && entry.key(&os).is_none()
        {
            return Ok(None);
        }
        let id = kinds::protector_id(entry.protector);
        Ok(self.protector_ids(None)?.contains(&id).then_some(id))
    }

    pub(super) fn auto_unlock_entry(&self) -> Result<Option<Entry>> {
        let volume = self.look(|access| match access {
            Access::Plain(_) => Err(Code::NotActivated.into()),
            Access::Locked(volume) => Ok(volume.info().volume),
            Access::Unlocked(volume) => Ok(volume.volume_guid()),
        })?;
        self.provider.store.entry(volume)
    }

    pub(super) fn clear_auto(&self) -> Result<()> {
        self.os_volume()?;
        self.provider.store.clear()
    }

    pub(super) fn stores_auto(&self) -> Result<bool> {
        self.os_volume()?;
        Ok(!self.provider.store.entries()?.is_empty())
    }

    fn data_volume(&self) -> Result<()> {
        match self.kind() {
            VolumeKind::Os => Err(Code::NotDataVolume.into()),
            VolumeKind::Fixed | VolumeKind::Removable => Ok(()),
        }
    }

    fn os_volume(&self) -> Result<()> {
        match self.kind() {
            VolumeKind::Os => Ok(()),
            VolumeKind::Fixed | VolumeKind::Removable => Err(Code::NotOsVolume.into()),
        }
    }
}
