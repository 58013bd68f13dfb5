//! The operating system volume's start-up protector.

use super::Action;
use super::decide::{Decision, Steps};
use super::passwords;
use crate::inventory::{Tpm, VolumeReport};
use crate::policy::OsProtector;
use crate::volume::ProtectorType;

/// Whether the volume opens day by day without its recovery password, after the steps so far.
#[derive(Clone, Copy)]
pub(super) struct Start {
    /// In the way that policy wants: encryption may start.
    pub(super) as_policy_wants: bool,
    /// In some way: protection may be switched on without sending everybody to the recovery screen.
    pub(super) somehow: bool,
}

impl Start {
    pub(super) const READY: Self = Self {
        as_policy_wants: true,
        somehow: true,
    };
    pub(super) const NOT_YET: Self = Self {
        as_policy_wants: false,
        somehow: false,
    };
    /// Encryption must not start yet, but a drive that is encrypted already may be protected.
    pub(super) const ONLY_AS_IT_IS: Self = Self {
        as_policy_wants: false,
        somehow: true,
    };
}

/// Plans the start-up protector that policy wants.
///
/// A drive that already asks for more than policy does (a PIN, a startup key) satisfies "TPM": adding a plain TPM
/// protector beside TPM+PIN would switch the PIN off.
pub(super) fn plan(decision: &Decision<'_>, steps: &mut Steps<'_>) -> Start {
    let volume = steps.volume;
    let present = match decision.policy.os.protector {
        OsProtector::Tpm => has(volume, ProtectorType::starts_by_tpm),
        OsProtector::TpmPin => has(volume, ProtectorType::asks_for_pin),
    };
    let without_tpm = decision.policy.os.allow_without_tpm && matches!(decision.inventory.tpm, Tpm::Absent);
    if without_tpm && !has(volume, ProtectorType::starts_by_tpm) {
        return passwords::instead_of_tpm(decision, steps);
    }
    let reason = match &decision.inventory.tpm {
        Tpm::Ready { .. } if present => None,
        Tpm::Ready { .. } => add(decision, steps),
        Tpm::NotReady { reason, cause } => {
            let reason = if reason.is_empty() { cause.words() } else { reason };
            Some(format!("The TPM cannot be used now: {reason}"))
        }
        Tpm::Absent if has(volume, ProtectorType::starts_by_tpm) => {
            Some("A TPM protector exists, but no TPM is visible.".to_owned())
        }
        Tpm::Absent => Some("Policy asks for a TPM, and no TPM is visible.".to_owned()),
    };
    let Some(reason) = reason else {
        remove_what_defeats_the_pin(decision, steps);
        return Start::READY;
    };
    let other = volume.has(ProtectorType::Passphrase) || volume.has(ProtectorType::ExternalKey);
    let by_tpm = matches!(decision.inventory.tpm, Tpm::Ready { .. }) && has(volume, ProtectorType::starts_by_tpm);
    steps.blocked(reason);
    if other || by_tpm {
        Start::ONLY_AS_IT_IS
    } else {
        Start::NOT_YET
    }
}

/// Adds the protector, or says why not.
fn add(decision: &Decision<'_>, steps: &mut Steps<'_>) -> Option<String> {
    let device = steps.volume.device.clone();
    match decision.policy.os.protector {
        OsProtector::Tpm => steps.push(Action::AddTpm { device }),
        OsProtector::TpmPin if decision.situation.pin_available => steps.push(Action::AddTpmPin { device }),
        OsProtector::TpmPin => {
            steps.question = Some(decision.pin_question());
            return Some("Policy asks for a start-up PIN, and none has been chosen yet.".to_owned());
        }
    }
    None
}

/// A plain TPM protector opens the volume without the PIN; it goes once TPM+PIN exists.
fn remove_what_defeats_the_pin(decision: &Decision<'_>, steps: &mut Steps<'_>) {
    let plain = steps.volume.protectors.iter().filter(|p| p.kind == ProtectorType::Tpm);
    if decision.policy.os.protector != OsProtector::TpmPin {
        return;
    }
    for protector in plain {
        if decision.situation.server_reachable {
            steps.push(Action::DeleteProtector {
                device: steps.volume.device.clone(),
                protector: protector.id,
                replaced: false,
            });
        } else {
            steps
                .blocked("A TPM protector without PIN stays until the server is reachable: nothing is deleted before.");
        }
    }
}

fn has(volume: &VolumeReport, kind: fn(ProtectorType) -> bool) -> bool {
    volume.protectors.iter().any(|p| kind(p.kind))
}
