//! Secrets as types: each is wiped from memory when dropped and prints as `[redacted]`.

mod bek;
mod recovery_password;

pub use bek::{Bek, BekError};
pub use recovery_password::{RecoveryPassword, RecoveryPasswordError};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Implements a `Debug` that tells nothing.
macro_rules! redacted {
    ($($secret:ty),*) => {$(
        impl std::fmt::Debug for $secret {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("[redacted]")
            }
        }
    )*};
}
pub(crate) use redacted;

/// The key of an external key (startup key) protector: what a .BEK file holds.
#[derive(Clone)]
pub struct ExternalKey(Zeroizing<[u8; 32]>);

impl ExternalKey {
    /// Takes the 32 key bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Draws a new key.
    pub fn generate(rng: &mut dyn rand_core::CryptoRng) -> Self {
        let mut key = Self(Zeroizing::new([0; 32]));
        rng.fill_bytes(key.0.as_mut_slice());
        key
    }

    /// The 32 key bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A passphrase as the person typed it.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes the text. Nothing is normalised (BitLocker format notes §7.1).
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The volume master key: opens the volume without any protector.
#[derive(Clone)]
pub struct VolumeMasterKey(Zeroizing<[u8; 32]>);

impl VolumeMasterKey {
    /// Takes the 32 key bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A key of its own for another purpose, which whoever has this key can derive and which tells nothing about it.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut hash = Sha256::new();
        hash.update(*self.0);
        hash.update(Sha256::digest(purpose));
        Zeroizing::new(hash.finalize().into())
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

redacted!(ExternalKey, Passphrase, VolumeMasterKey);
