//! The datum: the tagged value everything in the metadata is made of.

use std::fmt;

use zeroize::Zeroizing;

/// One datum (BitLocker format notes §5). The body is kept as it was read, so
/// that unknown datums survive a rewrite byte for byte.
#[derive(Clone, PartialEq, Eq)]
pub struct Datum {
    /// What it is for (`constants::role`).
    pub role: u16,
    /// How it is built (`constants::kind`).
    pub kind: u16,
    /// Bit 0 on every datum on disk; a clear key carries its reboot count here.
    pub flags: u16,
    /// Everything behind the eight-byte header; wiped when dropped, for some hold keys.
    pub body: Zeroizing<Vec<u8>>,
}

/// Length of the header of a datum.
pub(crate) const DATUM_HEADER_LEN: usize = 8;

impl Datum {
    /// A datum as it lies on disk, flags 1.
    #[must_use]
    pub fn new(role: u16, kind: u16, body: Vec<u8>) -> Self {
        Self {
            role,
            kind,
            flags: 1,
            body: Zeroizing::new(body),
        }
    }

    /// Length on disk in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        DATUM_HEADER_LEN + self.body.len()
    }

    /// Never: a datum has at least its header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }
}

impl fmt::Debug for Datum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Datum(role {:#x}, type {:#x}, flags {:#x}, {} bytes)",
            self.role,
            self.kind,
            self.flags,
            self.len()
        )
    }
}
