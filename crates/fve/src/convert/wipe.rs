//! Wiping free space: clusters that the inner NTFS does not use get the ciphertext of zeros.
//!
//! Encrypted zeros, not noise: without the key nobody can tell the two apart, the inner view shows zeros, and no
//! randomness is needed. On a volume that was encrypted "used space only" this is what destroys the old plain text in
//! free space. What lies behind the end of a file in its last cluster, and in $MFT records and directories
//! that are not in use, belongs to the file system and stays; it is encrypted.

use std::io;
use std::ops::{ControlFlow, Range};

use super::log::{ConversionMode, page};
use super::step::StateView;
use crate::Error;
use crate::context::Context;
use crate::inner::{self, InnerFileSystem};
use crate::io::{ReadAt, WriteAt};
use crate::ntfs;
use crate::volume::{ConversionStatus, State, UnlockedVolume, normalise};

/// How far wiping has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WipeProgress {
    /// Free bytes before `next`.
    pub done_bytes: u64,
    /// Free bytes of the volume.
    pub total_bytes: u64,
    /// Where to go on.
    pub next: u64,
    /// Whether all free space is wiped.
    pub finished: bool,
}

/// Wiped between two reports.
const PIECE: u64 = 4 << 20;
/// Wiped between two syncs, so that the device is never far behind what is reported.
const SYNC_EVERY: u64 = 64 << 20;

impl<D: WriteAt> UnlockedVolume<D> {
    /// Overwrites the space that the inner NTFS does not use, from byte `from` on (0 at first), with encrypted zeros.
    /// `report` is asked after each 4 MiB whether to go on; what this returns says where to continue, also after the
    /// program was restarted. A crash does no harm. Once all of it is wiped in one go, a volume that was encrypted "used
    /// space only" counts as encrypted in full.
    ///
    /// Nobody else may have the inner file system mounted: that cannot be seen from here.
    ///
    /// # Errors
    /// [`Error::InvalidState`] unless the volume is fully encrypted; [`Error::Unsupported`] when the inner file system is
    /// not NTFS; [`Error::Ntfs`] when it was not left in order, for then its bitmap is not to be trusted.
    pub fn wipe_free_space(
        &self,
        ctx: &mut Context<'_>,
        from: u64,
        report: &mut dyn FnMut(WipeProgress) -> ControlFlow<()>,
    ) -> Result<WipeProgress, Error> {
        self.recover(ctx)?;
        let mut free = Vec::new();
        let mut next = from;
        let mut unsynced = 0;
        loop {
            let progress = {
                let state = &mut *self.write_state();
                // Looked up anew after each write to the inner file system.
                if state.used.is_none() || free.is_empty() {
                    free = self.free_ranges(state)?;
                }
                let piece = piece_at(&free, next);
                self.wipe_piece(state, &piece)?;
                next = piece.end;
                unsynced += piece.end - piece.start;
                progress(&free, next)
            };
            if progress.finished || unsynced >= SYNC_EVERY {
                self.device.flush()?;
                unsynced = 0;
            }
            if progress.finished {
                if from == 0 {
                    self.mark_full()?;
                }
                return Ok(progress);
            }
            if report(progress).is_break() {
                self.device.flush()?;
                return Ok(progress);
            }
        }
    }

    fn wipe_piece(&self, state: &State, piece: &Range<u64>) -> Result<(), Error> {
        let len = usize::try_from(piece.end - piece.start).map_err(io::Error::other)?;
        if len == 0 {
            return Ok(());
        }
        let mut zeros = vec![0; len];
        if let Some(cipher) = self.cipher_for(self.key_at(state, piece.start).0) {
            cipher.encrypt(piece.start, &mut zeros);
        }
        Ok(self.device.write_at(piece.start, &zeros)?)
    }

    /// Everything is encrypted now.
    fn mark_full(&self) -> Result<(), Error> {
        let state = &mut *self.write_state();
        let Some(log) = state.log.clone() else {
            return Ok(());
        };
        if self.mode_of(state, &log)? == ConversionMode::UsedSpaceOnly {
            let page = page(state.metadata.dataset.volume, ConversionMode::Full);
            self.write_view(state, log.page, &page)?;
            self.device.flush()?;
        }
        Ok(())
    }
}

impl<D: ReadAt> UnlockedVolume<D> {
    /// What the inner NTFS does not use and no region of ours needs; sorted, apart.
    pub(super) fn free_ranges(&self, state: &mut State) -> Result<Vec<Range<u64>>, Error> {
        if self.status_of(state) != ConversionStatus::FullyEncrypted {
            return Err(Error::InvalidState(
                "free space is wiped on fully encrypted volumes only",
            ));
        }
        if state.stale {
            return Err(Error::Stale);
        }
        let log = state.log.clone();
        let view = StateView { volume: self, state };
        match inner::identify(&view)? {
            InnerFileSystem::Ntfs => ntfs::check_clean(&view)?,
            _ => {
                return Err(Error::Unsupported(
                    "wiping the free space of another file system than NTFS",
                ));
            }
        }
        let used = self.used_ranges(state, log.as_ref())?;
        let mut taken = used.clone();
        state.used = Some(used);
        taken.push(0..self.outer_header());
        taken.extend(self.geometry.always_zero());
        // A log in a place that the caller chose is not in any file; neither is what Windows keeps there.
        taken.extend(log.map(|log| log.whole()));
        taken.extend(self.geometry.extended.iter().flat_map(|extended| {
            [
                extended.ice_offset..extended.ice_offset.saturating_add(extended.ice_len),
                extended.log_offset..extended.log_offset.saturating_add(extended.log_len.into()),
            ]
        }));
        Ok(gaps(
            &normalise(taken),
            self.geometry.size,
            u64::from(self.geometry.sector_size),
        ))
    }
}

/// Whole sectors below `size` that lie in none of the sorted ranges.
fn gaps(taken: &[Range<u64>], size: u64, sector: u64) -> Vec<Range<u64>> {
    let mut gaps = Vec::new();
    let mut at = 0_u64;
    let end = Range { start: size, end: size };
    for range in taken.iter().chain([&end]) {
        let (start, stop) = (at.next_multiple_of(sector), range.start.min(size));
        let stop = stop - stop % sector;
        if start < stop {
            gaps.push(start..stop);
        }
        at = at.max(range.end);
    }
    gaps
}

/// The next piece from `next` on; empty at the end.
fn piece_at(free: &[Range<u64>], next: u64) -> Range<u64> {
    let index = free.partition_point(|range| range.end <= next);
    match free.get(index) {
        Some(range) => {
            // A caller's own number is taken back to where a cluster, and so a sector, surely begins.
            let start = range.start.max(next - next % 4096).max(range.start);
            start..range.end.min(start.saturating_add(PIECE))
        }
        None => {
            let end = free.last().map_or(next, |range| range.end.max(next));
            end..end
        }
    }
}

fn progress(free: &[Range<u64>], next: u64) -> WipeProgress {
    let total_bytes = free.iter().map(|range| range.end - range.start).sum();
    let done_bytes = free
        .iter()
        .map(|range| range.end.min(next).saturating_sub(range.start))
        .sum();
    WipeProgress {
        done_bytes,
        total_bytes,
        next,
        finished: done_bytes == total_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_gaps_and_nothing_else() {
        let taken = normalise(vec![0..8192, 20_000..20_480, 30 << 20..31 << 20]);
        let free = gaps(&taken, (40 << 20) + 100, 512);
        assert_eq!(free, [8192..19_968, 20_480..30 << 20, 31 << 20..40 << 20]);
        let (mut next, mut wiped) = (0, Vec::new());
        while !progress(&free, next).finished {
            let piece = piece_at(&free, next);
            assert!(piece.start < piece.end && piece.end - piece.start <= PIECE);
            next = piece.end;
            wiped.push(piece);
        }
        assert_eq!(normalise(wiped), free);
        assert_eq!(piece_at(&free, next), next..next);
        assert!(progress(&[], 0).finished);
    }
}
