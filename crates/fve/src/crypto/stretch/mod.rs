//! Slow derivation of keys from what people type (BitLocker format notes §7.1): one, or many at once.

mod choice;
mod portable;

pub use choice::Engine;
pub(crate) use choice::run;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::secret::{Passphrase, RecoveryPassword};

const ROUNDS: u32 = 0x10_0000;

/// What is stretched: a first hash, and the salt of a protector.
pub(crate) struct Job {
    first: Zeroizing<[u8; 32]>,
    salt: [u8; 16],
}

impl Job {
    pub(crate) fn new(first: &[u8; 32], salt: &[u8; 16]) -> Self {
        Self {
            first: Zeroizing::new(*first),
            salt: *salt,
        }
    }

    /// The first hash as the words of a message.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn first_words(&self) -> Zeroizing<[u32; 8]> {
        let mut words = Zeroizing::new([0; 8]);
        for (word, bytes) in words.iter_mut().zip(self.first.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        words
    }

    /// The salt as the words of a message.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn salt_words(&self) -> [u32; 4] {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(self.salt.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        words
    }
}

/// The words of a hash; wiped when dropped.
pub(crate) type Words = Zeroizing<[u32; 8]>;

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
    let job = [Job::new(first, salt)];
    bytes_of(&run(&job, ROUNDS).pop().unwrap_or_default())
}

/// [`stretch`] of each job, in their order. Eight jobs and more take a third of the time that each would take alone.
pub(crate) fn stretch_many(jobs: &[Job]) -> Vec<Zeroizing<[u8; 32]>> {
    run(jobs, ROUNDS).iter().map(bytes_of).collect()
}

fn bytes_of(words: &Words) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words.iter()) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests;
