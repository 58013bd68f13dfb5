//! Proof that a recovery password opens a volume, from the volume's metadata alone.

use crate::format::read::{FormatError, read_metadata};
use crate::format::{EncryptionMethod, Metadata};
use crate::guid::Guid;
use crate::keychain::{check_integrity, volume_encryption_key};
use crate::passwords::{Opened, open_many};
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
/// ([`Volume::metadata_bytes`](crate::Volume::metadata_bytes)). Costs about 0.1 s for each
/// recovery password protector.
///
/// # Errors
/// [`EvidenceError`], whichever comes first.
pub fn verify(metadata: &[u8], password: &RecoveryPassword) -> Result<Proven, EvidenceError> {
    verify_many(&[(metadata, password)])
        .pop()
        .unwrap_or(Err(EvidenceError::NoSuchProtectorOpens))
}

/// [`verify`] for each pair of metadata and password, in their order. Eight proofs and more take together about
/// a third of the time that they would take one by one. What is wrong with one of them does not touch the others.
#[must_use]
pub fn verify_many(proofs: &[(&[u8], &RecoveryPassword)]) -> Vec<Result<Proven, EvidenceError>> {
    let read: Vec<_> = proofs.iter().map(|(bytes, _)| read_metadata(bytes)).collect();
    let sound = read
        .iter()
        .zip(proofs)
        .filter_map(|(metadata, (_, password))| Some((metadata.as_ref().ok()?, *password)));
    let mut opened = open_many(&sound.collect::<Vec<_>>()).into_iter();
    read.iter()
        .map(|metadata| match metadata {
            Ok(metadata) => proven(metadata, opened.next().flatten()),
            Err(error) => Err(error.clone().into()),
        })
        .collect()
}

fn proven(metadata: &Metadata, opened: Option<Opened>) -> Result<Proven, EvidenceError> {
    let (vmk, protector) = opened.ok_or(EvidenceError::NoSuchProtectorOpens)?;
    check_integrity(metadata, &vmk).map_err(|_| EvidenceError::IntegrityFailed)?;
    let (method, _) = volume_encryption_key(metadata, &vmk).map_err(|_| EvidenceError::IntegrityFailed)?;
    Ok(Proven {
        volume: metadata.dataset.volume,
        protector,
        method,
        created: metadata.dataset.created,
    })
}
