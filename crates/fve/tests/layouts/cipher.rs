//! Sector encryption from the description of the format, sector by sector and without haste.

use aes::{Aes128, Aes256};
use cipher::generic_array::GenericArray;
use cipher::{BlockEncrypt, KeyInit};

enum Block {
    Short(Box<Aes128>),
    Long(Box<Aes256>),
}

impl Block {
    fn new(key: &[u8]) -> Self {
        match key.len() {
            16 => Self::Short(Box::new(Aes128::new(GenericArray::from_slice(key)))),
            _ => Self::Long(Box::new(Aes256::new(GenericArray::from_slice(key)))),
        }
    }

    fn encrypt(&self, block: &mut [u8; 16]) {
        let block = GenericArray::from_mut_slice(block);
        match self {
            Self::Short(aes) => aes.encrypt_block(block),
            Self::Long(aes) => aes.encrypt_block(block),
        }
    }
}

/// Encrypts one sector that lies at `offset`.
pub(crate) fn encrypt(method: u16, fvek: &[u8], offset: u64, sector: &mut [u8]) {
    match method {
        0x8004 | 0x8005 => xts(fvek, offset, sector),
        0x8002 | 0x8003 => cbc(&Block::new(fvek), offset, sector),
        0x8000 => elephant(&fvek[..16], &fvek[32..48], offset, sector),
        0x8001 => elephant(&fvek[..32], &fvek[32..], offset, sector),
        other => panic!("{other:#x}"),
    }
}

pub(crate) fn key_len(method: u16) -> usize {
    match method {
        0x8002 => 16,
        0x8003 | 0x8004 => 32,
        _ => 64,
    }
}

fn le128(value: u64) -> [u8; 16] {
    u128::from(value).to_le_bytes()
}

fn xor(block: &mut [u8; 16], other: &[u8; 16]) {
    block.iter_mut().zip(other).for_each(|(a, b)| *a ^= b);
}

fn xts(fvek: &[u8], offset: u64, sector: &mut [u8]) {
    let (data, tweak) = fvek.split_at(fvek.len() / 2);
    let (data, tweak_key) = (Block::new(data), Block::new(tweak));
    let mut tweak = le128(offset / sector.len() as u64);
    tweak_key.encrypt(&mut tweak);
    for block in sector.as_chunks_mut::<16>().0 {
        xor(block, &tweak);
        data.encrypt(block);
        xor(block, &tweak);
        let value = u128::from_le_bytes(tweak);
        let carry = if value >> 127 == 1 { 0x87 } else { 0 };
        tweak = ((value << 1) ^ carry).to_le_bytes();
    }
}

fn cbc(key: &Block, offset: u64, sector: &mut [u8]) {
    let mut previous = le128(offset);
    key.encrypt(&mut previous);
    for block in sector.as_chunks_mut::<16>().0 {
        xor(block, &previous);
        key.encrypt(block);
        previous = *block;
    }
}

fn elephant(data: &[u8], tweak: &[u8], offset: u64, sector: &mut [u8]) {
    let tweak = Block::new(tweak);
    let (mut low, mut high) = (le128(offset), le128(offset));
    high[15] = 0x80;
    tweak.encrypt(&mut low);
    tweak.encrypt(&mut high);
    let pad: Vec<u8> = low.into_iter().chain(high).collect();
    sector.iter_mut().zip(pad.iter().cycle()).for_each(|(a, b)| *a ^= b);
    let mut words: Vec<u32> = sector
        .as_chunks::<4>()
        .0
        .iter()
        .map(|word| u32::from_le_bytes(*word))
        .collect();
    let n = words.len();
    // Encryption is the inverse of what the two diffusers are described by: both run backwards, subtracting.
    for _ in 0..5 {
        for i in (0..n).rev() {
            let rotation = [9, 0, 13, 0][i % 4];
            let value = words[(i + n - 2) % n] ^ words[(i + n - 5) % n].rotate_left(rotation);
            words[i] = words[i].wrapping_sub(value);
        }
    }
    for _ in 0..3 {
        for i in (0..n).rev() {
            let rotation = [0, 10, 0, 25][i % 4];
            let value = words[(i + 2) % n] ^ words[(i + 5) % n].rotate_left(rotation);
            words[i] = words[i].wrapping_sub(value);
        }
    }
    for (bytes, word) in sector.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    cbc(&Block::new(data), offset, sector);
}
