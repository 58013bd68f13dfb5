//! The conversion log: one page that describes it, and a ring of slots for records.
//!
//! ```text
//! 0      page       "CLAVLOG1", volume GUID, mode; SHA-256     ordinary data of the inner file system
//! 4096   slot 0     record: a header page, then the ciphertext of a chunk (see `record`)
//! ...    slot n
//! ```

use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::format::ExtendedInfo;
use crate::format::read::Bytes;
use crate::guid::Guid;

/// Which parts of the volume a conversion encrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConversionMode {
    /// Every sector.
    Full,
    /// Only what the inner NTFS uses; old content of free space stays as it is and reads as noise.
    UsedSpaceOnly,
}

/// What happens to sectors as the watermark passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Encrypt,
    Decrypt,
    /// From the previous key to the present one.
    Reencrypt,
}

pub(crate) const PAGE_LEN: u64 = 4096;
const PAGE_MAGIC: &[u8; 8] = b"CLAVLOG1";
const PAGE_HASHED: usize = 28;
/// Chunks above this are refused: the log of a hostile volume must not fill the memory.
const MAX_CHUNK: u64 = 64 << 20;
/// Records between two publications of the watermark.
const MAX_SLOTS: u64 = 16;
/// A log has fewer slots rather than shorter ones.
const SHORT_SLOT: u64 = 64 << 10;
/// Chunk of the largest log: longer ones make fewer syncs, and steps that take longer.
const LARGEST_CHUNK: u64 = 2 << 20;

/// Where the log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogArea {
    /// The describing page.
    pub(crate) page: u64,
    /// The slots.
    pub(crate) ring: Range<u64>,
}

impl LogArea {
    /// The area that the extended information names, if it can be a log of ours.
    pub(crate) fn new(extended: &ExtendedInfo, sector_size: u32, volume_size: u64) -> Option<Self> {
        Self::at(extended.log_offset, extended.log_len, sector_size, volume_size)
    }

    /// The area of `len` bytes at `start`, if it can be a log.
    pub(crate) fn at(start: u64, len: u32, sector_size: u32, volume_size: u64) -> Option<Self> {
        let end = start.checked_add(len.into())?;
        let aligned = start.is_multiple_of(sector_size.into()) && end.is_multiple_of(sector_size.into());
        let fits = start != 0 && end <= volume_size && end - start >= 3 * PAGE_LEN;
        (aligned && fits).then(|| Self {
            page: start,
            ring: start + PAGE_LEN..end,
        })
    }

    /// Lengths worth asking for on a volume of `size` bytes, best first: a large log makes few syncs, any log will do.
    pub(crate) fn wanted_lens(size: u64) -> [u32; 4] {
        let chunk = size / 64 / MAX_SLOTS;
        let chunk = (chunk - chunk % PAGE_LEN).clamp(PAGE_LEN, LARGEST_CHUNK);
        [1, 4, 16, 64].map(|part| {
            let ring = (MAX_SLOTS * (PAGE_LEN + chunk) / part).next_multiple_of(PAGE_LEN);
            u32::try_from(PAGE_LEN + ring.max(2 * PAGE_LEN)).unwrap_or(u32::MAX)
        })
    }

    fn ring_len(&self) -> u64 {
        self.ring.end - self.ring.start
    }

    /// How many records fit.
    pub(crate) fn slots(&self) -> u64 {
        let least = if self.ring_len() >= 4 * PAGE_LEN { 2 } else { 1 };
        (self.ring_len() / SHORT_SLOT).clamp(least, MAX_SLOTS)
    }

    /// Length of one slot: a page and a chunk.
    fn slot_len(&self) -> u64 {
        let len = self.ring_len() / self.slots();
        (len - len % PAGE_LEN).min(PAGE_LEN + MAX_CHUNK)
    }

    /// Longest chunk, a multiple of the largest sector.
    pub(crate) fn chunk_len(&self) -> u64 {
        self.slot_len() - PAGE_LEN
    }

    /// Where slot `index` is.
    pub(crate) fn slot(&self, index: u64) -> u64 {
        self.ring.start + index % self.slots() * self.slot_len()
    }

    /// Page and slots.
    pub(crate) fn whole(&self) -> Range<u64> {
        self.page..self.ring.end
    }
}

/// The describing page.
pub(crate) fn page(volume: Guid, mode: ConversionMode) -> Vec<u8> {
    let mut page = Vec::with_capacity(512);
    page.extend_from_slice(PAGE_MAGIC);
    page.extend_from_slice(volume.as_bytes());
    page.extend_from_slice(&u32::from(mode == ConversionMode::UsedSpaceOnly).to_le_bytes());
    let hash = Sha256::digest(&page);
    page.extend_from_slice(&hash);
    page.resize(512, 0);
    page
}

/// Reads the describing page; `None` when it is not ours.
pub(crate) fn read_page(bytes: &[u8], volume: Guid) -> Option<ConversionMode> {
    let page = Bytes::new(bytes, "the log page");
    let hashed = page.slice(0, PAGE_HASHED).ok()?;
    let sound = page.slice(PAGE_HASHED, 32).ok()? == Sha256::digest(hashed).as_slice();
    if !sound || page.slice(0, 8).ok()? != PAGE_MAGIC || page.guid(8).ok()? != volume {
        return None;
    }
    match page.u32(24).ok()? {
        0 => Some(ConversionMode::Full),
        _ => Some(ConversionMode::UsedSpaceOnly),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_lie_apart_within_the_ring_whatever_its_length() {
        for len in (3 * 4096..2 << 20).step_by(512).chain([33 << 20, 4 << 30]) {
            let Some(area) = LogArea::at(4096, len as u32, 512, 8 << 30) else {
                assert!(len as u32 == 0, "{len}");
                continue;
            };
            let slots = area.slots();
            assert!((1..=16).contains(&slots) && area.chunk_len() >= 4096 && area.chunk_len() <= MAX_CHUNK);
            assert_eq!(area.slot(0), area.ring.start);
            for index in 1..slots {
                assert_eq!(area.slot(index), area.slot(index - 1) + area.slot_len());
            }
            assert!(area.slot(slots - 1) + area.slot_len() <= area.ring.end);
        }
        assert!(LogArea::at(4096, 3 * 4096 - 512, 512, 1 << 20).is_none());
        assert!(LogArea::at(4096, 3 * 4096, 512, 4 * 4096 - 1).is_none());
    }

    #[test]
    fn every_length_asked_for_can_be_a_log() {
        for size in [1 << 20, 12 << 20, 1 << 30, 8 << 30, 1 << 44] {
            for len in LogArea::wanted_lens(size) {
                assert!(LogArea::at(4096, len, 4096, size).is_some(), "{size} {len}");
            }
        }
        let large = LogArea::at(4096, LogArea::wanted_lens(1 << 40)[0], 512, 1 << 40).unwrap();
        assert_eq!((large.slots(), large.chunk_len()), (16, 2 << 20));
    }
}
