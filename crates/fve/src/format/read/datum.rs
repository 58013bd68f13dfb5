//! Datums (BitLocker format notes §5).

use zeroize::Zeroizing;

use super::{Bytes, FormatError};
use crate::format::constants::{kind, nesting_offset};
use crate::format::datum::{DATUM_HEADER_LEN, Datum};

/// Splits `bytes` into datums lying back to back.
pub fn parse_all(bytes: &[u8]) -> Result<Vec<Datum>, FormatError> {
    let mut datums = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (datum, tail) = parse_first(rest)?;
        datums.push(datum);
        rest = tail;
    }
    Ok(datums)
}

/// Reads the datum at the start of `bytes`; the rest comes with it.
pub(crate) fn parse_first(bytes: &[u8]) -> Result<(Datum, &[u8]), FormatError> {
    let header = Bytes::new(bytes, "a datum");
    let len = usize::from(header.u16(0)?);
    if len < DATUM_HEADER_LEN {
        return Err(FormatError::Range {
            what: "the length of a datum",
            value: len as u64,
        });
    }
    let body = header.slice(DATUM_HEADER_LEN, len - DATUM_HEADER_LEN)?;
    let datum = Datum {
        role: header.u16(2)?,
        kind: header.u16(4)?,
        flags: header.u16(6)?,
        body: Zeroizing::new(body.to_vec()),
    };
    Ok((datum, &bytes[len..]))
}

/// The datums inside `datum`; none for a type that holds no others.
pub fn nested(datum: &Datum) -> Result<Vec<Datum>, FormatError> {
    let Some(offset) = nesting_offset(datum.kind) else {
        return Ok(Vec::new());
    };
    let inner = datum
        .body
        .get(offset - DATUM_HEADER_LEN..)
        .ok_or(FormatError::Truncated { what: "a nested datum" })?;
    parse_all(inner)
}

/// A KEY datum: a key type and key bytes.
pub struct KeyDatum {
    /// `constants::key_type`.
    pub key_type: u16,
    /// The key.
    pub key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for KeyDatum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyDatum(type {:#x}, [redacted])", self.key_type)
    }
}

/// Reads the plaintext of a wrapped key: exactly one KEY datum.
pub fn parse_key(bytes: &[u8]) -> Result<KeyDatum, FormatError> {
    let (datum, rest) = parse_first(bytes)?;
    if !rest.is_empty() {
        return Err(FormatError::Range {
            what: "the length of a key",
            value: bytes.len() as u64,
        });
    }
    key_of(&datum)
}

/// Takes a KEY datum apart.
pub(crate) fn key_of(datum: &Datum) -> Result<KeyDatum, FormatError> {
    if datum.kind != kind::KEY {
        return Err(FormatError::Missing { what: "a key" });
    }
    let body = Bytes::new(&datum.body, "a key");
    Ok(KeyDatum {
        key_type: body.u16(0)?,
        key: Zeroizing::new(datum.body.get(4..).unwrap_or_default().to_vec()),
    })
}

/// The text of a UNICODE datum, up to its terminator; damaged UTF-16 becomes U+FFFD.
#[must_use]
pub fn text(datum: &Datum) -> Option<String> {
    if datum.kind != kind::UNICODE {
        return None;
    }
    let units = datum
        .body
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair))
        .take_while(|&unit| unit != 0);
    Some(
        char::decode_utf16(units)
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
    )
}
