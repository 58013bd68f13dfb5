//! Everything a locked volume tells.

use super::copies::CopyInfo;
use super::status::ConversionStatus;
use super::unlocked::UnlockedVolume;
use crate::convert::Reencryption;
use crate::crypto::ccm;
use crate::format::constants::{kind, role};
use crate::format::read::Layout;
use crate::format::read::{parse_first, text};
use crate::format::{EncryptionMethod, ExtendedInfo};
use crate::guid::Guid;
use crate::io::ReadAt;
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
    /// What the metadata calls the end of the encrypted part, [`size`](Self::size) or less; the volume's own size once it is
    /// encrypted.
    pub watermark: u64,
    /// A Windows 10 conversion under way.
    pub eow: Option<EowInfo>,
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
    /// The method that Windows is to use next, as a number; 0 or the present one.
    pub preferred_method: u16,
    /// Whether the volume holds the key by which data volumes unlock by themselves: it is an operating system volume.
    pub auto_unlock_keys: bool,
    /// Whether there is an identification field; its text is known once the volume is unlocked.
    pub identification_field: bool,
    /// Whether the metadata is bound to a secure boot and boot configuration profile.
    pub boot_profile: bool,
    /// The protectors.
    pub protectors: Vec<ProtectorInfo>,
    /// What Windows 10 and later add.
    pub extended: Option<ExtendedInfo>,
}

/// A Windows 10 conversion ("encrypt on write") under way.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct EowInfo {
    /// Bytes that are switched from plain to encrypted, or back, at once; 0 when that cannot be told.
    pub chunk_size: u64,
    /// Parts of the volume that have a bitmap of their own.
    pub regions: usize,
    /// Why it cannot be told what is encrypted.
    pub problem: Option<String>,
}

/// Whole per cent, rounded down, 100 only at the end.
pub(crate) fn percent(part: u64, whole: u64) -> u8 {
    let percent = (u128::from(part) * 100).checked_div(u128::from(whole)).unwrap_or(0);
    u8::try_from(percent.min(100)).unwrap_or(100)
}

impl<D: ReadAt> UnlockedVolume<D> {
    /// The organisation's identification field; `None` when there is none.
    pub fn identification_field(&self) -> Option<String> {
        let state = self.state();
        let datums = &state.metadata.datums;
        let datum = datums
            .iter()
            .find(|d| d.role == role::IDENTIFICATION && d.kind == kind::AES_CCM)?;
        let plain = ccm::unwrap(self.master_key().as_bytes(), &datum.body)?;
        text(&parse_first(&plain).ok()?.0)
    }
}
