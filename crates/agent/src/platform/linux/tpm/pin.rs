//! A PIN as the TPM sees it.

use std::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::kdf::sha256;

/// The authorization value made of a PIN. No stretching: the TPM counts wrong guesses, and outside of it there is nothing
/// to guess against.
pub struct PinAuth {
    pub(super) salt: [u8; 16],
    pub(super) value: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for PinAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl PinAuth {
    /// From a newly chosen PIN.
    #[must_use]
    pub fn new(pin: &str, rng: &mut dyn CryptoRng) -> Self {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        Self::with_salt(pin, salt)
    }

    pub(super) fn with_salt(pin: &str, salt: [u8; 16]) -> Self {
        Self {
            salt,
            value: Zeroizing::new(sha256(&[b"Claviger TPM PIN 1", &salt, pin.as_bytes()])),
        }
    }

    /// What has to be kept to seal anew without asking for the PIN. A secret: short PINs can be guessed from it.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 48]> {
        let mut bytes = Zeroizing::new([0; 48]);
        bytes[..16].copy_from_slice(&self.salt);
        bytes[16..].copy_from_slice(&*self.value);
        bytes
    }

    /// The reverse of [`to_bytes`](Self::to_bytes).
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 48]) -> Self {
        let mut auth = Self {
            salt: [0; 16],
            value: Zeroizing::new([0; 32]),
        };
        auth.salt.copy_from_slice(&bytes[..16]);
        auth.value.copy_from_slice(&bytes[16..]);
        auth
    }
}
