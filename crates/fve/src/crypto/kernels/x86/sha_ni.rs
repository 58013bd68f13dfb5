//! Stretching by the SHA instructions: the whole loop stays in registers, one lane or two interleaved.

use std::arch::asm;
use std::arch::x86_64::*;

use super::has_sha_ni;
use crate::crypto::kernels::sha::{INITIAL, K, LENGTH_BITS, PADDING};
use crate::crypto::stretch::{Job, Words};

/// Stretches every job; `None` when the processor does not have the instructions.
pub(crate) fn stretch_sha_ni(jobs: &[Job], rounds: u32) -> Option<Vec<Words>> {
    if !has_sha_ni() {
        return None;
    }
    let mut all = Vec::with_capacity(jobs.len());
    let (pairs, rest) = jobs.as_chunks::<2>();
    for pair in pairs {
        // SAFETY: the processor has the instructions.
        all.extend(unsafe { two(pair, rounds) });
    }
    for one_left in rest {
        // SAFETY: the processor has the instructions.
        all.extend(unsafe { one(std::array::from_ref(one_left), rounds) });
    }
    Some(all)
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
fn one(jobs: &[Job; 1], rounds: u32) -> [Words; 1] {
    // SAFETY: this function runs only where the features are.
    unsafe { lanes(jobs, rounds) }
}

#[target_feature(enable = "sha,sse4.1,ssse3")]
fn two(jobs: &[Job; 2], rounds: u32) -> [Words; 2] {
    // SAFETY: this function runs only where the features are.
    unsafe { lanes(jobs, rounds) }
}

/// One vector of four words for each lane.
type Lanes<const N: usize> = [__m128i; N];

/// Runs `N` lanes.
///
/// # Safety
/// The processor has SHA and SSE4.1.
#[inline(always)]
unsafe fn lanes<const N: usize>(jobs: &[Job; N], rounds: u32) -> [Words; N] {
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        let zero = _mm_setzero_si128();
        let (mut first, mut salt) = ([[zero; 2]; N], [zero; N]);
        for lane in 0..N {
            let words = jobs[lane].first_words();
            let halves = words.as_chunks::<4>().0;
            first[lane] = [load(&halves[0]), load(&halves[1])];
            salt[lane] = load(&jobs[lane].salt_words());
        }
        let [a, b, c, d, e, f, g, h] = INITIAL;
        let (start0, start1) = (load(&[f, e, b, a]), load(&[h, g, d, c]));
        let last_words = load(&[0, 0, 0, LENGTH_BITS]);
        let (mut low, mut high) = ([zero; N], [zero; N]);
        for round in 0..rounds {
            let mut state = ([start0; N], [start1; N]);
            let mut message = [[zero; N]; 4];
            for lane in 0..N {
                message[0][lane] = low[lane];
                message[1][lane] = high[lane];
                message[2][lane] = first[lane][0];
                message[3][lane] = first[lane][1];
            }
            compress(&mut state, &mut message);
            message[0] = salt;
            message[1] = [counter(round); N];
            message[2] = [zero; N];
            message[3] = [last_words; N];
            compress(&mut state, &mut message);
            for lane in 0..N {
                let abef = _mm_shuffle_epi32::<0x1B>(state.0[lane]);
                let cdgh = _mm_shuffle_epi32::<0x1B>(state.1[lane]);
                low[lane] = _mm_unpacklo_epi64(abef, cdgh);
                high[lane] = _mm_unpackhi_epi64(abef, cdgh);
            }
        }
        let mut out: [Words; N] = std::array::from_fn(|_| Words::default());
        for lane in 0..N {
            _mm_storeu_si128(out[lane].as_mut_ptr().cast(), low[lane]);
            _mm_storeu_si128(out[lane].as_mut_ptr().add(4).cast(), high[lane]);
        }
        out
    }
}

/// The second block behind the salt: a little-endian counter below 2^32, and the padding. Made in a register: put together in
/// memory, it would not be there in time.
#[inline(always)]
fn counter(round: u32) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_set_epi32(0, PADDING.cast_signed(), 0, round.swap_bytes().cast_signed()) }
}

#[inline(always)]
fn load(words: &[u32; 4]) -> __m128i {
    // SAFETY: 16 bytes are read from 16 bytes; SSE2 is part of x86-64.
    unsafe { _mm_loadu_si128(words.as_ptr().cast()) }
}

/// Compresses a block in each lane.
///
/// # Safety
/// As [`lanes`].
#[inline(always)]
unsafe fn compress<const N: usize>(state: &mut (Lanes<N>, Lanes<N>), message: &mut [Lanes<N>; 4]) {
    let before = *state;
    // SAFETY: the caller vouches for the instructions.
    unsafe {
        // Written out: a loop over the groups would put the lanes into memory.
        four_rounds::<0, N>(state, message);
        four_rounds::<1, N>(state, message);
        four_rounds::<2, N>(state, message);
        four_rounds::<3, N>(state, message);
        four_rounds::<4, N>(state, message);
        four_rounds::<5, N>(state, message);
        four_rounds::<6, N>(state, message);
        four_rounds::<7, N>(state, message);
        four_rounds::<8, N>(state, message);
        four_rounds::<9, N>(state, message);
        four_rounds::<10, N>(state, message);
        four_rounds::<11, N>(state, message);
        four_rounds::<12, N>(state, message);
        four_rounds::<13, N>(state, message);
        four_rounds::<14, N>(state, message);
        four_rounds::<15, N>(state, message);
        for lane in 0..N {
            state.0[lane] = _mm_add_epi32(state.0[lane], before.0[lane]);
            state.1[lane] = _mm_add_epi32(state.1[lane], before.1[lane]);
        }
    }
}

/// Rounds `4 * G` to `4 * G + 3`, and the message words that are needed sixteen rounds later.
///
/// # Safety
/// As [`lanes`].
#[inline(always)]
unsafe fn four_rounds<const G: usize, const N: usize>(state: &mut (Lanes<N>, Lanes<N>), message: &mut [Lanes<N>; 4]) {
    // SAFETY: four constants are read of the 64; the caller vouches for the instructions.
    unsafe {
        let constants = _mm_loadu_si128(K.as_ptr().add(4 * G).cast());
        let mut words = [constants; N];
        for lane in 0..N {
            words[lane] = _mm_add_epi32(message[G % 4][lane], constants);
        }
        for lane in 0..N {
            state.1[lane] = _mm_sha256rnds2_epu32(state.1[lane], state.0[lane], words[lane]);
        }
        for lane in 0..N {
            let upper = _mm_shuffle_epi32::<0x0E>(words[lane]);
            state.0[lane] = _mm_sha256rnds2_epu32(state.0[lane], state.1[lane], upper);
        }
        if G < 12 {
            for lane in 0..N {
                let seventh = _mm_alignr_epi8::<4>(message[(G + 3) % 4][lane], message[(G + 2) % 4][lane]);
                let sum = _mm_sha256msg1_epu32(message[G % 4][lane], message[(G + 1) % 4][lane]);
                message[G % 4][lane] = _mm_sha256msg2_epu32(_mm_add_epi32(sum, seventh), message[(G + 3) % 4][lane]);
                // No instruction: it keeps the compiler from expanding the whole message before the first round, where
                // nothing would overlap.
                asm!("/* {0} {1} */", inout(xmm_reg) state.0[lane], inout(xmm_reg) message[G % 4][lane],
                    options(pure, nomem, nostack, preserves_flags));
            }
        }
    }
}
