//! The reading half: untrusted bytes in, bounded values out. Nothing here
//! panics, loops without end or allocates more than the input is long.

mod boot;
mod bytes;
mod damaged;
mod datum;
mod eow;
mod metadata;
mod virtualization;

pub use boot::{BootSector, Layout, read_boot_sector};
pub use damaged::read_damaged_metadata;
pub use datum::{KeyDatum, nested, parse_all, parse_key, text};
pub(crate) use datum::{key_of, parse_first};
pub use eow::{EowBitmap, EowInfo, read_eow_bitmap, read_eow_info};
pub(crate) use metadata::read_dataset;
pub use metadata::read_metadata;
pub use virtualization::virtualization_info;

pub(crate) use bytes::Bytes;

/// What is wrong with bytes that should be BitLocker metadata.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The bytes end before a value does.
    #[error("{what} is cut short")]
    Truncated {
        /// The value.
        what: &'static str,
    },
    /// The signature is another one.
    #[error("{what} has no BitLocker signature")]
    Signature {
        /// Which structure.
        what: &'static str,
    },
    /// Windows Vista's version 1, or one from the future.
    #[error("version {version} of the format is not supported (only 2: Windows 7 and later)")]
    Version {
        /// The version found.
        version: u16,
    },
    /// A number that cannot be right.
    #[error("{what} is out of range: {value}")]
    Range {
        /// Which number.
        what: &'static str,
        /// The value found.
        value: u64,
    },
    /// The CRC-32 does not match.
    #[error("the checksum of {what} does not match: it is damaged")]
    Checksum {
        /// Which structure.
        what: &'static str,
    },
    /// A datum of another type than expected.
    #[error("{what} is missing or of another type")]
    Missing {
        /// Which datum.
        what: &'static str,
    },
}
