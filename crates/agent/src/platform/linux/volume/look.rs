//! Operations that only look.

use domain::ids::{ProtectorId, VolumeId};
use domain::volume::{
    ConversionStatus, EncryptionExtent, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind,
};
use fve::io::FileDevice;
use fve::ntfs::{self, NtfsInfo};
use fve::{ConversionMode, ProtectorInfo, ProtectorKind, UnlockedVolume, VolumeMasterKey};
use zeroize::Zeroizing;

use super::super::access::Access;
use super::state::{ClearKey, clear_key};
use super::{LinuxVolume, kinds};
use crate::provider::{Code, Conversion, Result};

impl LinuxVolume<'_> {
    pub(super) fn id(&self) -> Result<Option<VolumeId>> {
        self.look(|access| {
            Ok(match access {
                Access::Plain(_) => None,
                Access::Locked(volume) => Some(kinds::volume_id(volume.info().volume)),
                Access::Unlocked(volume) => Some(kinds::volume_id(volume.volume_guid())),
            })
        })
    }

    pub(super) fn protection(&self) -> Result<ProtectionStatus> {
        self.look(|access| {
            Ok(match access {
                Access::Plain(_) => ProtectionStatus::Off,
                Access::Locked(_) => ProtectionStatus::Unknown,
                Access::Unlocked(volume) if is_protected(&volume)? => ProtectionStatus::On,
                Access::Unlocked(_) => ProtectionStatus::Off,
            })
        })
    }

    pub(super) fn conversion(&self) -> Result<Conversion> {
        self.look(|access| match access {
            Access::Plain(_) => Ok(Conversion {
                status: ConversionStatus::FullyDecrypted,
                encrypted_basis_points: 0,
                extent: EncryptionExtent::Full,
            }),
            Access::Locked(_) => Err(Code::LockedVolume.into()),
            Access::Unlocked(volume) => conversion(&volume),
        })
    }

    pub(super) fn method(&self) -> Result<EncryptionMethod> {
        self.look(|access| {
            Ok(match access {
                Access::Plain(_) => EncryptionMethod::None,
                Access::Locked(_) => EncryptionMethod::Unknown,
                Access::Unlocked(volume) => match volume.conversion_status() {
                    fve::ConversionStatus::FullyDecrypted => EncryptionMethod::None,
                    _ => kinds::method(volume.method()),
                },
            })
        })
    }

    pub(super) fn lock_state(&self) -> Result<LockStatus> {
        self.look(|access| {
            Ok(match access {
                Access::Locked(_) => LockStatus::Locked,
                Access::Plain(_) | Access::Unlocked(_) => LockStatus::Unlocked,
            })
        })
    }

    /// Restarts until a suspension ends; none when the volume is not suspended, or locked.
    pub(in super::super) fn suspension_left(&self) -> Result<Option<u8>> {
        self.look(|access| {
            Ok(match access {
                Access::Unlocked(volume) => match clear_key(&volume)? {
                    ClearKey::Suspended(count) => Some(count),
                    ClearKey::Absent | ClearKey::Provisional => None,
                },
                Access::Plain(_) | Access::Locked(_) => None,
            })
        })
    }

    pub(super) fn protector_ids(&self, wanted: Option<ProtectorType>) -> Result<Vec<ProtectorId>> {
        self.look(|access| {
            let mut ids = Vec::new();
            for info in access.protectors()? {
                let Some(kind) = kinds::protector_type(info.kind) else {
                    continue;
                };
                if wanted.is_none_or(|wanted| wanted == kind) {
                    ids.push(kinds::protector_id(info.id));
                }
            }
            Ok(ids)
        })
    }

    pub(super) fn protector(&self, id: ProtectorId) -> Result<ProtectorInfo> {
        self.look(|access| {
            let protectors = access.protectors()?.into_iter();
            let mut real = protectors.filter(|info| info.kind != ProtectorKind::ClearKey);
            real.find(|info| info.id == kinds::guid(id))
                .ok_or_else(|| Code::InvalidArgument.into())
        })
    }

    pub(super) fn recovery_password(&self, id: ProtectorId) -> Result<Zeroizing<String>> {
        self.look(|access| {
            Ok(access
                .unlocked()?
                .recovery_password(kinds::guid(id))
                .map_err(wrong_id)?
                .expose())
        })
    }

    pub(super) fn external_key(&self, id: ProtectorId) -> Result<Zeroizing<Vec<u8>>> {
        self.look(|access| {
            let key = access.unlocked()?.external_key(kinds::guid(id)).map_err(wrong_id)?;
            Ok(Zeroizing::new(key.as_bytes().to_vec()))
        })
    }

    pub(super) fn evidence(&self) -> Result<Vec<u8>> {
        self.look(|access| match access {
            Access::Plain(_) => Err(Code::NotActivated.into()),
            Access::Locked(volume) => Ok(volume.metadata_bytes()),
            Access::Unlocked(volume) => Ok(volume.metadata_bytes()),
        })
    }

    /// What the file system says; none when the volume is locked or holds another file system.
    pub(super) fn ntfs(&self) -> Option<NtfsInfo> {
        let info = self.look(|access| {
            Ok(match access {
                Access::Plain(device) => ntfs::probe(&device).ok(),
                Access::Locked(_) => None,
                Access::Unlocked(volume) => ntfs::probe(&volume).ok(),
            })
        });
        info.ok().flatten()
    }

    pub(in super::super) fn master_key(&self) -> Result<Option<VolumeMasterKey>> {
        self.look(|access| {
            Ok(match access {
                Access::Unlocked(volume) => Some(volume.master_key().clone()),
                Access::Plain(_) | Access::Locked(_) => None,
            })
        })
    }

    /// Whether this is an operating system volume that may hold keys of others.
    pub(super) fn is_encrypted_os_volume(&self) -> Result<bool> {
        self.look(|access| match access {
            Access::Unlocked(volume) if self.kind() == VolumeKind::Os => Ok(is_protected(&volume)?
                || matches!(
                    volume.conversion_status(),
                    fve::ConversionStatus::EncryptionInProgress | fve::ConversionStatus::EncryptionPaused
                )),
            _ => Ok(false),
        })
    }
}

/// Reading a secret back names a protector of another type as an invalid id, as Windows does.
fn wrong_id(error: fve::Error) -> crate::provider::ProviderError {
    match error {
        fve::Error::WrongProtectorKind(_) | fve::Error::NoSuchProtector(_) => Code::InvalidArgument.into(),
        other => other.into(),
    }
}

fn is_protected(volume: &UnlockedVolume<FileDevice>) -> Result<bool> {
    let encrypted = volume.conversion_status() == fve::ConversionStatus::FullyEncrypted;
    Ok(encrypted && clear_key(volume)? == ClearKey::Absent)
}

fn conversion(volume: &UnlockedVolume<FileDevice>) -> Result<Conversion> {
    let status = kinds::conversion_status(volume.conversion_status());
    let progress = volume.progress();
    let encrypted = match status {
        ConversionStatus::DecryptionInProgress | ConversionStatus::DecryptionPaused => {
            progress.total_bytes.saturating_sub(progress.done_bytes)
        }
        _ => progress.done_bytes,
    };
    let share = u128::from(encrypted) * 10_000 / u128::from(progress.total_bytes).max(1);
    Ok(Conversion {
        status,
        encrypted_basis_points: match status {
            ConversionStatus::FullyDecrypted => 0,
            ConversionStatus::FullyEncrypted => 10_000,
            // Rounded down, and complete only when it is.
            _ => u16::try_from(share).unwrap_or(u16::MAX).min(9_999),
        },
        extent: match volume.conversion_mode()? {
            Some(ConversionMode::UsedSpaceOnly) => EncryptionExtent::UsedSpaceOnly,
            Some(ConversionMode::Full) | None => EncryptionExtent::Full,
        },
    })
}
