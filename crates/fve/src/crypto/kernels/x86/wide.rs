//! Registers of 32-bit words, one word for each lane: eight with AVX2.
//!
//! As in [`super::vector`], all is `#[inline(always)]` and becomes part of an entry function that enables the instructions.
//! Rotations are written as shifts; the compiler makes one instruction of them where there is one.

use std::arch::asm;
use std::arch::x86_64::*;

/// A register of words.
///
/// # Safety
/// Of every method: the processor has the instructions of the type, AVX2 for `__m256i`. `load` and `store` touch a word for each lane, at
/// any alignment; these must be valid.
pub(super) trait Wide: Copy {
    /// Reads a word for each lane.
    unsafe fn load(at: *const u32) -> Self;
    /// The same in pieces of four words: as fast as `load` where the words were written in such pieces just before.
    unsafe fn load_fours(at: *const u32) -> Self;
    /// Writes a word for each lane.
    unsafe fn store(self, at: *mut u32);
    /// The same word in every lane.
    unsafe fn splat(word: u32) -> Self;
    /// Sum.
    unsafe fn add(self, other: Self) -> Self;
    /// Exclusive or.
    unsafe fn xor(self, other: Self) -> Self;
    /// Rotated right by `RIGHT`; `LEFT` is 32 less that.
    unsafe fn rotate<const RIGHT: i32, const LEFT: i32>(self) -> Self;
    /// Shifted right by 3.
    unsafe fn shift_3(self) -> Self;
    /// Shifted right by 10.
    unsafe fn shift_10(self) -> Self;
    /// In each four lanes: the words of the first two, this before `other`.
    unsafe fn pairs_low(self, other: Self) -> Self;
    /// In each four lanes: the words of the last two, this before `other`.
    unsafe fn pairs_high(self, other: Self) -> Self;
}

/// The smaller sigma 0 of FIPS 180-4.
///
/// # Safety
/// As [`Wide`].
#[inline(always)]
pub(super) unsafe fn sigma_0<V: Wide>(x: V) -> V {
    // SAFETY: the caller vouches for the instructions.
    unsafe { x.rotate::<7, 25>().xor(x.rotate::<18, 14>()).xor(x.shift_3()) }
}

/// The smaller sigma 1 of FIPS 180-4.
///
/// # Safety
/// As [`Wide`].
#[inline(always)]
pub(super) unsafe fn sigma_1<V: Wide>(x: V) -> V {
    // SAFETY: the caller vouches for the instructions.
    unsafe { x.rotate::<17, 15>().xor(x.rotate::<19, 13>()).xor(x.shift_10()) }
}

macro_rules! wide {
    ($vector:ty, $load:ident, $load_fours:ident, $store:ident, $set1:ident, $add:ident, $xor:ident, $or:ident,
     $left:ident, $right:ident, $low:ident, $high:ident) => {
        impl Wide for $vector {
            #[inline(always)]
            unsafe fn load(at: *const u32) -> Self {
                // SAFETY: the caller vouches for the words and the instructions.
                unsafe { $load(at.cast()) }
            }

            #[inline(always)]
            unsafe fn load_fours(at: *const u32) -> Self {
                // SAFETY: the caller vouches for the words and the instructions.
                unsafe { $load_fours(at) }
            }

            #[inline(always)]
            unsafe fn store(self, at: *mut u32) {
                // SAFETY: the caller vouches for the words and the instructions.
                unsafe { $store(at.cast(), self) }
            }

            #[inline(always)]
            unsafe fn splat(word: u32) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { $set1(word.cast_signed()) }
            }

            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { $add(self, other) }
            }

            #[inline(always)]
            unsafe fn xor(self, other: Self) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { $xor(self, other) }
            }

            #[inline(always)]
            unsafe fn rotate<const RIGHT: i32, const LEFT: i32>(self) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { $or($right(self, count(RIGHT)), $left(self, count(LEFT))) }
            }

            #[inline(always)]
            unsafe fn shift_3(self) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { $right(self, count(3)) }
            }

            #[inline(always)]
            unsafe fn shift_10(self) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { $right(self, count(10)) }
            }

            #[inline(always)]
            unsafe fn pairs_low(self, other: Self) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { $low(self, other) }
            }

            #[inline(always)]
            unsafe fn pairs_high(self, other: Self) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { $high(self, other) }
            }
        }
    };
}

/// # Safety
/// Eight words at `at`; the processor has AVX2.
#[inline(always)]
unsafe fn load_2_fours(at: *const u32) -> __m256i {
    // SAFETY: the caller vouches for both.
    unsafe { _mm256_loadu2_m128i(at.add(4).cast(), at.cast()) }
}

/// Exclusive or, by that very instruction. Left to itself the compiler makes one three-way instruction of two of these, and
/// that one competes with the rounds of SHA-256 for their place in the processor (measured on Zen 4).
///
/// # Safety
/// The processor has AVX2.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn exclusive_or(one: __m256i, other: __m256i) -> __m256i {
    let result;
    // SAFETY: registers in, register out.
    unsafe {
        asm!("vpxor {0}, {1}, {2}", lateout(ymm_reg) result, in(ymm_reg) one, in(ymm_reg) other,
            options(pure, nomem, nostack, preserves_flags));
    }
    result
}

/// A count for the shifts; it is constant, so that the compiler takes the forms with the count in the instruction.
#[inline(always)]
fn count(bits: i32) -> __m128i {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_cvtsi32_si128(bits) }
}

wide!(
    __m256i,
    _mm256_loadu_si256,
    load_2_fours,
    _mm256_storeu_si256,
    _mm256_set1_epi32,
    _mm256_add_epi32,
    exclusive_or,
    _mm256_or_si256,
    _mm256_sll_epi32,
    _mm256_srl_epi32,
    _mm256_unpacklo_epi32,
    _mm256_unpackhi_epi32
);
