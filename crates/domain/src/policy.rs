//! What an administrator wants of a device's drives.
//!
//! The names are those of the settings reference (`os.encryption`, `client.check_interval_minutes`, …), the one table that
//! documentation, forms, schema, import and export are made from. A document ([`Assignments`]) configures some of them; what applies to a
//! device is a whole [`Policy`].

use std::time::Duration;

use crate::inventory::Inventory;
use crate::volume::{EncryptionExtent, EncryptionMethod, VolumeKind};

pub use assignments::Assignments;
pub use model::{
    Client, DataPassword, FixedDrive, OsDrive, Policy, RecoveryOptions, RemovableDrive, Setup, StartupMethods,
};
pub use reference::{
    Choice, Cmdlet, CmdletValue, Csp, Encoding, Grade, RegistryValue, Root, Section, Setting, SettingKind, reference,
    setting,
};
pub use validate::FieldError;
pub use values::{
    AutoUnlock, CoManaged, Complexity, ContactMethod, Encryption, OsProtector, PrebootMessage, RecoveryInfo, TriState,
    Usage, WeakCipher, WindowsRotation,
};

pub mod resolve;
pub mod targeting;

mod assignments;
mod model;
mod reference;
mod validate;
mod values;

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
