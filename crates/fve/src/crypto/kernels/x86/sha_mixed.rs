//! Stretching eight or sixteen lanes: the SHA instructions do the rounds, four lanes interleaved, and vector instructions
//! expand the messages of eight lanes meanwhile.
//!
//! Rounds and vector arithmetic use different parts of the processor, and the instructions that expand messages one lane at a
//! time (`sha256msg1`, `sha256msg2`) are slow; so together this is the fastest way. What the second block of a hash needs does
//! not depend on the first (salt, counter and padding): it is expanded one hash ahead. Sixteen lanes are two times eight that
//! take turns: while the rounds of one run, the messages of the other are expanded.

use std::arch::x86_64::*;
use std::sync::atomic::{Ordering, compiler_fence};

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::wide::{Wide, sigma_0, sigma_1};
use super::{has_avx2, has_avx512, has_sha_ni};
use crate::crypto::kernels::sha::{INITIAL, K, LENGTH_BITS, PADDING, small_sigma_0, small_sigma_1};
use crate::crypto::stretch::{Job, Words};

/// Lanes of a vector.
const L: usize = 8;
/// Lanes whose rounds are interleaved: one instruction starts each cycle, and a lane's next one waits four.
const GROUP: usize = 4;
/// Units of vector work for one hash of all lanes: see [`unit`].
const UNITS: usize = 51;
/// The first unit for the second block.
const SECOND: usize = 28;

/// Stretches up to eight jobs side by side; `None` when the processor does not have the instructions, or there are more.
pub(crate) fn stretch_mixed_8(jobs: &[Job], rounds: u32) -> Option<Vec<Words>> {
    if !has_sha_ni() || !has_avx2() {
        return None;
    }
    let mut memory = Memory::new(jobs)?;
    // SAFETY: the processor has the instructions.
    unsafe {
        if has_avx512() {
            eight_avx512(&mut memory, rounds);
        } else {
            eight_avx2(&mut memory, rounds);
        }
    }
    Some(memory.results(jobs.len()))
}

/// Stretches up to sixteen jobs side by side; `None` when the processor does not have the instructions, or there are more.
pub(crate) fn stretch_mixed_16(jobs: &[Job], rounds: u32) -> Option<Vec<Words>> {
    if jobs.len() <= L {
        return stretch_mixed_8(jobs, rounds);
    }
    if !has_sha_ni() || !has_avx2() {
        return None;
    }
    let (one, other) = jobs.split_at(L);
    let mut memories = [Memory::new(one)?, Memory::new(other)?];
    // SAFETY: the processor has the instructions.
    unsafe {
        if has_avx512() {
            sixteen_avx512(&mut memories, rounds);
        } else {
            sixteen_avx2(&mut memories, rounds);
        }
    }
    let mut results = memories[0].results(L);
    results.extend(memories[1].results(other.len()));
    Some(results)
}

#[target_feature(enable = "sha,sse4.1,ssse3,avx2")]
fn eight_avx2(memory: &mut Memory, rounds: u32) {
    // SAFETY: this function runs only where the features are.
    unsafe { run_eight::<__m256i>(memory, rounds) }
}

#[target_feature(enable = "sha,sse4.1,ssse3,avx2,avx512f,avx512bw,avx512vl")]
fn eight_avx512(memory: &mut Memory, rounds: u32) {
    // SAFETY: this function runs only where the features are.
    unsafe { run_eight::<__m256i>(memory, rounds) }
}

#[target_feature(enable = "sha,sse4.1,ssse3,avx2")]
fn sixteen_avx2(memories: &mut [Memory; 2], rounds: u32) {
    // SAFETY: this function runs only where the features are.
    unsafe { run_sixteen::<__m256i>(memories, rounds) }
}

#[target_feature(enable = "sha,sse4.1,ssse3,avx2,avx512f,avx512bw,avx512vl")]
fn sixteen_avx512(memories: &mut [Memory; 2], rounds: u32) {
    // SAFETY: this function runs only where the features are.
    unsafe { run_sixteen::<__m256i>(memories, rounds) }
}

/// A word for each lane.
type Row = [u32; L];
/// What the rounds take two at a time: words with the constants of their rounds added, in the order of `pairs_low` and
/// `pairs_high`.
type Pairs = [[[u32; 2]; L]; 32];

/// All that lies in memory; wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
#[repr(C, align(64))]
struct Memory {
    /// The message of the first block; its first eight rows are the last hash.
    first: [Row; 64],
    first_pairs: Pairs,
    /// The message of the second block, for the next hash.
    second: [Row; 64],
    /// For this hash and the next, which change places.
    second_pairs: [Pairs; 2],
    /// What is constant in the sums that give words 18 to 33 of the second block.
    constant: [Row; 34],
}

impl Memory {
    /// `None` when there is no job, or more than lanes.
    fn new(jobs: &[Job]) -> Option<Self> {
        if jobs.len() > L {
            return None;
        }
        let mut memory = Self {
            first: [[0; L]; 64],
            first_pairs: [[[0; 2]; L]; 32],
            second: [[0; L]; 64],
            second_pairs: [[[[0; 2]; L]; 32]; 2],
            constant: [[0; L]; 34],
        };
        // Lanes that nobody asked for run along with the first job.
        for lane in 0..L {
            let job = jobs.get(lane).or(jobs.first())?;
            memory.first_block(lane, &job.first_words());
            memory.second_block(lane, job.salt_words());
        }
        Some(memory)
    }

    fn first_block(&mut self, lane: usize, first: &[u32; 8]) {
        for (index, word) in (8..).zip(first) {
            self.first[index][lane] = *word;
            self.first_pairs[index / 2][place(lane)][index % 2] = word.wrapping_add(K[index]);
        }
    }

    fn second_block(&mut self, lane: usize, salt: [u32; 4]) {
        let mut w = [0_u32; 34];
        w[..4].copy_from_slice(&salt);
        w[6] = PADDING;
        w[15] = LENGTH_BITS;
        w[16] = sum([w[0], small_sigma_0(w[1])]);
        w[17] = sum([w[1], small_sigma_0(w[2]), small_sigma_1(w[15])]);
        w[18] = sum([w[2], small_sigma_0(w[3]), small_sigma_1(w[16])]);
        // Words 4 and from 19 on depend on the counter; here is what does not.
        w[19] = sum([w[3], small_sigma_1(w[17])]);
        w[20] = small_sigma_1(w[18]);
        w[21] = small_sigma_0(w[6]);
        w[22] = sum([w[6], w[15]]);
        w[23] = w[16];
        w[24] = w[17];
        w[25] = w[18];
        w[30] = small_sigma_0(w[15]);
        w[31] = sum([w[15], small_sigma_0(w[16])]);
        w[32] = sum([w[16], small_sigma_0(w[17])]);
        w[33] = sum([w[17], small_sigma_0(w[18])]);
        for (index, word) in w.iter().enumerate() {
            self.constant[index][lane] = *word;
        }
        for index in 0..19 {
            self.second[index][lane] = w[index];
            for pairs in &mut self.second_pairs {
                pairs[index / 2][place(lane)][index % 2] = w[index].wrapping_add(K[index]);
            }
        }
    }

    fn results(&self, count: usize) -> Vec<Words> {
        let of = |lane: usize| {
            let mut words = Words::default();
            for (word, row) in words.iter_mut().zip(&self.first) {
                *word = row[lane];
            }
            words
        };
        (0..count).map(of).collect()
    }
}

/// Where `pairs_low`, then `pairs_high`, put a lane.
const fn place(lane: usize) -> usize {
    let (four, within) = (lane / 4, lane % 4);
    (within / 2) * (L / 2) + 2 * four + within % 2
}

fn sum<const N: usize>(words: [u32; N]) -> u32 {
    words.into_iter().fold(0, u32::wrapping_add)
}

/// The state of four lanes: A, B, E, F and C, D, G, H.
type State = ([__m128i; GROUP], [__m128i; GROUP]);

/// The last two words of a message that is being expanded.
type Last<V> = [V; 2];

/// A hash whose messages are expanded: which of the second pairs it takes, and its counter.
#[derive(Clone, Copy)]
struct Hash {
    turn: usize,
    counter: u32,
}

impl Hash {
    fn new(counter: u32) -> Self {
        Self {
            turn: (counter & 1) as usize,
            counter,
        }
    }
}

/// Runs eight lanes: most of the first block is expanded between the rounds of the first four, just ahead of them.
///
/// # Safety
/// The processor has SHA, SSE4.1 and the instructions of `V`, which has `L` lanes.
#[inline(always)]
unsafe fn run_eight<V: Wide>(memory: &mut Memory, rounds: u32) {
    let memory: *mut Memory = memory;
    // SAFETY: the caller vouches for the instructions; the memory is borrowed for as long as the pointer is used.
    unsafe {
        let mut last = [V::splat(0); 2];
        for index in SECOND..UNITS {
            unit(memory, Hash::new(0), index, &mut last);
        }
        for round in 0..rounds {
            let (this, next) = (Hash::new(round), Hash::new(round.wrapping_add(1)));
            for index in 0..4 {
                unit(memory, next, index, &mut last);
            }
            hash::<V, false>(memory, memory, this, next, &mut last);
        }
    }
}

/// Runs two times eight lanes.
///
/// # Safety
/// As [`run_eight`].
#[inline(always)]
unsafe fn run_sixteen<V: Wide>(memories: &mut [Memory; 2], rounds: u32) {
    let [one, other] = memories;
    let (one, other): (*mut Memory, *mut Memory) = (one, other);
    // SAFETY: the caller vouches for the instructions; the memories are borrowed for as long as the pointers are used.
    unsafe {
        let mut last = [V::splat(0); 2];
        for index in 0..UNITS {
            unit(one, Hash::new(0), index, &mut last);
        }
        for index in SECOND..UNITS {
            unit(other, Hash::new(0), index, &mut last);
        }
        for round in 0..rounds {
            let (this, next) = (Hash::new(round), Hash::new(round.wrapping_add(1)));
            // The same code for both: two copies of it would not fit where the processor keeps decoded instructions.
            for (rounds, work) in [(one, other), (other, one)] {
                hash::<V, true>(rounds, work, this, next, &mut last);
            }
        }
    }
}

/// One hash of the eight lanes of `rounds`, and between its rounds the vector work on `work`: the units of a hash, evenly
/// spread if `AHEAD`, otherwise (then it is the same memory) those from the fourth on, each just before it is needed.
///
/// # Safety
/// As [`run_eight`]; both pointers are valid.
#[inline(always)]
unsafe fn hash<V: Wide, const AHEAD: bool>(
    rounds: *mut Memory,
    work: *mut Memory,
    this: Hash,
    next: Hash,
    last: &mut Last<V>,
) {
    let [a, b, c, d, e, f, g, h] = INITIAL;
    // SAFETY: the caller vouches for the instructions and the pointers.
    unsafe {
        let start = (
            [_mm_set_epi32(a.cast_signed(), b.cast_signed(), e.cast_signed(), f.cast_signed()); GROUP],
            [_mm_set_epi32(c.cast_signed(), d.cast_signed(), g.cast_signed(), h.cast_signed()); GROUP],
        );
        half::<V, AHEAD, 0, 0, 1>(rounds, work, &start, this, next, last);
        half::<V, AHEAD, 1, 2, 3>(rounds, work, &start, this, next, last);
    }
}

/// Both blocks of four lanes; their numbers are `ONE` and `TWO`.
///
/// # Safety
/// As [`hash`]; `AT` is below `L / GROUP`.
#[inline(always)]
unsafe fn half<V: Wide, const AHEAD: bool, const AT: usize, const ONE: usize, const TWO: usize>(
    rounds: *mut Memory,
    work: *mut Memory,
    start: &State,
    this: Hash,
    next: Hash,
    last: &mut Last<V>,
) {
    // SAFETY: the caller vouches for the instructions and the pointers.
    unsafe {
        let mut state = *start;
        let first: *const Pairs = &raw const (*rounds).first_pairs;
        block::<V, AHEAD, AT, ONE>(&mut state, first, work, next, last);
        add(&mut state, start);
        let between = state;
        let second: *const Pairs = &raw const (*rounds).second_pairs[this.turn];
        block::<V, AHEAD, AT, TWO>(&mut state, second, work, next, last);
        add(&mut state, &between);
        store_state(rounds, AT, &state);
    }
}

/// Sixty-four rounds of four lanes, and the vector work that belongs to the block with this number.
///
/// # Safety
/// As [`half`].
#[inline(always)]
unsafe fn block<V: Wide, const AHEAD: bool, const AT: usize, const NUMBER: usize>(
    state: &mut State,
    pairs: *const Pairs,
    work: *mut Memory,
    next: Hash,
    last: &mut Last<V>,
) {
    // SAFETY: the caller vouches for the instructions and the pointers.
    unsafe {
        eighth::<V, AHEAD, AT, NUMBER, 0>(state, pairs, work, next, last);
        eighth::<V, AHEAD, AT, NUMBER, 1>(state, pairs, work, next, last);
        eighth::<V, AHEAD, AT, NUMBER, 2>(state, pairs, work, next, last);
        eighth::<V, AHEAD, AT, NUMBER, 3>(state, pairs, work, next, last);
        eighth::<V, AHEAD, AT, NUMBER, 4>(state, pairs, work, next, last);
        eighth::<V, AHEAD, AT, NUMBER, 5>(state, pairs, work, next, last);
        eighth::<V, AHEAD, AT, NUMBER, 6>(state, pairs, work, next, last);
        eighth::<V, AHEAD, AT, NUMBER, 7>(state, pairs, work, next, last);
    }
}

/// Eight rounds of four lanes, and the vector work that goes with them.
///
/// # Safety
/// As [`half`].
#[inline(always)]
unsafe fn eighth<V: Wide, const AHEAD: bool, const AT: usize, const NUMBER: usize, const PART: usize>(
    state: &mut State,
    pairs: *const Pairs,
    work: *mut Memory,
    next: Hash,
    last: &mut Last<V>,
) {
    // SAFETY: the caller vouches for the instructions and the pointers.
    unsafe {
        two_rounds::<V, AHEAD, AT, NUMBER, PART, 0>(state, pairs, work, next, last);
        two_rounds::<V, AHEAD, AT, NUMBER, PART, 1>(state, pairs, work, next, last);
        two_rounds::<V, AHEAD, AT, NUMBER, PART, 2>(state, pairs, work, next, last);
        two_rounds::<V, AHEAD, AT, NUMBER, PART, 3>(state, pairs, work, next, last);
    }
}

/// Two rounds of four lanes, and the vector work that goes before them. Everything is known to the compiler: no branch is left.
///
/// # Safety
/// As [`half`].
#[inline(always)]
unsafe fn two_rounds<
    V: Wide,
    const AHEAD: bool,
    const AT: usize,
    const NUMBER: usize,
    const PART: usize,
    const STEP: usize,
>(
    state: &mut State,
    pairs: *const Pairs,
    work: *mut Memory,
    next: Hash,
    last: &mut Last<V>,
) {
    // SAFETY: the caller vouches for the instructions and the pointers.
    unsafe {
        let index = const {
            match (AHEAD, NUMBER, STEP) {
                (true, _, 0 | 2) => 2 * (8 * NUMBER + PART) + STEP / 2,
                (true, ..) => UNITS,
                (false, 0, _) if PART < 6 => 4 + 4 * PART + STEP,
                (false, 1.., 0) => SECOND + 8 * (NUMBER - 1) + PART,
                _ => UNITS,
            }
        };
        if index < UNITS {
            unit(work, next, index, last);
        }
        let pairs: *const [u32; 2] = (&raw const (*pairs)[4 * PART + STEP]).cast();
        for lane in 0..GROUP {
            let words = _mm_loadl_epi64(pairs.add(place(GROUP * AT + lane)).cast());
            if STEP.is_multiple_of(2) {
                state.1[lane] = _mm_sha256rnds2_epu32(state.1[lane], state.0[lane], words);
            } else {
                state.0[lane] = _mm_sha256rnds2_epu32(state.0[lane], state.1[lane], words);
            }
        }
        // Keeps the compiler from moving rounds and vector work apart.
        compiler_fence(Ordering::SeqCst);
    }
}

/// One unit of vector work, two words of a message: 0 to 3 the last hash, which the first block begins with; 4 to 27 the words
/// expanded from it; then words 18 to 33 and 34 to 63 of the second block of the hash `next`.
///
/// # Safety
/// As [`hash`].
#[inline(always)]
unsafe fn unit<V: Wide>(memory: *mut Memory, next: Hash, index: usize, last: &mut Last<V>) {
    // SAFETY: the caller vouches for the instructions; nobody else uses what is borrowed here until it is done.
    unsafe {
        let memory = &mut *memory;
        match index {
            0..4 => {
                for half in 0..2 {
                    let row = &mut memory.first[2 * index + half];
                    last[half] = V::load_fours(row.as_ptr());
                    last[half].store(row.as_mut_ptr());
                }
                let keyed = [
                    last[0].add(V::splat(K[2 * index])),
                    last[1].add(V::splat(K[2 * index + 1])),
                ];
                store_pairs(&mut memory.first_pairs[index], keyed);
            }
            4..SECOND => {
                if index == 4 {
                    *last = [V::load(memory.first[14].as_ptr()), V::load(memory.first[15].as_ptr())];
                }
                let pair = index + 4;
                expand(&mut memory.first, &mut memory.first_pairs[pair], pair, last);
            }
            SECOND..36 => early(memory, next, index - SECOND, last),
            _ => {
                let pair = index - 19;
                expand(
                    &mut memory.second,
                    &mut memory.second_pairs[next.turn][pair],
                    pair,
                    last,
                );
            }
        }
    }
}

/// Words `2 * pair` and `2 * pair + 1` of a message, from sixteen words before on; `last` holds the two before.
///
/// # Safety
/// As [`run_eight`].
#[inline(always)]
unsafe fn expand<V: Wide>(rows: &mut [Row; 64], pairs: &mut [[u32; 2]; L], pair: usize, last: &mut Last<V>) {
    // SAFETY: the caller vouches for the instructions; rows have a word for each lane.
    unsafe {
        let mut keyed = *last;
        for half in 0..2 {
            let index = 2 * pair + half;
            let known = V::load(rows[index - 16].as_ptr())
                .add(sigma_0(V::load(rows[index - 15].as_ptr())))
                .add(V::load(rows[index - 7].as_ptr()));
            last[half] = known.add(sigma_1(last[half]));
            last[half].store(rows[index].as_mut_ptr());
            keyed[half] = last[half].add(V::splat(K[index]));
        }
        store_pairs(pairs, keyed);
    }
}

/// Words 18 to 33 of the second block, two at a time: most of what they sum is constant, or zero.
///
/// # Safety
/// As [`run_eight`].
#[inline(always)]
unsafe fn early<V: Wide>(memory: &mut Memory, next: Hash, part: usize, last: &mut Last<V>) {
    let counter = next.counter.swap_bytes();
    // SAFETY: the caller vouches for the instructions; rows have a word for each lane.
    unsafe {
        let mut keyed = *last;
        for half in 0..2 {
            let index = 18 + 2 * part + half;
            let constant = V::load(memory.constant[index].as_ptr());
            let before = if index >= 26 {
                V::load(memory.second[index - 7].as_ptr())
            } else {
                constant
            };
            last[half] = match index {
                18 => constant,
                19 => constant.add(V::splat(small_sigma_0(counter))),
                20 => constant.add(V::splat(counter)),
                21..=25 => constant.add(sigma_1(last[half])),
                26..=29 => before.add(sigma_1(last[half])),
                _ => constant.add(before).add(sigma_1(last[half])),
            };
            last[half].store(memory.second[index].as_mut_ptr());
            keyed[half] = last[half].add(V::splat(K[index]));
        }
        store_pairs(&mut memory.second_pairs[next.turn][9 + part], keyed);
        if part == 0 {
            let words = [V::splat(counter.wrapping_add(K[4])), V::splat(K[5])];
            store_pairs(&mut memory.second_pairs[next.turn][2], words);
        }
    }
}

/// # Safety
/// As [`run_eight`].
#[inline(always)]
unsafe fn store_pairs<V: Wide>(pairs: &mut [[u32; 2]; L], words: [V; 2]) {
    let at = pairs.as_flattened_mut().as_mut_ptr();
    // SAFETY: there are two words for each lane; the caller vouches for the instructions.
    unsafe {
        words[0].pairs_low(words[1]).store(at);
        words[0].pairs_high(words[1]).store(at.add(L));
    }
}

/// # Safety
/// As [`run_eight`].
#[inline(always)]
unsafe fn add(state: &mut State, other: &State) {
    for lane in 0..GROUP {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            state.0[lane] = _mm_add_epi32(state.0[lane], other.0[lane]);
            state.1[lane] = _mm_add_epi32(state.1[lane], other.1[lane]);
        }
    }
}

/// Puts the hashes of four lanes where the next hash begins.
///
/// # Safety
/// As [`block`].
#[inline(always)]
unsafe fn store_state(memory: *mut Memory, group: usize, state: &State) {
    // The rows of A to H, by where they lie in the registers.
    for (half, rows) in [(&state.0, [5, 4, 1, 0]), (&state.1, [7, 6, 3, 2])] {
        // SAFETY: each row has four words from `GROUP * group` on.
        unsafe {
            let low = [
                _mm_unpacklo_epi32(half[0], half[1]),
                _mm_unpacklo_epi32(half[2], half[3]),
            ];
            let high = [
                _mm_unpackhi_epi32(half[0], half[1]),
                _mm_unpackhi_epi32(half[2], half[3]),
            ];
            let transposed = [
                _mm_unpacklo_epi64(low[0], low[1]),
                _mm_unpackhi_epi64(low[0], low[1]),
                _mm_unpacklo_epi64(high[0], high[1]),
                _mm_unpackhi_epi64(high[0], high[1]),
            ];
            for (row, words) in rows.into_iter().zip(transposed) {
                _mm_storeu_si128(
                    (&raw mut (*memory).first[row]).cast::<u32>().add(GROUP * group).cast(),
                    words,
                );
            }
        }
    }
}
