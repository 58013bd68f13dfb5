//! One lane over the `sha2` crate: any processor.

use sha2::compress256;
use sha2::digest::generic_array::GenericArray;
use zeroize::Zeroizing;

use super::{Job, Words};
use crate::crypto::kernels::sha::{INITIAL, LENGTH_BITS, PADDING};

/// `rounds` hashes of 88 bytes: two blocks each, of which the second changes in its counter only.
pub(super) fn run(job: &Job, rounds: u32) -> Words {
    let mut blocks = Zeroizing::new([[0; 64]; 2]);
    blocks[0][32..].copy_from_slice(job.first.as_slice());
    blocks[1][..16].copy_from_slice(&job.salt);
    blocks[1][24..28].copy_from_slice(&PADDING.to_be_bytes());
    blocks[1][60..].copy_from_slice(&LENGTH_BITS.to_be_bytes());
    let mut last = Words::default();
    for round in 0..rounds {
        for (bytes, word) in blocks[0].as_chunks_mut::<4>().0.iter_mut().zip(last.iter()) {
            *bytes = word.to_be_bytes();
        }
        blocks[1][16..24].copy_from_slice(&u64::from(round).to_le_bytes());
        *last = INITIAL;
        for block in blocks.iter() {
            compress256(&mut last, std::slice::from_ref(GenericArray::from_slice(block)));
        }
    }
    last
}
