//! The file system inside a BitLocker volume.
//!
//! Where BitLocker keeps its regions, the file system inside must never put
//! anything. So it gets files there, as Windows does it: [`plan`] finds room and
//! works out every change, [`ReservePlan::apply`] makes it, [`release`] takes it back.
//! [`used_extents`] tells what is worth encrypting. NTFS, exFAT, FAT32 and FAT16 are
//! handled; others are refused by name.

pub(crate) mod bits;
mod identify;
pub(crate) mod placement;
pub(crate) mod role;
pub(crate) mod stage;

use std::io;
use std::ops::Range;

use stage::Change;

pub use identify::{InnerFileSystem, identify};

use crate::Error;
use crate::fat;
use crate::io::{ReadAt, WriteAt};
use crate::ntfs;
use crate::time::FileTime;

/// How long the regions have to be, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionRequest {
    /// One metadata copy (three are reserved): 65536.
    pub metadata_len: u64,
    /// Relocated file system header: 8192.
    pub header_len: u64,
    /// ICE-verify area, directly behind the header: 65536.
    pub ice_len: u64,
    /// Conversion log; 0 reserves none.
    pub log_len: u64,
}

/// Where the regions are: byte offsets from the start of the volume. All begin a
/// cluster except `ice`, which follows `header` at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    /// The three metadata copies.
    pub metadata: [u64; 3],
    /// The relocated header.
    pub header: u64,
    /// The ICE-verify area.
    pub ice: u64,
    /// The conversion log (0 when none was asked for).
    pub log: u64,
}

/// Why a plan could not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The volume was written to between planning and applying. Nothing was written now.
    #[error("the volume changed at byte {offset} since the plan was made")]
    Changed {
        /// Where it differs.
        offset: u64,
    },
    /// The device failed.
    #[error("the device failed: {0}")]
    Io(#[from] io::Error),
}

/// Why a change could not be worked out.
#[derive(Debug)]
pub(crate) enum StageError {
    /// A structure is said to lie beyond the end of the device.
    Beyond {
        offset: u64,
    },
    Io(io::Error),
}

impl From<io::Error> for StageError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Why there is no place for the regions; lengths in bytes.
#[derive(Debug)]
pub(crate) enum PlaceError {
    NoSpace {
        needed: u64,
        free: u64,
    },
    NoRun {
        what: &'static str,
        needed: u64,
        longest: u64,
    },
}

/// The exact changes that give the regions to files of the inner file system.
#[derive(Clone, Debug)]
pub struct ReservePlan {
    pub(crate) regions: Regions,
    pub(crate) change: Change,
    pub(crate) moved: u64,
}

impl ReservePlan {
    /// Where the regions will be.
    #[must_use]
    pub fn regions(&self) -> Regions {
        self.regions
    }

    /// How many bytes of files have to move out of the way.
    #[must_use]
    pub fn moved_bytes(&self) -> u64 {
        self.moved
    }

    /// One line per change, for people. A file that is in the way is named with the clusters that
    /// it leaves and those that it gets.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        self.change.describe()
    }

    /// Carries the plan out. A crash between any two writes leaves a volume on
    /// which planning and applying again succeeds; so does applying this plan again.
    ///
    /// # Errors
    /// [`ApplyError::Changed`], with nothing written, when someone else wrote to the
    /// same places since; [`ApplyError::Io`].
    pub fn apply(&self, dev: &dyn WriteAt) -> Result<(), ApplyError> {
        self.change.apply(dev)
    }
}

/// Finds room for the regions and works out every change; writes nothing.
///
/// On a volume that has exactly these regions already the plan changes nothing.
/// On one where applying a plan was interrupted, what that left is used again.
///
/// # Errors
/// A file system that is not known, not clean, damaged, too full, or of a form that is not handled.
pub fn plan(inner: &dyn ReadAt, request: &RegionRequest, now: FileTime) -> Result<ReservePlan, Error> {
    match identify(inner)? {
        InnerFileSystem::Ntfs => Ok(ntfs::plan(inner, request, now)?),
        InnerFileSystem::ExFat | InnerFileSystem::Fat32 | InnerFileSystem::Fat16 => Ok(fat::plan(inner, request, now)?),
        InnerFileSystem::Unknown(found) => Err(Error::UnknownFileSystem(found)),
    }
}

/// Bytes per sector by the file system's own word.
///
/// # Errors
/// A file system that is not known or damaged.
pub fn sector_size(inner: &dyn ReadAt) -> Result<u32, Error> {
    match identify(inner)? {
        InnerFileSystem::Ntfs => Ok(ntfs::probe(inner)?.bytes_per_sector),
        InnerFileSystem::ExFat | InnerFileSystem::Fat32 | InnerFileSystem::Fat16 => {
            Ok(fat::probe(inner)?.bytes_per_sector)
        }
        InnerFileSystem::Unknown(found) => Err(Error::UnknownFileSystem(found)),
    }
}

/// Removes BitLocker's files from a plain file system and frees their clusters; does
/// nothing where there are none, or where the file system is not known.
///
/// # Errors
/// A file system that is not clean, damaged, or of a form that is not handled.
pub fn release(device: &dyn WriteAt) -> Result<(), Error> {
    match identify(&device)? {
        InnerFileSystem::Ntfs => Ok(ntfs::release(device)?),
        InnerFileSystem::ExFat | InnerFileSystem::Fat32 | InnerFileSystem::Fat16 => Ok(fat::release(device)?),
        InnerFileSystem::Unknown(_) => Ok(()),
    }
}

/// The byte ranges that the file system uses, ascending and not touching each other. What
/// lies behind the file system, up to the end of the device, counts as used.
///
/// # Errors
/// A file system that is not known or damaged.
pub fn used_extents(inner: &dyn ReadAt) -> Result<Vec<Range<u64>>, Error> {
    match identify(inner)? {
        InnerFileSystem::Ntfs => Ok(ntfs::used_extents(inner)?),
        InnerFileSystem::ExFat | InnerFileSystem::Fat32 | InnerFileSystem::Fat16 => Ok(fat::used_extents(inner)?),
        InnerFileSystem::Unknown(found) => Err(Error::UnknownFileSystem(found)),
    }
}
