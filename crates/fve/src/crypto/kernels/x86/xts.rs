//! XTS: the tweaks of many sectors are encrypted together, the blocks of a sector eight registers at a time.

use std::arch::x86_64::__m128i;

use super::aes;
use super::keys::{RoundKeys, Schedule};
use super::vector::Vector;
use crate::crypto::portable::xts::times_x;

/// Registers that are worked on together.
const N: usize = 8;
/// Sectors whose tweaks are encrypted together.
const TWEAKS: usize = 32;

/// Encrypts, or decrypts, whole sectors of which the first has number `first`.
///
/// # Safety
/// As [`Vector`]: the processor has the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn run<V: Vector, const ROUNDS: usize, const DECRYPT: bool>(
    keys: (&Schedule, &Schedule),
    first: u64,
    sector_size: usize,
    data: &mut [u8],
) {
    let (key, tweak_key) = keys;
    let mut tweaks = [[0; 16]; TWEAKS];
    let mut number = first;
    for group in data.chunks_mut(TWEAKS * sector_size) {
        let count = group.len().div_ceil(sector_size);
        for tweak in &mut tweaks[..count] {
            *tweak = u128::from(number).to_le_bytes();
            number = number.wrapping_add(1);
        }
        // SAFETY: the caller vouches for the instructions.
        unsafe {
            aes::encrypt_each::<V, ROUNDS>(&tweak_key.encrypt, &mut tweaks[..count]);
            for (sector, tweak) in group.chunks_mut(sector_size).zip(&tweaks) {
                if DECRYPT {
                    one::<V, ROUNDS, true>(&key.decrypt, tweak, sector);
                } else {
                    one::<V, ROUNDS, false>(&key.encrypt, tweak, sector);
                }
            }
        }
    }
}

/// One sector.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn one<V: Vector, const ROUNDS: usize, const DECRYPT: bool>(
    keys: &RoundKeys,
    tweak: &[u8; 16],
    sector: &mut [u8],
) {
    let bytes = 16 * V::BLOCKS;
    // Registers that hold eight blocks: the distance at which a mask is x^8 times another.
    let step = 8 / V::BLOCKS;
    let mut batches = sector.chunks_exact_mut(N * bytes);
    // SAFETY: each batch has N registers of bytes; the caller vouches for the instructions.
    unsafe {
        let mut masks = [V::powers(tweak.as_ptr(), 0); N];
        for lane in 1..step {
            masks[lane] = V::powers(tweak.as_ptr(), (lane * V::BLOCKS) as i64);
        }
        for lane in step..N {
            masks[lane] = masks[lane - step].times_x8();
        }
        for batch in &mut batches {
            let at = batch.as_mut_ptr();
            let mut x = masks;
            for lane in 0..N {
                x[lane] = V::load(at.add(lane * bytes)).xor(x[lane]);
            }
            if DECRYPT {
                aes::decrypt::<V, N, ROUNDS>(keys, &mut x);
            } else {
                aes::encrypt::<V, N, ROUNDS>(keys, &mut x);
            }
            for lane in 0..N {
                x[lane].xor(masks[lane]).store(at.add(lane * bytes));
            }
            for lane in 0..step {
                masks[lane] = masks[N - step + lane].times_x8();
            }
            for lane in step..N {
                masks[lane] = masks[lane - step].times_x8();
            }
        }
        let rest = batches.into_remainder();
        if !rest.is_empty() {
            let mut next = [0; 64];
            masks[0].store(next.as_mut_ptr());
            let first = next.as_chunks::<16>().0[0];
            tail::<ROUNDS, DECRYPT>(keys, first, rest);
        }
    }
}

/// Sectors that fill no batch, block by block. BitLocker has none; the standard's vectors have.
///
/// # Safety
/// The processor has AES-NI.
#[inline(always)]
unsafe fn tail<const ROUNDS: usize, const DECRYPT: bool>(keys: &RoundKeys, first: [u8; 16], rest: &mut [u8]) {
    let mut mask = u128::from_le_bytes(first);
    for block in rest.as_chunks_mut::<16>().0 {
        let bytes = mask.to_le_bytes();
        // SAFETY: block and mask have 16 bytes; the caller vouches for the instructions.
        unsafe {
            let tweak = __m128i::load(bytes.as_ptr());
            let mut x = [__m128i::load(block.as_ptr()).xor(tweak)];
            if DECRYPT {
                aes::decrypt::<_, 1, ROUNDS>(keys, &mut x);
            } else {
                aes::encrypt::<_, 1, ROUNDS>(keys, &mut x);
            }
            x[0].xor(tweak).store(block.as_mut_ptr());
        }
        mask = times_x(mask);
    }
}
