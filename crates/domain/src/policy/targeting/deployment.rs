//! Deployments and profiles: how a policy gets to devices.

use serde::{Deserialize, Serialize};

use super::collection::CollectionId;
use super::names::short_name;
use super::window::Window;
use crate::policy::Assignments;
use crate::time::Timestamp;

short_name!(
    /// A policy document's short name.
    PolicyId
);
short_name!(
    /// A deployment's short name. Among deployments of the same priority, the first by name wins.
    DeploymentId
);

/// A policy for a collection.
///
/// ```toml
/// id = "laptops-pin"
/// policy = "pin"
/// collection = "laptops"
/// priority = 10
/// not_before = "2026-12-01T06:00:00Z"
/// windows = [{ start = "22:00", minutes = 360 }]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// Short name.
    pub id: DeploymentId,
    /// Which policy.
    pub policy: PolicyId,
    /// To whom.
    pub collection: CollectionId,
    /// The lower number wins, setting by setting. Equal ones: the deployment whose short name comes first.
    pub priority: u32,
    /// It says nothing before this moment.
    #[serde(default, with = "written_moment", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When devices may begin to encrypt or decrypt. A device whose deployments have no windows at all always may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Windows of other deployments do not hold back what this one asks for, nor do its own.
    #[serde(default)]
    pub outside_window_allowed: bool,
}

/// Settings for one single device. They beat every deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What it configures.
    pub assignments: Assignments,
    /// Why this device is special; shown with every value.
    pub reason: String,
}

impl Deployment {
    /// Whether it has begun.
    #[must_use]
    pub fn has_begun(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|begin| begin <= now)
    }
}

/// Moments as RFC 3339.
mod written_moment {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Timestamp;
    use crate::time::moment;

    #[expect(clippy::ref_option, reason = "serde asks for this shape")]
    pub(super) fn serialize<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match moment {
            Some(moment) => serializer.serialize_str(&moment::write_moment(*moment)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        moment::parse_moment(&text).map(Some).ok_or_else(|| {
            D::Error::custom(format!(
                "\"{text}\" is not a moment: allowed is date, time and offset from UTC, like 2026-12-01T06:00:00Z"
            ))
        })
    }
}
