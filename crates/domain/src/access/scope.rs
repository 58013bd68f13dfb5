//! For which devices a role holds.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Permission, Role, allowed};
use crate::policy::targeting::{CollectionId, NameError};

/// The devices for which a role holds. Written as `null` for everything, else as a list of collections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scope {
    /// All devices, and what belongs to no device.
    #[default]
    Everything,
    /// The devices of these collections. An empty set is no device at all.
    Collections(BTreeSet<CollectionId>),
}

/// How far a permission goes, and so what a scope does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Devices: those outside the scope are as if they did not exist.
    Devices,
    /// Policy: only what reaches nothing outside the scope may be changed.
    Collections,
    /// What belongs to no device: whose scope is not everything has no such permission.
    Everything,
    /// The own devices, whatever the scope.
    Own,
}

/// What an account or an API token has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What it may do.
    pub role: Role,
    /// To which devices.
    #[serde(default)]
    pub scope: Scope,
}

impl Permission {
    /// How far it goes.
    #[must_use]
    pub fn reach(self) -> Reach {
        match self {
            Self::ReadDevices
            | Self::ReadReports
            | Self::ManageDevices
            | Self::RecoverAnyDrive
            | Self::RecoverNamedDrive
            | Self::ReadAudit => Reach::Devices,
            Self::ReadPolicy | Self::ManagePolicy => Reach::Collections,
            Self::ManageEnrolment | Self::ManageAccounts => Reach::Everything,
            Self::RecoverOwnDrive => Reach::Own,
        }
    }
}

impl Scope {
    /// The devices of these collections.
    pub fn of(collections: impl IntoIterator<Item = CollectionId>) -> Self {
        Self::Collections(collections.into_iter().collect())
    }

    /// Whether nothing lies outside.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        matches!(self, Self::Everything)
    }

    /// The collections; none: everything.
    #[must_use]
    pub fn collections(&self) -> Option<&BTreeSet<CollectionId>> {
        match self {
            Self::Everything => None,
            Self::Collections(collections) => Some(collections),
        }
    }

    /// Whether all devices of a collection lie inside. Only a collection that is named counts: what another one includes
    /// may change, and so may what it excludes.
    #[must_use]
    pub fn covers(&self, collection: &CollectionId) -> bool {
        self.collections().is_none_or(|inside| inside.contains(collection))
    }

    /// In words: `everything`, or the collections with commas. [`str::parse`] reads it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Everything => "everything".to_owned(),
            Self::Collections(collections) if collections.is_empty() => "no device".to_owned(),
            Self::Collections(collections) => {
                let names: Vec<&str> = collections.iter().map(CollectionId::as_str).collect();
                names.join(", ")
            }
        }
    }
}

/// A text that is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Nothing was written: everything is to be said, not to be left out.
    #[error("say \"everything\", or name collections with commas between them")]
    Empty,
    /// One of the names is none.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        match text.trim() {
            "" => Err(ScopeError::Empty),
            "everything" => Ok(Self::Everything),
            "no device" => Ok(Self::of([])),
            names => {
                let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
                let collections: BTreeSet<_> = names.map(CollectionId::new).collect::<Result<_, _>>()?;
                if collections.is_empty() {
                    return Err(ScopeError::Empty);
                }
                Ok(Self::Collections(collections))
            }
        }
    }
}

impl From<Role> for Grant {
    fn from(role: Role) -> Self {
        Self::everywhere(role)
    }
}

impl Grant {
    /// A role for everything.
    #[must_use]
    pub fn everywhere(role: Role) -> Self {
        Self {
            role,
            scope: Scope::Everything,
        }
    }

    /// In words, for the audit: `auditor for everything`.
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} for {}", self.role.name(), self.scope.words())
    }

    /// Whether it has the permission, for the devices in its scope.
    #[must_use]
    pub fn allows(&self, permission: Permission) -> bool {
        let wide_enough = permission.reach() != Reach::Everything || self.scope.is_everything();
        wide_enough && allowed(self.role, permission)
    }

    /// Whether it may ask for keys only on behalf of a person who is named and uses the device.
    #[must_use]
    pub fn must_name_the_person(&self) -> bool {
        self.allows(Permission::RecoverNamedDrive) && !self.allows(Permission::RecoverAnyDrive)
    }
}
