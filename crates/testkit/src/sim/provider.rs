//! The agent's own volume provider trait over virtual volumes, so that the agent's real steps run on them. It counts the
//! changes, and dies before one of them when told to: a crash inside a step.

use agent::provider::{Code, Conversion, EncryptableVolume, Provider, ProviderError, Result};
use domain::ids::{ProtectorId, VolumeId};
use domain::inventory::Tpm;
use domain::volume::{
    ConversionStatus, EncryptionExtent, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind,
};
use protocol::limits::METADATA_LEN;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::volume::{Protector, Volume};

/// Context of the error that stands for the agent's death.
pub(super) const DIED: &str = "the agent died here";

/// What the provider did in one step, for the checks of promises.
#[derive(Clone, Debug, Default)]
pub(super) struct Effects {
    /// Volumes that began, or went on, to encrypt.
    pub(super) encrypts: Vec<String>,
    /// Volumes whose suspension ended.
    pub(super) resumed: Vec<String>,
    /// Volumes that lost a protector.
    pub(super) lost_a_protector: Vec<String>,
}

/// The volumes of one device, as its agent reaches them during one step.
pub(super) struct Bench<'a> {
    pub(super) volumes: &'a mut Vec<Volume>,
    pub(super) tpm: &'a Tpm,
    /// Draws ids and secrets.
    pub(super) next: &'a mut u64,
    /// Changes that still come about before the agent dies.
    pub(super) lives: Option<u32>,
    pub(super) effects: Effects,
}

impl Bench<'_> {
    fn os_is_protected(&self) -> bool {
        self.volumes
            .iter()
            .any(|v| v.kind == VolumeKind::Os && v.is_protected())
    }

    fn holds_auto_unlock_keys(&self) -> bool {
        self.volumes.iter().any(|v| v.auto_unlock.is_some())
    }
}

impl Provider for Bench<'_> {
    fn volumes(&mut self) -> Result<Vec<Box<dyn EncryptableVolume + '_>>> {
        Err(Code::NotSupported.into())
    }

    fn volume(&mut self, device: &str) -> Result<Box<dyn EncryptableVolume + '_>> {
        let at = self.volumes.iter().position(|v| v.device == device);
        let at = at.ok_or(ProviderError::from(Code::FileNotFound))?;
        Ok(Box::new(Handle {
            os_is_protected: self.os_is_protected(),
            holds_auto_unlock_keys: self.holds_auto_unlock_keys(),
            tpm_ready: matches!(self.tpm, Tpm::Ready { .. }),
            volume: &mut self.volumes[at],
            next: self.next,
            lives: &mut self.lives,
            effects: &mut self.effects,
        }))
    }

    fn tpm(&mut self) -> Tpm {
        self.tpm.clone()
    }
}

struct Handle<'a> {
    volume: &'a mut Volume,
    os_is_protected: bool,
    holds_auto_unlock_keys: bool,
    tpm_ready: bool,
    next: &'a mut u64,
    lives: &'a mut Option<u32>,
    effects: &'a mut Effects,
}

impl Handle<'_> {
    /// Before every change: is the agent still alive?
    fn change(&mut self) -> Result<()> {
        match self.lives {
            Some(0) => Err(ProviderError::new(Code::AccessDenied, DIED)),
            Some(n) => {
                *n -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn draw(&mut self) -> u64 {
        *self.next += 1;
        *self.next
    }

    fn protect(&mut self, kind: ProtectorType, name: Option<&str>) -> Result<ProtectorId> {
        self.change()?;
        let n = self.draw();
        let id = ProtectorId(protector_uuid(n));
        let protector = Protector {
            id,
            kind,
            name: name.map(str::to_owned),
            secret: n,
        };
        self.volume.protect(protector, self.tpm_ready)?;
        Ok(id)
    }

    fn named(&self, id: ProtectorId) -> Result<&Protector> {
        let found = self.volume.protectors.iter().find(|p| p.id == id);
        found.ok_or(Code::InvalidArgument.into())
    }

    fn readable(&self) -> Result<()> {
        match self.volume.locked {
            true => Err(Code::LockedVolume.into()),
            false => Ok(()),
        }
    }
}

/// The id of the `n`th protector that is drawn. Its first eight digits differ, as people read them out.
pub(super) fn protector_uuid(n: u64) -> Uuid {
    Uuid::from_u64_pair(n << 32 | 0xA000, n)
}

impl EncryptableVolume for Handle<'_> {
    fn device_id(&self) -> String {
        self.volume.device.clone()
    }
    fn drive_letter(&self) -> Option<String> {
        None
    }
    fn volume_type(&self) -> VolumeKind {
        self.volume.kind
    }
    fn size(&self) -> u64 {
        1 << 30
    }
    fn label(&mut self) -> String {
        String::new()
    }
    fn file_system(&mut self) -> String {
        String::new()
    }
    fn persistent_volume_id(&mut self) -> Result<Option<VolumeId>> {
        Ok(self.volume.initialised().then_some(self.volume.id))
    }
    fn protection_status(&mut self) -> Result<ProtectionStatus> {
        Ok(self.volume.protection())
    }
    fn conversion_status(&mut self) -> Result<Conversion> {
        self.readable()?;
        Ok(Conversion {
            status: self.volume.conversion,
            encrypted_basis_points: 5_000,
            extent: EncryptionExtent::Full,
        })
    }
    fn encryption_method(&mut self) -> Result<EncryptionMethod> {
        self.readable()?;
        Ok(self.volume.method)
    }
    fn lock_status(&mut self) -> Result<LockStatus> {
        Ok(if self.volume.locked {
            LockStatus::Locked
        } else {
            LockStatus::Unlocked
        })
    }
    fn suspend_count(&mut self) -> Result<u8> {
        self.volume.suspended.ok_or(Code::NotSupported.into())
    }

    fn key_protectors(&mut self, kind: Option<ProtectorType>) -> Result<Vec<ProtectorId>> {
        if !self.volume.initialised() {
            return Err(Code::NotActivated.into());
        }
        let wanted = self
            .volume
            .protectors
            .iter()
            .filter(|p| kind.is_none_or(|k| k == p.kind));
        Ok(wanted.map(|p| p.id).collect())
    }
    fn key_protector_type(&mut self, id: ProtectorId) -> Result<ProtectorType> {
        Ok(self.named(id)?.kind)
    }
    fn key_protector_friendly_name(&mut self, id: ProtectorId) -> Result<Option<String>> {
        Ok(self.named(id)?.name.clone())
    }
    fn key_protector_numerical_password(&mut self, id: ProtectorId) -> Result<Zeroizing<String>> {
        self.readable()?;
        Ok(Zeroizing::new(self.named(id)?.secret.to_string()))
    }
    fn key_protector_external_key(&mut self, id: ProtectorId) -> Result<Zeroizing<Vec<u8>>> {
        self.readable()?;
        Ok(Zeroizing::new(self.named(id)?.secret.to_be_bytes().to_vec()))
    }
    fn metadata(&mut self) -> Result<Vec<u8>> {
        Ok(vec![0; METADATA_LEN])
    }

    fn protect_key_with_numerical_password(&mut self, name: Option<&str>, _: Option<&str>) -> Result<ProtectorId> {
        self.protect(ProtectorType::RecoveryPassword, name)
    }
    fn protect_key_with_tpm(&mut self, name: Option<&str>) -> Result<ProtectorId> {
        self.protect(ProtectorType::Tpm, name)
    }
    fn protect_key_with_tpm_and_pin(&mut self, name: Option<&str>, _: &str) -> Result<ProtectorId> {
        self.protect(ProtectorType::TpmPin, name)
    }
    fn protect_key_with_external_key(&mut self, name: Option<&str>, _: Option<&[u8]>) -> Result<ProtectorId> {
        self.protect(ProtectorType::ExternalKey, name)
    }
    fn protect_key_with_passphrase(&mut self, name: Option<&str>, _: &str) -> Result<ProtectorId> {
        self.protect(ProtectorType::Passphrase, name)
    }
    fn change_pin(&mut self, id: ProtectorId, _: &str) -> Result<()> {
        self.named(id).map(drop)
    }
    fn change_passphrase(&mut self, id: ProtectorId, _: &str) -> Result<ProtectorId> {
        self.named(id).map(|p| p.id)
    }
    fn delete_key_protector(&mut self, id: ProtectorId) -> Result<()> {
        self.change()?;
        self.volume.delete(id)?;
        self.effects.lost_a_protector.push(self.volume.device.clone());
        Ok(())
    }
    fn disable_key_protectors(&mut self, count: u8) -> Result<()> {
        self.change()?;
        self.volume.suspend(count);
        Ok(())
    }
    fn enable_key_protectors(&mut self) -> Result<()> {
        self.change()?;
        let was = self.volume.suspended;
        self.volume.enable_protectors()?;
        if was.is_some() {
            self.effects.resumed.push(self.volume.device.clone());
        }
        Ok(())
    }

    fn enable_auto_unlock(&mut self, id: ProtectorId) -> Result<()> {
        self.change()?;
        self.volume.enable_auto_unlock(id, self.os_is_protected)
    }
    fn disable_auto_unlock(&mut self) -> Result<()> {
        self.change()?;
        self.volume.disable_auto_unlock()
    }
    fn is_auto_unlock_enabled(&mut self) -> Result<Option<ProtectorId>> {
        match self.volume.kind {
            VolumeKind::Os => Err(Code::NotDataVolume.into()),
            _ => Ok(self.volume.auto_unlock),
        }
    }

    fn encrypt(&mut self, method: EncryptionMethod, _: EncryptionExtent) -> Result<()> {
        self.change()?;
        let before = self.volume.conversion;
        self.volume.encrypt(method)?;
        self.note_encryption(before);
        Ok(())
    }
    fn decrypt(&mut self) -> Result<()> {
        self.change()?;
        self.volume.decrypt(self.holds_auto_unlock_keys)
    }
    fn pause_conversion(&mut self) -> Result<()> {
        self.change()?;
        self.volume.pause();
        Ok(())
    }
    fn resume_conversion(&mut self) -> Result<()> {
        self.change()?;
        let before = self.volume.conversion;
        self.volume.resume_conversion()?;
        self.note_encryption(before);
        Ok(())
    }
    fn convert_some(&mut self) -> Result<bool> {
        Ok(true)
    }

    fn unlock_with_numerical_password(&mut self, _: &str) -> Result<()> {
        Err(Code::NotSupported.into())
    }
    fn unlock_with_passphrase(&mut self, _: &str) -> Result<()> {
        Err(Code::NotSupported.into())
    }
    fn unlock_with_external_key(&mut self, _: &[u8]) -> Result<()> {
        Err(Code::NotSupported.into())
    }
    fn lock(&mut self) -> Result<()> {
        Err(Code::NotSupported.into())
    }
}

impl Handle<'_> {
    fn note_encryption(&mut self, before: ConversionStatus) {
        let now = self.volume.conversion;
        if now == ConversionStatus::EncryptionInProgress && before != now {
            self.effects.encrypts.push(self.volume.device.clone());
        }
    }
}
