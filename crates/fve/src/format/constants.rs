//! Numbers of the format (BitLocker format notes §2, §4, §5, §6).

use crate::guid::Guid;

/// Signature of boot sectors and metadata blocks.
pub const SIGNATURE: &[u8; 8] = b"-FVE-FS-";
/// OEM name of a To-Go discovery volume.
pub const TO_GO_SIGNATURE: &[u8; 8] = b"MSWIN4.1";
/// Layout GUID of ordinary volumes.
pub const LAYOUT_NORMAL: Guid = Guid::from_bytes_le([
    0x3B, 0xD6, 0x67, 0x49, 0x29, 0x2E, 0xD8, 0x4A, 0x83, 0x99, 0xF6, 0xA3, 0x39, 0xE3, 0xD0, 0x01,
]);
/// Layout GUID while a Windows 10 conversion ("encrypt on write") runs.
pub const LAYOUT_EOW: Guid = Guid::from_bytes_le([
    0x3B, 0x4D, 0xA8, 0x92, 0x80, 0xDD, 0x0E, 0x4D, 0x9E, 0x4E, 0xB1, 0xE3, 0x28, 0x4E, 0xAE, 0xD8,
]);

/// Length of one metadata area.
pub const METADATA_LEN: usize = 65536;
/// Length of the block header.
pub const BLOCK_HEADER_LEN: usize = 64;
/// Length of the dataset header, also at the start of a .BEK file.
pub const DATASET_HEADER_LEN: usize = 48;
/// Where datums begin in a metadata area.
pub const DATUMS_OFFSET: usize = BLOCK_HEADER_LEN + DATASET_HEADER_LEN;
/// Validation header and integrity datum together.
pub const VALIDATION_LEN: usize = 8 + 80;
/// Relocated header of an inner NTFS.
pub const HEADER_LEN: u64 = 8192;
/// The ICE-verify area behind the relocated header.
pub const ICE_LEN: u64 = 65536;

/// The method number of a volume that is being re-encrypted. Ours: no other reader knows it, so none takes such a volume
/// for one with a single key.
pub const METHOD_REENCRYPTING: u16 = 0x8C1A;

/// Volume states (§4.1).
pub mod state {
    /// Nothing is encrypted.
    pub const DECRYPTED: u16 = 1;
    /// A log is present.
    pub const SWITCHING_DIRTY: u16 = 2;
    /// Conversion is paused.
    pub const PAUSED: u16 = 3;
    /// Everything is encrypted.
    pub const ENCRYPTED: u16 = 4;
    /// Conversion runs.
    pub const SWITCHING: u16 = 5;
}

/// Datum types (§5.1).
pub mod kind {
    /// Key bytes.
    pub const KEY: u16 = 1;
    /// UTF-16 text.
    pub const UNICODE: u16 = 2;
    /// Salt, and what the stretched key relates to.
    pub const STRETCH: u16 = 3;
    /// A key used as it is.
    pub const USE_KEY: u16 = 4;
    /// Something wrapped by AES-CCM.
    pub const AES_CCM: u16 = 5;
    /// A sealed TPM object.
    pub const TPM_BLOB: u16 = 6;
    /// A protector.
    pub const VMK_INFO: u16 = 8;
    /// Body of a .BEK file.
    pub const EXTERNAL_INFO: u16 = 9;
    /// Relocated header and extended information.
    pub const VIRTUALIZATION: u16 = 0xF;
    /// A number of 64 bits.
    pub const SIMPLE_LARGE: u16 = 0x14;
    /// When and how a recovery password was backed up.
    pub const BACKUP_INFO: u16 = 0x15;
    /// A GUID.
    pub const GUID: u16 = 0x17;
    /// Ours: the data of roles 0x8C1A and 0x8C1D.
    pub const OURS: u16 = 0x8C1A;
}

/// Datum roles (§5.2).
pub mod role {
    /// A property or nested datum.
    pub const PROPERTY: u16 = 0;
    /// A protector.
    pub const VMK_INFO: u16 = 2;
    /// The full volume encryption key.
    pub const FVEK: u16 = 3;
    /// Body of a .BEK file.
    pub const EXTERNAL_INFO: u16 = 6;
    /// The volume's description.
    pub const DESCRIPTION: u16 = 7;
    /// Secure boot and boot configuration profile (Windows 8.1 and later).
    pub const BOOT_PROFILE: u16 = 0x11;
    /// Name of the algorithm that stretches.
    pub const STRETCH_ALGORITHM: u16 = 0x14;
    /// Its salt.
    pub const STRETCH_SALT: u16 = 0x15;
    /// The key that wraps the keys of data volumes that unlock by themselves.
    pub const AUTO_UNLOCK: u16 = 0xB;
    /// The organisation's identification field, wrapped by the VMK.
    pub const IDENTIFICATION: u16 = 0xE;
    /// Relocated header and extended information.
    pub const VIRTUALIZATION: u16 = 0xF;
    /// The recovery password's raw bytes, wrapped by the VMK.
    pub const RAW_PASSWORD: u16 = 0x12;
    /// The stretched key, wrapped by the VMK.
    pub const STRETCHED_KEY: u16 = 0x13;
    /// Volume GUID in a .BEK file.
    pub const VOLUME_GUID: u16 = 0x19;
    /// Ours: from which method to which a volume is being re-encrypted.
    pub const REENCRYPTION: u16 = 0x8C1A;
    /// Ours: the full volume encryption key that a re-encryption leaves behind, wrapped by the VMK.
    pub const PREVIOUS_FVEK: u16 = 0x8C1B;
    /// Ours: the full volume encryption key that a re-encryption leads to, wrapped by the VMK.
    pub const NEXT_FVEK: u16 = 0x8C1C;
    /// Ours: place and length of a conversion log on a volume that was made by others.
    pub const CONVERSION_LOG: u16 = 0x8C1D;
}

/// Key types (§5.3).
pub mod key_type {
    /// A recovery password.
    pub const RECOVERY_PASSWORD: u16 = 0x1000;
    /// A passphrase.
    pub const PASSPHRASE: u16 = 0x1001;
    /// A clear key.
    pub const CLEAR_KEY: u16 = 0x2000;
    /// An external key.
    pub const EXTERNAL_KEY: u16 = 0x2002;
    /// The volume master key.
    pub const VMK: u16 = 0x2003;
    /// The integrity hash.
    pub const INTEGRITY_HASH: u16 = 0x2005;
    /// A stretched passphrase.
    pub const STRETCHED_PASSPHRASE: u16 = 0x2007;
    /// A stretched recovery password.
    pub const STRETCHED_RECOVERY: u16 = 0x2008;
}

/// Length of the fixed part of a datum, header included, for types that nest others (§5.1).
#[must_use]
pub const fn nesting_offset(kind: u16) -> Option<usize> {
    match kind {
        kind::STRETCH => Some(28),
        kind::USE_KEY => Some(12),
        kind::VMK_INFO => Some(36),
        kind::EXTERNAL_INFO => Some(32),
        _ => None,
    }
}
