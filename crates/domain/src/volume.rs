//! The states and kinds of a BitLocker volume, numbered as `Win32_EncryptableVolume` numbers them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a volume is for (`VolumeType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum VolumeKind {
    /// The volume that the running operating system started from.
    Os = 0,
    /// A fixed data volume.
    Fixed = 1,
    /// A removable data volume.
    Removable = 2,
}

/// `ProtectionStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum ProtectionStatus {
    /// Decrypted, partly encrypted, or suspended by a clear key.
    Off = 0,
    /// Encrypted, and a protector is needed to open it.
    On = 1,
    /// The volume is locked, so nobody can tell.
    Unknown = 2,
}

/// `ConversionStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum ConversionStatus {
    /// No sector is encrypted.
    FullyDecrypted = 0,
    /// All sectors are encrypted (or, used-space-only, all that were in use).
    FullyEncrypted = 1,
    /// Encryption goes on.
    EncryptionInProgress = 2,
    /// Decryption goes on.
    DecryptionInProgress = 3,
    /// Encryption stands still.
    EncryptionPaused = 4,
    /// Decryption stands still.
    DecryptionPaused = 5,
}

/// `LockStatus`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum LockStatus {
    /// Contents can be read.
    #[default]
    Unlocked = 0,
    /// A key is needed.
    Locked = 1,
}

/// `EncryptionMethod`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum EncryptionMethod {
    /// Not encrypted; as an input: what policy or the operating system says.
    #[default]
    None = 0,
    /// AES-CBC-128 with Elephant diffuser (Windows 7).
    Aes128Diffuser = 1,
    /// AES-CBC-256 with Elephant diffuser (Windows 7).
    Aes256Diffuser = 2,
    /// AES-CBC-128.
    Aes128 = 3,
    /// AES-CBC-256.
    Aes256 = 4,
    /// The drive encrypts by itself.
    Hardware = 5,
    /// XTS-AES-128.
    XtsAes128 = 6,
    /// XTS-AES-256.
    XtsAes256 = 7,
    /// The provider cannot tell.
    Unknown = 0xFFFF_FFFF,
}

/// How much `Encrypt` encrypts (`EncryptionFlags`, bit 0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EncryptionExtent {
    /// Every sector.
    #[default]
    Full,
    /// Only clusters in use; free space is left as it is.
    UsedSpaceOnly,
}

/// `KeyProtectorType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum ProtectorType {
    /// Anything else.
    Unknown = 0,
    /// TPM alone.
    Tpm = 1,
    /// External key: a .BEK file, or automatic unlocking.
    ExternalKey = 2,
    /// The 48-digit recovery password.
    RecoveryPassword = 3,
    /// TPM and PIN.
    TpmPin = 4,
    /// TPM and startup key.
    TpmStartupKey = 5,
    /// TPM, PIN and startup key.
    TpmPinStartupKey = 6,
    /// Certificate, also of a data recovery agent.
    PublicKey = 7,
    /// Passphrase.
    Passphrase = 8,
    /// TPM and network certificate.
    TpmNetworkKey = 9,
    /// Account or group in Active Directory.
    AdSid = 10,
}

impl EncryptionMethod {
    /// Whether a drive can be encrypted with this method now: both providers write XTS-AES only.
    #[must_use]
    pub fn can_be_written(self) -> bool {
        matches!(self, Self::XtsAes128 | Self::XtsAes256)
    }

    /// Whether a drive encrypted with this method satisfies a policy that asks for `wanted`; a stronger one does.
    #[must_use]
    pub fn satisfies(self, wanted: Self) -> bool {
        match wanted {
            Self::XtsAes128 => matches!(self, Self::XtsAes128 | Self::XtsAes256),
            Self::XtsAes256 => self == Self::XtsAes256,
            Self::Aes128 => matches!(self, Self::Aes128 | Self::Aes256 | Self::XtsAes128 | Self::XtsAes256),
            Self::Aes256 => matches!(self, Self::Aes256 | Self::XtsAes256),
            Self::Aes128Diffuser => matches!(self, Self::Aes128Diffuser | Self::Aes256Diffuser),
            Self::None => true,
            Self::Aes256Diffuser | Self::Hardware | Self::Unknown => self == wanted,
        }
    }

    /// The name that people use: "XTS-AES-256".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Aes128Diffuser => "AES-CBC-128 with diffuser",
            Self::Aes256Diffuser => "AES-CBC-256 with diffuser",
            Self::Aes128 => "AES-CBC-128",
            Self::Aes256 => "AES-CBC-256",
            Self::Hardware => "the drive's own encryption",
            Self::XtsAes128 => "XTS-AES-128",
            Self::XtsAes256 => "XTS-AES-256",
            Self::Unknown => "an unknown method",
        }
    }
}

impl ProtectorType {
    /// Whether it opens the operating system volume at start by the TPM, alone or with more. A network key does not
    /// count: it works on the organisation's network only.
    #[must_use]
    pub fn starts_by_tpm(self) -> bool {
        matches!(
            self,
            Self::Tpm | Self::TpmPin | Self::TpmStartupKey | Self::TpmPinStartupKey
        )
    }

    /// Whether the TPM opens the volume only together with a PIN.
    #[must_use]
    pub fn asks_for_pin(self) -> bool {
        matches!(self, Self::TpmPin | Self::TpmPinStartupKey)
    }
}
