//! Just enough FAT16, FAT32 and exFAT to give the reserved regions of a BitLocker
//! volume to files of the inner file system, as [`ntfs`](crate::ntfs) does it.
//!
//! The outer form is that of a fixed disk. Windows makes removable drives with FAT "To Go",
//! with a discovery volume around them; that form is read elsewhere and not written. Whether
//! Windows accepts FAT within the fixed form is not known. Files are not moved: where
//! no free run is long enough, that is said.

mod boot;
mod directory;
mod entries;
mod error;
mod reserve;
mod volume;
mod walk;

use std::ops::Range;

use boot::Kind;
use volume::Volume;

pub use error::FatError;

use crate::inner::{InnerFileSystem, RegionRequest, ReservePlan};
use crate::io::{ReadAt, WriteAt};
use crate::time::FileTime;

/// What the boot sector and the root directory say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FatInfo {
    /// FAT16, FAT32 or exFAT.
    pub kind: InnerFileSystem,
    /// 512 or 4096 in practice.
    pub bytes_per_sector: u32,
    /// Bytes per cluster.
    pub cluster_size: u64,
    /// Length of the file system in bytes.
    pub size: u64,
    /// Volume serial number.
    pub serial: u32,
    /// Volume label, empty when there is none.
    pub label: String,
    /// Whether the file system asks to be checked first.
    pub dirty: bool,
}

/// Reads the boot sector and the root directory.
///
/// # Errors
/// Another file system, or a damaged one.
pub fn probe(inner: &dyn ReadAt) -> Result<FatInfo, FatError> {
    let volume = Volume::open(inner)?;
    let dirty = match volume.check_clean() {
        Ok(()) => false,
        Err(FatError::Dirty(_)) => true,
        Err(error) => return Err(error),
    };
    let geo = &volume.geo;
    Ok(FatInfo {
        kind: match geo.kind {
            Kind::Fat16 => InnerFileSystem::Fat16,
            Kind::Fat32 => InnerFileSystem::Fat32,
            Kind::ExFat => InnerFileSystem::ExFat,
        },
        bytes_per_sector: geo.sector,
        cluster_size: geo.cluster,
        size: geo.end,
        serial: geo.serial,
        label: reserve::label(&volume)?,
        dirty,
    })
}

/// Finds room for the regions and works out every change; writes nothing. Same promises as
/// [`ntfs::plan`](crate::ntfs::plan).
///
/// # Errors
/// A volume that is not clean, damaged, too full or too fragmented, or of a form that is not handled.
pub fn plan(inner: &dyn ReadAt, request: &RegionRequest, now: FileTime) -> Result<ReservePlan, FatError> {
    let (regions, change) = reserve::plan(inner, request, now)?;
    Ok(ReservePlan {
        regions,
        change,
        moved: 0,
    })
}

/// Removes our files and frees their clusters; does nothing where there are none.
/// The directory `System Volume Information` stays. May be repeated after a crash.
///
/// # Errors
/// As [`plan`].
pub fn release(device: &dyn WriteAt) -> Result<(), FatError> {
    Ok(reserve::plan_release(&device)?.apply(device)?)
}

/// The byte ranges in use, ascending and not touching each other; what lies before the first
/// cluster and behind the last one counts as used.
///
/// # Errors
/// Another file system, or a damaged one.
pub fn used_extents(inner: &dyn ReadAt) -> Result<Vec<Range<u64>>, FatError> {
    reserve::used_extents(inner)
}
