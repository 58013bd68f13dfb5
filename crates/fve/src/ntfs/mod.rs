//! Just enough NTFS to give the reserved regions of a BitLocker volume to files
//! of the inner file system, so that it never hands their clusters to anyone else.
//!
//! [`plan`] looks and decides, [`ReservePlan::apply`] carries the decision out,
//! [`release`] takes it back. [`used_extents`] tells what is worth encrypting.

mod error;

use std::ops::Range;

pub use error::NtfsError;

use crate::io::{ReadAt, WriteAt};
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

/// Where the regions are: byte offsets from the start of the volume. All are
/// cluster-aligned except `ice`, which follows `header` at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// What the boot sector and `$Volume` say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NtfsInfo {
    /// 512 or 4096 in practice.
    pub bytes_per_sector: u32,
    /// Bytes per cluster.
    pub cluster_size: u32,
    /// Sectors of the file system; the backup boot sector is one more.
    pub total_sectors: u64,
    /// Volume serial number.
    pub serial: u64,
    /// Volume label, empty when there is none.
    pub label: String,
    /// NTFS version, 3.1 since Windows XP.
    pub version: (u8, u8),
    /// Whether the file system asks to be checked first.
    pub dirty: bool,
}

/// Reads the boot sector and the volume record.
pub fn probe(inner: &dyn ReadAt) -> Result<NtfsInfo, NtfsError> {
    let _ = inner;
    Err(NtfsError::Unsupported("not yet".to_owned()))
}

/// Finds room for the regions and works out every change; writes nothing.
pub fn plan(inner: &dyn ReadAt, req: &RegionRequest, now: FileTime) -> Result<ReservePlan, NtfsError> {
    let _ = (inner, req, now);
    Err(NtfsError::Unsupported("not yet".to_owned()))
}

/// The exact changes that give the regions to files of the inner file system.
#[derive(Clone, Debug)]
pub struct ReservePlan {
    regions: Regions,
}

impl ReservePlan {
    /// Where the regions will be.
    #[must_use]
    pub fn regions(&self) -> Regions {
        self.regions
    }

    /// One line per change, for people.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        Vec::new()
    }

    /// Carries the plan out. A crash between any two writes leaves a volume on
    /// which planning and applying again succeeds.
    pub fn apply(&self, dev: &dyn WriteAt) -> Result<(), NtfsError> {
        let _ = dev;
        Err(NtfsError::Unsupported("not yet".to_owned()))
    }
}

/// Removes our files and frees their clusters.
pub fn release(dev: &dyn WriteAt) -> Result<(), NtfsError> {
    let _ = dev;
    Err(NtfsError::Unsupported("not yet".to_owned()))
}

/// The byte ranges in use by `$Bitmap`, ascending and not touching each other.
pub fn used_extents(inner: &dyn ReadAt) -> Result<Vec<Range<u64>>, NtfsError> {
    let _ = inner;
    Err(NtfsError::Unsupported("not yet".to_owned()))
}
