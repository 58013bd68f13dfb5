//! The boot sector: geometry, and what else a volume may hold.

use super::NtfsError;
use super::bytes::{u8_at, u16_at, u64_at};
use crate::inner::placement::Space;
use crate::inner::{InnerFileSystem, identify};
use crate::io::ReadAt;

/// Sizes and places that everything else is computed from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub(super) sector: u32,
    pub(super) cluster: u64,
    pub(super) sectors: u64,
    pub(super) clusters: u64,
    pub(super) record: usize,
    pub(super) mft_lcn: u64,
    pub(super) serial: u64,
}

impl Geometry {
    pub(super) fn space(&self) -> Space {
        Space {
            cluster: self.cluster,
            clusters: self.clusters,
            origin: 0,
        }
    }
}

/// Reads and checks the boot sector.
pub(super) fn read(device: &dyn ReadAt) -> Result<Geometry, NtfsError> {
    let mut boot = [0; 512];
    match identify(device)? {
        InnerFileSystem::Ntfs => device.read_at(0, &mut boot)?,
        other => {
            return Err(NtfsError::NotNtfs {
                found: other.to_string(),
            });
        }
    }
    let geometry = parse(&boot)?;
    let end = u128::from(geometry.sectors) * u128::from(geometry.sector);
    if end > u128::from(device.size()) {
        return Err(NtfsError::Damaged(format!(
            "the file system has {end} bytes, its device only {}",
            device.size()
        )));
    }
    Ok(geometry)
}

fn parse(boot: &[u8]) -> Result<Geometry, NtfsError> {
    let sector = u32::from(u16_at(boot, 0x0B)?);
    if !sector.is_power_of_two() || !(512..=4096).contains(&sector) {
        return Err(NtfsError::Unsupported(format!("{sector} bytes per sector")));
    }
    // Above 0x80 the byte is a negative power of two (clusters beyond 64 KiB).
    let per_cluster = match u8_at(boot, 0x0D)? {
        code @ 0xE0.. => 1_u64 << (256 - u32::from(code)),
        code => u64::from(code),
    };
    let cluster = per_cluster * u64::from(sector);
    if !per_cluster.is_power_of_two() || cluster > 2 << 20 {
        return Err(NtfsError::Unsupported(format!("{per_cluster} sectors per cluster")));
    }
    let sectors = u64_at(boot, 0x28)?;
    let clusters = sectors / per_cluster;
    let record = record_size(u8_at(boot, 0x40)?, cluster)?;
    let mft_lcn = u64_at(boot, 0x30)?;
    if clusters == 0 || mft_lcn >= clusters {
        return Err(NtfsError::Damaged(format!("$MFT at cluster {mft_lcn} of {clusters}")));
    }
    Ok(Geometry {
        sector,
        cluster,
        sectors,
        clusters,
        record,
        mft_lcn,
        serial: u64_at(boot, 0x48)?,
    })
}

/// A positive code counts clusters, a negative one is a power of two in bytes.
fn record_size(code: u8, cluster: u64) -> Result<usize, NtfsError> {
    let size = match code.cast_signed() {
        clusters @ 1.. => u64::from(clusters.unsigned_abs()) * cluster,
        power @ -31..=-1 => 1 << power.unsigned_abs(),
        _ => 0,
    };
    match usize::try_from(size) {
        Ok(size @ (1024 | 2048 | 4096)) => Ok(size),
        _ => Err(NtfsError::Unsupported(format!("$MFT records of {size} bytes"))),
    }
}
