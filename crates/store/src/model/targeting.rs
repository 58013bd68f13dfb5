//! Policies as documents, whom they reach, and who is exempt.

use std::collections::BTreeSet;

use domain::exemption::{Decision, Exemption};
use domain::ids::DeviceId;
use domain::policy::targeting::{Collection, Deployment, PolicyId, Profile};
use domain::policy::{Assignments, Policy};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::page::Paging;
use super::within::Within;

/// Id of the built-in document, and of its built-in deployment to all devices, which every other deployment beats.
pub const BUILT_IN: &str = "default";

/// What is kept in versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// A policy document.
    Document,
    /// A collection.
    Collection,
    /// A deployment.
    Deployment,
}

/// What a version says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A policy document.
    Document(Document),
    /// A collection.
    Collection(Collection),
    /// A deployment.
    Deployment(Deployment),
}

/// A policy document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredDocument")]
pub struct Document {
    /// Short name.
    pub id: PolicyId,
    /// Name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it configures.
    pub assignments: Assignments,
}

/// Versions that were stored before there were documents hold a whole policy.
#[derive(Deserialize)]
struct StoredDocument {
    id: PolicyId,
    name: String,
    #[serde(default)]
    description: String,
    assignments: Option<Assignments>,
    policy: Option<Policy>,
}

impl From<StoredDocument> for Document {
    fn from(stored: StoredDocument) -> Self {
        let of_policy = || stored.policy.as_ref().map(Assignments::of).unwrap_or_default();
        Self {
            assignments: stored.assignments.clone().unwrap_or_else(of_policy),
            id: stored.id,
            name: stored.name,
            description: stored.description,
        }
    }
}

/// A version to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewItem {
    /// What it says.
    pub content: Content,
    /// What was written, with comments.
    pub text: String,
    /// The version that was changed; 0: it is new. Another one in between refuses the change.
    pub base: u32,
    /// It is out of use from now on; a later version can bring it back.
    pub retired: bool,
    /// When.
    pub at: Timestamp,
    /// Who: as in the audit.
    pub by: String,
    /// Why, in the administrator's words.
    pub note: String,
}

/// A version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it says.
    pub content: Content,
    /// What was written; empty for versions that no person wrote.
    pub text: String,
    /// 1, 2, …
    pub version: u32,
    /// Out of use.
    pub retired: bool,
    /// When it was stored.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub note: String,
}

impl Content {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> ItemKind {
        match self {
            Self::Document(_) => ItemKind::Document,
            Self::Collection(_) => ItemKind::Collection,
            Self::Deployment(_) => ItemKind::Deployment,
        }
    }

    /// Its short name.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Document(document) => document.id.as_str(),
            Self::Collection(collection) => collection.id.as_str(),
            Self::Deployment(deployment) => deployment.id.as_str(),
        }
    }

    /// The document, if it is one.
    #[must_use]
    pub fn document(&self) -> Option<&Document> {
        match self {
            Self::Document(document) => Some(document),
            _ => None,
        }
    }

    /// The collection, if it is one.
    #[must_use]
    pub fn collection(&self) -> Option<&Collection> {
        match self {
            Self::Collection(collection) => Some(collection),
            _ => None,
        }
    }

    /// The deployment, if it is one.
    #[must_use]
    pub fn deployment(&self) -> Option<&Deployment> {
        match self {
            Self::Deployment(deployment) => Some(deployment),
            _ => None,
        }
    }
}

/// What administrators say of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// Settings of its own, which beat every deployment.
    pub profile: Option<Profile>,
}

/// A wish to be exempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewExemption {
    /// The person, as devices name them.
    pub user: String,
    /// When.
    pub at: Timestamp,
    /// Who asked: as in the audit.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Number of an exemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExemptionId(pub u64);

/// An exemption, from the request to its end. Never deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExemptionRecord {
    /// Its number.
    pub id: ExemptionId,
    /// Person, request, decision.
    pub exemption: Exemption,
    /// Who asked.
    pub requested_by: String,
    /// Why.
    pub reason: String,
    /// What was decided, the oldest first.
    pub decisions: Vec<DecisionRecord>,
}

/// What was decided on an exemption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRecord {
    /// What.
    pub decision: Decision,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub note: String,
}

/// Which exemptions; the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExemptionQuery {
    /// Only those of persons who use one of these devices.
    pub within: Within,
    /// Only those that wait for a decision.
    pub pending: bool,
    /// Only those that are approved and have not ended at this moment.
    pub holding: Option<Timestamp>,
    /// Which part.
    pub paging: Paging,
}

/// What time alone changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// A deployment began: every device is to be evaluated anew.
    pub everybody: bool,
    /// Devices that were evaluated anew because an exemption of a user ended.
    pub devices: Vec<DeviceId>,
}
