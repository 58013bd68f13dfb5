//! A volume, with the rules that the provider documents.

use domain::ids::{ProtectorId, VolumeId};
use domain::inventory::{ProtectorReport, VolumeReport};
use domain::volume::{ConversionStatus, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind};

use crate::build::plain;

#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) device: String,
    pub(crate) kind: VolumeKind,
    pub(crate) id: VolumeId,
    pub(crate) conversion: ConversionStatus,
    pub(crate) method: EncryptionMethod,
    /// Restarts until protection resumes; 0: until resumed by hand.
    pub(crate) suspended: Option<u8>,
    pub(crate) locked: bool,
    pub(crate) lists_protectors_when_locked: bool,
    pub(crate) auto_unlock: Option<ProtectorId>,
    pub(crate) protectors: Vec<(ProtectorId, ProtectorType)>,
}

pub(crate) type Refusal = &'static str;

impl Volume {
    pub(crate) fn report(&self) -> VolumeReport {
        let locked = self.locked;
        let os = self.kind == VolumeKind::Os;
        VolumeReport {
            volume: self.initialised().then_some(self.id),
            protection: match (locked, self.is_protected()) {
                (true, _) => ProtectionStatus::Unknown,
                (false, true) => ProtectionStatus::On,
                (false, false) => ProtectionStatus::Off,
            },
            conversion: self.conversion,
            method: self.method,
            lock: if locked {
                LockStatus::Locked
            } else {
                LockStatus::Unlocked
            },
            // `GetSuspendCount` answers for operating system volumes only.
            suspend_count: self.suspended.filter(|_| os),
            auto_unlock: (!os).then_some(self.auto_unlock.is_some()),
            protectors: self
                .protectors
                .iter()
                .filter(|_| !locked || self.lists_protectors_when_locked)
                .map(|&(id, kind)| ProtectorReport { id, kind, name: None })
                .collect(),
            ..plain(&self.device, self.kind)
        }
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.conversion != ConversionStatus::FullyDecrypted
    }

    pub(crate) fn is_protected(&self) -> bool {
        self.conversion == ConversionStatus::FullyEncrypted && self.suspended.is_none()
    }

    pub(crate) fn recovery_passwords(&self) -> impl Iterator<Item = ProtectorId> + '_ {
        self.protectors
            .iter()
            .filter(|(_, kind)| *kind == ProtectorType::RecoveryPassword)
            .map(|(id, _)| *id)
    }

    pub(crate) fn protect(&mut self, id: ProtectorId, kind: ProtectorType, tpm_ready: bool) -> Result<(), Refusal> {
        let tpm = matches!(kind, ProtectorType::Tpm | ProtectorType::TpmPin);
        refuse(self.locked, "LOCKED_VOLUME")?;
        refuse(tpm && self.kind != VolumeKind::Os, "FOREIGN_VOLUME")?;
        refuse(tpm && !tpm_ready, "TBS_E_SERVICE_NOT_RUNNING")?;
        refuse(tpm && self.protectors.iter().any(|p| p.1 == kind), "PROTECTOR_EXISTS")?;
        self.protectors.push((id, kind));
        Ok(())
    }

    pub(crate) fn enable_auto_unlock(&mut self, id: ProtectorId, os_protected: bool) -> Result<(), Refusal> {
        refuse(self.kind == VolumeKind::Os, "NOT_DATA_VOLUME")?;
        refuse(!os_protected, "OS_NOT_PROTECTED")?;
        refuse(self.auto_unlock.is_some(), "VOLUME_BOUND_ALREADY")?;
        self.protect(id, ProtectorType::ExternalKey, false)?;
        self.auto_unlock = Some(id);
        Ok(())
    }

    pub(crate) fn disable_auto_unlock(&mut self) -> Result<(), Refusal> {
        let id = self.auto_unlock.take().ok_or("VOLUME_NOT_BOUND")?;
        self.delete(id)
    }

    pub(crate) fn delete(&mut self, id: ProtectorId) -> Result<(), Refusal> {
        refuse(self.locked, "LOCKED_VOLUME")?;
        refuse(!self.protectors.iter().any(|p| p.0 == id), "E_INVALIDARG")?;
        refuse(self.auto_unlock == Some(id), "VOLUME_BOUND_ALREADY")?;
        refuse(self.protectors.len() == 1 && self.suspended.is_none(), "KEY_REQUIRED")?;
        self.protectors.retain(|p| p.0 != id);
        Ok(())
    }

    pub(crate) fn encrypt(&mut self, method: EncryptionMethod) -> Result<(), Refusal> {
        refuse(self.locked, "LOCKED_VOLUME")?;
        refuse(self.protectors.is_empty(), "CANNOT_ENCRYPT_NO_KEY")?;
        refuse(
            self.is_encrypted() && method != self.method,
            "CANNOT_SET_FVEK_ENCRYPTED",
        )?;
        refuse(self.conversion == ConversionStatus::FullyEncrypted, "already encrypted")?;
        self.method = method;
        self.conversion = ConversionStatus::EncryptionInProgress;
        Ok(())
    }

    pub(crate) fn resume_conversion(&mut self) -> Result<(), Refusal> {
        refuse(self.locked, "LOCKED_VOLUME")?;
        self.conversion = match self.conversion {
            ConversionStatus::EncryptionPaused => ConversionStatus::EncryptionInProgress,
            ConversionStatus::DecryptionPaused => ConversionStatus::DecryptionInProgress,
            _ => return Err("nothing paused"),
        };
        Ok(())
    }

    pub(crate) fn enable_protectors(&mut self) -> Result<(), Refusal> {
        refuse(self.locked, "LOCKED_VOLUME")?;
        refuse(self.protectors.is_empty(), "SECURE_KEY_REQUIRED")?;
        refuse(self.suspended.is_none(), "not suspended")?;
        self.suspended = None;
        Ok(())
    }

    pub(crate) fn decrypt(&mut self, os_holds_keys: bool) -> Result<(), Refusal> {
        refuse(self.locked, "LOCKED_VOLUME")?;
        refuse(self.kind == VolumeKind::Os && os_holds_keys, "AUTOUNLOCK_ENABLED")?;
        refuse(!self.is_encrypted(), "NOT_ENCRYPTED")?;
        self.conversion = ConversionStatus::DecryptionInProgress;
        Ok(())
    }

    /// Conversions that go on come to their end. A decrypted volume forgets its protectors and its identity.
    pub(crate) fn progress(&mut self, next_identity: VolumeId) {
        match self.conversion {
            ConversionStatus::EncryptionInProgress => self.conversion = ConversionStatus::FullyEncrypted,
            ConversionStatus::DecryptionInProgress => {
                self.conversion = ConversionStatus::FullyDecrypted;
                self.method = EncryptionMethod::None;
                self.protectors.clear();
                self.auto_unlock = None;
                self.suspended = None;
                self.id = next_identity;
            }
            _ => {}
        }
    }

    fn initialised(&self) -> bool {
        self.is_encrypted() || !self.protectors.is_empty()
    }
}

fn refuse(when: bool, code: Refusal) -> Result<(), Refusal> {
    if when { Err(code) } else { Ok(()) }
}
