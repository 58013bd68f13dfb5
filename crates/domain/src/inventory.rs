//! What a device says about itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{ProtectorId, VolumeId};
use crate::policy::Root;
use crate::policy::targeting::UtcOffset;
use crate::volume::{
    ConversionStatus, EncryptionExtent, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind,
};

/// Everything that a device reports. Secrets never appear in it. What is absent from a stored or hand-written one is taken
/// for empty, no, or unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
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
    /// Which operating system it is, for rules.
    pub os_kind: OsKind,
    /// How the machine belongs to its organisation.
    pub join: Join,
    /// Its domain, when it is in one.
    pub domain: Option<String>,
    /// Distinguished name of the organisational unit that it lies in.
    pub ou: Option<String>,
    /// Groups that the machine is in.
    pub groups: Vec<String>,
    /// FIPS mode: passwords cannot protect drives.
    pub fips: bool,
    /// The partition that the machine starts from.
    pub system_partition: SystemPartition,
    /// Another product manages BitLocker on it as well.
    pub co_managed: bool,
    /// The BitLocker policy values found in its registry; none: it has no registry, or nobody looked.
    pub registry: Option<Vec<RegistryEntry>>,
    /// How far its clock is ahead of UTC now, in minutes, for maintenance windows in the device's own time. None: nobody
    /// looked; it is taken for UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utc_offset_minutes: Option<UtcOffset>,
}

/// Kinds of operating systems.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OsKind {
    /// Not reported.
    #[default]
    Unknown,
    /// Windows 10, 11.
    WindowsClient,
    /// Windows Server: BitLocker management does not apply unless policy says so.
    WindowsServer,
    /// Linux.
    Linux,
    /// Anything else.
    Other,
}

/// How a machine belongs to its organisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// Not reported.
    #[default]
    Unknown,
    /// It stands alone.
    Workgroup,
    /// In a domain of Active Directory.
    Domain,
    /// In Entra.
    Entra,
    /// In both.
    Hybrid,
}

/// The partition that the machine starts from: an operating system volume cannot be encrypted without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SystemPartition {
    /// Not reported.
    #[default]
    Unknown,
    /// It is there.
    Present,
    /// There is none.
    Missing,
    /// It has no room.
    TooSmall,
}

/// A policy value in a device's registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryEntry {
    /// Its key.
    pub root: Root,
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: RegistryData,
    /// Who wrote it.
    #[serde(default)]
    pub origin: Origin,
}

/// Data of a registry value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RegistryData {
    /// `REG_DWORD`.
    Number(u32),
    /// `REG_SZ`, `REG_EXPAND_SZ`.
    Text(String),
}

/// Who wrote a policy value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Local policy: the agent, or somebody at the machine.
    #[default]
    Local,
    /// Group Policy of the domain, which comes back whatever is written over it.
    Domain,
}

/// Why a TPM cannot be used now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TpmCause {
    /// Something else, in words.
    #[default]
    Other,
    /// Switched off, not owned, or not initialised.
    NotInitialised,
    /// Too many wrong answers: it opens nothing for a while.
    LockedOut,
    /// Windows is making it ready by itself.
    AutoProvisioning,
}

/// The security chip of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum Tpm {
    /// There is none, or the operating system does not show it.
    #[default]
    Absent,
    /// It is there, but cannot be used now (reason in words: not ready, locked out).
    NotReady {
        /// Why, in words for an administrator.
        #[serde(default)]
        reason: String,
        /// Why, for rules.
        #[serde(default)]
        cause: TpmCause,
    },
    /// It is there and works.
    Ready {
        /// Maker, four letters.
        #[serde(default)]
        manufacturer: String,
        /// Specification version, "2.0".
        #[serde(default)]
        spec_version: String,
    },
}

/// One volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VolumeReport {
    /// The provider's name of the volume (`DeviceID`): `\\?\Volume{GUID}\` on Windows, a path on Linux.
    pub device: String,
    /// Drive letter or mount point, when there is one.
    #[serde(default)]
    pub letter: Option<String>,
    /// What it is for.
    pub kind: VolumeKind,
    /// Label of its file system.
    #[serde(default)]
    pub label: String,
    /// File system ("NTFS"); empty when unknown because locked.
    #[serde(default)]
    pub file_system: String,
    /// Size in bytes.
    #[serde(default)]
    pub size: u64,
    /// BitLocker's own id; none as long as the volume was never initialised for protection.
    #[serde(default)]
    pub volume: Option<VolumeId>,
    /// Protection.
    pub protection: ProtectionStatus,
    /// Conversion.
    pub conversion: ConversionStatus,
    /// Share of the volume that is encrypted, in hundredths of a percent (0–10000).
    #[serde(default)]
    pub encrypted_basis_points: u16,
    /// Encryption method in use.
    #[serde(default)]
    pub method: EncryptionMethod,
    /// Whether it is locked.
    #[serde(default)]
    pub lock: LockStatus,
    /// Restarts until a suspension ends; `Some(0)`: until resumed by hand; none: not suspended.
    #[serde(default)]
    pub suspend_count: Option<u8>,
    /// Unlocks by itself when the OS volume is open. None: does not apply (OS volume).
    #[serde(default)]
    pub auto_unlock: Option<bool>,
    /// Protectors, in the volume's order.
    #[serde(default)]
    pub protectors: Vec<ProtectorReport>,
    /// All sectors or those in use; none: unknown.
    #[serde(default)]
    pub extent: Option<EncryptionExtent>,
    /// Hardware ids of the drive that it lies on.
    #[serde(default)]
    pub hardware_ids: Vec<String>,
    /// The organisation's identifier on it.
    #[serde(default)]
    pub org_identifier: Option<String>,
    /// The product that encrypts it, when that is not BitLocker.
    #[serde(default)]
    pub other_encryption: Option<String>,
}

/// One key protector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtectorReport {
    /// Its GUID.
    pub id: ProtectorId,
    /// Its type.
    pub kind: ProtectorType,
    /// Its friendly name.
    #[serde(default)]
    pub name: Option<String>,
}

impl VolumeReport {
    /// A volume that is not encrypted and of which nothing else is known.
    #[must_use]
    pub fn plain(device: &str, kind: VolumeKind) -> Self {
        Self {
            device: device.to_owned(),
            letter: None,
            kind,
            label: String::new(),
            file_system: String::new(),
            size: 0,
            volume: None,
            protection: ProtectionStatus::Off,
            conversion: ConversionStatus::FullyDecrypted,
            encrypted_basis_points: 0,
            method: EncryptionMethod::None,
            lock: LockStatus::Unlocked,
            suspend_count: None,
            auto_unlock: None,
            protectors: Vec::new(),
            extent: None,
            hardware_ids: Vec::new(),
            org_identifier: None,
            other_encryption: None,
        }
    }

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

impl TpmCause {
    /// For an administrator, where the device gives no words of its own.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Other => "it is not ready",
            Self::NotInitialised => "it is not initialised",
            Self::LockedOut => "it is locked out",
            Self::AutoProvisioning => "Windows is making it ready",
        }
    }
}

impl RegistryData {
    /// As an administrator reads it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => format!("\"{text}\""),
        }
    }
}

impl Inventory {
    /// The first operating system volume.
    #[must_use]
    pub fn os_volume(&self) -> Option<&VolumeReport> {
        self.volumes.iter().find(|v| v.kind == VolumeKind::Os)
    }
}
