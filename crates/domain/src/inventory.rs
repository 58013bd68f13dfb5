//! What a device says about itself.

use serde::{Deserialize, Serialize};

use crate::ids::{ProtectorId, VolumeId};
use crate::volume::{ConversionStatus, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind};

/// Everything that a device reports. Secrets never appear in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Computer name.
    pub hostname: String,
    /// Operating system, in words: "Windows 11 Pro", "Debian GNU/Linux 12".
    pub os: String,
    /// Its version or build.
    pub os_version: String,
    /// Maker of the machine.
    pub manufacturer: String,
    /// Model of the machine.
    pub model: String,
    /// Serial number or SMBIOS UUID. Not trusted as an identity: clashes happen.
    pub hardware_id: String,
    /// A laptop or the like.
    pub portable: bool,
    /// A virtual machine: BitLocker management does not apply unless policy says so.
    pub virtual_machine: bool,
    /// The agent's version.
    pub agent_version: String,
    /// The security chip.
    pub tpm: Tpm,
    /// People who signed in locally at least once; they may recover this device's volumes by self-service.
    pub users: Vec<String>,
    /// All volumes that the volume provider offers, in the provider's order.
    pub volumes: Vec<VolumeReport>,
}

/// The security chip of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum Tpm {
    /// There is none, or the operating system does not show it.
    Absent,
    /// It is there, but cannot be used now (reason in words: not ready, locked out).
    NotReady {
        /// Why, in words for an administrator.
        reason: String,
    },
    /// It is there and works.
    Ready {
        /// Maker, four letters.
        manufacturer: String,
        /// Specification version, "2.0".
        spec_version: String,
    },
}

/// One volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeReport {
    /// The provider's name of the volume (`DeviceID`): `\\?\Volume{GUID}\` on Windows, a path on Linux.
    pub device: String,
    /// Drive letter or mount point, when there is one.
    pub letter: Option<String>,
    /// What it is for.
    pub kind: VolumeKind,
    /// Label of its file system.
    pub label: String,
    /// File system ("NTFS"); empty when unknown because locked.
    pub file_system: String,
    /// Size in bytes.
    pub size: u64,
    /// BitLocker's own id; none as long as the volume was never initialised for protection.
    pub volume: Option<VolumeId>,
    /// Protection.
    pub protection: ProtectionStatus,
    /// Conversion.
    pub conversion: ConversionStatus,
    /// Share of the volume that is encrypted, in hundredths of a percent (0–10000).
    pub encrypted_basis_points: u16,
    /// Encryption method in use.
    pub method: EncryptionMethod,
    /// Whether it is locked.
    pub lock: LockStatus,
    /// Restarts until a suspension ends; `Some(0)`: until resumed by hand; none: not suspended.
    pub suspend_count: Option<u8>,
    /// Unlocks by itself when the OS volume is open. None: does not apply (OS volume).
    pub auto_unlock: Option<bool>,
    /// Protectors, in the volume's order.
    pub protectors: Vec<ProtectorReport>,
}

/// One key protector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtectorReport {
    /// Its GUID.
    pub id: ProtectorId,
    /// Its type.
    pub kind: ProtectorType,
    /// Its friendly name.
    pub name: Option<String>,
}

impl VolumeReport {
    /// Ids of all recovery passwords.
    pub fn recovery_passwords(&self) -> impl Iterator<Item = ProtectorId> + '_ {
        self.protectors
            .iter()
            .filter(|p| p.kind == ProtectorType::RecoveryPassword)
            .map(|p| p.id)
    }

    /// Whether a protector of this type exists.
    #[must_use]
    pub fn has(&self, kind: ProtectorType) -> bool {
        self.protectors.iter().any(|p| p.kind == kind)
    }

    /// Whether any sector is, or is about to be, ciphertext.
    #[must_use]
    pub fn is_encrypted_at_all(&self) -> bool {
        self.conversion != ConversionStatus::FullyDecrypted
    }

    /// Whether a person can tell what is on it: neither locked nor of unknown protection.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.lock == LockStatus::Unlocked && self.protection != ProtectionStatus::Unknown
    }

    /// Whether a clear key opens it although it is encrypted, and how many restarts that will last (0: until resumed).
    ///
    /// `GetSuspendCount` answers for operating system volumes only; a data volume that is fully encrypted and yet
    /// unprotected is suspended until resumed. While conversion goes on, "unprotected" is normal and says nothing.
    #[must_use]
    pub fn suspension(&self) -> Option<u8> {
        if !self.is_encrypted_at_all() {
            return None;
        }
        match (self.suspend_count, self.conversion, self.protection) {
            (Some(restarts), _, _) => Some(restarts),
            (None, ConversionStatus::FullyEncrypted, ProtectionStatus::Off) => Some(0),
            _ => None,
        }
    }

    /// What people call it: its letter or mount point, or else the provider's name.
    #[must_use]
    pub fn display_name(&self) -> &str {
        self.letter.as_deref().unwrap_or(&self.device)
    }
}

impl Inventory {
    /// The first operating system volume.
    #[must_use]
    pub fn os_volume(&self) -> Option<&VolumeReport> {
        self.volumes.iter().find(|v| v.kind == VolumeKind::Os)
    }
}
