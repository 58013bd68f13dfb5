//! The states and kinds of a BitLocker volume, numbered as `Win32_EncryptableVolume` numbers them.

use serde::{Deserialize, Serialize};

/// What a volume is for (`VolumeType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum LockStatus {
    /// Contents can be read.
    Unlocked = 0,
    /// A key is needed.
    Locked = 1,
}

/// `EncryptionMethod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum EncryptionMethod {
    /// Not encrypted; as an input: what policy or the operating system says.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncryptionExtent {
    /// Every sector.
    #[default]
    Full,
    /// Only clusters in use; free space is left as it is.
    UsedSpaceOnly,
}

/// `KeyProtectorType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
