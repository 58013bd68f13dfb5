//! CBC: decryption runs in parallel within a sector; encryption cannot, so it runs over many sectors at once.

use std::arch::x86_64::__m128i;

use super::aes;
use super::keys::{RoundKeys, Schedule};
use super::vector::Vector;

/// Registers that are worked on together.
const N: usize = 8;
/// Sectors whose initialisation vectors are encrypted together.
const VECTORS: usize = 32;

/// Decrypts whole sectors of which the first lies at byte `offset`.
///
/// # Safety
/// As [`Vector`]: the processor has the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn decrypt<V: Vector, const ROUNDS: usize>(
    key: &Schedule,
    offset: u64,
    sector_size: usize,
    data: &mut [u8],
) {
    let mut ivs = [[0; 16]; VECTORS];
    let mut at = offset;
    for group in data.chunks_mut(VECTORS * sector_size) {
        let count = group.len().div_ceil(sector_size);
        // SAFETY: the caller vouches for the instructions.
        unsafe {
            initialise::<V, ROUNDS>(&key.encrypt, at, sector_size, &mut ivs[..count]);
            for (sector, iv) in group.chunks_mut(sector_size).zip(&ivs) {
                decrypt_one::<V, ROUNDS>(&key.decrypt, iv, sector);
            }
        }
        at = at.wrapping_add(group.len() as u64);
    }
}

/// Encrypts whole sectors of which the first lies at byte `offset`.
///
/// # Safety
/// As [`decrypt`].
#[inline(always)]
pub(super) unsafe fn encrypt<V: Vector, const ROUNDS: usize>(
    key: &Schedule,
    offset: u64,
    sector_size: usize,
    data: &mut [u8],
) {
    let mut ivs = [[0; 16]; VECTORS];
    let mut at = offset;
    for group in data.chunks_mut(VECTORS * sector_size) {
        let count = group.len().div_ceil(sector_size);
        let keys = &key.encrypt;
        // SAFETY: the caller vouches for the instructions.
        unsafe {
            initialise::<V, ROUNDS>(keys, at, sector_size, &mut ivs[..count]);
            at = at.wrapping_add(group.len() as u64);
            let whole = group.len() / sector_size;
            let (whole, partial) = group.split_at_mut(whole * sector_size);
            let (mut rest, mut ivs) = (whole, &ivs[..count]);
            (rest, ivs) = encrypt_many::<V, N, ROUNDS>(keys, ivs, sector_size, rest);
            (rest, ivs) = encrypt_many::<__m128i, N, ROUNDS>(keys, ivs, sector_size, rest);
            (rest, ivs) = encrypt_many::<__m128i, 4, ROUNDS>(keys, ivs, sector_size, rest);
            (_, ivs) = encrypt_many::<__m128i, 1, ROUNDS>(keys, ivs, sector_size, rest);
            let len = partial.len();
            encrypt_many::<__m128i, 1, ROUNDS>(keys, ivs, len, partial);
        }
    }
}

/// The initialisation vectors of consecutive sectors: their encrypted byte offsets.
///
/// # Safety
/// As [`decrypt`].
#[inline(always)]
unsafe fn initialise<V: Vector, const ROUNDS: usize>(
    keys: &RoundKeys,
    offset: u64,
    sector_size: usize,
    ivs: &mut [[u8; 16]],
) {
    let mut at = offset;
    for iv in &mut *ivs {
        *iv = u128::from(at).to_le_bytes();
        at = at.wrapping_add(sector_size as u64);
    }
    // SAFETY: the caller vouches for the instructions.
    unsafe { aes::encrypt_each::<V, ROUNDS>(keys, ivs) }
}

/// Decrypts one sector.
///
/// # Safety
/// As [`decrypt`].
#[inline(always)]
unsafe fn decrypt_one<V: Vector, const ROUNDS: usize>(keys: &RoundKeys, iv: &[u8; 16], sector: &mut [u8]) {
    let bytes = 16 * V::BLOCKS;
    let mut batches = sector.chunks_exact_mut(N * bytes);
    let mut last_block = *iv;
    // SAFETY: each batch has N registers of bytes; the caller vouches for the instructions.
    unsafe {
        let mut last = V::splat(iv.as_ptr());
        for batch in &mut batches {
            let at = batch.as_mut_ptr();
            let mut x = [last; N];
            let mut before = [last; N];
            for lane in 0..N {
                x[lane] = V::load(at.add(lane * bytes));
                before[lane] = x[lane].after(last);
                last = x[lane];
            }
            aes::decrypt::<V, N, ROUNDS>(keys, &mut x);
            for lane in 0..N {
                x[lane].xor(before[lane]).store(at.add(lane * bytes));
            }
            let mut end = [0; 64];
            last.store(end.as_mut_ptr());
            last_block = end.as_chunks::<16>().0[V::BLOCKS - 1];
        }
        let mut last = __m128i::load(last_block.as_ptr());
        for block in batches.into_remainder().as_chunks_mut::<16>().0 {
            let mut x = [__m128i::load(block.as_ptr())];
            let before = last;
            last = x[0];
            aes::decrypt::<_, 1, ROUNDS>(keys, &mut x);
            x[0].xor(before).store(block.as_mut_ptr());
        }
    }
}

/// Encrypts sectors `N * BLOCKS` at a time, as many such groups as there are, and returns what is left.
///
/// # Safety
/// As [`decrypt`].
#[inline(always)]
unsafe fn encrypt_many<'d, 'i, V: Vector, const N: usize, const ROUNDS: usize>(
    keys: &RoundKeys,
    mut ivs: &'i [[u8; 16]],
    sector_size: usize,
    mut data: &'d mut [u8],
) -> (&'d mut [u8], &'i [[u8; 16]]) {
    let sectors = N * V::BLOCKS;
    while sector_size > 0 && data.len() >= sectors * sector_size && ivs.len() >= sectors {
        let (group, rest) = data.split_at_mut(sectors * sector_size);
        let (starts, later) = ivs.split_at(sectors);
        (data, ivs) = (rest, later);
        let at = group.as_mut_ptr();
        // SAFETY: lane `l`, block `b` of register reads and writes 16 bytes at `(l * BLOCKS + b) * sector_size + block`,
        // which is below `sectors * sector_size` since `block + 16 <= sector_size`; there are as many initialisation
        // vectors as sectors. The caller vouches for the instructions.
        unsafe {
            let mut x = [V::load(starts.as_ptr().cast()); N];
            for lane in 1..N {
                x[lane] = V::load(starts.as_ptr().add(lane * V::BLOCKS).cast());
            }
            let mut block = 0;
            while block + 16 <= sector_size {
                for lane in 0..N {
                    let place = at.add(lane * V::BLOCKS * sector_size + block);
                    x[lane] = x[lane].xor(V::gather(place, sector_size));
                }
                aes::encrypt::<V, N, ROUNDS>(keys, &mut x);
                for lane in 0..N {
                    x[lane].scatter(at.add(lane * V::BLOCKS * sector_size + block), sector_size);
                }
                block += 16;
            }
        }
    }
    (data, ivs)
}
