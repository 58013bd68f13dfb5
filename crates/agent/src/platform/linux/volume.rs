//! One volume of the provider. The trait's methods are here, one line each; what they do is in the modules below.

use domain::ids::{ProtectorId, VolumeId};
use domain::volume::{EncryptionExtent, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind};
use fve::io::{FileDevice, ReadAt};
use fve::{Context, InitOptions, UnlockedVolume, initialise};
use zeroize::Zeroizing;

use super::LinuxProvider;
use super::access::Access;
use super::slot::{Memory, Slot};
use crate::provider::{Code, Conversion, EncryptableVolume, Result};

pub(super) use state::is_suspended;

mod convert;
mod kinds;
mod look;
mod protect;
mod state;
mod suspend;
mod unlock;

/// A volume, seen through the provider that it belongs to.
#[derive(Clone, Copy)]
pub(super) struct LinuxVolume<'a> {
    provider: &'a LinuxProvider,
    slot: &'a Slot,
}

impl<'a> LinuxVolume<'a> {
    pub(super) fn new(provider: &'a LinuxProvider, slot: &'a Slot) -> Self {
        Self { provider, slot }
    }

    pub(super) fn kind(&self) -> VolumeKind {
        self.slot.config.kind
    }

    /// A removable volume may be absent; for another that is an error of its own when it is used.
    /// One that is pulled out is locked by that.
    pub(super) fn is_attached(&self) -> Result<bool> {
        if self.kind() != VolumeKind::Removable || self.slot.is_attached()? {
            return Ok(true);
        }
        *self.slot.memory() = Memory::default();
        Ok(false)
    }

    /// Opens the volume for looking.
    fn look<T>(&self, body: impl FnOnce(Access) -> Result<T>) -> Result<T> {
        let mut memory = self.slot.memory();
        let device = self.slot.open_read()?;
        body(self.provider.access(self.slot, &mut memory, device)?)
    }

    /// Opens the volume for a change of the whole, whatever it is.
    fn change_whole<T>(&self, body: impl FnOnce(Access, &mut Context<'_>) -> Result<T>) -> Result<T> {
        let mut memory = self.slot.memory();
        let device = self.slot.open_write()?;
        let access = self.provider.access(self.slot, &mut memory, device)?;
        // Not before: opening may need randomness itself.
        let mut rng = self.provider.rng();
        let ctx = &mut Context {
            now: self.provider.now(),
            rng: &mut **rng,
        };
        body(access, ctx)
    }

    /// Opens an unlocked volume for a change.
    pub(super) fn change<T>(
        &self,
        body: impl FnOnce(&UnlockedVolume<FileDevice>, &mut Context<'_>) -> Result<T>,
    ) -> Result<T> {
        self.change_whole(|access, ctx| body(&access.unlocked()?, ctx))
    }

    /// The same; a volume that never was a BitLocker volume becomes one, with nothing encrypted and a clear key.
    fn change_or_initialise<T>(
        &self,
        body: impl FnOnce(&UnlockedVolume<FileDevice>, &mut Context<'_>) -> Result<T>,
    ) -> Result<T> {
        let description = self.description();
        self.change_whole(|access, ctx| {
            let volume = match access {
                Access::Plain(device) => {
                    let options = InitOptions {
                        description: Some(&description),
                        ..InitOptions::default()
                    };
                    initialise(device, &options, ctx)?
                }
                other => other.unlocked()?,
            };
            body(&volume, ctx)
        })
    }

    /// Computer and drive: what a recovery screen shows.
    fn description(&self) -> String {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let config = &self.slot.config;
        let volume = match &config.letter {
            Some(letter) => letter.clone(),
            None => config.path.display().to_string(),
        };
        format!("{} {volume}", host.trim()).trim().to_owned()
    }
}

impl EncryptableVolume for LinuxVolume<'_> {
    fn device_id(&self) -> String {
        self.slot.config.path.display().to_string()
    }

    fn drive_letter(&self) -> Option<String> {
        self.slot.config.letter.clone()
    }

    fn volume_type(&self) -> VolumeKind {
        self.kind()
    }

    fn size(&self) -> u64 {
        self.slot.open_read().map_or(0, |device| device.size())
    }

    fn label(&mut self) -> String {
        self.ntfs().map(|info| info.label).unwrap_or_default()
    }

    fn file_system(&mut self) -> String {
        self.ntfs().map(|_| "NTFS".to_owned()).unwrap_or_default()
    }

    fn persistent_volume_id(&mut self) -> Result<Option<VolumeId>> {
        self.id()
    }

    fn protection_status(&mut self) -> Result<ProtectionStatus> {
        self.protection()
    }

    fn conversion_status(&mut self) -> Result<Conversion> {
        self.conversion()
    }

    fn encryption_method(&mut self) -> Result<EncryptionMethod> {
        self.method()
    }

    fn lock_status(&mut self) -> Result<LockStatus> {
        self.lock_state()
    }

    fn suspend_count(&mut self) -> Result<u8> {
        match (self.kind(), self.suspension_left()?) {
            (VolumeKind::Os, Some(count)) => Ok(count),
            _ => Err(Code::NotSupported.into()),
        }
    }

    fn key_protectors(&mut self, kind: Option<ProtectorType>) -> Result<Vec<ProtectorId>> {
        self.protector_ids(kind)
    }

    fn key_protector_type(&mut self, id: ProtectorId) -> Result<ProtectorType> {
        Ok(kinds::protector_type(self.protector(id)?.kind).unwrap_or(ProtectorType::Unknown))
    }

    fn key_protector_friendly_name(&mut self, id: ProtectorId) -> Result<Option<String>> {
        Ok(self.protector(id)?.name)
    }

    fn key_protector_numerical_password(&mut self, id: ProtectorId) -> Result<Zeroizing<String>> {
        self.recovery_password(id)
    }

    fn key_protector_external_key(&mut self, id: ProtectorId) -> Result<Zeroizing<Vec<u8>>> {
        self.external_key(id)
    }

    fn metadata(&mut self) -> Result<Vec<u8>> {
        self.evidence()
    }

    fn protect_key_with_numerical_password(
        &mut self,
        name: Option<&str>,
        password: Option<&str>,
    ) -> Result<ProtectorId> {
        self.add_recovery_password(name, password)
    }

    fn protect_key_with_tpm(&mut self, _name: Option<&str>) -> Result<ProtectorId> {
        self.add_tpm(None)
    }

    fn protect_key_with_tpm_and_pin(&mut self, _name: Option<&str>, pin: &str) -> Result<ProtectorId> {
        self.add_tpm(Some(pin))
    }

    fn protect_key_with_external_key(&mut self, name: Option<&str>, key: Option<&[u8]>) -> Result<ProtectorId> {
        self.add_external_key(name, key)
    }

    fn protect_key_with_passphrase(&mut self, name: Option<&str>, passphrase: &str) -> Result<ProtectorId> {
        self.add_passphrase(name, passphrase)
    }

    fn change_pin(&mut self, id: ProtectorId, pin: &str) -> Result<()> {
        self.set_pin(id, pin)
    }

    fn change_passphrase(&mut self, id: ProtectorId, passphrase: &str) -> Result<ProtectorId> {
        self.set_passphrase(id, passphrase)
    }

    fn delete_key_protector(&mut self, id: ProtectorId) -> Result<()> {
        self.delete(id)
    }

    fn disable_key_protectors(&mut self, count: u8) -> Result<()> {
        self.suspend(count)
    }

    fn enable_key_protectors(&mut self) -> Result<()> {
        self.enable_protectors()
    }

    fn enable_auto_unlock(&mut self, id: ProtectorId) -> Result<()> {
        self.enable_auto(id)
    }

    fn disable_auto_unlock(&mut self) -> Result<()> {
        self.disable_auto()
    }

    fn is_auto_unlock_enabled(&mut self) -> Result<Option<ProtectorId>> {
        self.auto_unlock_protector()
    }

    fn clear_all_auto_unlock_keys(&mut self) -> Result<()> {
        self.clear_auto()
    }

    fn is_auto_unlock_key_stored(&mut self) -> Result<bool> {
        self.stores_auto()
    }

    fn encrypt(&mut self, method: EncryptionMethod, extent: EncryptionExtent) -> Result<()> {
        self.begin_encryption(method, extent)
    }

    fn decrypt(&mut self) -> Result<()> {
        self.begin_decryption()
    }

    fn pause_conversion(&mut self) -> Result<()> {
        self.pause()
    }

    fn resume_conversion(&mut self) -> Result<()> {
        self.go_on()
    }

    fn convert_some(&mut self) -> Result<bool> {
        self.convert_piece()
    }

    fn unlock_with_numerical_password(&mut self, password: &str) -> Result<()> {
        self.unlock_by_password(password)
    }

    fn unlock_with_passphrase(&mut self, passphrase: &str) -> Result<()> {
        self.unlock_by_passphrase(passphrase)
    }

    fn unlock_with_external_key(&mut self, key: &[u8]) -> Result<()> {
        self.unlock_by_key(key)
    }

    fn lock(&mut self) -> Result<()> {
        self.shut()
    }
}
