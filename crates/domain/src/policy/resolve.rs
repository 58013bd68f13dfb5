//! What all deployments together say to one device, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::registry::compare_registry;
use super::targeting::{
    Collection, CollectionId, Collections, Deployment, DeploymentId, DeviceFacts, PolicyId, Profile, UtcOffset, Why,
    Window, is_open, next_opening,
};
use super::{Assignments, FieldError, Policy, Setting, reference};
use crate::plan;
use crate::time::Timestamp;

mod told;

/// A policy document as resolution needs it: what it configures, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySource {
    /// Short name.
    pub id: PolicyId,
    /// Name for people.
    pub name: String,
    /// What it configures.
    pub assignments: Assignments,
}

/// Collections, policies and deployments that fit together; answers for any device.
#[derive(Clone, Debug)]
pub struct Targeting {
    collections: Collections,
    policies: Vec<PolicySource>,
    /// In the order in which they win.
    deployments: Vec<Ranked>,
}

#[derive(Clone, Debug)]
struct Ranked {
    deployment: Deployment,
    collection: usize,
    policy: usize,
}

/// Why policies, collections and deployments do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetingError {
    /// Two policies have the same short name.
    #[error("policy \"{0}\" is there twice")]
    PolicyTwice(PolicyId),
    /// Two deployments have the same short name.
    #[error("deployment \"{0}\" is there twice")]
    DeploymentTwice(DeploymentId),
    /// A deployment of a policy that is not there.
    #[error("deployment \"{deployment}\" names policy \"{policy}\", and there is no such policy")]
    NoPolicy {
        /// Which.
        deployment: DeploymentId,
        /// What it names.
        policy: PolicyId,
    },
    /// A deployment to a collection that is not there.
    #[error("deployment \"{deployment}\" names collection \"{collection}\", and there is no such collection")]
    NoCollection {
        /// Which.
        deployment: DeploymentId,
        /// What it names.
        collection: CollectionId,
    },
}

/// The deployments that reach a device now, in the order in which they win. Devices for which it is equal, and that have
/// no profile, have the same effective policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Matching(Vec<u32>);

/// Everything that holds for one device, with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// The effective policy.
    pub policy: Policy,
    /// Every setting of the reference, in its order.
    pub settings: Vec<Explained>,
    /// The deployments that reach the device, in the order in which they win.
    pub deployments: Vec<Applied>,
    /// When it may begin what disturbs its user.
    pub maintenance: Maintenance,
    /// What the domain's Group Policy says otherwise on the device, and keeps saying.
    pub conflicts: Vec<GroupPolicyConflict>,
    /// Settings that contradict each other, though each document by itself may be in order.
    pub faults: Vec<Fault>,
}

/// Where one setting's value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The setting's id.
    pub setting: &'static str,
    /// Its value, as text.
    pub value: String,
    /// Who says so.
    pub origin: Origin,
    /// What was overruled, the strongest first. The default is not listed.
    pub beat: Vec<Beaten>,
}

/// Who says what a setting is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// Nobody: it is the setting's default.
    Default,
    /// The device's own profile.
    Profile {
        /// Why the device is special.
        reason: String,
    },
    /// A deployment.
    Deployment(Applied),
}

/// A deployment that reaches a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// Its short name.
    pub deployment: DeploymentId,
    /// The policy.
    pub policy: PolicyId,
    /// The policy's name.
    pub policy_name: String,
    /// The collection.
    pub collection: CollectionId,
    /// The collection's name.
    pub collection_name: String,
    /// The deployment's priority; the lower number wins.
    pub priority: u32,
    /// Why the device belongs to the collection.
    pub because: Why,
}

/// A value that was overruled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Beaten {
    /// The value.
    pub value: String,
    /// Who said so.
    pub origin: Origin,
    /// Why it did not win.
    pub because: Because,
}

/// Why one origin beats another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// A device's own profile beats everything.
    Profile,
    /// The winner's priority number is lower.
    Priority,
    /// The priorities are equal: the deployment whose short name comes first wins.
    NameOrder,
}

/// When a device may begin to encrypt or decrypt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// The windows of all deployments that reach it. None: at any time.
    pub windows: Vec<Window>,
    /// It may begin outside them as well. Decided by the strongest deployment that asks for encryption or forbids it; by
    /// the strongest of all when none does.
    pub outside_allowed: bool,
}

/// A value of the domain's Group Policy that contradicts the effective policy. It is never fought: compliance is code 11.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupPolicyConflict {
    /// The setting's id.
    pub setting: String,
    /// Name of the registry value.
    pub value: String,
    /// What policy wants it to be.
    pub wanted: String,
    /// What Group Policy set it to.
    pub found: String,
    /// Both in a sentence.
    pub sentence: String,
}

/// A contradiction in an effective policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The setting's id.
    pub setting: String,
    /// A sentence for an administrator.
    pub message: String,
}

impl Targeting {
    /// Checks that everything that is named is there.
    ///
    /// # Errors
    /// All faults.
    pub fn new(
        collections: Collections,
        policies: Vec<PolicySource>,
        deployments: Vec<Deployment>,
    ) -> Result<Self, Vec<TargetingError>> {
        let mut errors = Vec::new();
        for (index, policy) in policies.iter().enumerate() {
            if policies.iter().take(index).any(|earlier| earlier.id == policy.id) {
                errors.push(TargetingError::PolicyTwice(policy.id.clone()));
            }
        }
        let mut ranked: Vec<Ranked> = Vec::with_capacity(deployments.len());
        for deployment in deployments {
            if ranked.iter().any(|earlier| earlier.deployment.id == deployment.id) {
                errors.push(TargetingError::DeploymentTwice(deployment.id.clone()));
            }
            let collection = collections.index(&deployment.collection);
            let policy = policies.iter().position(|policy| policy.id == deployment.policy);
            if collection.is_none() {
                errors.push(TargetingError::NoCollection {
                    deployment: deployment.id.clone(),
                    collection: deployment.collection.clone(),
                });
            }
            if policy.is_none() {
                errors.push(TargetingError::NoPolicy {
                    deployment: deployment.id.clone(),
                    policy: deployment.policy.clone(),
                });
            }
            if let (Some(collection), Some(policy)) = (collection, policy) {
                ranked.push(Ranked {
                    deployment,
                    collection,
                    policy,
                });
            }
        }
        ranked.sort_by(|a, b| a.rank().cmp(&b.rank()));
        if errors.is_empty() {
            Ok(Self {
                collections,
                policies,
                deployments: ranked,
            })
        } else {
            Err(errors)
        }
    }

    /// The same with another text of a policy, or with a policy more; for a preview.
    #[must_use]
    pub fn with_policy(mut self, policy: PolicySource) -> Self {
        match self.policies.iter_mut().find(|p| p.id == policy.id) {
            Some(place) => *place = policy,
            None => self.policies.push(policy),
        }
        self
    }

    /// The same with another form of a deployment, or with a deployment more; for a preview.
    ///
    /// # Errors
    /// When its policy or its collection is not there.
    pub fn with_deployment(self, deployment: Deployment) -> Result<Self, Vec<TargetingError>> {
        let others = self.deployments.into_iter().map(|ranked| ranked.deployment);
        let mut deployments: Vec<Deployment> = others.filter(|d| d.id != deployment.id).collect();
        deployments.push(deployment);
        Self::new(self.collections, self.policies, deployments)
    }

    /// Its policies.
    #[must_use]
    pub fn policies(&self) -> &[PolicySource] {
        &self.policies
    }

    /// Its collections.
    #[must_use]
    pub fn collections(&self) -> &Collections {
        &self.collections
    }

    /// Its deployments, in the order in which they win.
    pub fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments.iter().map(|ranked| &ranked.deployment)
    }

    /// The deployments that reach a device now.
    #[must_use]
    pub fn matching(&self, device: &DeviceFacts<'_>, now: Timestamp) -> Matching {
        let mut matching = Matching::default();
        self.matching_into(device, now, &mut Vec::new(), &mut matching);
        matching
    }

    /// Like [`Self::matching`], for many devices: `inside` and `matching` are used again.
    pub(crate) fn matching_into(
        &self,
        device: &DeviceFacts<'_>,
        now: Timestamp,
        inside: &mut Vec<bool>,
        matching: &mut Matching,
    ) {
        self.collections.place(device, inside);
        let reached = (0..)
            .zip(&self.deployments)
            .filter(|(_, ranked)| inside.get(ranked.collection) == Some(&true) && ranked.deployment.has_begun(now));
        matching.0.clear();
        matching.0.extend(reached.map(|(index, _)| index));
    }

    /// The effective policy, without reasons.
    #[must_use]
    pub fn effective(&self, matching: &Matching, profile: Option<&Profile>) -> Policy {
        let mut policy = Policy::default();
        for ranked in self.ranked(matching).rev() {
            if let Some(source) = self.policies.get(ranked.policy) {
                source.assignments.apply(&mut policy);
            }
        }
        if let Some(profile) = profile {
            profile.assignments.apply(&mut policy);
        }
        policy
    }

    /// When a device that these deployments reach may begin what disturbs its user.
    #[must_use]
    pub fn maintenance(&self, matching: &Matching) -> Maintenance {
        let speaks = |ranked: &&Ranked| {
            self.policies.get(ranked.policy).is_some_and(|source| {
                ["os.encryption", "fixed.encryption", "removable.encryption"]
                    .iter()
                    .any(|id| source.assignments.get(id).is_some())
            })
        };
        let decides = self
            .ranked(matching)
            .find(speaks)
            .or_else(|| self.ranked(matching).next());
        Maintenance {
            windows: self
                .ranked(matching)
                .flat_map(|r| r.deployment.windows.iter().cloned())
                .collect(),
            outside_allowed: decides.is_some_and(|ranked| ranked.deployment.outside_window_allowed),
        }
    }

    /// Everything that holds for a device, with its reasons.
    #[must_use]
    pub fn resolve(&self, device: &DeviceFacts<'_>, profile: Option<&Profile>, now: Timestamp) -> Resolved {
        let (mut inside, mut matching) = (Vec::new(), Matching::default());
        self.matching_into(device, now, &mut inside, &mut matching);
        let policy = self.effective(&matching, profile);
        let layers: Vec<(Applied, &PolicySource)> = self
            .ranked(&matching)
            .filter_map(|ranked| {
                let source = self.policies.get(ranked.policy)?;
                let because = self.collections.why(ranked.collection, &inside, device)?;
                let collection = self.collections.get(&ranked.deployment.collection)?;
                Some((ranked.applied(source, collection, because), source))
            })
            .collect();
        let settings = reference()
            .iter()
            .map(|setting| explain(setting, &policy, profile, &layers))
            .collect();
        let faults = policy
            .validate()
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(Fault::from)
            .collect();
        Resolved {
            settings,
            maintenance: self.maintenance(&matching),
            deployments: layers.into_iter().map(|(applied, _)| applied).collect(),
            conflicts: conflicts(&policy, device),
            faults,
            policy,
        }
    }

    fn ranked(&self, matching: &Matching) -> impl DoubleEndedIterator<Item = &Ranked> {
        matching
            .0
            .iter()
            .filter_map(|index| self.deployments.get(usize::try_from(*index).ok()?))
    }
}

impl Ranked {
    /// Who wins: the least.
    fn rank(&self) -> (u32, &DeploymentId) {
        (self.deployment.priority, &self.deployment.id)
    }

    fn applied(&self, source: &PolicySource, collection: &Collection, because: Why) -> Applied {
        Applied {
            deployment: self.deployment.id.clone(),
            policy: source.id.clone(),
            policy_name: source.name.clone(),
            collection: collection.id.clone(),
            collection_name: collection.name.clone(),
            priority: self.deployment.priority,
            because,
        }
    }
}

impl Maintenance {
    /// Whether a window is open now, or there is none; `offset` is how far its clock is ahead of UTC.
    #[must_use]
    pub fn is_open(&self, now: Timestamp, offset: UtcOffset) -> bool {
        is_open(&self.windows, now, offset)
    }

    /// The same as a plan's situation has it.
    #[must_use]
    pub fn state(&self, now: Timestamp, offset: UtcOffset) -> plan::Maintenance {
        if self.outside_allowed || self.is_open(now, offset) {
            plan::Maintenance::Open
        } else {
            plan::Maintenance::Closed {
                opens: self.next_opening(now, offset),
            }
        }
    }

    /// When it may begin next; now, when a window is open.
    #[must_use]
    pub fn next_opening(&self, now: Timestamp, offset: UtcOffset) -> Option<Timestamp> {
        next_opening(&self.windows, now, offset)
    }
}

fn conflicts(policy: &Policy, device: &DeviceFacts<'_>) -> Vec<GroupPolicyConflict> {
    let found = compare_registry(policy, device.inventory).conflicts;
    let told = found.into_iter().map(|conflict| GroupPolicyConflict {
        sentence: conflict.sentence(),
        setting: conflict.wanted.setting,
        value: conflict.wanted.name,
        wanted: conflict.wanted.data.shown(),
        found: conflict.found.shown(),
    });
    told.collect()
}

fn explain(
    setting: &'static Setting,
    policy: &Policy,
    profile: Option<&Profile>,
    layers: &[(Applied, &PolicySource)],
) -> Explained {
    let of_profile = profile.and_then(|profile| {
        let value = profile.assignments.get(setting.id)?;
        let origin = Origin::Profile {
            reason: profile.reason.clone(),
        };
        Some((value, origin))
    });
    let of_deployments = layers.iter().filter_map(|(applied, source)| {
        let value = source.assignments.get(setting.id)?;
        Some((value, Origin::Deployment(applied.clone())))
    });
    let mut said = of_profile.into_iter().chain(of_deployments);
    let (origin, beat) = match said.next() {
        None => (Origin::Default, Vec::new()),
        Some((_, origin)) => {
            let beat = said
                .map(|(value, loser)| Beaten {
                    value: value.to_owned(),
                    because: Because::of(&origin, &loser),
                    origin: loser,
                })
                .collect();
            (origin, beat)
        }
    };
    Explained {
        setting: setting.id,
        value: setting.value(policy),
        origin,
        beat,
    }
}

impl Because {
    fn of(winner: &Origin, loser: &Origin) -> Self {
        match (winner, loser) {
            (Origin::Deployment(one), Origin::Deployment(other)) if one.priority == other.priority => Self::NameOrder,
            (Origin::Deployment(_), _) => Self::Priority,
            (Origin::Profile { .. } | Origin::Default, _) => Self::Profile,
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Profile => "the device's own profile beats everything",
            Self::Priority => "its priority number is higher",
            Self::NameOrder => "the priorities are equal, and its deployment's name comes later",
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Profile { reason } => write!(f, "the device's own profile: {reason}"),
            Self::Deployment(applied) => applied.fmt(f),
        }
    }
}

impl Applied {
    /// Why the device belongs to the collection, in words.
    #[must_use]
    pub fn why(&self) -> String {
        if self.collection == CollectionId::all_devices() {
            "every device belongs to it".to_owned()
        } else {
            self.because.to_string()
        }
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            policy_name,
            collection_name,
            priority,
            ..
        } = self;
        write!(f, "policy \"{policy_name}\" for collection \"{collection_name}\" (")?;
        match *priority {
            u32::MAX => f.write_str("after all others")?,
            number => write!(f, "priority {number}")?,
        }
        write!(f, "; {})", self.why())
    }
}

impl From<FieldError> for Fault {
    fn from(error: FieldError) -> Self {
        Self {
            setting: error.field,
            message: error.message,
        }
    }
}
