//! Encryption methods.

/// How sectors are encrypted (BitLocker format notes §5.3, §7.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum EncryptionMethod {
    /// AES-CBC-128 with the Elephant diffuser (Windows Vista and 7); read only.
    #[serde(rename = "aes-cbc-128-elephant")]
    AesCbc128Elephant,
    /// AES-CBC-256 with the Elephant diffuser; read only.
    #[serde(rename = "aes-cbc-256-elephant")]
    AesCbc256Elephant,
    /// AES-CBC-128.
    #[serde(rename = "aes-cbc-128")]
    AesCbc128,
    /// AES-CBC-256.
    #[serde(rename = "aes-cbc-256")]
    AesCbc256,
    /// AES-XTS-128 (Windows 10 and later).
    #[serde(rename = "aes-xts-128")]
    AesXts128,
    /// AES-XTS-256.
    #[serde(rename = "aes-xts-256")]
    AesXts256,
}

impl EncryptionMethod {
    /// From the number in the dataset header; `None` for numbers nobody uses.
    #[must_use]
    pub const fn from_number(number: u16) -> Option<Self> {
        match number {
            0x8000 => Some(Self::AesCbc128Elephant),
            0x8001 => Some(Self::AesCbc256Elephant),
            0x8002 => Some(Self::AesCbc128),
            0x8003 => Some(Self::AesCbc256),
            0x8004 => Some(Self::AesXts128),
            0x8005 => Some(Self::AesXts256),
            _ => None,
        }
    }

    /// The number in the dataset header and in the key datum.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::AesCbc128Elephant => 0x8000,
            Self::AesCbc256Elephant => 0x8001,
            Self::AesCbc128 => 0x8002,
            Self::AesCbc256 => 0x8003,
            Self::AesXts128 => 0x8004,
            Self::AesXts256 => 0x8005,
        }
    }

    /// Length in bytes of the full volume encryption key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesCbc128 => 16,
            Self::AesCbc256 | Self::AesXts128 => 32,
            Self::AesCbc128Elephant | Self::AesCbc256Elephant | Self::AesXts256 => 64,
        }
    }

    /// Whether this crate creates volumes with it.
    #[must_use]
    pub const fn can_create(self) -> bool {
        !matches!(self, Self::AesCbc128Elephant | Self::AesCbc256Elephant)
    }

    /// Why the others are refused.
    pub(crate) const READ_ONLY: &'static str =
        "writing new volumes with the Elephant diffuser: it is read only, as Windows 8 and later treat it";
}

impl std::fmt::Display for EncryptionMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AesCbc128Elephant => "AES-CBC 128 with diffuser",
            Self::AesCbc256Elephant => "AES-CBC 256 with diffuser",
            Self::AesCbc128 => "AES-CBC 128",
            Self::AesCbc256 => "AES-CBC 256",
            Self::AesXts128 => "XTS-AES 128",
            Self::AesXts256 => "XTS-AES 256",
        })
    }
}
