//! Datums (BitLocker format notes §5, §8).

use zeroize::Zeroizing;

use crate::crypto::ccm::{Nonce, wrap};
use crate::format::constants::{DATASET_HEADER_LEN, kind, nesting_offset, role};
use crate::format::datum::DATUM_HEADER_LEN;
use crate::format::metadata::{DatasetHeader, ExtendedInfo, VirtualizationInfo};
use crate::format::{Datum, FormatError, constants::ICE_LEN};

/// Puts datums back to back.
pub(crate) fn serialise(datums: &[Datum]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(datums.iter().map(Datum::len).sum()));
    for datum in datums {
        // A datum longer than 64 KiB cannot enter: metadata areas and .BEK files are shorter.
        let len = u16::try_from(datum.len()).unwrap_or(u16::MAX);
        for field in [len, datum.role, datum.kind, datum.flags] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(&datum.body);
    }
    bytes
}

/// A KEY datum.
pub(crate) fn key(role: u16, key_type: u16, key: &[u8]) -> Datum {
    let mut body = Vec::with_capacity(4 + key.len());
    body.extend_from_slice(&key_type.to_le_bytes());
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(key);
    Datum::new(role, kind::KEY, body)
}

/// A KEY datum wrapped by AES-CCM. The plaintext datum has flags 0 (§5).
pub(crate) fn wrapped(role: u16, wrapping_key: &[u8; 32], nonce: Nonce, key_type: u16, secret: &[u8]) -> Datum {
    let mut plain = key(role::PROPERTY, key_type, secret);
    plain.flags = 0;
    Datum::new(role, kind::AES_CCM, wrap(wrapping_key, nonce, &serialise(&[plain])))
}

/// An AES-CCM datum with the same plain text as `datum` had, under another key.
pub(crate) fn rewrapped(datum: &Datum, wrapping_key: &[u8; 32], nonce: Nonce, plain: &[u8]) -> Datum {
    Datum {
        body: Zeroizing::new(wrap(wrapping_key, nonce, plain)),
        ..datum.clone()
    }
}

/// `datum` with its fixed fields kept and others inside.
pub(crate) fn with_nested(datum: &Datum, inner: &[Datum]) -> Result<Datum, FormatError> {
    let what = "a nested datum";
    let fixed = nesting_offset(datum.kind).ok_or(FormatError::Missing { what })? - DATUM_HEADER_LEN;
    let mut body = Zeroizing::new(datum.body.get(..fixed).ok_or(FormatError::Truncated { what })?.to_vec());
    body.extend_from_slice(&serialise(inner));
    Ok(Datum { body, ..datum.clone() })
}

/// A UNICODE datum.
pub(crate) fn unicode(role: u16, text: &str) -> Datum {
    let body = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    Datum::new(role, kind::UNICODE, body)
}

/// A datum that holds others behind its fixed fields.
pub(crate) fn nesting(role: u16, kind: u16, fixed: &[u8], inner: &[Datum]) -> Datum {
    let mut body = fixed.to_vec();
    body.extend_from_slice(&serialise(inner));
    Datum::new(role, kind, body)
}

/// A dataset: header and datums.
pub(crate) fn dataset_bytes(header: &DatasetHeader, datums: &[Datum]) -> Zeroizing<Vec<u8>> {
    let datums = serialise(datums);
    let len = u32::try_from(DATASET_HEADER_LEN + datums.len()).unwrap_or(u32::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(DATASET_HEADER_LEN + datums.len()));
    for field in [len, 1, 48, len] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.extend_from_slice(header.volume.as_bytes());
    bytes.extend_from_slice(&header.next_nonce.to_le_bytes());
    bytes.extend_from_slice(&header.method.to_le_bytes());
    bytes.extend_from_slice(&header.preferred_method.to_le_bytes());
    bytes.extend_from_slice(&header.created.0.to_le_bytes());
    bytes.extend_from_slice(&datums);
    bytes
}

/// The virtualization datum with version 5 extended information, as Windows 10 writes it.
pub(crate) fn virtualization(info: &VirtualizationInfo) -> Datum {
    let mut body = Vec::with_capacity(92);
    body.extend_from_slice(&info.header_offset.to_le_bytes());
    body.extend_from_slice(&info.header_len.to_le_bytes());
    if let Some(extended) = &info.extended {
        body.extend_from_slice(&extended_bytes(extended));
    }
    Datum::new(role::VIRTUALIZATION, kind::VIRTUALIZATION, body)
}

fn extended_bytes(info: &ExtendedInfo) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(76);
    bytes.extend_from_slice(&info.version.to_le_bytes());
    bytes.extend_from_slice(&76_u16.to_le_bytes());
    bytes.extend_from_slice(&info.wipe_files_max.to_le_bytes());
    bytes.extend_from_slice(&info.flags.to_le_bytes());
    bytes.extend_from_slice(&info.log_offset.to_le_bytes());
    // Log length, sector sizes, version, platform.
    let (major, minor, build) = (info.os_major, info.os_minor, info.os_build);
    for field in [
        info.log_len,
        info.sector_size,
        info.native_sector_size,
        major,
        minor,
        build,
        info.platform,
    ] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    for field in [info.service_pack[0], info.service_pack[1], info.suite] {
        bytes.extend_from_slice(&field.to_le_bytes());
    }
    bytes.extend_from_slice(&[info.product_type, info.architecture]);
    bytes.extend_from_slice(&info.ice_offset.to_le_bytes());
    bytes.extend_from_slice(&info.ice_len.to_le_bytes());
    bytes
}

/// Extended information for a volume of ours: what Windows 11 22H2 writes.
impl ExtendedInfo {
    pub(crate) fn ours(sector_size: u32, ice_offset: u64, log_offset: u64, log_len: u32) -> Self {
        Self {
            version: 5,
            wipe_files_max: 0,
            platform: 2,
            service_pack: [0, 0],
            suite: 0x110,
            product_type: 1,
            architecture: 2,
            // 0x0A on finished volumes, 0x0B on 4K-native ones (§8); undocumented, copied.
            flags: if sector_size == 4096 { 0x0B } else { 0x0A },
            log_offset,
            log_len,
            sector_size,
            native_sector_size: sector_size,
            os_major: 10,
            os_minor: 0,
            os_build: 22631,
            ice_offset,
            ice_len: ICE_LEN,
        }
    }
}
