//! Key wrapping: AES-256-CCM, 12-byte nonce, 16-byte tag (BitLocker format notes §7.3).

use aes::Aes256;
use ccm::aead::generic_array::GenericArray;
use ccm::aead::generic_array::typenum::{U12, U16};
use ccm::aead::{AeadInPlace, KeyInit};
use zeroize::Zeroizing;

use crate::time::FileTime;

type Aes256Ccm = ccm::Ccm<Aes256, U16, U12>;

const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// A nonce that is used once: it is consumed by [`wrap`] and cannot be copied.
pub(crate) struct Nonce([u8; NONCE_LEN]);

/// Hands out nonces: one time, a counter that never repeats within a volume.
pub(crate) struct NonceSource {
    time: FileTime,
    next: u32,
}

/// The counter has reached its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the volume's nonce counter is used up: it must be re-created")]
pub(crate) struct NoncesExhausted;

impl NonceSource {
    /// Continues at the counter that the dataset header holds.
    pub(crate) fn new(time: FileTime, next: u32) -> Self {
        // Bit 63 marks blocks written by the kernel driver; ours are not.
        Self {
            time: FileTime(time.0 & !(1 << 63)),
            next,
        }
    }

    pub(crate) fn draw(&mut self) -> Result<Nonce, NoncesExhausted> {
        let counter = self.next;
        self.next = counter.checked_add(1).ok_or(NoncesExhausted)?;
        let mut bytes = [0; NONCE_LEN];
        bytes[..8].copy_from_slice(&self.time.0.to_le_bytes());
        bytes[8..].copy_from_slice(&counter.to_le_bytes());
        Ok(Nonce(bytes))
    }

    /// What the dataset header has to say from now on.
    pub(crate) fn next(&self) -> u32 {
        self.next
    }
}

/// Wraps `plain`: nonce, tag, ciphertext, as they lie in an AES-CCM datum.
#[expect(
    clippy::needless_pass_by_value,
    reason = "taking the nonce by value is what makes it single-use"
)]
pub(crate) fn wrap(key: &[u8; 32], nonce: Nonce, plain: &[u8]) -> Vec<u8> {
    let mut body = vec![0; NONCE_LEN + TAG_LEN];
    body.extend_from_slice(plain);
    let (head, text) = body.split_at_mut(NONCE_LEN + TAG_LEN);
    let cipher = Aes256Ccm::new(GenericArray::from_slice(key));
    // Fails only beyond 16 MiB, and a datum has less than 64 KiB.
    if let Ok(tag) = cipher.encrypt_in_place_detached(GenericArray::from_slice(&nonce.0), &[], text) {
        head[..NONCE_LEN].copy_from_slice(&nonce.0);
        head[NONCE_LEN..].copy_from_slice(&tag);
    }
    body
}

/// Unwraps the body of an AES-CCM datum; `None` when the key is another one.
pub(crate) fn unwrap(key: &[u8; 32], body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = body.split_at_checked(NONCE_LEN)?;
    let (tag, text) = rest.split_at_checked(TAG_LEN)?;
    let mut plain = Zeroizing::new(text.to_vec());
    let cipher = Aes256Ccm::new(GenericArray::from_slice(key));
    cipher
        .decrypt_in_place_detached(
            GenericArray::from_slice(nonce),
            &[],
            &mut plain,
            GenericArray::from_slice(tag),
        )
        .ok()?;
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_wrapped_unwraps_with_the_same_key_only() {
        let mut nonces = NonceSource::new(FileTime(1), 7);
        let body = wrap(&[1; 32], nonces.draw().unwrap(), b"secret");
        assert_eq!(nonces.next(), 8);
        assert_eq!(unwrap(&[1; 32], &body).unwrap().as_slice(), b"secret");
        assert!(unwrap(&[2; 32], &body).is_none());
        for len in 0..body.len() {
            assert!(unwrap(&[1; 32], &body[..len]).is_none());
        }
    }

    #[test]
    fn the_last_counter_is_never_handed_out_twice() {
        assert!(NonceSource::new(FileTime(1), u32::MAX).draw().is_err());
    }
}
