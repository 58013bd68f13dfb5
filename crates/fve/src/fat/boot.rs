//! The boot sector: geometry, and whether the volume was left in order.

use super::FatError;
use super::error::damaged;
use crate::inner::placement::Space;
use crate::inner::{InnerFileSystem, identify};
use crate::io::ReadAt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Fat16,
    Fat32,
    ExFat,
}

/// Where the root directory is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Root {
    /// In clusters, from this one on.
    Chain(u32),
    /// Before the clusters: offset and length in bytes.
    Fixed(u64, u64),
}

/// Sizes in bytes, and places on the volume.
#[derive(Clone, Debug)]
pub(super) struct Geometry {
    pub(super) kind: Kind,
    pub(super) sector: u32,
    pub(super) cluster: u64,
    /// How many clusters there are; the first is number 2.
    pub(super) clusters: u64,
    /// Where cluster 2 begins.
    pub(super) heap: u64,
    /// The tables that are kept, the one that counts first.
    pub(super) tables: Vec<u64>,
    pub(super) root: Root,
    /// Sector with the number of free clusters (FAT32).
    pub(super) info: Option<u64>,
    pub(super) serial: u32,
    /// End of the file system.
    pub(super) end: u64,
    /// What the boot sector says against writing.
    pub(super) dirty: Option<&'static str>,
}

impl Geometry {
    pub(super) fn space(&self) -> Space {
        Space {
            cluster: self.cluster,
            clusters: self.clusters,
            origin: self.heap,
        }
    }

    /// Where a cluster begins.
    pub(super) fn offset(&self, cluster: u32) -> Result<u64, FatError> {
        let index = u64::from(cluster).checked_sub(2).filter(|&index| index < self.clusters);
        match index {
            Some(index) => Ok(self.heap + index * self.cluster),
            None => Err(damaged(format!("cluster {cluster} is not on the volume"))),
        }
    }

    /// Bytes per entry of the table.
    pub(super) fn entry_len(&self) -> u64 {
        if self.kind == Kind::Fat16 { 2 } else { 4 }
    }
}

/// Reads and checks the boot sector.
pub(super) fn read(device: &dyn ReadAt) -> Result<Geometry, FatError> {
    let found = identify(device)?;
    let mut boot = [0; 512];
    if device.size() >= 512 {
        device.read_at(0, &mut boot)?;
    }
    let geometry = match found {
        InnerFileSystem::ExFat => exfat(device, &boot)?,
        InnerFileSystem::Fat32 => fat(&boot, Kind::Fat32)?,
        InnerFileSystem::Fat16 => fat(&boot, Kind::Fat16)?,
        other => {
            return Err(FatError::NotFat {
                found: other.to_string(),
            });
        }
    };
    let heap_end = geometry.clusters.checked_mul(geometry.cluster);
    let heap_end = heap_end.and_then(|len| len.checked_add(geometry.heap));
    if heap_end.is_none_or(|end| end > geometry.end) || geometry.end > device.size() {
        return Err(damaged(format!(
            "the file system has {} bytes, its device only {}",
            geometry.end,
            device.size()
        )));
    }
    let most = if geometry.kind == Kind::ExFat {
        0xFFFF_FFF5
    } else {
        0x0FFF_FFF5
    };
    if !(1..=most).contains(&geometry.clusters) {
        return Err(damaged(format!("{} clusters", geometry.clusters)));
    }
    if let Root::Chain(first) = geometry.root {
        geometry.offset(first)?;
    }
    Ok(geometry)
}

fn fat(boot: &[u8; 512], kind: Kind) -> Result<Geometry, FatError> {
    let either = |short: u64, long: u64| if short == 0 { long } else { short };
    // `identify` has looked at sector size, sectors per cluster and number of tables.
    let sector = word(boot, 11);
    let cluster = sector * u64::from(boot[13]);
    let total = either(word(boot, 19), long(boot, 32));
    let table_len = either(word(boot, 22), long(boot, 36)) * sector;
    let first_table = word(boot, 14) * sector;
    let count = u64::from(boot[16]);
    let root_at = first_table + count * table_len;
    let root_len = (word(boot, 17) * 32).next_multiple_of(sector);
    let heap = root_at + root_len;
    let clusters = (total * sector).saturating_sub(heap) / cluster;
    let entry = if kind == Kind::Fat32 { 4 } else { 2 };
    if table_len < (clusters + 2) * entry {
        return Err(damaged("a table too short for its clusters"));
    }
    let mut tables: Vec<u64> = (0..count).map(|table| first_table + table * table_len).collect();
    let (mut info, mut serial, mut flags) = (None, long(boot, 39), boot[37]);
    let root = if kind == Kind::Fat32 {
        if root_len != 0 || word(boot, 42) != 0 {
            return Err(FatError::Unsupported(format!("FAT32 version {:#x}", word(boot, 42))));
        }
        // One table alone may be kept.
        if word(boot, 40) & 0x80 != 0 {
            let active = (word(boot, 40) & 15) as usize;
            tables = tables.get(active).copied().into_iter().collect();
        }
        let sector_of_info = word(boot, 48);
        info = (sector_of_info != 0 && sector_of_info < word(boot, 14)).then(|| sector_of_info * sector);
        (serial, flags) = (long(boot, 67), boot[65]);
        Root::Chain(long(boot, 44) as u32)
    } else {
        Root::Fixed(root_at, word(boot, 17) * 32)
    };
    if tables.is_empty() {
        return Err(damaged("no table is said to count"));
    }
    Ok(Geometry {
        kind,
        sector: sector as u32,
        cluster,
        clusters,
        heap,
        tables,
        root,
        info,
        serial: serial as u32,
        end: total * sector,
        dirty: match flags & 3 {
            0 => None,
            1 => Some("it was not unmounted"),
            _ => Some("it met bad sectors"),
        },
    })
}

fn exfat(device: &dyn ReadAt, boot: &[u8; 512]) -> Result<Geometry, FatError> {
    let shifts = (boot[108], boot[109]);
    if !(9..=12).contains(&shifts.0) || shifts.1 > 25 - shifts.0 {
        return Err(damaged(format!(
            "sectors of 2^{} bytes, 2^{} per cluster",
            shifts.0, shifts.1
        )));
    }
    if boot[11..64].iter().any(|&byte| byte != 0) || boot[510..] != [0x55, 0xAA] {
        return Err(damaged("an exFAT boot sector with foreign parts"));
    }
    if boot[105] != 1 {
        return Err(FatError::Unsupported(format!(
            "exFAT version {}.{}",
            boot[105], boot[104]
        )));
    }
    if boot[110] != 1 {
        return Err(FatError::Unsupported("exFAT with two tables (TexFAT)".to_owned()));
    }
    let sector = 1_u64 << shifts.0;
    check_exfat_sum(device, sector)?;
    let sectors = u64::from_le_bytes([
        boot[72], boot[73], boot[74], boot[75], boot[76], boot[77], boot[78], boot[79],
    ]);
    let clusters = long(boot, 92);
    if long(boot, 84) * sector < (clusters + 2) * 4 {
        return Err(damaged("a table too short for its clusters"));
    }
    Ok(Geometry {
        kind: Kind::ExFat,
        sector: sector as u32,
        cluster: sector << shifts.1,
        clusters,
        heap: long(boot, 88) * sector,
        tables: vec![long(boot, 80) * sector],
        root: Root::Chain(long(boot, 96) as u32),
        info: None,
        serial: long(boot, 100) as u32,
        end: sectors
            .checked_mul(sector)
            .ok_or_else(|| damaged("a volume of impossible length"))?,
        dirty: match word(boot, 106) {
            flags if flags & 2 != 0 => Some("it was not unmounted"),
            flags if flags & 4 != 0 => Some("it met bad sectors"),
            _ => None,
        },
    })
}

/// The twelfth sector repeats a sum over the eleven before it.
fn check_exfat_sum(device: &dyn ReadAt, sector: u64) -> Result<(), FatError> {
    let mut region = vec![0; 12 * sector as usize];
    if device.size() < region.len() as u64 {
        return Err(damaged("a device shorter than its boot region"));
    }
    device.read_at(0, &mut region)?;
    let (summed, sums) = region.split_at(11 * sector as usize);
    let sum = summed
        .iter()
        .enumerate()
        .filter(|(at, _)| !matches!(at, 106 | 107 | 112))
        .fold(0_u32, |sum, (_, &byte)| {
            sum.rotate_right(1).wrapping_add(u32::from(byte))
        });
    if sums.chunks(4).all(|stored| stored == sum.to_le_bytes()) {
        Ok(())
    } else {
        Err(damaged("the boot region's checksum is wrong"))
    }
}

fn word(bytes: &[u8; 512], at: usize) -> u64 {
    u64::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn long(bytes: &[u8; 512], at: usize) -> u64 {
    word(bytes, at) | word(bytes, at + 2) << 16
}
