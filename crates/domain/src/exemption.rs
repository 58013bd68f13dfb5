//! Exemptions from encryption, and putting it off.
//!
//! An exemption is a person's, not a machine's. A device is exempt while *all* of its users are: one who is not means that
//! it is encrypted. Nothing here touches keys: what is stored stays stored, and what was told is still replaced.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::same_person;
use crate::policy::{Policy, TriState};
use crate::time::Timestamp;

/// A person's exemption, from the request to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// The person, as devices name them.
    pub user: String,
    /// Asked for.
    pub requested: Timestamp,
    /// What became of it.
    #[serde(default)]
    pub decision: Decision,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decision {
    /// Nobody decided yet.
    #[default]
    Pending,
    /// Granted.
    Approved {
        /// When.
        at: Timestamp,
        /// When it ends; none: for good.
        #[serde(default)]
        until: Option<Timestamp>,
    },
    /// Refused.
    Denied {
        /// When.
        at: Timestamp,
    },
    /// Taken back.
    Revoked {
        /// When.
        at: Timestamp,
    },
}

/// A user put encryption off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Postponement {
    /// Until when, as the user chose.
    pub until: Timestamp,
}

/// Where a device stands; the numbers are those of `MBAMPolicyEnforced`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Enforcement {
    /// Policy asks for nothing.
    NotEnforced,
    /// It is enforced.
    #[default]
    Enforced,
    /// All of its users are exempt or have asked to be, and at least one waits for a decision. It is enforced all the same.
    Pending,
    /// All of its users are exempt.
    Exempt {
        /// The first end among theirs; none: for good.
        until: Option<Timestamp>,
    },
}

impl Enforcement {
    /// `MBAMPolicyEnforced`: 0 not enforced, 1 enforced, 2 exemption pending, 3 exempt.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::NotEnforced => 0,
            Self::Enforced => 1,
            Self::Pending => 2,
            Self::Exempt { .. } => 3,
        }
    }

    /// Whether encryption must not be asked for.
    #[must_use]
    pub fn is_exempt(self) -> bool {
        matches!(self, Self::Exempt { .. })
    }
}

impl Decision {
    /// Whether `next` may follow: a request is granted or refused; what was granted is granted otherwise or taken back. Who
    /// was refused, or lost it, asks again: the record of each request stays readable.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Approved { .. } | Self::Denied { .. })
                | (Self::Approved { .. }, Self::Approved { .. } | Self::Revoked { .. })
        )
    }

    /// In a word, as it is stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved { .. } => "approved",
            Self::Denied { .. } => "denied",
            Self::Revoked { .. } => "revoked",
        }
    }
}

impl Exemption {
    /// Whether it holds at this moment.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        matches!(self.decision, Decision::Approved { until, .. } if until.is_none_or(|until| now < until))
    }
}

/// Whether a person may ask at a device with these users to be exempt: one of them, where policy lets them.
#[must_use]
pub fn may_ask(policy: &Policy, users: &[String], person: &str) -> bool {
    policy.client.user_exemption == TriState::Enabled && users.iter().any(|user| same_person(user, person))
}

/// Whether a device with these users is exempt. Without users nobody is there to be exempt; without
/// `client.user_exemption` nobody can be.
#[must_use]
pub fn enforcement(policy: &Policy, users: &[String], exemptions: &[Exemption], now: Timestamp) -> Enforcement {
    if policy.client.user_exemption != TriState::Enabled || users.is_empty() {
        return Enforcement::Enforced;
    }
    let mut pending = false;
    let mut first_end = None::<Timestamp>;
    for user in users {
        let mut theirs = exemptions.iter().filter(|e| same_person(&e.user, user));
        if let Some(end) = theirs
            .clone()
            .filter(|e| e.holds(now))
            .map(end)
            .max_by_key(|end| end.unwrap_or(Timestamp(i64::MAX)))
        {
            first_end = match (first_end, end) {
                (Some(first), Some(end)) => Some(first.min(end)),
                (first, end) => first.or(end),
            };
        } else if theirs.any(|e| e.decision == Decision::Pending) {
            pending = true;
        } else {
            return Enforcement::Enforced;
        }
    }
    if pending {
        Enforcement::Pending
    } else {
        Enforcement::Exempt { until: first_end }
    }
}

fn end(exemption: &Exemption) -> Option<Timestamp> {
    match exemption.decision {
        Decision::Approved { until, .. } => until,
        _ => None,
    }
}

/// Until when a user may put the encryption of a volume off at most. `grace_since`: from when the grace period counts, none:
/// not yet; `grace_days`: where enforcement is on. None: there is no end yet.
#[must_use]
pub fn latest_start(policy: &Policy, grace_since: Option<Timestamp>, grace_days: Option<u16>) -> Option<Timestamp> {
    let days = grace_days.unwrap_or(policy.client.exemption_max_days);
    Some(grace_since?.after(Duration::from_secs(u64::from(days) * 24 * 60 * 60)))
}
