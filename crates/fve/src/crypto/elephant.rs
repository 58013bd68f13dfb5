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
        for i in (0..B_CYCLES).flat_map(|_| 0..n) {
            words[i] = words[i].wrapping_add(words[(i + 2) % n] ^ words[(i + 5) % n].rotate_left(B_ROTATIONS[i % 4]));
        }
        for i in (0..A_CYCLES).flat_map(|_| 0..n) {
            words[i] =
                words[i].wrapping_add(words[(i + n - 2) % n] ^ words[(i + n - 5) % n].rotate_left(A_ROTATIONS[i % 4]));
        }
    });
}

/// Diffuser A, then B: towards ciphertext.
pub(crate) fn apply(sector: &mut [u8]) {
    on_words(sector, |words| {
        let n = words.len();
        for i in (0..A_CYCLES).flat_map(|_| (0..n).rev()) {
            words[i] =
                words[i].wrapping_sub(words[(i + n - 2) % n] ^ words[(i + n - 5) % n].rotate_left(A_ROTATIONS[i % 4]));
        }
        for i in (0..B_CYCLES).flat_map(|_| (0..n).rev()) {
            words[i] = words[i].wrapping_sub(words[(i + 2) % n] ^ words[(i + 5) % n].rotate_left(B_ROTATIONS[i % 4]));
        }
    });
}

/// Sectors have 512 or 4096 bytes, so there are always more than five words.
fn on_words(sector: &mut [u8], change: impl Fn(&mut [u32])) {
    let mut words: Vec<u32> = sector
        .as_chunks::<4>()
        .0
        .iter()
        .map(|word| u32::from_le_bytes(*word))
        .collect();
    if words.len() > 5 {
        change(&mut words);
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
