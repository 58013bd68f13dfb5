//! The virtualization datum and its extended information (BitLocker format notes §8).

use super::{Bytes, FormatError};
use crate::format::constants::{kind, role};
use crate::format::{Datum, ExtendedInfo, VirtualizationInfo};

/// Reads the virtualization datum among the top-level datums, if there is one.
pub fn virtualization_info(datums: &[Datum]) -> Result<Option<VirtualizationInfo>, FormatError> {
    let Some(datum) = datums
        .iter()
        .find(|d| d.role == role::VIRTUALIZATION && d.kind == kind::VIRTUALIZATION)
    else {
        return Ok(None);
    };
    let bytes = Bytes::new(&datum.body, "the virtualization information");
    let extended = match datum.body.get(16..) {
        Some(tail) if tail.len() >= SHORTEST_EXTENDED => {
            // Other versions of Windows may write less; what they leave out is zero.
            let mut padded = [0; EXTENDED_LEN];
            let len = tail.len().min(EXTENDED_LEN);
            padded[..len].copy_from_slice(&tail[..len]);
            Some(extended_info(&padded)?)
        }
        _ => None,
    };
    Ok(Some(VirtualizationInfo {
        header_offset: bytes.u64(0)?,
        header_len: bytes.u64(8)?,
        extended,
    }))
}

const EXTENDED_LEN: usize = 76;
/// Up to and including the sector sizes.
const SHORTEST_EXTENDED: usize = 36;

fn extended_info(tail: &[u8]) -> Result<ExtendedInfo, FormatError> {
    let bytes = Bytes::new(tail, "the extended information");
    let [product_type, architecture] = bytes.array(58)?;
    Ok(ExtendedInfo {
        version: bytes.u16(0)?,
        wipe_files_max: bytes.u32(4)?,
        platform: bytes.u32(48)?,
        service_pack: [bytes.u16(52)?, bytes.u16(54)?],
        suite: bytes.u16(56)?,
        product_type,
        architecture,
        flags: bytes.u64(8)?,
        log_offset: bytes.u64(16)?,
        log_len: bytes.u32(24)?,
        sector_size: bytes.u32(28)?,
        native_sector_size: bytes.u32(32)?,
        os_major: bytes.u32(36)?,
        os_minor: bytes.u32(40)?,
        os_build: bytes.u32(44)?,
        ice_offset: bytes.u64(60)?,
        ice_len: bytes.u64(68)?,
    })
}
