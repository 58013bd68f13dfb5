//! One, two or four AES blocks in one register.
//!
//! The kernels are written once, over [`Vector`], and compiled three times. Everything here is `#[inline(always)]`, so that
//! it becomes part of an entry function that enables the instructions.

use std::arch::x86_64::*;

/// A register of AES blocks.
///
/// # Safety
/// Of every method: the processor must have the instructions of the type (`has_aes_ni` for `__m128i`, `has_vaes256` for
/// `__m256i`, `has_vaes512` for `__m512i`). Methods that take pointers read or write exactly the bytes they name, at any
/// alignment; these must be valid.
pub(super) trait Vector: Copy {
    /// Blocks in a register.
    const BLOCKS: usize;
    /// Reads `16 * BLOCKS` bytes.
    unsafe fn load(at: *const u8) -> Self;
    /// Writes `16 * BLOCKS` bytes.
    unsafe fn store(self, at: *mut u8);
    /// Reads 16 bytes at each of `at`, `at + stride`, …: as many as there are blocks.
    unsafe fn gather(at: *const u8, stride: usize) -> Self;
    /// Writes what `gather` reads.
    unsafe fn scatter(self, at: *mut u8, stride: usize);
    /// The 16 bytes at `at` in every block.
    unsafe fn splat(at: *const u8) -> Self;
    /// Exclusive or.
    unsafe fn xor(self, other: Self) -> Self;
    /// One round of encryption in every block.
    unsafe fn enc(self, key: Self) -> Self;
    /// The last round of encryption.
    unsafe fn enc_last(self, key: Self) -> Self;
    /// One round of the equivalent inverse cipher.
    unsafe fn dec(self, key: Self) -> Self;
    /// The last round of decryption.
    unsafe fn dec_last(self, key: Self) -> Self;
    /// Every block times x^8 in GF(2^128) of XTS.
    unsafe fn times_x8(self) -> Self;
    /// The 16 bytes at `at` times x^first, x^(first + 1), … for `first + BLOCKS <= 8`.
    unsafe fn powers(at: *const u8, first: i64) -> Self;
    /// The last block of `previous`, then all of `self` but its last block.
    unsafe fn after(self, previous: Self) -> Self;
}

/// x^128 = x^7 + x^2 + x + 1.
const POLYNOMIAL: i64 = 0x87;

impl Vector for __m128i {
    const BLOCKS: usize = 1;

    #[inline(always)]
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller vouches for 16 bytes; the instruction takes any alignment.
        unsafe { _mm_loadu_si128(at.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut u8) {
        // SAFETY: as in `load`.
        unsafe { _mm_storeu_si128(at.cast(), self) }
    }

    #[inline(always)]
    unsafe fn gather(at: *const u8, _: usize) -> Self {
        // SAFETY: the caller vouches for the first 16 bytes, and there is one block.
        unsafe { Self::load(at) }
    }

    #[inline(always)]
    unsafe fn scatter(self, at: *mut u8, _: usize) {
        // SAFETY: as in `gather`.
        unsafe { self.store(at) }
    }

    #[inline(always)]
    unsafe fn splat(at: *const u8) -> Self {
        // SAFETY: the caller vouches for 16 bytes.
        unsafe { Self::load(at) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_xor_si128(self, other) }
    }

    #[inline(always)]
    unsafe fn enc(self, key: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm_aesenc_si128(self, key) }
    }

    #[inline(always)]
    unsafe fn enc_last(self, key: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm_aesenclast_si128(self, key) }
    }

    #[inline(always)]
    unsafe fn dec(self, key: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm_aesdec_si128(self, key) }
    }

    #[inline(always)]
    unsafe fn dec_last(self, key: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm_aesdeclast_si128(self, key) }
    }

    #[inline(always)]
    unsafe fn times_x8(self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe {
            let carry = _mm_clmulepi64_si128::<0>(_mm_srli_si128::<15>(self), _mm_set_epi64x(0, POLYNOMIAL));
            _mm_xor_si128(_mm_slli_si128::<1>(self), carry)
        }
    }

    #[inline(always)]
    unsafe fn powers(at: *const u8, first: i64) -> Self {
        // SAFETY: the caller vouches for 16 bytes and the instructions.
        unsafe {
            let block = Self::load(at);
            let up = _mm_sll_epi64(block, _mm_set_epi64x(0, first));
            let over = _mm_srl_epi64(block, _mm_set_epi64x(0, 64 - first));
            let carry = _mm_clmulepi64_si128::<1>(over, _mm_set_epi64x(0, POLYNOMIAL));
            _mm_xor_si128(_mm_xor_si128(up, _mm_slli_si128::<8>(over)), carry)
        }
    }

    #[inline(always)]
    unsafe fn after(self, previous: Self) -> Self {
        previous
    }
}

impl Vector for __m256i {
    const BLOCKS: usize = 2;

    #[inline(always)]
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller vouches for 32 bytes and the instructions.
        unsafe { _mm256_loadu_si256(at.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut u8) {
        // SAFETY: as in `load`.
        unsafe { _mm256_storeu_si256(at.cast(), self) }
    }

    #[inline(always)]
    unsafe fn gather(at: *const u8, stride: usize) -> Self {
        // SAFETY: the caller vouches for 16 bytes in each of two places.
        unsafe { _mm256_loadu2_m128i(at.add(stride).cast(), at.cast()) }
    }

    #[inline(always)]
    unsafe fn scatter(self, at: *mut u8, stride: usize) {
        // SAFETY: as in `gather`.
        unsafe { _mm256_storeu2_m128i(at.add(stride).cast(), at.cast(), self) }
    }

    #[inline(always)]
    unsafe fn splat(at: *const u8) -> Self {
        // SAFETY: the caller vouches for 16 bytes and the instructions.
        unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(at.cast())) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm256_xor_si256(self, other) }
    }

    #[inline(always)]
    unsafe fn enc(self, key: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm256_aesenc_epi128(self, key) }
    }

    #[inline(always)]
    unsafe fn enc_last(self, key: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm256_aesenclast_epi128(self, key) }
    }

    #[inline(always)]
    unsafe fn dec(self, key: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm256_aesdec_epi128(self, key) }
    }

    #[inline(always)]
    unsafe fn dec_last(self, key: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm256_aesdeclast_epi128(self, key) }
    }

    #[inline(always)]
    unsafe fn times_x8(self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe {
            let carry = _mm256_clmulepi64_epi128::<0>(_mm256_bsrli_epi128::<15>(self), _mm256_set1_epi64x(POLYNOMIAL));
            _mm256_xor_si256(_mm256_bslli_epi128::<1>(self), carry)
        }
    }

    #[inline(always)]
    unsafe fn powers(at: *const u8, first: i64) -> Self {
        // SAFETY: the caller vouches for 16 bytes and the instructions.
        unsafe {
            let block = Self::splat(at);
            let by = _mm256_add_epi64(_mm256_set1_epi64x(first), _mm256_set_epi64x(1, 1, 0, 0));
            let up = _mm256_sllv_epi64(block, by);
            let over = _mm256_srlv_epi64(block, _mm256_sub_epi64(_mm256_set1_epi64x(64), by));
            let carry = _mm256_clmulepi64_epi128::<1>(over, _mm256_set1_epi64x(POLYNOMIAL));
            _mm256_xor_si256(_mm256_xor_si256(up, _mm256_bslli_epi128::<8>(over)), carry)
        }
    }

    #[inline(always)]
    unsafe fn after(self, previous: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm256_permute2x128_si256::<0x21>(previous, self) }
    }
}

impl Vector for __m512i {
    const BLOCKS: usize = 4;

    #[inline(always)]
    unsafe fn load(at: *const u8) -> Self {
        // SAFETY: the caller vouches for 64 bytes and the instructions.
        unsafe { _mm512_loadu_si512(at.cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut u8) {
        // SAFETY: as in `load`.
        unsafe { _mm512_storeu_si512(at.cast(), self) }
    }

    #[inline(always)]
    unsafe fn gather(at: *const u8, stride: usize) -> Self {
        // SAFETY: the caller vouches for 16 bytes in each of four places.
        unsafe {
            let low = __m256i::gather(at, stride);
            let high = __m256i::gather(at.add(2 * stride), stride);
            _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
        }
    }

    #[inline(always)]
    unsafe fn scatter(self, at: *mut u8, stride: usize) {
        // SAFETY: as in `gather`.
        unsafe {
            _mm512_castsi512_si256(self).scatter(at, stride);
            _mm512_extracti64x4_epi64::<1>(self).scatter(at.add(2 * stride), stride);
        }
    }

    #[inline(always)]
    unsafe fn splat(at: *const u8) -> Self {
        // SAFETY: the caller vouches for 16 bytes and the instructions.
        unsafe { _mm512_broadcast_i32x4(_mm_loadu_si128(at.cast())) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm512_xor_si512(self, other) }
    }

    #[inline(always)]
    unsafe fn enc(self, key: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm512_aesenc_epi128(self, key) }
    }

    #[inline(always)]
    unsafe fn enc_last(self, key: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm512_aesenclast_epi128(self, key) }
    }

    #[inline(always)]
    unsafe fn dec(self, key: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm512_aesdec_epi128(self, key) }
    }

    #[inline(always)]
    unsafe fn dec_last(self, key: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm512_aesdeclast_epi128(self, key) }
    }

    #[inline(always)]
    unsafe fn times_x8(self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe {
            let carry = _mm512_clmulepi64_epi128::<0>(_mm512_bsrli_epi128::<15>(self), _mm512_set1_epi64(POLYNOMIAL));
            _mm512_xor_si512(_mm512_bslli_epi128::<1>(self), carry)
        }
    }

    #[inline(always)]
    unsafe fn powers(at: *const u8, first: i64) -> Self {
        // SAFETY: the caller vouches for 16 bytes and the instructions.
        unsafe {
            let block = Self::splat(at);
            let by = _mm512_add_epi64(_mm512_set1_epi64(first), _mm512_set_epi64(3, 3, 2, 2, 1, 1, 0, 0));
            let up = _mm512_sllv_epi64(block, by);
            let over = _mm512_srlv_epi64(block, _mm512_sub_epi64(_mm512_set1_epi64(64), by));
            let carry = _mm512_clmulepi64_epi128::<1>(over, _mm512_set1_epi64(POLYNOMIAL));
            _mm512_xor_si512(_mm512_xor_si512(up, _mm512_bslli_epi128::<8>(over)), carry)
        }
    }

    #[inline(always)]
    unsafe fn after(self, previous: Self) -> Self {
        // SAFETY: the caller vouches for the instructions.
        unsafe { _mm512_alignr_epi64::<6>(self, previous) }
    }
}
