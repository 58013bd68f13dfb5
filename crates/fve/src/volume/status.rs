//! The conversion status, in the words of Win32_EncryptableVolume.

use crate::format::BlockHeader;
use crate::format::constants::state;
use crate::format::read::Layout;

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
}

impl ConversionStatus {
    /// From the states in the block header (BitLocker format notes §4.1).
    pub(crate) fn from_header(header: &BlockHeader, layout: Layout) -> Self {
        let decrypting = header.next_state == state::DECRYPTED;
        match header.current_state {
            state::DECRYPTED => Self::FullyDecrypted,
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
        matches!(self, Self::EncryptionInProgress | Self::DecryptionInProgress)
    }
}
