//! Just enough NTFS to give the reserved regions of a BitLocker volume to files
//! of the inner file system, so that it never hands their clusters to anyone else.
//!
//! [`plan`] looks and decides, [`ReservePlan::apply`] carries the decision out,
//! [`release`] takes it back. [`used_extents`] tells what is worth encrypting.

mod boot;
mod bytes;
mod clean;
mod error;
mod files;
mod fixup;
mod grow;
mod index;
mod index_write;
mod names;
mod record;
mod release;
mod relocate;
mod reserve;
mod runs;
mod scan;
mod volume;

use std::ops::Range;

use volume::Volume;

pub use error::NtfsError;
pub(crate) use files::files_in;

pub use crate::inner::{RegionRequest, Regions, ReservePlan};

use crate::io::{ReadAt, WriteAt};
use crate::time::FileTime;

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
    let volume = Volume::open(inner)?;
    let state = clean::volume_state(&volume)?;
    Ok(NtfsInfo {
        bytes_per_sector: volume.geo.sector,
        cluster_size: volume.geo.cluster as u32,
        total_sectors: volume.geo.sectors,
        serial: volume.geo.serial,
        dirty: state.dirty(),
        label: state.label,
        version: state.version,
    })
}

/// Finds room for the regions and works out every change; writes nothing.
///
/// On a volume that has exactly these regions already the plan changes nothing.
/// On one where applying a plan was interrupted, what that left is used again.
///
/// # Errors
/// A volume that is not clean, damaged, too full, or of a form that is not handled.
pub fn plan(inner: &dyn ReadAt, req: &RegionRequest, now: FileTime) -> Result<ReservePlan, NtfsError> {
    reserve::plan(inner, req, now)
}

/// Finds room for a conversion log alone, in the inner view of a volume whose
/// other regions someone else (Windows) reserved, and works out every change;
/// writes nothing. [`Regions::log`] of the plan says where it will be; the other
/// regions are 0. A log of this length that is there already is used again.
///
/// # Errors
/// As [`plan`].
pub fn plan_log(view: &dyn ReadAt, log_len: u64, now: FileTime) -> Result<ReservePlan, NtfsError> {
    let request = RegionRequest {
        metadata_len: 0,
        header_len: 0,
        ice_len: 0,
        log_len,
    };
    let mut plan = reserve::plan(view, &request, now)?;
    plan.regions = Regions {
        log: plan.regions.log,
        ..Regions::default()
    };
    Ok(plan)
}

/// Refuses a file system that was not left in order: its bitmap may not say what is in use.
///
/// # Errors
/// [`NtfsError::Dirty`] above all.
pub fn check_clean(inner: &dyn ReadAt) -> Result<(), NtfsError> {
    let volume = Volume::open(inner)?;
    let tree = reserve::Tree::open(&volume)?;
    clean::check(&volume, &tree.root, &tree.upcase)
}

/// Removes our files and frees their clusters, and those of Windows named in the
/// same way (`FVE2.{…}`), once the volume is fully decrypted; does nothing where there are none.
/// The directory `System Volume Information` stays. May be repeated after a crash.
pub fn release(dev: &dyn WriteAt) -> Result<(), NtfsError> {
    Ok(release::plan(&dev)?.apply(dev)?)
}

/// The byte ranges in use by `$Bitmap`, ascending and not touching each other.
/// What follows the last whole cluster (the backup boot sector) counts as used.
pub fn used_extents(inner: &dyn ReadAt) -> Result<Vec<Range<u64>>, NtfsError> {
    let volume = Volume::open(inner)?;
    let (bits, _) = volume.cluster_bitmap()?;
    let geo = volume.geo;
    let mut used = Vec::new();
    let mut at = 0;
    for (start, len) in bits.clear_runs(0, geo.clusters) {
        if start > at {
            used.push(at * geo.cluster..start * geo.cluster);
        }
        at = start + len;
    }
    let (start, end) = (at * geo.cluster, inner.size());
    if start < end {
        used.push(start..end);
    }
    // A volume that ends with free clusters and nothing behind them.
    used.retain(|range| !range.is_empty());
    Ok(used)
}
