//! The format's names for things, and the provider's.

use domain::ids::{ProtectorId, VolumeId};
use domain::volume::{ConversionStatus, EncryptionMethod, ProtectorType};
use fve::{Guid, ProtectorKind};
use uuid::Uuid;

use crate::provider::{Code, Result};

pub(super) fn protector_id(guid: Guid) -> ProtectorId {
    ProtectorId(Uuid::from_bytes_le(*guid.as_bytes()))
}

pub(super) fn volume_id(guid: Guid) -> VolumeId {
    VolumeId(Uuid::from_bytes_le(*guid.as_bytes()))
}

pub(super) fn guid(id: ProtectorId) -> Guid {
    Guid::from_bytes_le(id.0.to_bytes_le())
}

/// None for the clear key, which is not listed.
pub(super) fn protector_type(kind: ProtectorKind) -> Option<ProtectorType> {
    Some(match kind {
        ProtectorKind::ClearKey => return None,
        ProtectorKind::Tpm => ProtectorType::Tpm,
        ProtectorKind::ExternalKey => ProtectorType::ExternalKey,
        ProtectorKind::TpmStartupKey => ProtectorType::TpmStartupKey,
        ProtectorKind::TpmPin => ProtectorType::TpmPin,
        ProtectorKind::TpmPinStartupKey => ProtectorType::TpmPinStartupKey,
        ProtectorKind::RecoveryPassword => ProtectorType::RecoveryPassword,
        ProtectorKind::PublicKey => ProtectorType::PublicKey,
        ProtectorKind::Passphrase => ProtectorType::Passphrase,
        ProtectorKind::Unknown(_) => ProtectorType::Unknown,
    })
}

pub(super) fn conversion_status(status: fve::ConversionStatus) -> ConversionStatus {
    match status {
        fve::ConversionStatus::FullyDecrypted => ConversionStatus::FullyDecrypted,
        fve::ConversionStatus::FullyEncrypted => ConversionStatus::FullyEncrypted,
        // WMI has no number for a volume that passes from one key to another.
        fve::ConversionStatus::EncryptionInProgress | fve::ConversionStatus::ReencryptionInProgress => {
            ConversionStatus::EncryptionInProgress
        }
        fve::ConversionStatus::DecryptionInProgress => ConversionStatus::DecryptionInProgress,
        fve::ConversionStatus::EncryptionPaused | fve::ConversionStatus::ReencryptionPaused => {
            ConversionStatus::EncryptionPaused
        }
        fve::ConversionStatus::DecryptionPaused => ConversionStatus::DecryptionPaused,
    }
}

pub(super) fn method(method: fve::EncryptionMethod) -> EncryptionMethod {
    match method {
        fve::EncryptionMethod::AesCbc128Elephant => EncryptionMethod::Aes128Diffuser,
        fve::EncryptionMethod::AesCbc256Elephant => EncryptionMethod::Aes256Diffuser,
        fve::EncryptionMethod::AesCbc128 => EncryptionMethod::Aes128,
        fve::EncryptionMethod::AesCbc256 => EncryptionMethod::Aes256,
        fve::EncryptionMethod::AesXts128 => EncryptionMethod::XtsAes128,
        fve::EncryptionMethod::AesXts256 => EncryptionMethod::XtsAes256,
    }
}

/// The method to encrypt with; none: whatever the volume was prepared for.
pub(super) fn wanted_method(method: EncryptionMethod) -> Result<Option<fve::EncryptionMethod>> {
    match method {
        EncryptionMethod::None => Ok(None),
        EncryptionMethod::XtsAes128 => Ok(Some(fve::EncryptionMethod::AesXts128)),
        EncryptionMethod::XtsAes256 => Ok(Some(fve::EncryptionMethod::AesXts256)),
        _ => Err(Code::InvalidArgument.into()),
    }
}
