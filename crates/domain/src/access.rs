//! Who may do what.

use serde::{Deserialize, Serialize};

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
