//! Bounds-checked little-endian reads.

use super::FormatError;
use crate::guid::Guid;

/// A slice read by offset; every read beyond its end is an error that names the structure.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a> {
    bytes: &'a [u8],
    what: &'static str,
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { bytes, what }
    }

    pub(crate) fn slice(self, offset: usize, len: usize) -> Result<&'a [u8], FormatError> {
        offset
            .checked_add(len)
            .and_then(|end| self.bytes.get(offset..end))
            .ok_or(FormatError::Truncated { what: self.what })
    }

    pub(crate) fn array<const N: usize>(self, offset: usize) -> Result<[u8; N], FormatError> {
        let mut array = [0; N];
        array.copy_from_slice(self.slice(offset, N)?);
        Ok(array)
    }

    pub(crate) fn u8(self, offset: usize) -> Result<u8, FormatError> {
        self.array::<1>(offset).map(|[byte]| byte)
    }

    pub(crate) fn u16(self, offset: usize) -> Result<u16, FormatError> {
        self.array(offset).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(self, offset: usize) -> Result<u32, FormatError> {
        self.array(offset).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(self, offset: usize) -> Result<u64, FormatError> {
        self.array(offset).map(u64::from_le_bytes)
    }

    pub(crate) fn guid(self, offset: usize) -> Result<Guid, FormatError> {
        self.array(offset).map(Guid::from_bytes_le)
    }
}
