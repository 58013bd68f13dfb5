//! Whether a device is as policy wants it, with the field's own codes 0–16.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exemption::{self, Enforcement};
use crate::inventory::Inventory;
use crate::ledger::Ledger;
use crate::plan::{Detected, Situation};
use crate::policy::{Encryption, Policy};
use crate::time::Timestamp;
use crate::volume::VolumeKind;

pub use category::{ErrorCategory, StatusCategory};
pub use csp::device_encryption_status;

mod category;
mod csp;
mod grace;
mod volume;

/// Why a volume is not compliant; the numbers are those of `ReasonsForNonCompliance`.
///
/// [`evaluate`] gives all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Reason {
    /// The cipher is not AES-256 (the legacy check, for policies that ask for AES-CBC-256).
    CipherNotAes256 = 0,
    /// Policy wants it encrypted; it is not, or not wholly.
    MustEncrypt = 1,
    /// Policy forbids encryption; it is encrypted.
    MustNotEncrypt = 2,
    /// A TPM protector is required and absent.
    TpmProtectorMissing = 3,
    /// TPM+PIN is required and absent, or defeated by a plain TPM protector beside it.
    TpmPinProtectorMissing = 4,
    /// A machine without TPM cannot be compliant.
    NonTpmNotAllowed = 5,
    /// It has a TPM protector, but the TPM is not visible.
    TpmNotVisible = 6,
    /// A password protector is required and absent. Comes with the password settings.
    PasswordProtectorMissing = 7,
    /// A password protector is there and forbidden. Comes with the password settings.
    PasswordProtectorForbidden = 8,
    /// Automatic unlocking is required and off.
    AutoUnlockMissing = 9,
    /// Automatic unlocking is forbidden and on.
    AutoUnlockForbidden = 10,
    /// Policy contradicts itself.
    PolicyConflict = 11,
    /// The operating system volume needs a separate system partition.
    SystemVolumeMissing = 12,
    /// Protection is suspended.
    ProtectionSuspended = 13,
    /// It unlocks automatically by an operating system volume that is not encrypted.
    AutoUnlockUnsafe = 14,
    /// The cipher is weaker than XTS-AES-128.
    CipherBelowXts128 = 15,
    /// The cipher is weaker than XTS-AES-256.
    CipherBelowXts256 = 16,
}

/// The verdict on a volume or a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As policy wants it.
    Compliant,
    /// Not so; the reasons say why.
    NonCompliant,
    /// Policy says nothing about it.
    NotEnforced,
    /// Outside what is managed (a virtual machine, say).
    NotApplicable,
    /// Not enough is known (locked, nothing reported).
    Unknown,
}

/// Verdict on one volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeCompliance {
    /// The provider's name of the volume.
    pub device: String,
    /// What it is for.
    pub kind: VolumeKind,
    /// The verdict.
    pub verdict: Verdict,
    /// Codes, ascending; empty unless non-compliant.
    pub reasons: Vec<Reason>,
    /// Whether the server holds a recovery password of it; not part of the codes, but shown beside them.
    pub escrowed: bool,
    /// When it was first found not compliant, since it was last compliant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected_at: Option<Timestamp>,
    /// From when its user can no longer put encryption off. None: it is compliant, the grace period has not begun, or
    /// policy enforces nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforce_from: Option<Timestamp>,
}

/// Verdict on a device. Removable drives are listed but do not decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compliance {
    /// The verdict.
    pub verdict: Verdict,
    /// Its volumes.
    pub volumes: Vec<VolumeCompliance>,
    /// Whether its users are exempt.
    #[serde(default)]
    pub enforcement: Enforcement,
    /// A user put encryption off, and that still holds.
    #[serde(default)]
    pub postponed: bool,
    /// What has to be known at the next evaluation: [`Situation::detected`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detected: Vec<Detected>,
}

/// Evaluates a device; the same function runs on the device and on the server.
///
/// The operating system volume and fixed drives decide. One that is not compliant makes the device non-compliant; else one
/// that is unknown makes it unknown; drives on which policy says nothing do not count unless there are no others. An exempt
/// device keeps its verdict: the dashboard says that it is exempt.
#[must_use]
pub fn evaluate(policy: &Policy, inventory: &Inventory, ledger: &Ledger, situation: &Situation) -> Compliance {
    let managed = policy.manages(inventory);
    let mut volumes: Vec<VolumeCompliance> = inventory
        .volumes
        .iter()
        .map(|volume| {
            let (verdict, reasons) = if managed {
                volume::judge(policy, inventory, volume)
            } else {
                (Verdict::NotApplicable, Vec::new())
            };
            VolumeCompliance {
                device: volume.device.clone(),
                kind: volume.kind,
                verdict,
                reasons,
                escrowed: volume::escrowed(volume, ledger),
                detected_at: None,
                enforce_from: None,
            }
        })
        .collect();
    let verdict = if managed {
        device_verdict(policy, inventory, &volumes)
    } else {
        Verdict::NotApplicable
    };
    let detected = grace::note(policy, situation, &mut volumes);
    let enforcement = match verdict {
        Verdict::NotEnforced | Verdict::NotApplicable => Enforcement::NotEnforced,
        _ => exemption::enforcement(policy, &inventory.users, &situation.exemptions, situation.now),
    };
    let postponed = verdict == Verdict::NonCompliant
        && situation.postponed.is_some_and(|wish| {
            let late = |v: &&VolumeCompliance| v.verdict == Verdict::NonCompliant && v.kind != VolumeKind::Removable;
            let holds = |v: &VolumeCompliance| {
                let until = grace::latest_start(policy, &detected, v).map_or(wish.until, |last| last.min(wish.until));
                situation.now < until
            };
            volumes.iter().filter(late).any(holds)
        });
    Compliance {
        verdict,
        volumes,
        enforcement,
        postponed,
        detected,
    }
}

fn device_verdict(policy: &Policy, inventory: &Inventory, volumes: &[VolumeCompliance]) -> Verdict {
    let os_missing = policy.os.encryption != Encryption::NotConfigured && inventory.os_volume().is_none();
    let mut deciding = inventory
        .volumes
        .iter()
        .zip(volumes)
        .filter(|(report, _)| report.kind != VolumeKind::Removable)
        .map(|(_, compliance)| compliance.verdict)
        .collect::<Vec<_>>();
    if os_missing {
        deciding.push(Verdict::Unknown);
    }
    [Verdict::NonCompliant, Verdict::Unknown, Verdict::Compliant]
        .into_iter()
        .find(|verdict| deciding.contains(verdict))
        .unwrap_or(Verdict::NotEnforced)
}

impl Compliance {
    /// Whether an exemption stands behind all that is amiss. It does not excuse encryption where policy forbids that.
    #[must_use]
    pub fn is_excused(&self) -> bool {
        let forbidden =
            |v: &VolumeCompliance| v.kind != VolumeKind::Removable && v.reasons.contains(&Reason::MustNotEncrypt);
        self.enforcement.is_exempt() && !self.volumes.iter().any(forbidden)
    }
}

impl Reason {
    /// All reasons, by code.
    pub const ALL: [Self; 17] = [
        Self::CipherNotAes256,
        Self::MustEncrypt,
        Self::MustNotEncrypt,
        Self::TpmProtectorMissing,
        Self::TpmPinProtectorMissing,
        Self::NonTpmNotAllowed,
        Self::TpmNotVisible,
        Self::PasswordProtectorMissing,
        Self::PasswordProtectorForbidden,
        Self::AutoUnlockMissing,
        Self::AutoUnlockForbidden,
        Self::PolicyConflict,
        Self::SystemVolumeMissing,
        Self::ProtectionSuspended,
        Self::AutoUnlockUnsafe,
        Self::CipherBelowXts128,
        Self::CipherBelowXts256,
    ];

    /// The number in `ReasonsForNonCompliance`, 0–16.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// A sentence for an administrator.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::CipherNotAes256 => "The drive's cipher is weaker than the AES-256 that policy asks for.",
            Self::MustEncrypt => "Policy asks for encryption, and the drive is not fully encrypted.",
            Self::MustNotEncrypt => "Policy forbids encryption, and the drive is encrypted.",
            Self::TpmProtectorMissing => "Policy asks for a TPM protector, and the drive has none.",
            Self::TpmPinProtectorMissing => {
                "Policy asks for TPM and PIN, and the drive has no such protector or starts by the TPM alone."
            }
            Self::NonTpmNotAllowed => "Policy asks for a TPM, and the machine has none.",
            Self::TpmNotVisible => "The drive has a TPM protector, but the machine's TPM is not visible.",
            Self::PasswordProtectorMissing => "Policy asks for a password on the drive, and there is none.",
            Self::PasswordProtectorForbidden => "Policy forbids a password on the drive, and there is one.",
            Self::AutoUnlockMissing => "Policy asks that the drive unlocks automatically, and it does not.",
            Self::AutoUnlockForbidden => "Policy forbids that the drive unlocks automatically, and it does.",
            Self::PolicyConflict => "The policy's settings contradict each other.",
            Self::SystemVolumeMissing => "The operating system drive needs a separate system partition.",
            Self::ProtectionSuspended => {
                "Protection is suspended: the drive is encrypted, but its key lies open on it."
            }
            Self::AutoUnlockUnsafe => {
                "The drive unlocks automatically by a key that lies on an operating system drive that is not encrypted."
            }
            Self::CipherBelowXts128 => "The drive's cipher is weaker than the XTS-AES-128 that policy asks for.",
            Self::CipherBelowXts256 => "The drive's cipher is weaker than the XTS-AES-256 that policy asks for.",
        }
    }
}

impl Verdict {
    /// `Compliant` in the client's inventory: 0 not compliant, 1 compliant, 2 not applicable; none while nothing can be
    /// said or nothing is enforced.
    #[must_use]
    pub fn code(self) -> Option<u8> {
        match self {
            Self::NonCompliant => Some(0),
            Self::Compliant => Some(1),
            Self::NotApplicable => Some(2),
            Self::NotEnforced | Self::Unknown => None,
        }
    }
}
