//! Everything a locked volume tells.

use super::copies::CopyInfo;
use super::status::ConversionStatus;
use crate::convert::Reencryption;
use crate::format::read::Layout;
use crate::format::{EncryptionMethod, ExtendedInfo};
use crate::guid::Guid;
use crate::protector::ProtectorInfo;
use crate::time::FileTime;

/// What can be read without any secret.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct VolumeInfo {
    /// Identifies the volume.
    pub volume: Guid,
    /// How it is laid out.
    pub layout: Layout,
    /// How sectors are encrypted; `None` on a volume without keys.
    pub method: Option<EncryptionMethod>,
    /// The method as a number.
    pub method_number: u16,
    /// 512 or 4096.
    pub sector_size: u32,
    /// Length of the device in bytes.
    pub size: u64,
    /// State number now.
    pub current_state: u16,
    /// State number worked towards.
    pub next_state: u16,
    /// The two as a status.
    pub status: ConversionStatus,
    /// From where to where and how far, while the volume is being re-encrypted; `method` is then the new one.
    pub reencryption: Option<Reencryption>,
    /// Bytes encrypted from the front; on an EOW volume the bitmaps count instead.
    pub encrypted_bytes: u64,
    /// The same in whole per cent, rounded down.
    pub percent: u8,
    /// The metadata copies.
    pub copies: [CopyInfo; 3],
    /// Where the relocated header is.
    pub header_offset: u64,
    /// Its length.
    pub header_len: u64,
    /// The description: usually computer, label and date.
    pub description: Option<String>,
    /// When the volume got its metadata.
    pub created: FileTime,
    /// Next nonce counter: grows with every change.
    pub next_nonce: u32,
    /// The protectors.
    pub protectors: Vec<ProtectorInfo>,
    /// What Windows 10 and later add.
    pub extended: Option<ExtendedInfo>,
}

/// Whole per cent, rounded down, 100 only at the end.
pub(crate) fn percent(part: u64, whole: u64) -> u8 {
    let percent = (u128::from(part) * 100).checked_div(u128::from(whole)).unwrap_or(0);
    u8::try_from(percent.min(100)).unwrap_or(100)
}
