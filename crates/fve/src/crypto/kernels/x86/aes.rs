//! AES over several registers at once, so that the rounds of one hide the latency of another.

use super::keys::RoundKeys;
use super::vector::Vector;

/// Encrypts `N` registers.
///
/// # Safety
/// As [`Vector`]: the processor has the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn encrypt<V: Vector, const N: usize, const ROUNDS: usize>(keys: &RoundKeys, x: &mut [V; N]) {
    // SAFETY: the caller vouches for the instructions; every key is 16 bytes.
    unsafe {
        let key = V::splat(keys[0].as_ptr());
        for lane in 0..N {
            x[lane] = x[lane].xor(key);
        }
        for key in &keys[1..ROUNDS] {
            let key = V::splat(key.as_ptr());
            for lane in 0..N {
                x[lane] = x[lane].enc(key);
            }
        }
        let key = V::splat(keys[ROUNDS].as_ptr());
        for lane in 0..N {
            x[lane] = x[lane].enc_last(key);
        }
    }
}

/// Decrypts `N` registers; `keys` are those of the equivalent inverse cipher.
///
/// # Safety
/// As [`encrypt`].
#[inline(always)]
pub(super) unsafe fn decrypt<V: Vector, const N: usize, const ROUNDS: usize>(keys: &RoundKeys, x: &mut [V; N]) {
    // SAFETY: the caller vouches for the instructions; every key is 16 bytes.
    unsafe {
        let key = V::splat(keys[0].as_ptr());
        for lane in 0..N {
            x[lane] = x[lane].xor(key);
        }
        for key in &keys[1..ROUNDS] {
            let key = V::splat(key.as_ptr());
            for lane in 0..N {
                x[lane] = x[lane].dec(key);
            }
        }
        let key = V::splat(keys[ROUNDS].as_ptr());
        for lane in 0..N {
            x[lane] = x[lane].dec_last(key);
        }
    }
}

/// Encrypts each block on its own: tweaks and initialisation vectors.
///
/// # Safety
/// As [`encrypt`].
#[inline(always)]
pub(super) unsafe fn encrypt_each<V: Vector, const ROUNDS: usize>(keys: &RoundKeys, blocks: &mut [[u8; 16]]) {
    const N: usize = 4;
    let whole = blocks.len() - blocks.len() % (N * V::BLOCKS);
    let (batches, rest) = blocks.split_at_mut(whole);
    for batch in batches.chunks_exact_mut(N * V::BLOCKS) {
        let at = batch.as_mut_ptr().cast::<u8>();
        // SAFETY: the batch has N * BLOCKS blocks of 16 bytes; the caller vouches for the instructions.
        unsafe {
            let mut x = [V::load(at); N];
            for lane in 1..N {
                x[lane] = V::load(at.add(lane * V::BLOCKS * 16));
            }
            encrypt::<V, N, ROUNDS>(keys, &mut x);
            for lane in 0..N {
                x[lane].store(at.add(lane * V::BLOCKS * 16));
            }
        }
    }
    for block in rest {
        // SAFETY: a block has 16 bytes; every kernel's processor has AES-NI.
        unsafe {
            let mut x = [<std::arch::x86_64::__m128i as Vector>::load(block.as_ptr())];
            encrypt::<_, 1, ROUNDS>(keys, &mut x);
            x[0].store(block.as_mut_ptr());
        }
    }
}
