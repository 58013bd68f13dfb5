//! What can go wrong with a volume.

use crate::crypto::ccm::NoncesExhausted;
use crate::fat::FatError;
use crate::format::FormatError;
use crate::format::write::MetadataFull;
use crate::guid::Guid;
use crate::inner::ApplyError;
use crate::ntfs::NtfsError;
use crate::volume::{BackupError, ProtectorSummary, RestoreRefusal};

/// Why an operation on a volume failed. Messages never contain secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device failed.
    #[error("the device failed: {0}")]
    Io(#[from] std::io::Error),
    /// No BitLocker volume.
    #[error("not a BitLocker volume: {0}")]
    NotBitLocker(FormatError),
    /// None of the three metadata copies is sound.
    #[error("no sound metadata copy: {} / {} / {}", .0[0], .0[1], .0[2])]
    NoSoundMetadata(Box<[String; 3]>),
    /// A value inside sound metadata cannot be used.
    #[error("the metadata cannot be used: {0}")]
    Format(#[from] FormatError),
    /// The credential opens no protector of its kind.
    #[error("the credential does not open this volume")]
    WrongCredential,
    /// There is no protector that the credential could open.
    #[error("the volume has no protector of this kind")]
    NoProtectorOfKind,
    /// There is no protector with this GUID.
    #[error("the volume has no protector {0}")]
    NoSuchProtector(Guid),
    /// The protector is of another kind.
    #[error("protector {0} is of another kind")]
    WrongProtectorKind(Guid),
    /// Removing the last way in would lose the data.
    #[error("the last protector cannot be removed")]
    LastProtector,
    /// The integrity hash does not match: someone changed the metadata without holding the VMK.
    #[error("the metadata fails its integrity check: it was changed without the volume master key")]
    IntegrityFailed,
    /// There are no keys: the volume is decrypted.
    #[error("the volume holds no keys: it is not encrypted")]
    NoKeys,
    /// Beyond what this crate does.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// The volume is in a state in which the operation is not possible.
    #[error("not possible now: {0}")]
    InvalidState(&'static str),
    /// The arguments contradict each other or the device.
    #[error("invalid argument: {0}")]
    InvalidArgument(&'static str),
    /// The metadata backup cannot be used.
    #[error("the metadata backup: {0}")]
    Backup(#[from] BackupError),
    /// The metadata backup is not the right one for this device.
    #[error("not restored: {0}")]
    RestoreRefused(RestoreRefusal),
    /// The inner file system cannot be worked with.
    #[error("the NTFS file system: {0}")]
    Ntfs(#[from] NtfsError),
    /// The inner file system cannot be worked with.
    #[error("the FAT file system: {0}")]
    Fat(#[from] FatError),
    /// A plan for the inner file system could not be carried out.
    #[error("the inner file system: {0}")]
    Apply(#[from] ApplyError),
    /// The inner file system is one in which regions cannot be reserved.
    #[error("not possible on this file system: found {0}; NTFS, exFAT, FAT32 and FAT16 are handled")]
    UnknownFileSystem(String),
    /// 64 KiB are full.
    #[error("the metadata would take {needed} bytes of 65536: remove protectors first")]
    MetadataFull {
        /// Bytes that it would take.
        needed: usize,
    },
    /// These protectors would be lost: the volume holds no copy of their secret, and none was given.
    #[error("the key of these protectors is needed, or leave to drop them: {}", names(.0))]
    ProtectorsNeedKeys(Vec<ProtectorSummary>),
    /// The key that was given for a protector is not its key.
    #[error("the key given for protector {0} does not open it")]
    WrongProtectorKey(Guid),
    /// The nonce counter is used up.
    #[error("the volume's nonce counter is used up: it must be re-created")]
    NoncesExhausted,
    /// An earlier metadata update failed half-way.
    #[error("an earlier update failed half-way: open the volume again")]
    Stale,
}

impl From<MetadataFull> for Error {
    fn from(MetadataFull { needed }: MetadataFull) -> Self {
        Self::MetadataFull { needed }
    }
}

fn names(protectors: &[ProtectorSummary]) -> String {
    protectors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

impl From<NoncesExhausted> for Error {
    fn from(NoncesExhausted: NoncesExhausted) -> Self {
        Self::NoncesExhausted
    }
}
