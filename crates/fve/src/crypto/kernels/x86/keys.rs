//! The AES key schedule, expanded by the processor: no table that a cache could tell about.

use std::arch::x86_64::*;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Round keys for both directions; wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
#[repr(C, align(64))]
pub(super) struct Schedule {
    pub(super) encrypt: RoundKeys,
    pub(super) decrypt: RoundKeys,
    /// 10 or 14.
    pub(super) rounds: usize,
}

/// Keys in the order in which a direction uses them.
pub(super) type RoundKeys = [[u8; 16]; 15];

/// The round constants: powers of x in the field of AES.
const CONSTANTS: [i32; 10] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1B, 0x36];

impl Schedule {
    /// From 16 or 32 key bytes; `None` for any other number.
    ///
    /// # Safety
    /// The processor has AES-NI (`has_aes_ni`).
    #[target_feature(enable = "aes")]
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        let mut schedule = Self {
            encrypt: [[0; 16]; 15],
            decrypt: [[0; 16]; 15],
            rounds: match key.len() {
                16 => 10,
                32 => 14,
                _ => return None,
            },
        };
        for (place, half) in schedule.encrypt.iter_mut().zip(key.as_chunks::<16>().0) {
            *place = *half;
        }
        let words = key.len() / 16;
        for index in words..=schedule.rounds {
            let last = load(&schedule.encrypt[index - 1]);
            let turned = match (words, index) {
                (1, _) => rotated(last, CONSTANTS[index - 1]),
                (_, even) if even % 2 == 0 => rotated(last, CONSTANTS[index / 2 - 1]),
                _ => _mm_shuffle_epi32::<0xAA>(_mm_aeskeygenassist_si128::<0>(last)),
            };
            schedule.encrypt[index] = bytes(_mm_xor_si128(spread(load(&schedule.encrypt[index - words])), turned));
        }
        for index in 0..=schedule.rounds {
            let key = load(&schedule.encrypt[schedule.rounds - index]);
            let inner = index != 0 && index != schedule.rounds;
            schedule.decrypt[index] = bytes(if inner { _mm_aesimc_si128(key) } else { key });
        }
        Some(schedule)
    }
}

/// Word 3 of `key`: rotated, substituted, with the round constant, in all four places.
#[target_feature(enable = "aes")]
fn rotated(key: __m128i, constant: i32) -> __m128i {
    let word = _mm_shuffle_epi32::<0xFF>(_mm_aeskeygenassist_si128::<0>(key));
    _mm_xor_si128(word, _mm_set1_epi32(constant))
}

/// Each word exclusive-ored with all words before it.
#[target_feature(enable = "sse2")]
fn spread(key: __m128i) -> __m128i {
    let key = _mm_xor_si128(key, _mm_slli_si128::<4>(key));
    _mm_xor_si128(key, _mm_slli_si128::<8>(key))
}

fn load(key: &[u8; 16]) -> __m128i {
    // SAFETY: both types are 16 bytes of which every pattern is a value.
    unsafe { std::mem::transmute(*key) }
}

fn bytes(key: __m128i) -> [u8; 16] {
    // SAFETY: both types are 16 bytes of which every pattern is a value.
    unsafe { std::mem::transmute(key) }
}
