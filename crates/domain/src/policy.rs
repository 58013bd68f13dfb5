//! What an administrator wants of a device's drives.
//!
//! The names are those of the settings reference (`os.encryption`, `client.check_interval_minutes`, …), the one table that
//! documentation, forms, schema, import and export are made from. A document ([`Assignments`]) configures some of them; what applies to a
//! device is a whole [`Policy`].

use std::time::Duration;

use crate::inventory::{Inventory, OsKind, VolumeReport};
use crate::volume::{EncryptionExtent, EncryptionMethod, VolumeKind};

pub use assignments::Assignments;
pub use model::{
    Client, DataPassword, FixedDrive, OsDrive, Policy, RecoveryOptions, RemovableDrive, Setup, StartupMethods,
};
pub use reference::{
    Choice, Cmdlet, CmdletValue, Csp, Encoding, Grade, RegistryValue, Root, Section, Setting, SettingKind, reference,
    setting, suggestion,
};
pub use registry::{Conflict, Differences, WantedValue, compare_registry, wanted_values};
pub use validate::FieldError;
pub use values::{
    AutoUnlock, CoManaged, Complexity, ContactMethod, Encryption, OsProtector, PrebootMessage, RecoveryInfo, TriState,
    Usage, WeakCipher, WindowsRotation,
};

pub mod document;
pub mod generated;
pub mod interchange;
pub mod resolve;
pub mod targeting;

mod assignments;
mod model;
mod reference;
mod registry;
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

/// What a policy says about passwords of one kind of drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordRule {
    /// There must be none.
    pub forbidden: bool,
    /// There must be one.
    pub required: bool,
    /// Its complexity.
    pub complexity: Complexity,
    /// Its least length, in characters.
    pub min_length: u8,
    /// It may hold ASCII only.
    pub ascii_only: bool,
}

fn of_data(password: &DataPassword) -> (TriState, bool, Complexity, u8, bool) {
    (
        password.state,
        password.required,
        password.complexity,
        password.min_length,
        false,
    )
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

    /// Whether this device is managed at all: a virtual machine or a server only when policy says so.
    #[must_use]
    pub fn manages(&self, inventory: &Inventory) -> bool {
        let machine = !inventory.virtual_machine || self.client.manage_virtual_machines;
        let system = inventory.os_kind != OsKind::WindowsServer || self.client.manage_servers;
        machine && system
    }

    /// Whether policy leaves this volume alone because of the drive that it lies on.
    #[must_use]
    pub fn excludes(&self, volume: &VolumeReport) -> bool {
        volume.kind == VolumeKind::Removable
            && self
                .removable
                .excluded_hardware_ids
                .split(',')
                .map(str::trim)
                .filter(|id| !id.is_empty())
                .any(|id| volume.hardware_ids.iter().any(|has| has.eq_ignore_ascii_case(id)))
    }

    /// Days of grace for drives of this kind, where they are enforced.
    #[must_use]
    pub fn grace_days(&self, kind: VolumeKind) -> Option<u16> {
        let (enforcement, days) = match kind {
            VolumeKind::Os => (self.os.enforcement, self.os.grace_days),
            VolumeKind::Fixed => (self.fixed.enforcement, self.fixed.grace_days),
            VolumeKind::Removable => return None,
        };
        (enforcement == TriState::Enabled).then_some(days)
    }

    /// The rule on passwords of drives of this kind; FIPS mode forbids them whatever policy says.
    #[must_use]
    pub fn password(&self, kind: VolumeKind, inventory: &Inventory) -> PasswordRule {
        let (state, required, complexity, min_length, ascii_only) = match kind {
            VolumeKind::Os => {
                let os = &self.os;
                (
                    os.password,
                    false,
                    os.password_complexity,
                    os.password_min_length,
                    os.password_ascii_only,
                )
            }
            VolumeKind::Fixed => of_data(&self.fixed.password),
            VolumeKind::Removable => of_data(&self.removable.password),
        };
        PasswordRule {
            forbidden: state == TriState::Disabled || inventory.fips,
            required: required && !inventory.fips,
            complexity,
            min_length,
            ascii_only,
        }
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
