//! XTS over the block cipher, a batch of sectors at a time: the cipher gets
//! whole sectors of blocks at once, so that it can keep its pipeline full.

use cipher::generic_array::GenericArray;
use cipher::inout::InOutBuf;
use cipher::typenum::U16;
use cipher::{BlockDecrypt, BlockEncrypt, BlockSizeUser};

/// One XTS key pair. `C` is AES-128 or AES-256.
pub(crate) struct Xts<C> {
    data: C,
    tweak: C,
}

/// Largest sector, in blocks.
const MAX_BLOCKS: usize = 4096 / 16;

impl<C: BlockSizeUser<BlockSize = U16> + BlockEncrypt + BlockDecrypt> Xts<C> {
    pub(crate) fn new(data: C, tweak: C) -> Self {
        Self { data, tweak }
    }

    /// Encrypts whole sectors of which the first has number `sector`.
    pub(crate) fn encrypt(&self, sector: u64, sector_size: usize, data: &mut [u8]) {
        self.run(sector, sector_size, data, |cipher, blocks| {
            cipher.encrypt_blocks_inout(blocks);
        });
    }

    /// Decrypts whole sectors of which the first has number `sector`.
    pub(crate) fn decrypt(&self, sector: u64, sector_size: usize, data: &mut [u8]) {
        self.run(sector, sector_size, data, |cipher, blocks| {
            cipher.decrypt_blocks_inout(blocks);
        });
    }

    fn run(
        &self,
        first: u64,
        sector_size: usize,
        data: &mut [u8],
        cipher: impl Fn(&C, InOutBuf<'_, '_, GenericArray<u8, U16>>),
    ) {
        let mut masks = [0_u128; MAX_BLOCKS];
        for (number, sector) in (first..).zip(data.chunks_mut(sector_size)) {
            self.fill_masks(number, &mut masks[..sector.len().min(4096) / 16]);
            apply(&masks, sector);
            let (blocks, _) = InOutBuf::from(&mut *sector).into_chunks::<U16>();
            cipher(&self.data, blocks);
            apply(&masks, sector);
        }
    }

    /// The mask of every block of a sector: the encrypted sector number times x^i in GF(2^128).
    fn fill_masks(&self, number: u64, masks: &mut [u128]) {
        let mut first = GenericArray::from(u128::from(number).to_le_bytes());
        self.tweak.encrypt_block(&mut first);
        let mut mask = u128::from_le_bytes(first.into());
        for slot in masks {
            *slot = mask;
            mask = times_x(mask);
        }
    }
}

/// Twice `mask` in GF(2^128) of XTS, without a branch that would tell its top bit.
pub(crate) fn times_x(mask: u128) -> u128 {
    (mask << 1) ^ ((mask >> 127) * 0x87)
}

fn apply(masks: &[u128], sector: &mut [u8]) {
    for (block, mask) in sector.as_chunks_mut::<16>().0.iter_mut().zip(masks) {
        *block = (u128::from_le_bytes(*block) ^ mask).to_le_bytes();
    }
}
