//! Metadata areas whose checksum and integrity hash are right whatever the rest says, so
//! that the fuzzer gets past them.

use aes::Aes256;
use ccm::aead::{AeadInPlace, KeyInit};
use ccm::{
    Ccm,
    consts::{U12, U16},
};
use sha2::{Digest, Sha256};

use crate::MASTER_KEY;

/// Length of an area.
pub const LEN: usize = 65536;

/// Wraps a whole datum by the master key: nonce, tag, ciphertext.
pub fn wrap(counter: u32, datum: &[u8]) -> Vec<u8> {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&crate::NOW.0.to_le_bytes());
    nonce[8..].copy_from_slice(&counter.to_le_bytes());
    let cipher = Ccm::<Aes256, U16, U12>::new(&MASTER_KEY.into());
    let mut text = datum.to_vec();
    let tag = cipher
        .encrypt_in_place_detached(&nonce.into(), b"", &mut text)
        .expect("the datum is short");
    [nonce.as_slice(), tag.as_slice(), &text].concat()
}

/// A datum of its parts.
pub fn datum(role: u16, kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + body.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(8 + body.len());
    for field in [len, role, kind, flags] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.extend_from_slice(body);
    bytes
}

/// A wrapped KEY datum.
pub fn wrapped_key(role: u16, counter: u32, key_type: u16, key: &[u8]) -> Vec<u8> {
    let mut body = key_type.to_le_bytes().to_vec();
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(key);
    datum(role, 5, 1, &wrap(counter, &datum(0, 1, 0, &body)))
}

/// Pads `area` to its length and makes CRC and integrity hash right for the length that its header states.
pub fn mend(area: &mut Vec<u8>) {
    area.resize(LEN, 0);
    let hashed = usize::from(u16::from_le_bytes([area[8], area[9]])) * 16;
    if hashed + 88 > LEN {
        return;
    }
    let hash = Sha256::digest(&area[..hashed]);
    let crc = crc32fast::hash(&area[..hashed]);
    let mut validation = ((LEN - hashed) as u16).to_le_bytes().to_vec();
    validation.extend_from_slice(&2_u16.to_le_bytes());
    validation.extend_from_slice(&crc.to_le_bytes());
    validation.extend_from_slice(&wrapped_key(0, u32::MAX, 0x2005, &hash));
    area[hashed..hashed + validation.len()].copy_from_slice(&validation);
}

/// A boot sector that leads to the copies that `area` names.
pub fn boot_sector(area: &[u8], sector_size: u16) -> [u8; 512] {
    let copies = [0x20, 0x28, 0x30].map(|at| area[at..at + 8].try_into().map_or(0, u64::from_le_bytes));
    fve::format::write::boot_sector(&[0; 512], sector_size, copies)
}
