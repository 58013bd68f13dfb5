//! The Ed25519 key that signs checkpoints of the audit chain.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// Signs checkpoints. `Debug` prints the public half.
pub struct AuditKey(Ed25519KeyPair);

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditKey {{ public: {}, private: [redacted] }}", self.public_hex())
    }
}

impl AuditKey {
    /// From 32 random bytes. `None` when the cryptographic library refuses the seed.
    pub(super) fn from_seed(seed: &[u8; 32]) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed).ok().map(Self)
    }

    /// The public key, 32 bytes in hexadecimal: what an auditor keeps to verify checkpoints offline.
    #[must_use]
    pub fn public_hex(&self) -> String {
        hex::encode(self.0.public_key().as_ref())
    }

    /// Signs the bytes of a checkpoint: 64 bytes.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }
}

/// Whether a signature over the bytes of a checkpoint fits the public key (hexadecimal).
#[must_use]
pub fn verify_signature(public_hex: &str, bytes: &[u8], signature: &[u8]) -> bool {
    let Ok(public) = hex::decode(public_hex.trim()) else {
        return false;
    };
    UnparsedPublicKey::new(&ED25519, public)
        .verify(bytes, signature)
        .is_ok()
}
