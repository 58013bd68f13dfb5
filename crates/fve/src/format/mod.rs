//! The on-disk format, version 2 (Windows 7 and later).
//!
//! [`read`] takes untrusted bytes apart; [`mod@write`] puts trusted values together.
//! They share only the vocabulary in this module.

pub mod constants;
mod datum;
mod metadata;
mod method;
pub mod read;
pub mod write;

pub use datum::Datum;
pub use metadata::{BlockHeader, DatasetHeader, ExtendedInfo, Metadata, Validation, VirtualizationInfo};
pub use method::EncryptionMethod;
pub use read::FormatError;
