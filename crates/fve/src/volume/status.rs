//! The conversion status, in the words of Win32_EncryptableVolume.

use crate::format::Metadata;
use crate::format::constants::{METHOD_REENCRYPTING, state};
use crate::format::read::{Layout, virtualization_info};

/// How far the volume is encrypted and where it is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConversionStatus {
    /// Nothing is encrypted. There may be protectors nevertheless.
    FullyDecrypted,
    /// Everything is encrypted.
    FullyEncrypted,
    /// Being encrypted.
    EncryptionInProgress,
    /// Being decrypted.
    DecryptionInProgress,
    /// Encryption stands still, on request.
    EncryptionPaused,
    /// Decryption stands still, on request.
    DecryptionPaused,
    /// Passing from one key to another; every sector is encrypted.
    ReencryptionInProgress,
    /// The same, standing still on request.
    ReencryptionPaused,
}

/// Flag in the extended information, seen on Windows 10 volumes that were being decrypted and only on those (§8).
const EOW_DECRYPTING: u64 = 0x100;

impl ConversionStatus {
    /// From the states in the block header (BitLocker format notes §4.1).
    pub(crate) fn of(metadata: &Metadata, layout: Layout) -> Self {
        let header = &metadata.header;
        if is_reencrypting(metadata) {
            return match header.current_state {
                state::PAUSED => Self::ReencryptionPaused,
                _ => Self::ReencryptionInProgress,
            };
        }
        let extended = virtualization_info(&metadata.datums)
            .ok()
            .flatten()
            .and_then(|info| info.extended);
        let decrypting = header.next_state == state::DECRYPTED;
        let eow_decrypting = extended.is_some_and(|extended| extended.flags & EOW_DECRYPTING != 0);
        match header.current_state {
            state::DECRYPTED => Self::FullyDecrypted,
            state::ENCRYPTED if layout == Layout::Eow && eow_decrypting => Self::DecryptionInProgress,
            state::ENCRYPTED if layout == Layout::Eow => Self::EncryptionInProgress,
            state::ENCRYPTED => Self::FullyEncrypted,
            state::PAUSED if decrypting => Self::DecryptionPaused,
            state::PAUSED => Self::EncryptionPaused,
            _ if decrypting => Self::DecryptionInProgress,
            _ => Self::EncryptionInProgress,
        }
    }

    /// Whether a conversion runs.
    #[must_use]
    pub fn in_progress(self) -> bool {
        matches!(
            self,
            Self::EncryptionInProgress | Self::DecryptionInProgress | Self::ReencryptionInProgress
        )
    }

    /// Whether a conversion stands still on request.
    #[must_use]
    pub fn is_paused(self) -> bool {
        matches!(
            self,
            Self::EncryptionPaused | Self::DecryptionPaused | Self::ReencryptionPaused
        )
    }

    /// Whether the volume is on its way from one key to another.
    #[must_use]
    pub fn is_reencryption(self) -> bool {
        matches!(self, Self::ReencryptionInProgress | Self::ReencryptionPaused)
    }
}

/// Whether the volume has two volume encryption keys at the moment.
pub(crate) fn is_reencrypting(metadata: &Metadata) -> bool {
    metadata.dataset.method == METHOD_REENCRYPTING
}
