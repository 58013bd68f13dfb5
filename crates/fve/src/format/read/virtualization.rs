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
        Some(tail) if tail.len() >= EXTENDED_LEN => Some(extended_info(tail)?),
        _ => None,
    };
    Ok(Some(VirtualizationInfo {
        header_offset: bytes.u64(0)?,
        header_len: bytes.u64(8)?,
        extended,
    }))
}

const EXTENDED_LEN: usize = 76;

fn extended_info(tail: &[u8]) -> Result<ExtendedInfo, FormatError> {
    let bytes = Bytes::new(tail, "the extended information");
    Ok(ExtendedInfo {
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
