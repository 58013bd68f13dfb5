//! The words of the compliance dashboard.

use serde::{Deserialize, Serialize};

use super::{Compliance, Reason, Verdict};
use crate::exemption::Enforcement;
use crate::inventory::{Inventory, Tpm, TpmCause};
use crate::volume::VolumeKind;

/// Dashboard: compliance status distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusCategory {
    /// As policy wants it.
    Compliant,
    /// Not so.
    NonCompliant,
    /// The user is exempt for good.
    UserExempt,
    /// The user is exempt for a time.
    TemporaryUserExempt,
    /// Policy says nothing about this device.
    NotEnforced,
    /// Outside what is managed, a virtual machine say; other products do not show these devices at all.
    NotApplicable,
    /// Nothing, or not enough, was reported.
    Unknown,
}

/// Dashboard: why devices are not compliant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCategory {
    /// The user put it off.
    UserPostponed,
    /// There is no TPM that can be used.
    NoCompatibleTpm,
    /// The system partition is missing or too small.
    SystemPartition,
    /// The TPM is there and not ready.
    TpmNotReady,
    /// The policy contradicts itself.
    PolicyConflict,
    /// Windows is making the TPM ready by itself.
    TpmAutoProvisioning,
    /// Something else.
    Other,
    /// Nothing was reported.
    NoInformation,
}

impl StatusCategory {
    /// The category of a device; none was evaluated yet: unknown.
    #[must_use]
    pub fn of(compliance: Option<&Compliance>) -> Self {
        let enforcement = compliance.filter(|c| c.is_excused()).map(|c| c.enforcement);
        match compliance.map_or(Verdict::Unknown, |c| c.verdict) {
            Verdict::NonCompliant | Verdict::Unknown if enforcement == Some(Enforcement::Exempt { until: None }) => {
                Self::UserExempt
            }
            Verdict::NonCompliant | Verdict::Unknown if enforcement.is_some() => Self::TemporaryUserExempt,
            Verdict::Compliant => Self::Compliant,
            Verdict::NonCompliant => Self::NonCompliant,
            Verdict::NotEnforced => Self::NotEnforced,
            Verdict::NotApplicable => Self::NotApplicable,
            Verdict::Unknown => Self::Unknown,
        }
    }

    /// What the dashboard calls it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Compliant => "Compliant",
            Self::NonCompliant => "Non-compliant",
            Self::UserExempt => "User exempt",
            Self::TemporaryUserExempt => "Temporary user exempt",
            Self::NotEnforced => "Policy not enforced",
            Self::NotApplicable => "Not applicable",
            Self::Unknown => "Unknown",
        }
    }
}

impl ErrorCategory {
    /// Why a device is not compliant. None for one that is, or of which nothing is asked.
    #[must_use]
    pub fn of(inventory: Option<&Inventory>, compliance: Option<&Compliance>) -> Option<Self> {
        let (Some(inventory), Some(compliance)) = (inventory, compliance) else {
            return Some(Self::NoInformation);
        };
        let reasons: Vec<Reason> = inventory
            .volumes
            .iter()
            .zip(&compliance.volumes)
            .filter(|(report, _)| report.kind != VolumeKind::Removable)
            .flat_map(|(_, volume)| volume.reasons.iter().copied())
            .collect();
        match compliance.verdict {
            Verdict::Compliant | Verdict::NotEnforced | Verdict::NotApplicable => None,
            _ if compliance.is_excused() => None,
            Verdict::Unknown => Some(Self::NoInformation),
            Verdict::NonCompliant if reasons.contains(&Reason::PolicyConflict) => Some(Self::PolicyConflict),
            Verdict::NonCompliant
                if reasons.contains(&Reason::NonTpmNotAllowed) || reasons.contains(&Reason::TpmNotVisible) =>
            {
                Some(Self::NoCompatibleTpm)
            }
            Verdict::NonCompliant if reasons.contains(&Reason::SystemVolumeMissing) => Some(Self::SystemPartition),
            Verdict::NonCompliant if compliance.postponed => Some(Self::UserPostponed),
            Verdict::NonCompliant => match inventory.tpm {
                Tpm::NotReady {
                    cause: TpmCause::AutoProvisioning,
                    ..
                } => Some(Self::TpmAutoProvisioning),
                Tpm::NotReady { .. } => Some(Self::TpmNotReady),
                _ => Some(Self::Other),
            },
        }
    }

    /// What the dashboard calls it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::UserPostponed => "User postponed encryption",
            Self::NoCompatibleTpm => "Unable to find compatible TPM",
            Self::SystemPartition => "System partition not available or large enough",
            Self::TpmNotReady => "TPM visible but not initialized",
            Self::PolicyConflict => "Policy conflict",
            Self::TpmAutoProvisioning => "Waiting for TPM auto provisioning",
            Self::Other => "Unknown error",
            Self::NoInformation => "No information",
        }
    }
}
