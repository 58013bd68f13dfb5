//! Slow derivation of a key from what a person types (BitLocker format notes §7.1).

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::secret::{Passphrase, RecoveryPassword};

const ROUNDS: u64 = 0x10_0000;

/// First hash of a passphrase.
pub(crate) fn passphrase_hash(passphrase: &Passphrase) -> Zeroizing<[u8; 32]> {
    let utf16: Zeroizing<Vec<u8>> =
        Zeroizing::new(passphrase.expose().encode_utf16().flat_map(u16::to_le_bytes).collect());
    Zeroizing::new(Sha256::digest(Sha256::digest(utf16.as_slice())).into())
}

/// First hash of a recovery password.
pub(crate) fn recovery_hash(password: &RecoveryPassword) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Sha256::digest(password.as_bytes()).into())
}

/// A million rounds of SHA-256 over last hash, first hash, salt and counter.
pub(crate) fn stretch(first: &[u8; 32], salt: &[u8; 16]) -> Zeroizing<[u8; 32]> {
    let mut state = Zeroizing::new([0; 88]);
    state[32..64].copy_from_slice(first);
    state[64..80].copy_from_slice(salt);
    for round in 0..ROUNDS {
        state[80..].copy_from_slice(&round.to_le_bytes());
        let hash = Sha256::digest(state.as_slice());
        state[..32].copy_from_slice(&hash);
    }
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(&state[..32]);
    key
}
