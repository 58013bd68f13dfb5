//! Windows 10 conversions in progress, "encrypt on write" (BitLocker format notes §11). Read only.

use super::{Bytes, FormatError};

/// An EOW information sector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EowInfo {
    /// Bytes that one bit of a bitmap stands for.
    pub chunk_size: u32,
    /// Length of each conversion log.
    pub log_len: u32,
    /// Where the bitmaps are, one for each region.
    pub bitmaps: Vec<u64>,
}

/// One region and which of its chunks are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EowBitmap {
    /// Length of the bitmap's own area.
    pub len: u32,
    /// Where the region begins.
    pub region_offset: u64,
    /// How long it is.
    pub region_len: u64,
    /// Where its conversion log is.
    pub log_offset: u64,
    /// How many chunks have a bit.
    pub bit_count: u32,
    /// Bit i (least significant first) is chunk i; 1 means encrypted.
    pub bits: Vec<u8>,
}

/// Regions beyond this are refused; the one known volume has five.
const MAX_REGIONS: u32 = 1024;
const INFO_HEADER_LEN: usize = 56;
const BITMAP_HEADER_LEN: usize = 512;
const RECORD_HEADER_LEN: usize = 36;
const RECORD_LEN: usize = 512;

/// Reads an EOW information sector.
pub fn read_eow_info(sector: &[u8]) -> Result<EowInfo, FormatError> {
    const WHAT: &str = "the EOW information";
    let bytes = Bytes::new(sector, WHAT);
    if bytes.slice(0, 8)? != b"FVE-EOW\0" {
        return Err(FormatError::Signature { what: WHAT });
    }
    let total = usize::from(bytes.u16(10)?);
    let count = bytes.u32(32)?;
    if total < INFO_HEADER_LEN {
        return Err(FormatError::Range {
            what: WHAT,
            value: total as u64,
        });
    }
    if count > MAX_REGIONS || INFO_HEADER_LEN + 8 * count as usize > total {
        return Err(FormatError::Range {
            what: "the number of EOW regions",
            value: count.into(),
        });
    }
    check_crc(bytes.slice(0, total)?, 36, WHAT)?;
    let bitmaps = (0..count as usize)
        .map(|index| bytes.u64(INFO_HEADER_LEN + 8 * index))
        .collect::<Result<_, _>>()?;
    Ok(EowInfo {
        chunk_size: bytes.u32(20)?,
        log_len: bytes.u32(24)?,
        bitmaps,
    })
}

/// Reads a bitmap with its two records, of which the one with the higher sequence counts.
pub fn read_eow_bitmap(area: &[u8]) -> Result<EowBitmap, FormatError> {
    const WHAT: &str = "an EOW bitmap";
    let bytes = Bytes::new(area, WHAT);
    if bytes.slice(0, 10)? != b"FVE-EOWBM\0" {
        return Err(FormatError::Signature { what: WHAT });
    }
    let layout = bitmap_layout(bytes)?;
    check_crc(bytes.slice(0, BITMAP_HEADER_LEN)?, layout.crc, WHAT)?;
    let mut best: Option<(u64, u32, Vec<u8>)> = None;
    for offset in [bytes.u32(layout.records)?, bytes.u32(layout.records + 4)?] {
        let record = bytes.slice(offset as usize, RECORD_LEN)?;
        let Ok((sequence, bit_count, bits)) = read_record(record) else {
            continue;
        };
        if best.as_ref().is_none_or(|(known, ..)| sequence > *known) {
            best = Some((sequence, bit_count, bits));
        }
    }
    let (_, bit_count, bits) = best.ok_or(FormatError::Checksum { what: WHAT })?;
    Ok(EowBitmap {
        len: bytes.u32(12)?,
        region_offset: bytes.u64(layout.region)?,
        region_len: bytes.u64(layout.region + 8)?,
        log_offset: bytes.u64(layout.region + 16)?,
        bit_count,
        bits,
    })
}

struct BitmapLayout {
    region: usize,
    records: usize,
    crc: usize,
}

fn bitmap_layout(bytes: Bytes<'_>) -> Result<BitmapLayout, FormatError> {
    // Ten bytes of signature, u16 header length, u32 length, u32 index, three u64, two u32 record offsets, u32 record length, u32 CRC.
    match bytes.u16(10)? {
        60 => Ok(BitmapLayout {
            region: 20,
            records: 44,
            crc: 56,
        }),
        other => Err(FormatError::Range {
            what: "the header of an EOW bitmap",
            value: other.into(),
        }),
    }
}

fn read_record(record: &[u8]) -> Result<(u64, u32, Vec<u8>), FormatError> {
    const WHAT: &str = "an EOW bitmap record";
    let bytes = Bytes::new(record, WHAT);
    if bytes.slice(0, 10)? != b"FVE-EOWBR\0" {
        return Err(FormatError::Signature { what: WHAT });
    }
    check_crc(record, 32, WHAT)?;
    let bit_count = bytes.u32(16)?;
    let bits = bytes.slice(RECORD_HEADER_LEN, RECORD_LEN - RECORD_HEADER_LEN)?;
    if bit_count as usize > bits.len() * 8 {
        return Err(FormatError::Range {
            what: "the bits of an EOW bitmap",
            value: bit_count.into(),
        });
    }
    Ok((bytes.u64(20)?, bit_count, bits.to_vec()))
}

/// CRC-32 over `bytes` with the four bytes at `field` taken as zero.
fn check_crc(bytes: &[u8], field: usize, what: &'static str) -> Result<(), FormatError> {
    let stored = Bytes::new(bytes, what).u32(field)?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..field]);
    hasher.update(&[0; 4]);
    hasher.update(&bytes[field + 4..]);
    if hasher.finalize() == stored {
        Ok(())
    } else {
        Err(FormatError::Checksum { what })
    }
}
