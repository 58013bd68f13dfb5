//! What `claviger compliance evaluate --json` prints.

use domain::compliance::{self, Compliance, ErrorCategory, Reason, StatusCategory, Verdict};
use domain::exemption::Enforcement;
use domain::inventory::Inventory;
use domain::plan::Detected;
use domain::policy::Policy;
use domain::time::Timestamp;
use domain::volume::VolumeKind;
use schemars::JsonSchema;
use serde::Serialize;

/// The verdict on a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Evaluation {
    /// The device's name.
    pub hostname: String,
    /// The verdict.
    pub verdict: Verdict,
    /// `Compliant` in the client's inventory: 0 not compliant, 1 compliant, 2 not applicable; null when nothing is enforced
    /// or not enough is known.
    pub code: Option<u8>,
    /// What the dashboard calls it.
    pub status: String,
    /// Why it is not compliant, in the dashboard's words; null when it is.
    pub error: Option<String>,
    /// Whether its users are exempt.
    pub enforcement: Enforcement,
    /// `MBAMPolicyEnforced`: 0 not enforced, 1 enforced, 2 exemption pending, 3 exempt.
    pub enforcement_code: u8,
    /// A user put encryption off, and that still holds.
    pub postponed: bool,
    /// `Status/DeviceEncryptionStatus` of the BitLocker configuration service provider: 0, or a bit for each fault.
    pub device_encryption_status: u32,
    /// Its volumes, in the inventory's order.
    pub volumes: Vec<VolumeEvaluation>,
    /// To be given as `detected` of the next situation: it keeps the dates.
    pub detected: Vec<Detected>,
}

/// The verdict on a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VolumeEvaluation {
    /// The provider's name of the volume.
    pub device: String,
    /// Drive letter or mount point.
    pub letter: Option<String>,
    /// What it is for.
    pub kind: VolumeKind,
    /// The verdict.
    pub verdict: Verdict,
    /// The same as a number, as for the device.
    pub code: Option<u8>,
    /// `ReasonsForNonCompliance`: 0–16, ascending.
    pub reason_codes: Vec<u8>,
    /// The same by name.
    pub reasons: Vec<Reason>,
    /// The same in sentences.
    pub sentences: Vec<String>,
    /// Whether the server holds a recovery password of it.
    pub escrowed: bool,
    /// When it was first found not compliant, since it was last compliant.
    pub detected_at: Option<Timestamp>,
    /// From when its user can no longer put encryption off.
    pub enforce_from: Option<Timestamp>,
}

impl Evaluation {
    /// What is printed of a verdict.
    #[must_use]
    pub fn of(policy: &Policy, inventory: &Inventory, compliance: Compliance) -> Self {
        Self {
            hostname: inventory.hostname.clone(),
            verdict: compliance.verdict,
            code: compliance.verdict.code(),
            status: StatusCategory::of(Some(&compliance)).label().to_owned(),
            error: ErrorCategory::of(Some(inventory), Some(&compliance)).map(|error| error.label().to_owned()),
            enforcement: compliance.enforcement,
            enforcement_code: compliance.enforcement.code(),
            postponed: compliance.postponed,
            device_encryption_status: compliance::device_encryption_status(policy, inventory, &compliance),
            volumes: inventory
                .volumes
                .iter()
                .zip(compliance.volumes)
                .map(|(report, volume)| VolumeEvaluation {
                    letter: report.letter.clone(),
                    device: volume.device,
                    kind: volume.kind,
                    verdict: volume.verdict,
                    code: volume.verdict.code(),
                    reason_codes: volume.reasons.iter().map(|reason| reason.code()).collect(),
                    sentences: volume
                        .reasons
                        .iter()
                        .map(|reason| reason.sentence().to_owned())
                        .collect(),
                    reasons: volume.reasons,
                    escrowed: volume.escrowed,
                    detected_at: volume.detected_at,
                    enforce_from: volume.enforce_from,
                })
                .collect(),
            detected: compliance.detected,
        }
    }
}
