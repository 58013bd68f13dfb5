//! Metadata whose checksum is wrong: what can still be made out. Keys in it are sealed by AES-CCM, so a key
//! that opens is the right one however it was found; places and states are only what the bytes say.

use super::metadata::{read_dataset_header, read_header};
use super::{Bytes, FormatError, datum};
use crate::format::Datum;
use crate::format::constants::{BLOCK_HEADER_LEN, DATUMS_OFFSET, METADATA_LEN, SIGNATURE, kind, role};
use crate::format::metadata::{Metadata, Validation};
use crate::protector;

/// Reads an area without believing its lengths and checksums: datums are looked for by their shape, wherever
/// they lie. The integrity hash of the result never matches.
///
/// # Errors
/// When not even the headers are there.
pub fn read_damaged_metadata(area: &[u8]) -> Result<Metadata, FormatError> {
    const WHAT: &str = "the damaged metadata";
    let area = area.get(..METADATA_LEN.min(area.len())).unwrap_or_default();
    let bytes = Bytes::new(area, WHAT);
    let signature = bytes.slice(0, 8)?;
    // A flipped bit or two in the signature is damage as well; anything else is another thing.
    let differing: u32 = signature.iter().zip(SIGNATURE).map(|(a, b)| (a ^ b).count_ones()).sum();
    if differing > 2 {
        return Err(FormatError::Signature { what: WHAT });
    }
    let dataset = read_dataset_header(Bytes::new(area.get(BLOCK_HEADER_LEN..).unwrap_or_default(), WHAT))?;
    Ok(Metadata {
        header: read_header(bytes)?,
        dataset,
        datums: scavenge(area),
        validation: Validation {
            crc: 0,
            integrity: Datum::new(role::PROPERTY, 0, Vec::new()),
        },
        area: area.to_vec(),
        hashed_len: 0,
    })
}

/// More datums than any volume has are not looked at.
const MAX_DATUMS: usize = 256;

/// The top-level datums that unlocking needs, wherever they lie.
fn scavenge(area: &[u8]) -> Vec<Datum> {
    (DATUMS_OFFSET..area.len())
        .filter_map(|offset| {
            let rest = area.get(offset..)?;
            let header = Bytes::new(rest, "a datum");
            if !wanted(header.u16(2).ok()?, header.u16(4).ok()?) {
                return None;
            }
            let (datum, _) = datum::parse_first(rest).ok()?;
            plausible(&datum).then_some(datum)
        })
        .take(MAX_DATUMS)
        .collect()
}

fn wanted(role: u16, kind: u16) -> bool {
    matches!(
        (role, kind),
        (role::VMK_INFO, kind::VMK_INFO)
            | (role::FVEK, kind::AES_CCM)
            | (role::VIRTUALIZATION, kind::VIRTUALIZATION)
            | (role::DESCRIPTION, kind::UNICODE)
    )
}

fn plausible(datum: &Datum) -> bool {
    match (datum.role, datum.kind) {
        (role::VMK_INFO, kind::VMK_INFO) => protector::info(datum).is_ok(),
        // Nonce and tag, then a KEY datum of 28, 44 or 76 bytes.
        (role::FVEK, kind::AES_CCM) => matches!(datum.body.len(), 56 | 72 | 104),
        (role::VIRTUALIZATION, kind::VIRTUALIZATION) => matches!(datum.body.len(), 16..=4096),
        (role::DESCRIPTION, kind::UNICODE) => datum.body.len() <= 1024,
        _ => false,
    }
}
