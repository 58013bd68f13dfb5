//! The Elephant diffuser over many sectors.

use crate::crypto::elephant;

/// Takes the diffuser off every sector.
#[inline(always)]
pub(super) fn undo(sector_size: usize, data: &mut [u8]) {
    for sector in data.chunks_mut(sector_size) {
        elephant::undo(sector);
    }
}

/// Puts the diffuser on every sector.
#[inline(always)]
pub(super) fn apply(sector_size: usize, data: &mut [u8]) {
    for sector in data.chunks_mut(sector_size) {
        elephant::apply(sector);
    }
}
