//! A whole metadata area (BitLocker format notes §4).

use sha2::{Digest, Sha256};

use super::{dataset_bytes, serialise, wrapped};
use crate::crypto::ccm::Nonce;
use crate::format::constants::{METADATA_LEN, SIGNATURE, VALIDATION_LEN, key_type, role};
use crate::format::{BlockHeader, DatasetHeader, Datum};

/// The protectors and names no longer fit into 64 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MetadataFull {
    /// Bytes that they would take.
    pub(crate) needed: usize,
}

/// Builds one metadata area: header, datums, integrity hash wrapped by the VMK, CRC-32, zeros.
pub(crate) fn metadata_area(
    header: &BlockHeader,
    dataset: &DatasetHeader,
    datums: &[Datum],
    vmk: &[u8; 32],
    nonce: Nonce,
) -> Result<Vec<u8>, MetadataFull> {
    let dataset = dataset_bytes(dataset, datums);
    let hashed_len = (64 + dataset.len()).next_multiple_of(16);
    let full = MetadataFull {
        needed: hashed_len + VALIDATION_LEN,
    };
    let tail = METADATA_LEN
        .checked_sub(hashed_len)
        .filter(|&tail| tail >= VALIDATION_LEN)
        .ok_or(full)?;
    let mut area = Vec::with_capacity(METADATA_LEN);
    area.extend_from_slice(SIGNATURE);
    let sixteenths = u16::try_from(hashed_len / 16).map_err(|_| full)?;
    for field in [sixteenths, 2, header.current_state, header.next_state] {
        area.extend_from_slice(&field.to_le_bytes());
    }
    area.extend_from_slice(&header.state_offset.to_le_bytes());
    area.extend_from_slice(&header.state_size.to_le_bytes());
    area.extend_from_slice(&header.header_sectors.to_le_bytes());
    for offset in header.copies.iter().chain([&header.header_offset]) {
        area.extend_from_slice(&offset.to_le_bytes());
    }
    area.extend_from_slice(&dataset);
    area.resize(hashed_len, 0);

    let hash = Sha256::digest(&area);
    let crc = crc32fast::hash(&area);
    let tail = u16::try_from(tail).map_err(|_| full)?;
    area.extend_from_slice(&tail.to_le_bytes());
    area.extend_from_slice(&2_u16.to_le_bytes());
    area.extend_from_slice(&crc.to_le_bytes());
    area.extend_from_slice(&serialise(&[wrapped(
        role::PROPERTY,
        vmk,
        nonce,
        key_type::INTEGRITY_HASH,
        &hash,
    )]));
    area.resize(METADATA_LEN, 0);
    Ok(area)
}
