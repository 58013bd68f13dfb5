//! A record: what one chunk becomes, as it lies in a slot of the log.
//!
//! ```text
//! 0    "CLAVREC2"        56   offset of the chunk on the device
//! 8    volume GUID       64   length of the chunk
//! 24   lap               72   SHA-256 of the payload
//! 32   number in the lap 104  SHA-256 of the bytes before
//! 36   direction         136  zeros
//! 40   watermark before  4096 payload: ciphertext of the chunk
//! 48   watermark after
//! ```
//!
//! The lap is the nonce counter of the metadata that the records build on. Every change of the metadata raises
//! it, so a record that an earlier lap left in a slot is never taken for one that is still to be carried out.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::log::{Direction, LogArea, PAGE_LEN};
use crate::format::read::Bytes;
use crate::guid::Guid;

const MAGIC: &[u8; 8] = b"CLAVREC2";
const HASHED: usize = 104;

/// The header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) volume: Guid,
    /// Nonce counter of the metadata that holds the lap's first watermark.
    pub(crate) lap: u64,
    /// Counts from 0 in each lap.
    pub(crate) number: u32,
    pub(crate) direction: Direction,
    /// Watermark before the chunk.
    pub(crate) from: u64,
    /// Watermark once the chunk is done.
    pub(crate) to: u64,
    /// The chunk on the device.
    pub(crate) range: Range<u64>,
}

impl Record {
    /// Fills in the header page in front of the payload: `slot` is a page and the payload.
    pub(crate) fn seal(&self, slot: &mut [u8]) {
        let Some((page, payload)) = slot.split_at_mut_checked(PAGE_LEN as usize) else {
            return;
        };
        let mut header = Vec::with_capacity(HASHED + 32);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(self.volume.as_bytes());
        header.extend_from_slice(&self.lap.to_le_bytes());
        header.extend_from_slice(&self.number.to_le_bytes());
        header.extend_from_slice(&direction_number(self.direction).to_le_bytes());
        for field in [self.from, self.to, self.range.start, payload.len() as u64] {
            header.extend_from_slice(&field.to_le_bytes());
        }
        header.extend_from_slice(&Sha256::digest(payload));
        debug_assert_eq!(header.len(), HASHED);
        let hash = Sha256::digest(&header);
        header.extend_from_slice(&hash);
        page.fill(0);
        page[..header.len()].copy_from_slice(&header);
    }

    /// Reads a header page; the hash of the payload comes with it. `None` when it is no record of `volume` or its
    /// chunk does not lie between its watermarks.
    pub(crate) fn read(page: &[u8], volume: Guid, area: &LogArea) -> Option<(Self, [u8; 32])> {
        let header = Bytes::new(page, "the log record");
        let hashed = header.slice(0, HASHED).ok()?;
        let sound = header.slice(HASHED, 32).ok()? == Sha256::digest(hashed).as_slice();
        if !sound || header.slice(0, 8).ok()? != MAGIC || header.guid(8).ok()? != volume {
            return None;
        }
        let direction = match header.u32(36).ok()? {
            0 => Direction::Encrypt,
            1 => Direction::Decrypt,
            2 => Direction::Reencrypt,
            _ => return None,
        };
        let (from, to) = (header.u64(40).ok()?, header.u64(48).ok()?);
        let (offset, len) = (header.u64(56).ok()?, header.u64(64).ok()?);
        let end = offset.checked_add(len)?;
        let forward = direction != Direction::Decrypt;
        if forward != (to > from) || len > area.chunk_len() || offset < from.min(to) || end > from.max(to) {
            return None;
        }
        let record = Self {
            volume,
            lap: header.u64(24).ok()?,
            number: header.u32(32).ok()?,
            direction,
            from,
            to,
            range: offset..end,
        };
        Some((record, header.array(72).ok()?))
    }
}

fn direction_number(direction: Direction) -> u32 {
    match direction {
        Direction::Encrypt => 0,
        Direction::Decrypt => 1,
        Direction::Reencrypt => 2,
    }
}

/// A chunk whose record is durable and which the published watermark does not cover yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// The chunk on the device.
    pub(crate) range: Range<u64>,
    /// Watermark once the chunk is done.
    pub(crate) to: u64,
    /// Where its ciphertext is on the device.
    pub(crate) payload: u64,
}

impl Pending {
    pub(crate) fn new(record: &Record, area: &LogArea) -> Self {
        Self {
            range: record.range.clone(),
            to: record.to,
            payload: area.slot(record.number.into()) + PAGE_LEN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            volume: Guid::from_bytes_le([7; 16]),
            lap: 3,
            number: 1,
            direction: Direction::Encrypt,
            from: 8192,
            to: 20480,
            range: 8192..12288,
        }
    }

    #[test]
    fn a_sealed_record_reads_back_and_no_changed_byte_of_it_does() {
        let area = LogArea::at(4096, 320 << 10, 512, 1 << 20).unwrap();
        let mut slot = vec![5; 8192];
        record().seal(&mut slot);
        let (read, hash) = Record::read(&slot[..4096], record().volume, &area).unwrap();
        assert_eq!(read, record());
        assert_eq!(hash, <[u8; 32]>::from(Sha256::digest(&slot[4096..])));
        for at in 0..HASHED + 32 {
            let mut torn = slot.clone();
            torn[at] ^= 1;
            assert!(Record::read(&torn[..4096], record().volume, &area).is_none(), "{at}");
        }
        assert!(Record::read(&slot[..4096], Guid::from_bytes_le([8; 16]), &area).is_none());
    }

    #[test]
    fn a_record_that_points_outside_of_its_watermarks_is_not_taken() {
        let area = LogArea::at(4096, 320 << 10, 512, 1 << 20).unwrap();
        let wrong = [
            Record {
                range: 4096..8192,
                ..record()
            },
            Record {
                range: 20480..24576,
                ..record()
            },
            Record {
                from: 20480,
                to: 8192,
                ..record()
            },
            Record {
                direction: Direction::Decrypt,
                ..record()
            },
        ];
        for record in wrong {
            let mut slot = vec![5; 8192];
            record.seal(&mut slot);
            assert!(
                Record::read(&slot[..4096], record.volume, &area).is_none(),
                "{record:?}"
            );
        }
    }
}
