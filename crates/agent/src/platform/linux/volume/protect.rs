//! Adding, changing and deleting protectors.

use domain::ids::ProtectorId;
use domain::volume::VolumeKind;
use fve::io::FileDevice;
use fve::{
    ConversionStatus, ExternalKey, Guid, Passphrase, ProtectorInfo, ProtectorKind, RecoveryPassword, UnlockedVolume,
};

use super::super::sealed;
use super::super::tpm::PinAuth;
use super::state::{ClearKey, clear_key, real_protectors};
use super::{LinuxVolume, kinds};
use crate::provider::{Code, ProviderError, Result};

/// Characters of a passphrase: Windows takes 8 when policy says nothing, and 256 at most.
const PASSPHRASE: std::ops::RangeInclusive<usize> = 8..=256;

impl LinuxVolume<'_> {
    pub(super) fn add_recovery_password(&self, name: Option<&str>, password: Option<&str>) -> Result<ProtectorId> {
        let password = password.map(parse_password).transpose()?;
        self.change_or_initialise(|volume, ctx| {
            let id = volume.add_recovery_password(ctx, password.as_ref(), name)?;
            Ok(kinds::protector_id(id))
        })
    }

    pub(super) fn add_external_key(&self, name: Option<&str>, key: Option<&[u8]>) -> Result<ProtectorId> {
        let key = key.map(parse_key).transpose()?;
        self.change_or_initialise(|volume, ctx| {
            let id = volume.add_external_key(ctx, key.as_ref(), name)?;
            Ok(kinds::protector_id(id))
        })
    }

    pub(super) fn add_passphrase(&self, name: Option<&str>, passphrase: &str) -> Result<ProtectorId> {
        let passphrase = self.allowed_passphrase(passphrase)?;
        self.change_or_initialise(|volume, ctx| {
            refuse_second(volume, ProtectorKind::Passphrase)?;
            let id = volume.add_passphrase(ctx, &passphrase, name)?;
            Ok(kinds::protector_id(id))
        })
    }

    /// With a PIN or without.
    pub(super) fn add_tpm(&self, pin: Option<&str>) -> Result<ProtectorId> {
        if self.kind() != VolumeKind::Os {
            return Err(Code::ForeignVolume.into());
        }
        if let Some(pin) = pin {
            self.provider.pin_rules.check(pin)?;
        }
        let tpm = self.provider.tpm_required()?;
        // Before the volume is touched: there is somebody at the address.
        tpm.info()?;
        let kind = match pin {
            Some(_) => ProtectorKind::TpmPin,
            None => ProtectorKind::Tpm,
        };
        self.change_or_initialise(|volume, ctx| {
            refuse_second(volume, kind)?;
            let pin = pin.map(|pin| PinAuth::new(pin, ctx.rng));
            let id = sealed::add(volume, tpm, pin.as_ref(), ctx)?;
            Ok(kinds::protector_id(id))
        })
    }

    pub(super) fn set_pin(&self, id: ProtectorId, pin: &str) -> Result<()> {
        self.provider.pin_rules.check(pin)?;
        self.change(|volume, ctx| {
            let protector = existing(volume, kinds::guid(id))?;
            if protector.kind != ProtectorKind::TpmPin {
                return Err(Code::InvalidProtectorType.into());
            }
            let pin = PinAuth::new(pin, ctx.rng);
            sealed::reseal(volume, self.provider.tpm_required()?, &protector, Some(&pin), ctx)
        })
    }

    /// The new passphrase is added before the old one goes, so a crash leaves at least one.
    pub(super) fn set_passphrase(&self, id: ProtectorId, passphrase: &str) -> Result<ProtectorId> {
        let passphrase = self.allowed_passphrase(passphrase)?;
        self.change(|volume, ctx| {
            let protector = existing(volume, kinds::guid(id))?;
            if protector.kind != ProtectorKind::Passphrase {
                return Err(Code::InvalidProtectorType.into());
            }
            let new = volume.add_passphrase(ctx, &passphrase, protector.name.as_deref())?;
            volume.remove_protector(ctx, protector.id)?;
            Ok(kinds::protector_id(new))
        })
    }

    pub(super) fn delete(&self, id: ProtectorId) -> Result<()> {
        let used = match self.kind() {
            VolumeKind::Os => None,
            VolumeKind::Fixed | VolumeKind::Removable => self.auto_unlock_protector()?,
        };
        let bound = used == Some(id);
        let id = kinds::guid(id);
        let emptied = self.change(|volume, ctx| {
            let protectors = real_protectors(volume)?;
            if !protectors.iter().any(|info| info.id == id) {
                return Err(Code::InvalidArgument.into());
            }
            if bound {
                return Err(Code::VolumeBoundAlready.into());
            }
            let decrypted = volume.conversion_status() == ConversionStatus::FullyDecrypted;
            let suspended = matches!(clear_key(volume)?, ClearKey::Suspended(_));
            let last = protectors.len() == 1;
            if last && !decrypted && !suspended {
                return Err(Code::KeyRequired.into());
            }
            volume.remove_protector(ctx, id)?;
            Ok(last && decrypted && !suspended)
        })?;
        // Without any protector a decrypted volume is as it was before the first.
        if emptied { self.take_off() } else { Ok(()) }
    }

    fn allowed_passphrase(&self, passphrase: &str) -> Result<Passphrase> {
        if self.kind() == VolumeKind::Os {
            return Err(Code::OsVolumePassphraseNotAllowed.into());
        }
        parse_passphrase(passphrase)
    }
}

/// A recovery password as typed.
pub(super) fn parse_password(text: &str) -> Result<RecoveryPassword> {
    RecoveryPassword::parse(text).map_err(|error| ProviderError::new(Code::InvalidPasswordFormat, error.to_string()))
}

/// An external key.
pub(super) fn parse_key(bytes: &[u8]) -> Result<ExternalKey> {
    bytes
        .try_into()
        .map(ExternalKey::from_bytes)
        .map_err(|_| ProviderError::new(Code::InvalidArgument, "an external key has 32 bytes"))
}

/// A passphrase of allowed length.
pub(super) fn parse_passphrase(text: &str) -> Result<Passphrase> {
    if PASSPHRASE.contains(&text.chars().count()) {
        Ok(Passphrase::new(text))
    } else {
        Err(Code::PolicyInvalidPassphraseLength.into())
    }
}

fn refuse_second(volume: &UnlockedVolume<FileDevice>, kind: ProtectorKind) -> Result<()> {
    if real_protectors(volume)?.iter().any(|info| info.kind == kind) {
        Err(Code::ProtectorExists.into())
    } else {
        Ok(())
    }
}

fn existing(volume: &UnlockedVolume<FileDevice>, id: Guid) -> Result<ProtectorInfo> {
    real_protectors(volume)?
        .into_iter()
        .find(|info| info.id == id)
        .ok_or_else(|| Code::ProtectorNotFound.into())
}
