//! Protectors: the ways to reach the volume master key.

pub(crate) mod build;
mod info;

pub use info::{BackupInfo, Part, ProtectorInfo, ProtectorKind, Stretch, TpmDatum};
pub(crate) use info::{CLEAR_KEY_COUNT_FLAG, info, list};
