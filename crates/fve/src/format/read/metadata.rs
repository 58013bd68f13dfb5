//! A whole metadata area (BitLocker format notes §4).

use super::{Bytes, FormatError, datum};
use crate::format::constants::{BLOCK_HEADER_LEN, DATASET_HEADER_LEN, DATUMS_OFFSET, METADATA_LEN, SIGNATURE};
use crate::format::metadata::{BlockHeader, DatasetHeader, Metadata, Validation};
use crate::time::FileTime;

const WHAT: &str = "the metadata";

/// Reads one metadata area and checks its structure and CRC-32. The integrity
/// hash needs the VMK and is checked at unlocking.
pub fn read_metadata(area: &[u8]) -> Result<Metadata, FormatError> {
    let area = area.get(..METADATA_LEN.min(area.len())).unwrap_or_default();
    let bytes = Bytes::new(area, WHAT);
    if bytes.slice(0, 8)? != SIGNATURE {
        return Err(FormatError::Signature { what: WHAT });
    }
    let version = bytes.u16(0x0A)?;
    if version != 2 {
        return Err(FormatError::Version { version });
    }
    let hashed_len = usize::from(bytes.u16(8)?) * 16;
    if hashed_len < DATUMS_OFFSET {
        return Err(FormatError::Range {
            what: "the length of the metadata",
            value: hashed_len as u64,
        });
    }
    let hashed = bytes.slice(0, hashed_len)?;
    let validation = read_validation(bytes, hashed)?;
    let (dataset, datums) = read_dataset(&hashed[BLOCK_HEADER_LEN..])?;
    Ok(Metadata {
        header: read_header(bytes)?,
        dataset,
        datums: datum::parse_all(datums)?,
        validation,
        area: area.to_vec(),
        hashed_len,
    })
}

fn read_validation(bytes: Bytes<'_>, hashed: &[u8]) -> Result<Validation, FormatError> {
    let start = hashed.len();
    let len = usize::from(bytes.u16(start)?);
    let crc = bytes.u32(start + 4)?;
    if crc32fast::hash(hashed) != crc {
        return Err(FormatError::Checksum { what: WHAT });
    }
    let available = METADATA_LEN.saturating_sub(start);
    let body = len.min(available).checked_sub(8).ok_or(FormatError::Range {
        what: "the length of the validation",
        value: len as u64,
    })?;
    let (integrity, _) = datum::parse_first(bytes.slice(start + 8, body)?)?;
    Ok(Validation { crc, integrity })
}

pub(super) fn read_header(bytes: Bytes<'_>) -> Result<BlockHeader, FormatError> {
    Ok(BlockHeader {
        current_state: bytes.u16(0x0C)?,
        next_state: bytes.u16(0x0E)?,
        state_offset: bytes.u64(0x10)?,
        state_size: bytes.u32(0x18)?,
        header_sectors: bytes.u32(0x1C)?,
        copies: [bytes.u64(0x20)?, bytes.u64(0x28)?, bytes.u64(0x30)?],
        header_offset: bytes.u64(0x38)?,
    })
}

/// Reads a dataset (the body of a metadata area, or a .BEK file): its header and the bytes of its datums.
pub(crate) fn read_dataset(dataset: &[u8]) -> Result<(DatasetHeader, &[u8]), FormatError> {
    let bytes = Bytes::new(dataset, "the dataset");
    let size = bytes.u32(0)? as usize;
    let start = bytes.u32(8)? as usize;
    let end = bytes.u32(0xC)? as usize;
    if start < DATASET_HEADER_LEN || end < start || size < end || size > dataset.len() {
        return Err(FormatError::Range {
            what: "the length of the dataset",
            value: size as u64,
        });
    }
    Ok((read_dataset_header(bytes)?, &dataset[start..end]))
}

pub(super) fn read_dataset_header(bytes: Bytes<'_>) -> Result<DatasetHeader, FormatError> {
    Ok(DatasetHeader {
        volume: bytes.guid(0x10)?,
        next_nonce: bytes.u32(0x20)?,
        method: bytes.u16(0x24)?,
        preferred_method: bytes.u16(0x26)?,
        created: FileTime(bytes.u64(0x28)?),
    })
}
