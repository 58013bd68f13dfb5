//! Checked little-endian access to untrusted bytes.

use super::NtfsError;

macro_rules! getters {
    ($($name:ident: $int:ty;)*) => {$(
        /// The little-endian integer at `at`.
        pub(super) fn $name(bytes: &[u8], at: usize) -> Result<$int, NtfsError> {
            const LEN: usize = size_of::<$int>();
            slice(bytes, at, LEN).and_then(|found| {
                <[u8; LEN]>::try_from(found).map(<$int>::from_le_bytes).map_err(|_| short(at))
            })
        }
    )*};
}

getters! {
    u16_at: u16;
    u32_at: u32;
    u64_at: u64;
}

/// The byte at `at`.
pub(super) fn u8_at(bytes: &[u8], at: usize) -> Result<u8, NtfsError> {
    bytes.get(at).copied().ok_or_else(|| short(at))
}

/// `len` bytes from `at` on.
pub(super) fn slice(bytes: &[u8], at: usize, len: usize) -> Result<&[u8], NtfsError> {
    at.checked_add(len)
        .and_then(|end| bytes.get(at..end))
        .ok_or_else(|| short(at))
}

/// Writes `value` at `at`; the caller made the buffer long enough.
pub(super) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// The next multiple of 8.
pub(super) fn align8(value: usize) -> usize {
    value.div_ceil(8) * 8
}

/// A length or offset as an index, refused when the platform cannot hold it.
pub(super) fn index(value: u64) -> Result<usize, NtfsError> {
    usize::try_from(value).map_err(|_| NtfsError::Damaged(format!("a length of {value} bytes")))
}

fn short(at: usize) -> NtfsError {
    NtfsError::Damaged(format!("a structure ends before its field at {at}"))
}
