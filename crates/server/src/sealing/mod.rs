//! The only place that opens secrets.
//!
//! Everything else handles sealed records. The private keys come out of a key provider (the passphrase-sealed file of
//! `key_file`) at start-up, stay in this module's [`KeyRing`], and are zeroized with it.

mod audit_key;
mod key_file;

pub use audit_key::{AuditKey, verify_signature};
pub use key_file::{KdfCost, KeyFileError};
pub(crate) use key_file::{NewAuthority, Unsealed, open_or_create, write_durably};

use std::path::Path;

use domain::ids::{DeviceId, ProtectorId, VolumeId};
use protocol::sealing::{Binding, RecoveryPrivateKey, RecoveryPublicKey, SealedSecret, SealingError};
use zeroize::Zeroizing;

/// Private keys in memory. `Debug` names versions only.
#[derive(Debug)]
pub struct KeyRing {
    recovery: Vec<RecoveryPrivateKey>,
    newest: RecoveryPublicKey,
    audit: AuditKey,
}

/// A sealed password in its place: device, volume and protector are part of the seal.
#[derive(Clone, Copy, Debug)]
pub struct SealedRecord<'a> {
    /// The device that escrowed it.
    pub device: DeviceId,
    /// The volume.
    pub volume: VolumeId,
    /// The protector.
    pub protector: ProtectorId,
    /// The ciphertext.
    pub sealed: &'a SealedSecret,
}

/// Why a record does not open. Says nothing about its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No private key of that version is at hand.
    #[error("the recovery key of version {0} is not in the key file")]
    NoSuchKey(u32),
    /// The seal does not fit.
    #[error(transparent)]
    Sealing(#[from] SealingError),
    /// It opened, but what came out is not text.
    #[error("the opened secret is not a recovery password")]
    NotAPassword,
}

impl KeyRing {
    pub(crate) fn new(recovery: Vec<RecoveryPrivateKey>, audit: AuditKey) -> Option<Self> {
        let newest = recovery
            .iter()
            .map(RecoveryPrivateKey::public)
            .max_by_key(|key| key.version)?;
        Some(Self {
            recovery,
            newest,
            audit,
        })
    }

    /// Opens a server's key file without the server: to check offline what its store can give back.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn open_file(path: &Path, passphrase: &str) -> Result<Self, KeyFileError> {
        key_file::open(path, passphrase).map(|unsealed| unsealed.ring)
    }

    /// The key to which devices seal now.
    #[must_use]
    pub fn recovery_key(&self) -> &RecoveryPublicKey {
        &self.newest
    }

    /// Whether a private key of this version is at hand.
    #[must_use]
    pub fn has_version(&self, version: u32) -> bool {
        self.recovery.iter().any(|key| key.public().version == version)
    }

    /// Signs the audit's checkpoints.
    #[must_use]
    pub fn audit_key(&self) -> &AuditKey {
        &self.audit
    }

    /// Opens an escrowed recovery password. Callers commit the audit record first (P4).
    ///
    /// # Errors
    /// [`OpenError`]; the record stays as it is.
    pub fn open_password(&self, record: SealedRecord<'_>) -> Result<Zeroizing<String>, OpenError> {
        let version = record.sealed.key_version;
        let key = self
            .recovery
            .iter()
            .find(|key| key.public().version == version)
            .ok_or(OpenError::NoSuchKey(version))?;
        let binding = Binding {
            device: record.device,
            volume: record.volume,
            protector: record.protector,
        };
        let opened = key.open(record.sealed, &binding)?;
        let text = std::str::from_utf8(&opened).map_err(|_| OpenError::NotAPassword)?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}
