//! Encrypting and decrypting.

use domain::volume::{EncryptionExtent, EncryptionMethod, VolumeKind};
use fve::{ConversionMode, ConversionStatus};

use super::super::access::Access;
use super::state::{ClearKey, clear_key, real_protectors};
use super::{LinuxVolume, kinds};
use crate::provider::{Code, ProviderError, Result};

/// How much one call converts.
const PIECE: u64 = 8 << 20;

impl LinuxVolume<'_> {
    pub(super) fn begin_encryption(&self, method: EncryptionMethod, extent: EncryptionExtent) -> Result<()> {
        let wanted = kinds::wanted_method(method)?;
        let mode = match extent {
            EncryptionExtent::Full => ConversionMode::Full,
            EncryptionExtent::UsedSpaceOnly => ConversionMode::UsedSpaceOnly,
        };
        self.change_whole(|access, ctx| {
            let volume = match access {
                Access::Plain(_) => return Err(Code::CannotEncryptNoKey.into()),
                other => other.unlocked()?,
            };
            let suspended = matches!(clear_key(&volume)?, ClearKey::Suspended(_));
            if real_protectors(&volume)?.is_empty() && !suspended {
                return Err(Code::CannotEncryptNoKey.into());
            }
            let wanted = wanted.unwrap_or(volume.method());
            let status = volume.conversion_status();
            if status == ConversionStatus::FullyDecrypted {
                let volume = volume.change_method(ctx, wanted)?;
                return Ok(volume.begin_encryption(ctx, mode)?);
            }
            if wanted != volume.method() {
                return Err(Code::CannotSetFvekEncrypted.into());
            }
            match status {
                ConversionStatus::FullyEncrypted | ConversionStatus::EncryptionInProgress => Ok(()),
                ConversionStatus::EncryptionPaused => Ok(volume.resume_conversion(ctx)?),
                _ => Ok(volume.begin_encryption(ctx, mode)?),
            }
        })
    }

    /// From here on the volume opens without a key: its content is about to lie there in plain.
    pub(super) fn begin_decryption(&self) -> Result<()> {
        let holds_keys = self.kind() == VolumeKind::Os && !self.provider.store.entries()?.is_empty();
        let decrypted = self.change_whole(|access, ctx| {
            let volume = match access {
                Access::Plain(_) => return Ok(false),
                other => other.unlocked()?,
            };
            if holds_keys {
                return Err(Code::AutounlockEnabled.into());
            }
            match volume.conversion_status() {
                ConversionStatus::FullyDecrypted => return Ok(true),
                ConversionStatus::DecryptionInProgress => return Ok(false),
                _ => {}
            }
            if clear_key(&volume)? == ClearKey::Absent {
                volume.suspend(ctx, None)?;
            }
            volume.begin_decryption(ctx)?;
            Ok(false)
        })?;
        if decrypted { self.take_off() } else { Ok(()) }
    }

    pub(super) fn pause(&self) -> Result<()> {
        self.convert_or_not(|volume, ctx| match volume.conversion_status().in_progress() {
            true => Ok(volume.pause(ctx)?),
            false => Ok(()),
        })
    }

    pub(super) fn go_on(&self) -> Result<()> {
        self.convert_or_not(|volume, ctx| match volume.conversion_status().is_paused() {
            true => Ok(volume.resume_conversion(ctx)?),
            false => Ok(()),
        })
    }

    /// Converts a piece. At the end of an encryption the provisional clear key goes and protection is on; at the end of a
    /// decryption BitLocker is taken off the volume.
    pub(super) fn convert_piece(&self) -> Result<bool> {
        let mut decrypted = false;
        let mut ended = true;
        self.convert_or_not(|volume, ctx| {
            let encrypting = match volume.conversion_status() {
                ConversionStatus::EncryptionInProgress | ConversionStatus::ReencryptionInProgress => true,
                ConversionStatus::DecryptionInProgress => false,
                _ => return Ok(()),
            };
            let clear = clear_key(volume)?;
            let start = volume.progress().done_bytes;
            loop {
                let progress = volume.convert_step(ctx)?;
                if progress.finished {
                    break;
                }
                if progress.done_bytes.saturating_sub(start) >= PIECE {
                    ended = false;
                    return Ok(());
                }
            }
            decrypted = !encrypting;
            if encrypting && clear == ClearKey::Provisional && !real_protectors(volume)?.is_empty() {
                volume.resume(ctx)?;
            }
            Ok(())
        })?;
        if decrypted {
            self.take_off()?;
        }
        Ok(ended)
    }

    /// Takes BitLocker off a fully decrypted volume; what automatic unlocking kept of it goes too.
    pub(super) fn take_off(&self) -> Result<()> {
        let volume = self.change_whole(|access, _| match access {
            Access::Plain(_) => Ok(None),
            other => {
                let volume = other.unlocked()?;
                let id = volume.volume_guid();
                volume.deinitialise()?;
                Ok(Some(id))
            }
        })?;
        match volume {
            Some(id) if self.provider.store.entry(id)?.is_some() => self.provider.store.remove(id),
            _ => Ok(()),
        }
    }

    /// Nothing to do on a volume that is not a BitLocker volume.
    fn convert_or_not(
        &self,
        body: impl FnOnce(&fve::UnlockedVolume<fve::io::FileDevice>, &mut fve::Context<'_>) -> Result<()>,
    ) -> Result<()> {
        match self.change(body) {
            Err(ProviderError {
                code: Code::NotActivated,
                ..
            }) => Ok(()),
            other => other,
        }
    }
}
