//! CBC with an encrypted byte offset as initialisation vector (BitLocker format notes §7.5).

use cipher::generic_array::GenericArray;
use cipher::inout::InOutBuf;
use cipher::typenum::U16;
use cipher::{BlockDecrypt, BlockEncrypt, BlockSizeUser};

/// AES with a 16-byte block.
pub(crate) trait Aes: BlockSizeUser<BlockSize = U16> + BlockEncrypt + BlockDecrypt {}
impl<C: BlockSizeUser<BlockSize = U16> + BlockEncrypt + BlockDecrypt> Aes for C {}

/// Sectors that are encrypted side by side: within one, each block waits for the one before.
const LANES: usize = 8;
/// Largest sector, in blocks.
const MAX_BLOCKS: usize = 4096 / 16;

/// One AES block, encrypted.
pub(crate) fn encrypted(cipher: &impl Aes, block: [u8; 16]) -> [u8; 16] {
    let mut block = GenericArray::from(block);
    cipher.encrypt_block(&mut block);
    block.into()
}

/// Decrypts whole sectors of which the first lies at byte `offset`.
pub(crate) fn decrypt(cipher: &impl Aes, offset: u64, sector_size: usize, data: &mut [u8]) {
    let mut ciphertext = [[0; 16]; MAX_BLOCKS];
    for (at, sector) in (offset..).step_by(sector_size).zip(data.chunks_mut(sector_size)) {
        let mut previous = encrypted(cipher, u128::from(at).to_le_bytes());
        for part in sector.chunks_mut(16 * MAX_BLOCKS) {
            for (copy, block) in ciphertext.iter_mut().zip(part.as_chunks::<16>().0) {
                *copy = *block;
            }
            let (blocks, _) = InOutBuf::from(&mut *part).into_chunks::<U16>();
            cipher.decrypt_blocks_inout(blocks);
            for (block, old) in part.as_chunks_mut::<16>().0.iter_mut().zip(&ciphertext) {
                xor(block, &previous);
                previous = *old;
            }
        }
    }
}

/// Encrypts whole sectors of which the first lies at byte `offset`.
pub(crate) fn encrypt(cipher: &impl Aes, offset: u64, sector_size: usize, data: &mut [u8]) {
    let mut at = offset;
    for group in data.chunks_mut(LANES * sector_size) {
        let lanes = group.len().div_ceil(sector_size);
        let mut chain = [GenericArray::from([0; 16]); LANES];
        for block in &mut chain[..lanes] {
            *block = GenericArray::from(u128::from(at).to_le_bytes());
            at = at.wrapping_add(sector_size as u64);
        }
        cipher.encrypt_blocks(&mut chain[..lanes]);
        for index in 0..sector_size / 16 {
            // The last sector may be a part of one; its lane then runs on for nothing.
            for (block, sector) in chain.iter_mut().zip(group.chunks(sector_size)) {
                if let Some(plain) = sector.as_chunks::<16>().0.get(index) {
                    let mut next = *plain;
                    xor(&mut next, &(*block).into());
                    *block = GenericArray::from(next);
                }
            }
            cipher.encrypt_blocks(&mut chain[..lanes]);
            for (block, sector) in chain.iter().zip(group.chunks_mut(sector_size)) {
                if let Some(place) = sector.as_chunks_mut::<16>().0.get_mut(index) {
                    *place = (*block).into();
                }
            }
        }
    }
}

fn xor(block: &mut [u8; 16], other: &[u8; 16]) {
    *block = (u128::from_le_bytes(*block) ^ u128::from_le_bytes(*other)).to_le_bytes();
}
