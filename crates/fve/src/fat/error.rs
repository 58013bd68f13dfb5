//! Why a FAT or exFAT volume cannot be read or changed.

use std::io;

use crate::inner::{ApplyError, PlaceError, StageError};

/// Why a FAT or exFAT volume cannot be read or changed. Nothing was written unless
/// it is [`Io`](Self::Io) during a release.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FatError {
    /// The volume holds something else.
    #[error("not a FAT16, FAT32 or exFAT volume: found {found}")]
    NotFat {
        /// What it looks like.
        found: String,
    },
    /// A structure contradicts itself or another one.
    #[error("the FAT file system is damaged: {0}")]
    Damaged(String),
    /// A legal form that this code does not handle.
    #[error("this FAT file system cannot be changed here: {0}")]
    Unsupported(String),
    /// The file system was not unmounted cleanly, or met bad sectors.
    #[error("the FAT file system is not clean: {0}")]
    Dirty(String),
    /// Too little room.
    #[error("not enough free space: {needed} bytes needed, {free} bytes free")]
    NoSpace {
        /// Bytes the regions need, in whole clusters.
        needed: u64,
        /// Free bytes.
        free: u64,
    },
    /// Room enough, but in pieces too small. Files on FAT are not moved.
    #[error("no contiguous free run of {needed} bytes for the {what}; the longest is {longest} bytes")]
    NoRun {
        /// Which region.
        what: &'static str,
        /// Bytes the region needs, in whole clusters.
        needed: u64,
        /// The longest free run.
        longest: u64,
    },
    /// The volume was written to between planning and applying.
    #[error("the volume changed at byte {offset} since the plan was made")]
    Changed {
        /// Where it differs.
        offset: u64,
    },
    /// The device failed.
    #[error("the device failed: {0}")]
    Io(#[from] io::Error),
}

impl From<ApplyError> for FatError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Changed { offset } => Self::Changed { offset },
            ApplyError::Io(error) => Self::Io(error),
        }
    }
}

impl From<StageError> for FatError {
    fn from(error: StageError) -> Self {
        match error {
            StageError::Beyond { offset } => Self::Damaged(format!("a structure at {offset} lies beyond the device")),
            StageError::Io(error) => Self::Io(error),
        }
    }
}

impl From<PlaceError> for FatError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::NoSpace { needed, free } => Self::NoSpace { needed, free },
            PlaceError::NoRun { what, needed, longest } => Self::NoRun { what, needed, longest },
        }
    }
}

pub(super) fn damaged(what: impl Into<String>) -> FatError {
    FatError::Damaged(what.into())
}
