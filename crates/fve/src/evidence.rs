//! Proof that a recovery password opens a volume, from the volume's metadata alone.

use crate::format::EncryptionMethod;
use crate::format::read::{FormatError, read_metadata};
use crate::guid::Guid;
use crate::keychain::{Credential, check_integrity, volume_encryption_key, volume_master_key};
use crate::protector::ProtectorKind;
use crate::secret::RecoveryPassword;
use crate::time::FileTime;

/// What was proven: the password gives the volume master key, that key vouches
/// for the whole metadata, and it gives the key that the sectors are encrypted with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The volume.
    pub volume: Guid,
    /// The protector that the password belongs to: the recovery key ID.
    pub protector: Guid,
    /// How the volume is encrypted.
    pub method: EncryptionMethod,
    /// When the volume got its metadata.
    pub created: FileTime,
}

/// Why nothing is proven.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The bytes are no sound metadata area.
    #[error("the evidence is not sound BitLocker metadata: {0}")]
    Malformed(#[from] FormatError),
    /// The password opens none of the protectors.
    #[error("the recovery password opens no protector of this volume")]
    NoSuchProtectorOpens,
    /// The password opens a protector, but the metadata is not what the key's holder wrote.
    #[error("the metadata was changed after the volume's key vouched for it")]
    IntegrityFailed,
}

/// What evidence is about, as far as it can be told without a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceContents {
    /// The volume.
    pub volume: Guid,
    /// Its recovery passwords: their key IDs.
    pub recovery_passwords: Vec<Guid>,
}

/// Reads a 64 KiB metadata area without a key. It is sound in itself; whether the key's holder wrote it only
/// [`verify`] can tell.
///
/// # Errors
/// [`EvidenceError::Malformed`].
pub fn evidence_contents(metadata: &[u8]) -> Result<EvidenceContents, EvidenceError> {
    let metadata = read_metadata(metadata)?;
    let protectors = crate::protector::list(&metadata)?;
    Ok(EvidenceContents {
        volume: metadata.dataset.volume,
        recovery_passwords: protectors
            .into_iter()
            .filter(|(_, info)| info.kind == ProtectorKind::RecoveryPassword)
            .map(|(_, info)| info.id)
            .collect(),
    })
}

/// Proves that `password` opens the volume whose 64 KiB metadata area is `metadata`
/// ([`Volume::metadata_bytes`](crate::Volume::metadata_bytes)). Costs about 0.2 s for each
/// recovery password protector.
pub fn verify(metadata: &[u8], password: &RecoveryPassword) -> Result<Proven, EvidenceError> {
    let metadata = read_metadata(metadata)?;
    let credential = Credential::RecoveryPassword(password);
    let (vmk, protector) =
        volume_master_key(&metadata, &credential).map_err(|_| EvidenceError::NoSuchProtectorOpens)?;
    check_integrity(&metadata, &vmk).map_err(|_| EvidenceError::IntegrityFailed)?;
    let (method, _) = volume_encryption_key(&metadata, &vmk).map_err(|_| EvidenceError::IntegrityFailed)?;
    Ok(Proven {
        volume: metadata.dataset.volume,
        protector: protector.ok_or(EvidenceError::NoSuchProtectorOpens)?,
        method,
        created: metadata.dataset.created,
    })
}
