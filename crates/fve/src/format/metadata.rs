//! One metadata area taken apart.

use super::Datum;
use crate::guid::Guid;
use crate::time::FileTime;

/// The block header (BitLocker format notes §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// `constants::state` now.
    pub current_state: u16,
    /// `constants::state` that is being worked towards.
    pub next_state: u16,
    /// Bytes `[0, state_offset)` are encrypted.
    pub state_offset: u64,
    /// Length of the conversion log in state 2.
    pub state_size: u32,
    /// Sectors of the relocated header.
    pub header_sectors: u32,
    /// Where the three copies are.
    pub copies: [u64; 3],
    /// Where the relocated header is.
    pub header_offset: u64,
}

/// The dataset header (§4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatasetHeader {
    /// Identifies the volume.
    pub volume: Guid,
    /// The nonce counter to use next.
    pub next_nonce: u32,
    /// Encryption method as a number; 0 on a volume without keys.
    pub method: u16,
    /// 0 or a copy of the method.
    pub preferred_method: u16,
    /// When the volume got its metadata.
    pub created: FileTime,
}

/// The tail of a metadata area (§4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// CRC-32 of everything before it.
    pub crc: u32,
    /// SHA-256 of everything before it, wrapped by the VMK (or in clear on a volume without keys).
    pub integrity: Datum,
}

/// A metadata area whose structure and CRC are sound. Whether it is authentic
/// is known only once the VMK is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The block header.
    pub header: BlockHeader,
    /// The dataset header.
    pub dataset: DatasetHeader,
    /// Top-level datums in their order on disk.
    pub datums: Vec<Datum>,
    /// CRC and integrity hash.
    pub validation: Validation,
    /// The area as it was read.
    pub(crate) area: Vec<u8>,
    /// How much of it the CRC and the hash cover.
    pub(crate) hashed_len: usize,
}

impl Metadata {
    /// The bytes that the CRC and the hash cover.
    pub(crate) fn hashed(&self) -> &[u8] {
        self.area.get(..self.hashed_len).unwrap_or_default()
    }
}

/// Where the relocated header is and what wrote the volume (§8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualizationInfo {
    /// Offset of the relocated header.
    pub header_offset: u64,
    /// Its length in bytes.
    pub header_len: u64,
    /// Absent on Windows 7.
    pub extended: Option<ExtendedInfo>,
}

/// The extended information, version 5 (§8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ExtendedInfo {
    /// Version of the structure: 5 on Windows 10 and 11.
    pub version: u16,
    /// Greatest number of files that wiping free space makes; 0 outside of that.
    pub wipe_files_max: u32,
    /// Undocumented flag bits.
    pub flags: u64,
    /// Offset of the conversion log; 0 for none.
    pub log_offset: u64,
    /// Its length in bytes.
    pub log_len: u32,
    /// Sector size of the inner file system.
    pub sector_size: u32,
    /// Sector size of the medium.
    pub native_sector_size: u32,
    /// Windows version that wrote the volume.
    pub os_major: u32,
    /// Windows version that wrote the volume.
    pub os_minor: u32,
    /// Windows build that wrote the volume.
    pub os_build: u32,
    /// 2: Windows NT.
    pub platform: u32,
    /// Service pack, major and minor.
    pub service_pack: [u16; 2],
    /// Windows' suite mask.
    pub suite: u16,
    /// 1: workstation, 2: domain controller, 3: server.
    pub product_type: u8,
    /// 2: x64, 4: arm64.
    pub architecture: u8,
    /// Offset of the ICE-verify area.
    pub ice_offset: u64,
    /// Its length in bytes.
    pub ice_len: u64,
}
