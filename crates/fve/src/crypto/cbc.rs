//! CBC with an encrypted byte offset as initialisation vector (BitLocker format notes §7.5).

use cipher::generic_array::GenericArray;
use cipher::inout::InOutBuf;
use cipher::typenum::U16;
use cipher::{BlockDecrypt, BlockEncrypt, BlockSizeUser};

/// AES with a 16-byte block.
pub(crate) trait Aes: BlockSizeUser<BlockSize = U16> + BlockEncrypt + BlockDecrypt {}
impl<C: BlockSizeUser<BlockSize = U16> + BlockEncrypt + BlockDecrypt> Aes for C {}

/// One AES block of the byte offset `offset`, with its last byte set to `last`.
pub(crate) fn encrypted_offset(cipher: &impl Aes, offset: u64, last: u8) -> [u8; 16] {
    let mut block = GenericArray::from((u128::from(offset) | u128::from(last) << 120).to_le_bytes());
    cipher.encrypt_block(&mut block);
    block.into()
}

/// Decrypts one sector that lies at byte `offset`.
pub(crate) fn decrypt(cipher: &impl Aes, offset: u64, sector: &mut [u8]) {
    let mut previous = encrypted_offset(cipher, offset, 0);
    let ciphertext = sector.to_vec();
    let (blocks, _) = InOutBuf::from(&mut *sector).into_chunks::<U16>();
    cipher.decrypt_blocks_inout(blocks);
    for (block, old) in sector
        .as_chunks_mut::<16>()
        .0
        .iter_mut()
        .zip(ciphertext.as_chunks::<16>().0)
    {
        xor(block, &previous);
        previous = *old;
    }
}

/// Encrypts one sector that lies at byte `offset`.
pub(crate) fn encrypt(cipher: &impl Aes, offset: u64, sector: &mut [u8]) {
    let mut previous = encrypted_offset(cipher, offset, 0);
    for block in sector.as_chunks_mut::<16>().0 {
        xor(block, &previous);
        let mut encrypted = GenericArray::from(*block);
        cipher.encrypt_block(&mut encrypted);
        *block = encrypted.into();
        previous = *block;
    }
}

fn xor(block: &mut [u8; 16], other: &[u8; 16]) {
    *block = (u128::from_le_bytes(*block) ^ u128::from_le_bytes(*other)).to_le_bytes();
}
