//! Suspending protection and ending that.

use domain::volume::VolumeKind;
use fve::{ConversionStatus, ProtectorKind};

use super::super::sealed;
use super::LinuxVolume;
use super::state::{ClearKey, clear_key, real_protectors};
use crate::provider::{Code, Result};

/// Most restarts that a suspension can count.
const MOST_RESTARTS: u8 = 15;

impl LinuxVolume<'_> {
    pub(super) fn suspend(&self, count: u8) -> Result<()> {
        if count > MOST_RESTARTS || (count > 0 && self.kind() != VolumeKind::Os) {
            return Err(Code::InvalidArgument.into());
        }
        self.change_or_initialise(|volume, ctx| Ok(volume.suspend(ctx, Some(count))?))
    }

    /// Ends a suspension: TPM protectors are sealed to the measurements of now, then the clear key goes. While the volume
    /// is not fully encrypted it stays until that is reached.
    pub(in super::super) fn enable_protectors(&self) -> Result<()> {
        self.change(|volume, ctx| {
            let protectors = real_protectors(volume)?;
            if protectors.is_empty() {
                return Err(Code::SecureKeyRequired.into());
            }
            let encrypted = volume.conversion_status() == ConversionStatus::FullyEncrypted;
            let clear = clear_key(volume)?;
            for protector in &protectors {
                if matches!(protector.kind, ProtectorKind::Tpm | ProtectorKind::TpmPin) {
                    sealed::reseal(volume, self.provider.tpm_required()?, protector, None, ctx)?;
                }
            }
            match clear {
                ClearKey::Absent => Ok(()),
                _ if encrypted => Ok(volume.resume(ctx)?),
                ClearKey::Suspended(_) => Ok(volume.set_suspend_count(ctx, None)?),
                ClearKey::Provisional => Ok(()),
            }
        })
    }
}
