//! Who may do what, and to which devices.
//!
//! [`allowed`] is the one rule table; `docs/roles.md` is written from it. A [`Grant`] is what an account or an API token
//! has: a role, and the devices for which it holds.

use serde::{Deserialize, Serialize};

pub use names::{person_key, same_person};
pub use scope::{Grant, Reach, Scope, ScopeError};

mod document;
mod names;
mod scope;

pub use document::document;

/// What an account or an API token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Administrator,
    /// Policy documents, deployments, exemptions.
    PolicyAuthor,
    /// Drive recovery for anybody: the key ID is enough.
    HelpDeskAdministrator,
    /// Drive recovery for a person who is named, of devices which that person uses.
    HelpDeskUser,
    /// Devices and figures.
    ReportReader,
    /// Devices, figures, policy and the audit.
    Auditor,
    /// Self-service for the own devices.
    SelfService,
}

/// What a route or an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// See devices, their states and the IDs of their keys.
    ReadDevices,
    /// See the figures of the fleet.
    ReadReports,
    /// See policies, collections, deployments and exemptions.
    ReadPolicy,
    /// Rotate keys, ask devices to report, retire them.
    ManageDevices,
    /// Change policies, collections and deployments, mark devices, decide on exemptions.
    ManagePolicy,
    /// Make enrolment tokens.
    ManageEnrolment,
    /// Make and change accounts and API tokens.
    ManageAccounts,
    /// Read a recovery password of any device.
    RecoverAnyDrive,
    /// Read a recovery password of a device that a named person uses.
    RecoverNamedDrive,
    /// Read a recovery password of an own device.
    RecoverOwnDrive,
    /// Read the audit.
    ReadAudit,
}

/// The one rule table.
#[must_use]
pub fn allowed(role: Role, permission: Permission) -> bool {
    use Permission::{
        ManagePolicy, ReadAudit, ReadDevices, ReadPolicy, ReadReports, RecoverAnyDrive, RecoverNamedDrive,
        RecoverOwnDrive,
    };
    match role {
        Role::Administrator => true,
        Role::PolicyAuthor => matches!(
            permission,
            ReadDevices | ReadReports | ReadPolicy | ManagePolicy | RecoverOwnDrive
        ),
        Role::HelpDeskAdministrator => matches!(
            permission,
            ReadDevices | ReadReports | ReadPolicy | RecoverAnyDrive | RecoverNamedDrive | RecoverOwnDrive
        ),
        // A list of devices with their users would tell whom to name.
        Role::HelpDeskUser => matches!(permission, RecoverNamedDrive | RecoverOwnDrive),
        Role::ReportReader => matches!(permission, ReadDevices | ReadReports | RecoverOwnDrive),
        Role::Auditor => matches!(
            permission,
            ReadDevices | ReadReports | ReadPolicy | ReadAudit | RecoverOwnDrive
        ),
        Role::SelfService => matches!(permission, RecoverOwnDrive),
    }
}

impl Role {
    /// All roles, in the order in which they are offered.
    pub const ALL: [Self; 7] = [
        Self::Administrator,
        Self::PolicyAuthor,
        Self::HelpDeskAdministrator,
        Self::HelpDeskUser,
        Self::ReportReader,
        Self::Auditor,
        Self::SelfService,
    ];

    /// As files, forms and the audit write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::PolicyAuthor => "policy_author",
            Self::HelpDeskAdministrator => "help_desk_administrator",
            Self::HelpDeskUser => "help_desk_user",
            Self::ReportReader => "report_reader",
            Self::Auditor => "auditor",
            Self::SelfService => "self_service",
        }
    }

    /// The role of that [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// As people read it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Administrator => "Administrator",
            Self::PolicyAuthor => "Policy author",
            Self::HelpDeskAdministrator => "Help-desk administrator",
            Self::HelpDeskUser => "Help-desk user",
            Self::ReportReader => "Report reader",
            Self::Auditor => "Auditor",
            Self::SelfService => "Self-service user",
        }
    }
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 11] = [
        Self::ReadDevices,
        Self::ReadReports,
        Self::ReadPolicy,
        Self::ManageDevices,
        Self::ManagePolicy,
        Self::ManageEnrolment,
        Self::ManageAccounts,
        Self::RecoverAnyDrive,
        Self::RecoverNamedDrive,
        Self::RecoverOwnDrive,
        Self::ReadAudit,
    ];
}

/// Whether an account may recover the drives of a device that these people use ([`crate::inventory::Inventory::users`]).
/// `caller` is the person for whom it is done, as named by the help desk. Scope is for the caller of this function to see.
#[must_use]
pub fn may_recover(role: Role, account_name: &str, caller: Option<&str>, device_users: &[String]) -> bool {
    let uses = |name: &str| device_users.iter().any(|user| same_person(name, user));
    allowed(role, Permission::RecoverAnyDrive)
        || (allowed(role, Permission::RecoverNamedDrive) && caller.is_some_and(uses))
        || (allowed(role, Permission::RecoverOwnDrive) && uses(account_name))
}
