//! Who may do what.

use serde::{Deserialize, Serialize};

pub use names::{person_key, same_person};

mod names;

/// A local account's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Administrator,
    /// Drive recovery for others, and reading devices.
    HelpDesk,
    /// Reading devices, reports and the audit.
    Auditor,
    /// Self-service for the own devices.
    User,
}

/// What a route or an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// See devices and their states.
    ReadDevices,
    /// Rotate keys, ask devices to report.
    ManageDevices,
    /// Change policy.
    ManagePolicy,
    /// Make enrolment tokens.
    ManageEnrolment,
    /// Make and change accounts.
    ManageAccounts,
    /// Read a recovery password for somebody else.
    RecoverAnyDrive,
    /// Read a recovery password of an own device.
    RecoverOwnDrive,
    /// Read the audit.
    ReadAudit,
}

/// The one rule table.
#[must_use]
pub fn allowed(role: Role, permission: Permission) -> bool {
    use Permission::{ReadAudit, ReadDevices, RecoverAnyDrive, RecoverOwnDrive};
    match role {
        Role::Administrator => true,
        Role::HelpDesk => matches!(permission, ReadDevices | RecoverAnyDrive | RecoverOwnDrive),
        Role::Auditor => matches!(permission, ReadDevices | ReadAudit | RecoverOwnDrive),
        Role::User => matches!(permission, RecoverOwnDrive),
    }
}

impl Role {
    /// All roles, mightiest first.
    pub const ALL: [Self; 4] = [Self::Administrator, Self::HelpDesk, Self::Auditor, Self::User];
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 8] = [
        Self::ReadDevices,
        Self::ManageDevices,
        Self::ManagePolicy,
        Self::ManageEnrolment,
        Self::ManageAccounts,
        Self::RecoverAnyDrive,
        Self::RecoverOwnDrive,
        Self::ReadAudit,
    ];
}

/// Whether an account may recover the drives of a device that these people use ([`crate::inventory::Inventory::users`]).
#[must_use]
pub fn may_recover(role: Role, account_name: &str, device_users: &[String]) -> bool {
    allowed(role, Permission::RecoverAnyDrive)
        || (allowed(role, Permission::RecoverOwnDrive)
            && device_users.iter().any(|user| same_person(account_name, user)))
}
