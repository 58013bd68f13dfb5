//! A virtual volume, with the rules that the volume provider documents: what is allowed in which state, and what a
//! refusal is called.

use agent::provider::{Code, ProviderError};
use domain::ids::{ProtectorId, VolumeId};
use domain::inventory::{ProtectorReport, VolumeReport};
use domain::volume::{ConversionStatus, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind};

/// One key protector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Protector {
    pub(super) id: ProtectorId,
    pub(super) kind: ProtectorType,
    pub(super) name: Option<String>,
    /// What opens the volume; of a recovery password, what is escrowed.
    pub(super) secret: u64,
}

/// One volume. A clone of a disk has the same id and the same protectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Volume {
    /// The provider's name.
    pub(super) device: String,
    pub(super) kind: VolumeKind,
    pub(super) id: VolumeId,
    pub(super) conversion: ConversionStatus,
    pub(super) method: EncryptionMethod,
    /// Restarts until protection resumes; 0: until resumed by hand.
    pub(super) suspended: Option<u8>,
    pub(super) locked: bool,
    pub(super) lists_protectors_when_locked: bool,
    pub(super) auto_unlock: Option<ProtectorId>,
    pub(super) protectors: Vec<Protector>,
    /// It carried a recovery password that the server holds, after the last event.
    pub(super) way_back: bool,
    /// An image that somebody keeps.
    pub(super) image: Option<Box<Self>>,
    /// Of the schedule's beginning, a clone or a move: which machine's key for automatic unlocking it has.
    pub(super) home: usize,
}

type Outcome = Result<(), ProviderError>;

impl Volume {
    /// A volume on which BitLocker was never switched on.
    pub(super) fn plain(device: String, kind: VolumeKind, id: VolumeId) -> Self {
        Self {
            device,
            kind,
            id,
            conversion: ConversionStatus::FullyDecrypted,
            method: EncryptionMethod::None,
            suspended: None,
            locked: false,
            lists_protectors_when_locked: true,
            auto_unlock: None,
            protectors: Vec::new(),
            way_back: false,
            image: None,
            home: usize::MAX,
        }
    }

    /// As the agent reports it.
    pub(super) fn report(&self) -> VolumeReport {
        let os = self.kind == VolumeKind::Os;
        let hidden = self.locked && !self.lists_protectors_when_locked;
        VolumeReport {
            size: 1 << 30,
            volume: self.initialised().then_some(self.id),
            protection: self.protection(),
            conversion: self.conversion,
            encrypted_basis_points: match self.conversion {
                ConversionStatus::FullyDecrypted => 0,
                ConversionStatus::FullyEncrypted => 10_000,
                _ => 5_000,
            },
            method: self.method,
            lock: if self.locked {
                LockStatus::Locked
            } else {
                LockStatus::Unlocked
            },
            suspend_count: self.suspended.filter(|_| os),
            auto_unlock: (!os).then_some(self.auto_unlock.is_some()),
            protectors: self
                .protectors
                .iter()
                .filter(|_| !hidden)
                .map(|p| ProtectorReport {
                    id: p.id,
                    kind: p.kind,
                    name: None,
                })
                .collect(),
            ..VolumeReport::plain(&self.device, self.kind)
        }
    }

    pub(super) fn protection(&self) -> ProtectionStatus {
        match (self.locked, self.is_protected()) {
            (true, _) => ProtectionStatus::Unknown,
            (false, true) => ProtectionStatus::On,
            (false, false) => ProtectionStatus::Off,
        }
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.conversion != ConversionStatus::FullyDecrypted
    }

    pub(super) fn is_protected(&self) -> bool {
        self.conversion == ConversionStatus::FullyEncrypted && self.suspended.is_none()
    }

    pub(super) fn is_converting(&self) -> bool {
        matches!(
            self.conversion,
            ConversionStatus::EncryptionInProgress | ConversionStatus::DecryptionInProgress
        )
    }

    pub(super) fn initialised(&self) -> bool {
        self.is_encrypted() || !self.protectors.is_empty()
    }

    pub(super) fn recovery_passwords(&self) -> impl Iterator<Item = &Protector> + '_ {
        self.protectors
            .iter()
            .filter(|p| p.kind == ProtectorType::RecoveryPassword)
    }

    pub(super) fn carries(&self, id: ProtectorId) -> bool {
        self.protectors.iter().any(|p| p.id == id)
    }

    pub(super) fn protect(&mut self, protector: Protector, tpm_ready: bool) -> Outcome {
        let tpm = matches!(protector.kind, ProtectorType::Tpm | ProtectorType::TpmPin);
        refuse(self.locked, Code::LockedVolume)?;
        refuse(tpm && self.kind != VolumeKind::Os, Code::ForeignVolume)?;
        refuse(tpm && !tpm_ready, Code::TpmServiceNotRunning)?;
        let exists = self.protectors.iter().any(|p| p.kind == protector.kind);
        refuse(tpm && exists, Code::ProtectorExists)?;
        self.protectors.push(protector);
        Ok(())
    }

    pub(super) fn enable_auto_unlock(&mut self, id: ProtectorId, os_protected: bool) -> Outcome {
        refuse(self.kind == VolumeKind::Os, Code::NotDataVolume)?;
        refuse(self.locked, Code::LockedVolume)?;
        refuse(!os_protected, Code::OsNotProtected)?;
        refuse(self.auto_unlock.is_some(), Code::VolumeBoundAlready)?;
        refuse(!self.carries(id), Code::ProtectorNotFound)?;
        self.auto_unlock = Some(id);
        Ok(())
    }

    pub(super) fn disable_auto_unlock(&mut self) -> Outcome {
        refuse(self.locked, Code::LockedVolume)?;
        refuse(self.auto_unlock.take().is_none(), Code::VolumeNotBound)
    }

    pub(super) fn delete(&mut self, id: ProtectorId) -> Outcome {
        refuse(self.locked, Code::LockedVolume)?;
        refuse(!self.carries(id), Code::InvalidArgument)?;
        refuse(self.auto_unlock == Some(id), Code::VolumeBoundAlready)?;
        let last = self.protectors.len() == 1;
        refuse(
            last && self.suspended.is_none() && self.is_encrypted(),
            Code::KeyRequired,
        )?;
        self.protectors.retain(|p| p.id != id);
        Ok(())
    }

    pub(super) fn encrypt(&mut self, method: EncryptionMethod) -> Outcome {
        refuse(self.locked, Code::LockedVolume)?;
        refuse(self.protectors.is_empty(), Code::CannotEncryptNoKey)?;
        refuse(
            self.is_encrypted() && method != self.method,
            Code::CannotSetFvekEncrypted,
        )?;
        if self.conversion != ConversionStatus::FullyEncrypted {
            self.method = method;
            self.conversion = ConversionStatus::EncryptionInProgress;
        }
        Ok(())
    }

    pub(super) fn resume_conversion(&mut self) -> Outcome {
        refuse(self.locked, Code::LockedVolume)?;
        self.conversion = match self.conversion {
            ConversionStatus::EncryptionPaused => ConversionStatus::EncryptionInProgress,
            ConversionStatus::DecryptionPaused => ConversionStatus::DecryptionInProgress,
            other => other,
        };
        Ok(())
    }

    pub(super) fn pause(&mut self) {
        self.conversion = match self.conversion {
            ConversionStatus::EncryptionInProgress => ConversionStatus::EncryptionPaused,
            ConversionStatus::DecryptionInProgress => ConversionStatus::DecryptionPaused,
            other => other,
        };
    }

    pub(super) fn suspend(&mut self, restarts: u8) {
        if self.is_encrypted() && !self.locked && !self.protectors.is_empty() {
            self.suspended = Some(if self.kind == VolumeKind::Os { restarts } else { 0 });
        }
    }

    pub(super) fn enable_protectors(&mut self) -> Outcome {
        refuse(self.locked, Code::LockedVolume)?;
        refuse(self.protectors.is_empty(), Code::SecureKeyRequired)?;
        self.suspended = None;
        Ok(())
    }

    pub(super) fn decrypt(&mut self, os_holds_keys: bool) -> Outcome {
        refuse(self.locked, Code::LockedVolume)?;
        refuse(self.kind == VolumeKind::Os && os_holds_keys, Code::AutounlockEnabled)?;
        if self.is_encrypted() {
            self.conversion = ConversionStatus::DecryptionInProgress;
        }
        Ok(())
    }

    /// The machine restarts. `unlocks_by_itself`: the key for automatic unlocking is at hand on this machine.
    pub(super) fn restart(&mut self, unlocks_by_itself: bool) {
        self.suspended = match self.suspended {
            Some(1) if !self.protectors.is_empty() => None,
            Some(n) if n > 1 => Some(n - 1),
            other => other,
        };
        let opens = self.kind == VolumeKind::Os || self.suspended.is_some() || unlocks_by_itself;
        self.locked = self.is_encrypted() && !opens;
    }

    /// It is as it was when its image was made. What is locked stays locked.
    pub(super) fn put_back(&mut self) {
        if let Some(image) = self.image.take() {
            *self = Self {
                device: std::mem::take(&mut self.device),
                kind: self.kind,
                home: self.home,
                locked: self.locked && image.is_encrypted(),
                way_back: false,
                ..*image
            };
        }
    }

    /// A conversion that goes on comes to its end. A decrypted volume forgets its protectors and its identity.
    pub(super) fn progress(&mut self, next_identity: VolumeId) {
        match self.conversion {
            ConversionStatus::EncryptionInProgress => self.conversion = ConversionStatus::FullyEncrypted,
            ConversionStatus::DecryptionInProgress => {
                let fresh = Self::plain(std::mem::take(&mut self.device), self.kind, next_identity);
                *self = Self {
                    lists_protectors_when_locked: self.lists_protectors_when_locked,
                    home: self.home,
                    image: self.image.take(),
                    ..fresh
                };
            }
            _ => {}
        }
    }
}

fn refuse(when: bool, code: Code) -> Outcome {
    if when { Err(code.into()) } else { Ok(()) }
}
