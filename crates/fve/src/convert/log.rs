//! The conversion log: one page that describes it, one record.
//!
//! ```text
//! 0      page       "CLAVLOG1", volume GUID, mode; SHA-256     ordinary data of the inner file system
//! 4096   record     "CLAVREC1", volume GUID, watermark, range, direction; SHA-256 of payload and of header
//! 8192   payload    ciphertext of the chunk
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

/// Which way the watermark moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Encrypt,
    Decrypt,
}

pub(crate) const PAGE_LEN: u64 = 4096;
const PAGE_MAGIC: &[u8; 8] = b"CLAVLOG1";
const RECORD_MAGIC: &[u8; 8] = b"CLAVREC1";
const PAGE_HASHED: usize = 28;
const RECORD_HASHED: usize = 88;
/// Payloads above this are refused: the log of a hostile volume must not fill the memory.
const MAX_CHUNK: u64 = 64 << 20;

/// Where the log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogArea {
    /// The describing page.
    pub(crate) page: u64,
    /// Record header and payload.
    pub(crate) record: Range<u64>,
}

impl LogArea {
    /// The area that the extended information names, if it can be a log of ours.
    pub(crate) fn new(extended: &ExtendedInfo, sector_size: u32, volume_size: u64) -> Option<Self> {
        let start = extended.log_offset;
        let end = start.checked_add(extended.log_len.into())?;
        let aligned = start.is_multiple_of(sector_size.into()) && end.is_multiple_of(sector_size.into());
        let fits = start != 0 && end <= volume_size && end - start > 3 * PAGE_LEN;
        (aligned && fits).then(|| Self {
            page: start,
            record: start + PAGE_LEN..end,
        })
    }

    /// Longest chunk, a multiple of the largest sector.
    pub(crate) fn chunk_len(&self) -> u64 {
        let payload = self.record.end - self.record.start - PAGE_LEN;
        (payload - payload % PAGE_LEN).min(MAX_CHUNK)
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

/// One chunk on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Watermark in the metadata when the record was written.
    pub(crate) from: u64,
    /// Watermark once the chunk is done.
    pub(crate) to: u64,
    pub(crate) direction: Direction,
    /// Where the chunk begins on the device.
    pub(crate) offset: u64,
    pub(crate) ciphertext: Vec<u8>,
}

impl Record {
    pub(crate) fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.ciphertext.len() as u64
    }

    /// The header page; the payload follows it.
    pub(crate) fn header(&self, volume: Guid) -> Vec<u8> {
        let mut header = Vec::with_capacity(PAGE_LEN as usize);
        header.extend_from_slice(RECORD_MAGIC);
        header.extend_from_slice(volume.as_bytes());
        for field in [self.from, self.to, self.offset, self.ciphertext.len() as u64] {
            header.extend_from_slice(&field.to_le_bytes());
        }
        header.extend_from_slice(&Sha256::digest(&self.ciphertext));
        debug_assert_eq!(header.len(), RECORD_HASHED);
        let hash = Sha256::digest(&header);
        header.extend_from_slice(&hash);
        header.resize(PAGE_LEN as usize, 0);
        header
    }

    /// Reads a header page: the record without its payload, and the payload's length and hash.
    pub(crate) fn read_header(bytes: &[u8], volume: Guid, area: &LogArea) -> Option<(Self, usize, [u8; 32])> {
        let header = Bytes::new(bytes, "the log record");
        let hashed = header.slice(0, RECORD_HASHED).ok()?;
        let sound = header.slice(RECORD_HASHED, 32).ok()? == Sha256::digest(hashed).as_slice();
        if !sound || header.slice(0, 8).ok()? != RECORD_MAGIC || header.guid(8).ok()? != volume {
            return None;
        }
        let [from, to, offset, len] = [24, 32, 40, 48].map(|at| header.u64(at).unwrap_or_default());
        let direction = if to > from {
            Direction::Encrypt
        } else {
            Direction::Decrypt
        };
        let end = offset.checked_add(len)?;
        // The chunk lies between the two watermarks.
        if len > area.chunk_len() || offset < from.min(to) || end > from.max(to) {
            return None;
        }
        let record = Self {
            from,
            to,
            direction,
            offset,
            ciphertext: Vec::new(),
        };
        Some((record, usize::try_from(len).ok()?, header.array(56).ok()?))
    }
}
