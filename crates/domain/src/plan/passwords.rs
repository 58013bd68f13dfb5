//! Passwords on drives: where a TPM cannot help, and where policy asks for one or forbids it.

use super::decide::{Decision, Steps};
use super::prompt::Question;
use super::{Action, start_up::Start};
use crate::volume::{ConversionStatus, ProtectorType, VolumeKind};

/// Plans the password of an operating system drive that no TPM can open.
pub(super) fn instead_of_tpm(decision: &Decision<'_>, steps: &mut Steps<'_>) -> Start {
    let volume = steps.volume;
    let rule = decision.policy.password(VolumeKind::Os, decision.inventory);
    if volume.has(ProtectorType::Passphrase) || volume.has(ProtectorType::ExternalKey) {
        return Start::READY;
    }
    if rule.forbidden {
        steps.blocked(if decision.inventory.fips {
            "No TPM can be used, and in FIPS mode no password can open the drive instead."
        } else {
            "No TPM can be used, and policy forbids a password instead."
        });
        return Start::NOT_YET;
    }
    if decision.situation.password_available {
        steps.push(Action::AddPassphrase {
            device: volume.device.clone(),
        });
        return Start::READY;
    }
    steps.blocked("No TPM can be used: encryption waits until the user has chosen a password.");
    steps.question = Some(Question::password(&volume.device, &rule));
    Start::NOT_YET
}

/// Plans the password of a data drive, which it needs where policy asks for one, and where it would be encrypted with
/// nothing but recovery passwords: it would stay shut after the next restart. Whether encryption may start as far as that
/// goes.
pub(super) fn of_data_drive(decision: &Decision<'_>, steps: &mut Steps<'_>, start: Start) -> bool {
    let volume = steps.volume;
    let rule = decision.policy.password(volume.kind, decision.inventory);
    let begins = start.as_policy_wants && volume.conversion == ConversionStatus::FullyDecrypted;
    let shut = begins && !opens_day_by_day(steps);
    let added = steps.actions.iter().any(|a| matches!(a, Action::AddPassphrase { .. }));
    if added || volume.has(ProtectorType::Passphrase) || !(rule.required || shut) {
        return true;
    }
    if rule.forbidden {
        steps.blocked(
            "It would be encrypted with nothing but a recovery password: it cannot unlock automatically, and passwords are forbidden.",
        );
        return false;
    }
    if decision.situation.password_available {
        steps.push(Action::AddPassphrase {
            device: volume.device.clone(),
        });
        return true;
    }
    steps.blocked(if rule.required {
        "Policy asks for a password on the drive, and none has been chosen yet."
    } else {
        "It cannot unlock automatically: encryption waits until the user has chosen a password."
    });
    steps.question = Some(Question::password(&volume.device, &rule));
    false
}

/// Whether a data drive opens day by day once its automatic unlocking ends; adds the user's password, or asks for one, where
/// nothing does. A startup key does not count: nobody tells which of them automatic unlocking uses.
pub(super) fn instead_of_auto_unlock(decision: &Decision<'_>, steps: &mut Steps<'_>) -> bool {
    let volume = steps.volume;
    let opens = |kind| {
        matches!(
            kind,
            ProtectorType::Passphrase | ProtectorType::PublicKey | ProtectorType::AdSid
        )
    };
    if volume.protectors.iter().any(|p| opens(p.kind)) {
        return true;
    }
    let rule = decision.policy.password(volume.kind, decision.inventory);
    if rule.forbidden || decision.enforcement.is_exempt() {
        steps.blocked(if rule.forbidden {
            "Automatic unlocking stays: nothing else opens the drive day by day, and passwords are forbidden."
        } else {
            "Automatic unlocking stays: nothing else opens the drive day by day, and an exempt device gets no password."
        });
        return false;
    }
    if decision.situation.password_available {
        steps.push(Action::AddPassphrase {
            device: volume.device.clone(),
        });
        return true;
    }
    steps.blocked(
        "Automatic unlocking stays until the user has chosen a password: nothing else opens the drive day by day.",
    );
    steps.question = Some(Question::password(&volume.device, &rule));
    false
}

/// Whether a data drive opens by something other than recovery passwords, after the steps so far.
fn opens_day_by_day(steps: &Steps<'_>) -> bool {
    let added = steps.actions.iter().any(|a| matches!(a, Action::AddAutoUnlock { .. }));
    let day_by_day = |kind| {
        matches!(
            kind,
            ProtectorType::Passphrase | ProtectorType::ExternalKey | ProtectorType::PublicKey | ProtectorType::AdSid
        )
    };
    added || steps.volume.protectors.iter().any(|p| day_by_day(p.kind))
}

/// Removes passwords that policy forbids, where something else opens the drive day by day. `opens`: it does after the steps
/// so far.
pub(super) fn remove_forbidden(decision: &Decision<'_>, steps: &mut Steps<'_>, held: bool, opens: bool) {
    let volume = steps.volume;
    if !decision.policy.password(volume.kind, decision.inventory).forbidden {
        return;
    }
    for protector in volume.protectors.iter().filter(|p| p.kind == ProtectorType::Passphrase) {
        if !opens {
            steps.blocked("Policy forbids the drive's password, but nothing else opens it day by day; it stays.");
        } else if !decision.situation.server_reachable || !held {
            steps.blocked("Policy forbids the drive's password; it stays until a way back is certain.");
        } else {
            steps.push(Action::DeleteProtector {
                device: volume.device.clone(),
                protector: protector.id,
                replaced: false,
            });
        }
    }
}
