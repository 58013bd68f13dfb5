//! Backups of the metadata: a small file that carries one good metadata area and what is needed to put it back.
//!
//! The container is this project's own; a bare area of 64 KiB, which the server holds as evidence, serves as well.
//!
//! ```text
//! 0    magic "CLAVFVEB"          8
//! 8    version 1, length of the boot sector (512 or 4096), two u16
//! 12   u32, zero
//! 16   volume GUID              16
//! 32   device size, u64
//! 40   when it was taken, FILETIME
//! 48   boot sector, as it lay on the device
//! ..   metadata area         65536
//! ..   SHA-256 of everything before
//! ```
//!
//! A backup holds no key in clear (save that of a suspended volume) and yet has to be kept like the volume itself: with
//! it, every secret that opened the volume then opens it for ever, until the volume is encrypted with a new key.

use sha2::{Digest, Sha256};

use super::open::Volume;
use super::unlocked::UnlockedVolume;
use crate::Error;
use crate::format::constants::{HEADER_LEN, METADATA_LEN};
use crate::format::read::{BootSector, Bytes, FormatError, read_boot_sector, read_metadata, virtualization_info};
use crate::format::{EncryptionMethod, Metadata};
use crate::guid::Guid;
use crate::io::ReadAt;
use crate::protector::{self, ProtectorInfo};
use crate::time::FileTime;

/// One metadata area and, unless it came alone, where it was taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataBackup {
    metadata: Metadata,
    protectors: Vec<ProtectorInfo>,
    origin: Option<Origin>,
}

/// What the container adds to a bare area.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    device_size: u64,
    taken: FileTime,
    boot: BootSector,
    boot_sector: Vec<u8>,
}

/// Why bytes are no metadata backup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// Neither a container nor a bare area.
    #[error("neither a metadata backup nor a metadata area of 64 KiB")]
    Unknown,
    /// Written by a newer program.
    #[error("the backup has version {0}; this program knows version 1")]
    Version(u16),
    /// Too short, or something follows.
    #[error("the backup is {actual} bytes long and should have {expected}")]
    Length {
        /// What its header says.
        expected: usize,
        /// What there is.
        actual: usize,
    },
    /// Its own checksum does not match.
    #[error("the backup is damaged: its checksum does not match")]
    Damaged,
    /// The metadata area or the boot sector in it is not sound.
    #[error("what the backup holds is not sound: {0}")]
    Contents(#[from] FormatError),
    /// Its parts do not belong together.
    #[error("the parts of the backup do not belong together: {0}")]
    Contradiction(&'static str),
}

const MAGIC: &[u8; 8] = b"CLAVFVEB";
const VERSION: u16 = 1;
const HEAD_LEN: usize = 48;
const SUM_LEN: usize = 32;
const WHAT: &str = "the backup";

impl MetadataBackup {
    /// Reads a container, or a bare area of exactly 64 KiB.
    pub fn parse(bytes: &[u8]) -> Result<Self, BackupError> {
        if bytes.starts_with(MAGIC) {
            return Self::parse_container(bytes);
        }
        if bytes.len() != METADATA_LEN {
            return Err(BackupError::Unknown);
        }
        Self::new(bytes, None)
    }

    /// The container; for a bare area the area itself.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Some(origin) = &self.origin else {
            return self.metadata.area.clone();
        };
        let boot_len = u16::try_from(origin.boot_sector.len()).unwrap_or_default();
        let mut bytes = MAGIC.to_vec();
        for field in [VERSION, boot_len, 0, 0] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        bytes.extend_from_slice(self.volume().as_bytes());
        bytes.extend_from_slice(&origin.device_size.to_le_bytes());
        bytes.extend_from_slice(&origin.taken.0.to_le_bytes());
        bytes.extend_from_slice(&origin.boot_sector);
        bytes.extend_from_slice(&self.metadata.area);
        let sum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&sum);
        bytes
    }

    fn parse_container(bytes: &[u8]) -> Result<Self, BackupError> {
        let head = Bytes::new(bytes, WHAT);
        let version = head.u16(8)?;
        if version != VERSION {
            return Err(BackupError::Version(version));
        }
        let boot_len = usize::from(head.u16(10)?);
        let reserved = head.u32(12)?;
        if reserved != 0 {
            let (what, value) = ("the reserved field of the backup", reserved.into());
            return Err(FormatError::Range { what, value }.into());
        }
        let area_at = HEAD_LEN + boot_len;
        let expected = area_at + METADATA_LEN + SUM_LEN;
        if bytes.len() != expected {
            let actual = bytes.len();
            return Err(BackupError::Length { expected, actual });
        }
        let (hashed, sum) = bytes.split_at(expected - SUM_LEN);
        if Sha256::digest(hashed).as_slice() != sum {
            return Err(BackupError::Damaged);
        }
        let boot_sector = head.slice(HEAD_LEN, boot_len)?;
        let first = boot_sector.first_chunk::<512>();
        let boot = read_boot_sector(first.ok_or(FormatError::Truncated {
            what: "the boot sector",
        })?)?;
        let origin = Origin {
            device_size: head.u64(32)?,
            taken: FileTime(head.u64(40)?),
            boot,
            boot_sector: boot_sector.to_vec(),
        };
        let backup = Self::new(head.slice(area_at, METADATA_LEN)?, Some(origin))?;
        if backup.volume() != head.guid(16)? {
            return Err(BackupError::Contradiction("the volume's GUID"));
        }
        Ok(backup)
    }

    fn new(area: &[u8], origin: Option<Origin>) -> Result<Self, BackupError> {
        let metadata = read_metadata(area)?;
        if let Some(origin) = &origin {
            if origin.boot.metadata != metadata.header.copies {
                return Err(BackupError::Contradiction("the places of the metadata copies"));
            }
            if origin.boot.sector_size as usize != origin.boot_sector.len() {
                return Err(BackupError::Contradiction("the sector size"));
            }
        }
        let protectors = protector::list(&metadata)?.into_iter().map(|(_, info)| info).collect();
        Ok(Self {
            metadata,
            protectors,
            origin,
        })
    }

    /// The volume it belongs to.
    #[must_use]
    pub fn volume(&self) -> Guid {
        self.metadata.dataset.volume
    }

    /// The metadata area, 64 KiB: evidence for [`verify`](crate::verify).
    #[must_use]
    pub fn area(&self) -> &[u8] {
        &self.metadata.area
    }

    /// The protectors that it would bring back.
    #[must_use]
    pub fn protectors(&self) -> &[ProtectorInfo] {
        &self.protectors
    }

    /// How the volume was encrypted then; `None` for a volume without keys or methods nobody uses.
    #[must_use]
    pub fn method(&self) -> Option<EncryptionMethod> {
        EncryptionMethod::from_number(self.metadata.dataset.method)
    }

    /// When it was taken; a bare area does not say.
    #[must_use]
    pub fn taken(&self) -> Option<FileTime> {
        self.origin.as_ref().map(|origin| origin.taken)
    }

    /// Length in bytes of the device it was taken from; a bare area does not say.
    #[must_use]
    pub fn device_size(&self) -> Option<u64> {
        self.origin.as_ref().map(|origin| origin.device_size)
    }

    /// The whole first sector of that device.
    #[must_use]
    pub fn boot_sector(&self) -> Option<&[u8]> {
        self.origin.as_ref().map(|origin| origin.boot_sector.as_slice())
    }

    /// 512 or 4096: from the boot sector, or else from the length of the relocated header in sectors.
    #[must_use]
    pub fn sector_size(&self) -> Option<u32> {
        if let Some(origin) = &self.origin {
            return Some(origin.boot.sector_size);
        }
        let sector = self
            .header_len()
            .checked_div(self.metadata.header.header_sectors.into())?;
        u32::try_from(sector).ok().filter(|size| matches!(size, 512 | 4096))
    }

    fn header_len(&self) -> u64 {
        match virtualization_info(&self.metadata.datums) {
            Ok(Some(info)) if info.header_len != 0 => info.header_len,
            _ => HEADER_LEN,
        }
    }

    /// Whether the layout is the ordinary one, whose boot sector can be made anew. Bit 6 of the undocumented flags was
    /// seen on To-Go volumes and on those with a Windows conversion under way, and on no other (§8).
    pub(crate) fn is_ordinary(&self) -> bool {
        const OTHER_LAYOUT: u64 = 0x40;
        let info = virtualization_info(&self.metadata.datums).ok().flatten();
        let extended = info.and_then(|info| info.extended);
        self.header_len() == HEADER_LEN && extended.is_none_or(|extended| extended.flags & OTHER_LAYOUT == 0)
    }

    /// Its boot sector taken apart, if it has one.
    pub(crate) fn boot(&self) -> Option<BootSector> {
        self.origin.as_ref().map(|origin| origin.boot)
    }

    /// Its metadata taken apart.
    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl<D: ReadAt> Volume<D> {
    /// Backs up the metadata in use. Needs no secret. A backup taken while a conversion is under way is worth
    /// something only as long as the conversion stands still.
    pub fn backup_metadata(&self, now: FileTime) -> Result<MetadataBackup, Error> {
        backup(&self.device, self.boot, &self.metadata, now)
    }
}

impl<D: ReadAt> UnlockedVolume<D> {
    /// Backs up the metadata in use; see [`Volume::backup_metadata`].
    pub fn backup_metadata(&self, now: FileTime) -> Result<MetadataBackup, Error> {
        backup(&self.device, self.boot, &self.state().metadata, now)
    }
}

fn backup(
    device: &dyn ReadAt,
    boot: BootSector,
    metadata: &Metadata,
    taken: FileTime,
) -> Result<MetadataBackup, Error> {
    let mut boot_sector = vec![0; boot.sector_size as usize];
    device.read_at(0, &mut boot_sector)?;
    let origin = Origin {
        device_size: device.size(),
        taken,
        boot,
        boot_sector,
    };
    Ok(MetadataBackup::new(&metadata.area, Some(origin))?)
}
