//! Key derivation and parameter encryption of TPM 2.0 sessions, with SHA-256 and AES-128-CFB (Part 1, 11.4.10 "Key
//! derivation function" and 21 "Session-based encryption").

use aes::Aes128;
use aes::cipher::{BlockEncrypt, KeyInit};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// SHA-256 over several pieces.
pub(super) fn sha256(pieces: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for piece in pieces {
        hash.update(piece);
    }
    hash.finalize().into()
}

/// HMAC-SHA-256 over several pieces.
pub(super) fn hmac_sha256(key: &[u8], pieces: &[&[u8]]) -> [u8; 32] {
    keyed(key, pieces).finalize().into_bytes().into()
}

/// Whether `tag` is the HMAC-SHA-256 over the pieces; compared in constant time.
pub(super) fn hmac_verifies(key: &[u8], pieces: &[&[u8]], tag: &[u8]) -> bool {
    keyed(key, pieces).verify_slice(tag).is_ok()
}

fn keyed(key: &[u8], pieces: &[&[u8]]) -> Hmac<Sha256> {
    // HMAC takes keys of any length: hash longer ones by hand, so that there is no error to handle.
    let mut block = Zeroizing::new([0u8; 64]);
    if key.len() > 64 {
        block[..32].copy_from_slice(&sha256(&[key]));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mut mac = <Hmac<Sha256> as Mac>::new((&*block).into());
    for piece in pieces {
        mac.update(piece);
    }
    mac
}

/// KDFa for 256 bits: HMAC(key, 1 ‖ label ‖ 0 ‖ u ‖ v ‖ bits).
pub(super) fn kdfa(key: &[u8], label: &[u8], u: &[u8], v: &[u8]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(hmac_sha256(
        key,
        &[&1u32.to_be_bytes(), label, &[0], u, v, &256u32.to_be_bytes()],
    ))
}

/// KDFe for 256 bits: H(1 ‖ z ‖ label ‖ 0 ‖ u ‖ v), u and v being the x coordinates of the two parties.
pub(super) fn kdfe(z: &[u8], label: &[u8], u: &[u8], v: &[u8]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(sha256(&[&1u32.to_be_bytes(), z, label, &[0], u, v]))
}

/// AES-128-CFB in place; key and start value are the two halves of what KDFa gave for "CFB".
pub(super) fn cfb_encrypt(material: &[u8; 32], data: &mut [u8]) {
    cfb(material, data, true);
}

/// The reverse of [`cfb_encrypt`].
pub(super) fn cfb_decrypt(material: &[u8; 32], data: &mut [u8]) {
    cfb(material, data, false);
}

fn cfb(material: &[u8; 32], data: &mut [u8], encrypt: bool) {
    let (key, iv) = material.split_at(16);
    let cipher = Aes128::new(key.into());
    let mut feedback = [0u8; 16];
    feedback.copy_from_slice(iv);
    for chunk in data.chunks_mut(16) {
        cipher.encrypt_block((&mut feedback).into());
        for (byte, stream) in chunk.iter_mut().zip(feedback.iter_mut()) {
            let input = *byte;
            *byte ^= *stream;
            *stream = if encrypt { *byte } else { input };
        }
    }
}
