//! The rule table as a document.

use std::fmt::Write as _;

use super::{Permission, Reach, Role, allowed};

const HEAD: &str = "# Roles

An account, and an API token, has one role and one scope. This page is written from the rule table in the code
(`crates/domain/src/access.rs`); a test fails when it is stale.

## Who may do what

";

const TAIL: &str = "
## Scope

A scope is *everything*, or a set of [collections](targeting.md). What it does depends on the permission:

- **devices**: a device outside the scope is as if it did not exist, in lists, counts, searches, keys, requests and the audit. Entries
  of the audit that are about no device are seen only with the scope *everything*.
- **collections**: policies, collections and deployments can be read whole. A policy can be changed when it is deployed to nothing
  outside the scope, and deployed to collections of the scope. Collections decide who belongs to a scope, so only the scope
  *everything* changes them, and the tags that rules may ask for.
- **everything**: only with the scope *everything*.
- **own**: the devices on which the person is a listed user, whatever the scope.

A device belongs to a collection according to its last inventory. When a collection is changed, devices move in and out as they are
evaluated again, which begins at once and goes on in the background; retired devices move with it.

## Help desk

A help-desk administrator needs only the recovery key ID. A help-desk user must name the caller as devices name people
(`CORP\\anna`), and finds only keys of devices which that person uses; the name is recorded with the disclosure. This role sees no
list of devices: it would tell whom to name.

## Accounts from before there were scopes

They keep their powers: `help_desk` became `help_desk_administrator`, `user` became `self_service`, each for everything.
";

/// `docs/roles.md`.
#[must_use]
pub fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("| permission | scope |");
    for role in Role::ALL {
        let _ = write!(text, " {} |", role.label());
    }
    text.push_str("\n|---|---|");
    text.push_str(&":-:|".repeat(Role::ALL.len()));
    text.push('\n');
    for permission in Permission::ALL {
        let _ = write!(text, "| {} | {} |", permission.label(), reach(permission.reach()));
        for role in Role::ALL {
            text.push_str(if allowed(role, permission) { " yes |" } else { " |" });
        }
        text.push('\n');
    }
    text.push_str("\n| role | written | for |\n|---|---|---|\n");
    for role in Role::ALL {
        let _ = writeln!(text, "| {} | `{}` | {} |", role.label(), role.name(), role.purpose());
    }
    text.push_str(TAIL);
    text
}

fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Devices => "devices",
        Reach::Collections => "collections",
        Reach::Everything => "everything",
        Reach::Own => "own",
    }
}

impl Permission {
    /// In words.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::ReadDevices => "See devices, their states and the IDs of their keys",
            Self::ReadReports => "See the figures of the fleet",
            Self::ReadPolicy => "See policies, collections, deployments and exemptions",
            Self::ManageDevices => "Rotate keys, ask devices to report, retire them",
            Self::ManagePolicy => "Change policies and deployments, mark devices, decide on exemptions",
            Self::ManageEnrolment => "Make enrolment tokens",
            Self::ManageAccounts => "Make and change accounts and API tokens",
            Self::RecoverAnyDrive => "Read a recovery password of any device",
            Self::RecoverNamedDrive => "Read a recovery password of a device that a named person uses",
            Self::RecoverOwnDrive => "Read a recovery password of an own device",
            Self::ReadAudit => "Read the audit",
        }
    }
}

impl Role {
    /// What it is for, in words.
    #[must_use]
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Administrator => "everything",
            Self::PolicyAuthor => "policies, deployments and exemptions",
            Self::HelpDeskAdministrator => "drive recovery for anybody, by key ID alone",
            Self::HelpDeskUser => "drive recovery for a caller who is named",
            Self::ReportReader => "devices and figures",
            Self::Auditor => "devices, figures, policies and the audit",
            Self::SelfService => "keys of the own devices",
        }
    }
}
