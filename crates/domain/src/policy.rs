//! What an administrator wants of a device's drives.
//!
//! The names are those of the settings reference (`os.encryption`, `client.check_interval_minutes`, …). More settings will
//! come; each has its place in the section of its drive type, and an absent one means "not configured".

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::inventory::Inventory;
use crate::volume::{EncryptionExtent, EncryptionMethod, VolumeKind};

pub use settings::{Choice, Section, Setting, SettingKind, reference, setting};
pub use validate::FieldError;

mod settings;
mod validate;

/// A whole policy. `Default` configures nothing: such a device is "not enforced".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Operating system drive.
    pub os: OsDrive,
    /// Fixed data drives.
    pub fixed: FixedDrive,
    /// Removable data drives.
    pub removable: RemovableDrive,
    /// Escrow and check-in.
    pub client: Client,
}

/// Require, forbid, or say nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// Nothing is enforced.
    #[default]
    NotConfigured,
    /// The drive must be encrypted.
    Require,
    /// The drive must not be encrypted: it is decrypted.
    Forbid,
}

/// Start-up protector of the operating system drive (`os.protector`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OsProtector {
    /// TPM alone.
    #[default]
    Tpm,
    /// TPM and PIN.
    TpmPin,
}

/// Operating system drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OsDrive {
    /// `os.encryption`.
    pub encryption: Encryption,
    /// `setup.encryption_method_os`.
    pub method: EncryptionMethod,
    /// Full or used space only.
    pub extent: EncryptionExtent,
    /// `os.protector`.
    pub protector: OsProtector,
    /// `os.min_pin_length`, 4–20 characters.
    pub min_pin_length: u8,
}

/// `fixed.auto_unlock`, `removable.auto_unlock`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoUnlock {
    /// As the user likes.
    #[default]
    Allow,
    /// Must be on.
    Require,
    /// Must be off.
    Prohibit,
}

/// Fixed data drives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FixedDrive {
    /// `fixed.encryption`.
    pub encryption: Encryption,
    /// `setup.encryption_method_fixed`.
    pub method: EncryptionMethod,
    /// Full or used space only.
    pub extent: EncryptionExtent,
    /// `fixed.auto_unlock`; needs an encrypted operating system drive.
    pub auto_unlock: AutoUnlock,
}

/// Removable data drives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RemovableDrive {
    /// Whether drives must be encrypted while attached (`removable.control` in its enforcing form).
    pub encryption: Encryption,
    /// `setup.encryption_method_removable`.
    pub method: EncryptionMethod,
    /// Full or used space only.
    pub extent: EncryptionExtent,
    /// `removable.auto_unlock`, on the device that encrypted the drive; needs an encrypted operating system drive. Has no
    /// counterpart in Configuration Manager, whose users choose it on the drive.
    pub auto_unlock: AutoUnlock,
}

/// Escrow and check-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Client {
    /// `client.management_services`: recovery passwords are escrowed, and nothing starts before (P1).
    pub escrow: bool,
    /// `client.check_interval_minutes`, 1–2880.
    pub check_interval_minutes: u32,
    /// Replace a recovery password after it was disclosed (P5).
    pub rotate_after_disclosure: bool,
    /// Virtual machines are managed too; otherwise nothing is done on them, and compliance does not apply.
    pub manage_virtual_machines: bool,
}

impl Default for OsDrive {
    fn default() -> Self {
        Self {
            encryption: Encryption::NotConfigured,
            method: EncryptionMethod::XtsAes128,
            extent: EncryptionExtent::Full,
            protector: OsProtector::Tpm,
            min_pin_length: 6,
        }
    }
}

impl Default for FixedDrive {
    fn default() -> Self {
        Self {
            encryption: Encryption::NotConfigured,
            method: EncryptionMethod::XtsAes128,
            extent: EncryptionExtent::Full,
            auto_unlock: AutoUnlock::Allow,
        }
    }
}

impl Default for RemovableDrive {
    fn default() -> Self {
        Self {
            encryption: Encryption::NotConfigured,
            method: EncryptionMethod::XtsAes128,
            extent: EncryptionExtent::Full,
            auto_unlock: AutoUnlock::Allow,
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self {
            escrow: true,
            check_interval_minutes: 90,
            rotate_after_disclosure: true,
            manage_virtual_machines: false,
        }
    }
}

/// What a policy says about one kind of drive, in one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriveRule {
    /// Require, forbid or nothing.
    pub encryption: Encryption,
    /// Encryption method.
    pub method: EncryptionMethod,
    /// Full or used space only.
    pub extent: EncryptionExtent,
}

impl Policy {
    /// The rule for drives of this kind.
    #[must_use]
    pub fn rule(&self, kind: VolumeKind) -> DriveRule {
        let (encryption, method, extent) = match kind {
            VolumeKind::Os => (self.os.encryption, self.os.method, self.os.extent),
            VolumeKind::Fixed => (self.fixed.encryption, self.fixed.method, self.fixed.extent),
            VolumeKind::Removable => (self.removable.encryption, self.removable.method, self.removable.extent),
        };
        DriveRule {
            encryption,
            method,
            extent,
        }
    }

    /// Whether this device is managed at all: a virtual machine only when policy says so.
    #[must_use]
    pub fn manages(&self, inventory: &Inventory) -> bool {
        !inventory.virtual_machine || self.client.manage_virtual_machines
    }

    /// Whether data drives of this kind unlock by themselves; has no meaning for the operating system drive.
    #[must_use]
    pub fn auto_unlock(&self, kind: VolumeKind) -> AutoUnlock {
        match kind {
            VolumeKind::Os => AutoUnlock::Allow,
            VolumeKind::Fixed => self.fixed.auto_unlock,
            VolumeKind::Removable => self.removable.auto_unlock,
        }
    }

    /// How often a device asks.
    #[must_use]
    pub fn check_interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.client.check_interval_minutes) * 60)
    }
}
