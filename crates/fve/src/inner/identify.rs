//! What file system a volume holds, by its magic numbers.

use std::fmt;
use std::io;

use crate::io::ReadAt;

/// The file system within a volume. Regions can be reserved in all but the last.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InnerFileSystem {
    /// NTFS.
    Ntfs,
    /// exFAT.
    ExFat,
    /// FAT32.
    Fat32,
    /// FAT16.
    Fat16,
    /// Another one: its name, or `nothing known`.
    Unknown(String),
}

impl fmt::Display for InnerFileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ntfs => "NTFS",
            Self::ExFat => "exFAT",
            Self::Fat32 => "FAT32",
            Self::Fat16 => "FAT16",
            Self::Unknown(name) => name,
        })
    }
}

/// Magic numbers elsewhere than in the first sector: offset, bytes, name.
const ELSEWHERE: [(u64, &[u8], &str); 9] = [
    (0, b"LUKS\xBA\xBE", "LUKS"),
    (0, b"XFSB", "XFS"),
    (32, b"NXSB", "APFS"),
    (1024, b"H+", "HFS+"),
    (1024, b"HX", "HFS+"),
    (1024, b"\x10\x20\xF5\xF2", "F2FS"),
    (0x10040, b"_BHRfS_M", "Btrfs"),
    (0x8001, b"CD001", "ISO 9660"),
    (4086, b"SWAPSPACE2", "Linux swap"),
];

/// Looks at the first sectors of a plain volume or an inner view.
///
/// # Errors
/// When the device fails.
pub fn identify(inner: &dyn ReadAt) -> io::Result<InnerFileSystem> {
    let mut boot = [0; 512];
    if inner.size() < 512 {
        return Ok(unknown("a device shorter than one sector"));
    }
    inner.read_at(0, &mut boot)?;
    Ok(match &boot[3..11] {
        b"NTFS    " => InnerFileSystem::Ntfs,
        b"EXFAT   " => InnerFileSystem::ExFat,
        b"-FVE-FS-" => unknown("BitLocker"),
        b"ReFS\0\0\0\0" => unknown("ReFS"),
        _ => match fat_bits(&boot) {
            Some(32) => InnerFileSystem::Fat32,
            Some(16) => InnerFileSystem::Fat16,
            Some(_) => unknown("FAT12"),
            None => unknown(elsewhere(inner, &boot)?),
        },
    })
}

fn unknown(name: &str) -> InnerFileSystem {
    InnerFileSystem::Unknown(name.to_owned())
}

/// 12, 16 or 32.
fn fat_bits(boot: &[u8; 512]) -> Option<u8> {
    let word = |at: usize| u64::from(u16::from_le_bytes([boot[at], boot[at + 1]]));
    let long = |at: usize| word(at) | word(at + 2) << 16;
    let either = |short: u64, long: u64| if short == 0 { long } else { short };
    let sector = word(11);
    let per_cluster = u64::from(boot[13]);
    let jump = matches!(boot[0], 0xEB | 0xE9);
    let plausible = jump
        && sector.is_power_of_two()
        && (512..=4096).contains(&sector)
        && per_cluster.is_power_of_two()
        && matches!(boot[16], 1 | 2)
        && word(14) != 0
        && matches!(boot[21], 0xF0 | 0xF8..=0xFF)
        && boot[510..] == [0x55, 0xAA];
    if !plausible {
        return None;
    }
    let root = (word(17) * 32).div_ceil(sector);
    let before = word(14) + u64::from(boot[16]) * either(word(22), long(36)) + root;
    let clusters = either(word(19), long(32)).checked_sub(before)? / per_cluster;
    // By Microsoft's word the number of clusters alone decides, but small FAT32 volumes exist; a FAT16 has
    // the length of its table in 16 bits.
    if word(22) == 0 && word(17) == 0 {
        return Some(32);
    }
    Some(match clusters {
        0..4085 => 12,
        4085..65525 => 16,
        _ => 32,
    })
}

fn elsewhere(inner: &dyn ReadAt, boot: &[u8; 512]) -> io::Result<&'static str> {
    for (offset, magic, name) in ELSEWHERE {
        let mut found = vec![0; magic.len()];
        if offset + magic.len() as u64 <= inner.size() {
            inner.read_at(offset, &mut found)?;
        }
        if found == magic {
            return Ok(name);
        }
    }
    let mut ext = [0; 0x70];
    if inner.size() >= 1024 + 0x70 {
        inner.read_at(1024, &mut ext)?;
    }
    if ext[0x38..0x3A] == [0x53, 0xEF] {
        // Extents make it ext4, a journal alone ext3.
        return Ok(match (ext[0x60] & 0x40 != 0, ext[0x5C] & 4 != 0) {
            (true, _) => "ext4",
            (false, true) => "ext3",
            _ => "ext2",
        });
    }
    Ok(if boot.iter().all(|&byte| byte == 0) {
        "an empty sector"
    } else {
        "nothing known"
    })
}
