//! The Elephant diffuser of Windows Vista and 7 (BitLocker format notes §7.5).

const A_CYCLES: usize = 5;
const A_ROTATIONS: [u32; 4] = [9, 0, 13, 0];
const B_CYCLES: usize = 3;
const B_ROTATIONS: [u32; 4] = [0, 10, 0, 25];

/// What is encrypted to give the sector key of the sector at byte `offset`.
pub(crate) fn sector_key_input(offset: u64) -> [[u8; 16]; 2] {
    let block = u128::from(offset);
    [block.to_le_bytes(), (block | 0x80 << 120).to_le_bytes()]
}

/// XORs the sector key over a sector: two blocks, repeated.
pub(crate) fn xor_repeated(key: &[[u8; 16]; 2], sector: &mut [u8]) {
    for (index, block) in sector.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        *block = (u128::from_le_bytes(*block) ^ u128::from_le_bytes(key[index % 2])).to_le_bytes();
    }
}

/// Diffuser B, then A: towards plain text.
pub(crate) fn undo(sector: &mut [u8]) {
    on_words(sector, |words| {
        let n = words.len();
        for _ in 0..B_CYCLES {
            let add = |words: &mut [u32], i: usize, near: usize, far: usize| {
                words[i] = words[i].wrapping_add(words[near] ^ words[far].rotate_left(B_ROTATIONS[i % 4]));
            };
            (0..n - 5).for_each(|i| add(words, i, i + 2, i + 5));
            (n - 5..n).for_each(|i| add(words, i, (i + 2) % n, i + 5 - n));
        }
        for _ in 0..A_CYCLES {
            let add = |words: &mut [u32], i: usize, near: usize, far: usize| {
                words[i] = words[i].wrapping_add(words[near] ^ words[far].rotate_left(A_ROTATIONS[i % 4]));
            };
            (0..5).for_each(|i| add(words, i, (i + n - 2) % n, i + n - 5));
            (5..n).for_each(|i| add(words, i, i - 2, i - 5));
        }
    });
}

/// Diffuser A, then B: towards ciphertext.
pub(crate) fn apply(sector: &mut [u8]) {
    on_words(sector, |words| {
        let n = words.len();
        for _ in 0..A_CYCLES {
            let take = |words: &mut [u32], i: usize, near: usize, far: usize| {
                words[i] = words[i].wrapping_sub(words[near] ^ words[far].rotate_left(A_ROTATIONS[i % 4]));
            };
            (5..n).rev().for_each(|i| take(words, i, i - 2, i - 5));
            (0..5).rev().for_each(|i| take(words, i, (i + n - 2) % n, i + n - 5));
        }
        for _ in 0..B_CYCLES {
            let take = |words: &mut [u32], i: usize, near: usize, far: usize| {
                words[i] = words[i].wrapping_sub(words[near] ^ words[far].rotate_left(B_ROTATIONS[i % 4]));
            };
            (n - 5..n).rev().for_each(|i| take(words, i, (i + 2) % n, i + 5 - n));
            (0..n - 5).rev().for_each(|i| take(words, i, i + 2, i + 5));
        }
    });
}

/// Most words of a sector.
const MAX_WORDS: usize = 4096 / 4;

/// Sectors have 512 or 4096 bytes, so there are always more than five words.
fn on_words(sector: &mut [u8], change: impl Fn(&mut [u32])) {
    let mut words = [0; MAX_WORDS];
    let count = (sector.len() / 4).min(MAX_WORDS);
    let words = &mut words[..count];
    for (word, bytes) in words.iter_mut().zip(sector.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    if count > 5 {
        change(words);
    }
    for (bytes, word) in sector.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undoing_the_diffuser_restores_the_sector() {
        let original: Vec<u8> = (0..512_u32).map(|i| (i * 7).to_le_bytes()[0]).collect();
        let mut sector = original.clone();
        apply(&mut sector);
        assert_ne!(sector, original);
        undo(&mut sector);
        assert_eq!(sector, original);
    }
}
