//! Automatic unlocking of data volumes: its key lies on the operating system volume, so that comes first.

use super::Action;
use super::decide::{Decision, Steps};
use super::keys::KeySteps;
use super::passwords;
use super::start_up::Start;
use crate::inventory::VolumeReport;
use crate::policy::{AutoUnlock, Encryption};
use crate::volume::{ConversionStatus, ProtectionStatus, ProtectorType, VolumeKind};

/// What data volumes need to know about the operating system volume.
#[derive(Clone, Copy, Default)]
pub(super) struct OsDrive {
    /// Encrypted, protected, and to stay so: a key can lie on it.
    safe: bool,
    /// Not safe yet, but nothing stands in the way other than its user or a better moment.
    on_its_way: bool,
    /// It is to be decrypted.
    forbidden: bool,
}

impl OsDrive {
    pub(super) fn look(decision: &Decision<'_>, os: &[Steps<'_>]) -> Self {
        let wanted = decision.rule(VolumeKind::Os);
        let protected =
            |v: &VolumeReport| v.conversion == ConversionStatus::FullyEncrypted && v.protection == ProtectionStatus::On;
        // To be encrypted anew it is decrypted first: no key can lie on it until that is over.
        let decrypts = os
            .iter()
            .any(|s| s.actions.iter().any(|a| matches!(a, Action::Decrypt { .. })));
        let safe = wanted != Encryption::Forbid && !decrypts && os.first().is_some_and(|s| protected(s.volume));
        let unhindered = decrypts
            || os
                .first()
                .is_some_and(|s| s.blocked.is_empty() || s.waits || s.question.is_some());
        Self {
            safe,
            on_its_way: !safe && wanted == Encryption::Require && unhindered,
            forbidden: wanted == Encryption::Forbid,
        }
    }
}

/// Plans automatic unlocking of a data volume that must be encrypted. "Allow" leaves it to the user, except that a
/// drive with nothing but recovery passwords gets it: it would stay shut after the next restart.
pub(super) fn plan(decision: &Decision<'_>, steps: &mut Steps<'_>, keys: &KeySteps, os_drive: OsDrive) -> Start {
    let volume = steps.volume;
    let on = volume.auto_unlock == Some(true);
    let wanted = decision.policy.auto_unlock(volume.kind);
    let only_recovery = volume
        .protectors
        .iter()
        .all(|p| p.kind == ProtectorType::RecoveryPassword);
    if os_drive.forbidden && wanted == AutoUnlock::Require {
        steps.blocked("Policy contradicts itself: automatic unlocking needs an encrypted operating system drive, which it forbids.");
        return Start::ONLY_AS_IT_IS;
    }
    if on && (wanted == AutoUnlock::Prohibit || os_drive.forbidden) {
        remove(decision, steps, keys);
        return Start::READY;
    }
    if on && !os_drive.safe {
        steps.blocked("Its automatic unlocking is not safe before the operating system drive is protected.");
    }
    match wanted {
        AutoUnlock::Require if !on => {
            if os_drive.safe {
                add(steps);
                return Start::READY;
            }
            steps.blocked("Automatic unlocking waits until the operating system drive is protected.");
            if only_recovery {
                Start::ONLY_AS_IT_IS
            } else {
                Start::READY
            }
        }
        AutoUnlock::Allow if !on && only_recovery && os_drive.safe => {
            add(steps);
            Start::READY
        }
        AutoUnlock::Allow if !on && only_recovery && os_drive.on_its_way => {
            if !volume.is_encrypted_at_all() {
                steps
                    .blocked("Encryption waits until the operating system drive is protected and can unlock this one.");
            }
            Start::ONLY_AS_IT_IS
        }
        AutoUnlock::Require | AutoUnlock::Allow | AutoUnlock::Prohibit => Start::READY,
    }
}

/// An operating system volume that is to be decrypted cannot keep the keys of data volumes.
pub(super) fn let_go_of_os_drive(decision: &Decision<'_>, steps: &mut Steps<'_>, keys: &KeySteps, os_drive: OsDrive) {
    if os_drive.forbidden && steps.volume.kind != VolumeKind::Os && steps.volume.auto_unlock == Some(true) {
        remove(decision, steps, keys);
    }
}

/// `Decrypt` of an operating system volume is refused (`FVE_E_AUTOUNLOCK_ENABLED`) while it holds such keys.
pub(super) fn wait_for_data_volumes(os: &mut Steps<'_>, data: &[Steps<'_>]) {
    let holds_on = |s: &&Steps<'_>| {
        s.volume.kind != VolumeKind::Os
            && s.volume.auto_unlock == Some(true)
            && !s.actions.iter().any(|a| matches!(a, Action::RemoveAutoUnlock { .. }))
    };
    let decrypts = |a: &Action| matches!(a, Action::Decrypt { .. });
    if let Some(holder) = data.iter().find(holds_on)
        && os.actions.iter().any(decrypts)
    {
        os.actions.retain(|a| !decrypts(a));
        os.blocked(format!(
            "It cannot be decrypted while it holds the key that unlocks {} automatically.",
            holder.volume.display_name()
        ));
    }
}

fn add(steps: &mut Steps<'_>) {
    steps.push(Action::AddAutoUnlock {
        device: steps.volume.device.clone(),
    });
}

/// Deletes a protector, so only when another way back is certain; and where the drive stays encrypted, only when something
/// other than its recovery passwords opens it day by day.
fn remove(decision: &Decision<'_>, steps: &mut Steps<'_>, keys: &KeySteps) {
    if !decision.situation.server_reachable {
        steps.blocked("Automatic unlocking stays until the server is reachable: nothing is deleted before.");
    } else if !keys.held {
        steps.blocked("Automatic unlocking stays: without it, nothing that the server holds would open the drive.");
    } else if decision.rule(steps.volume.kind) == Encryption::Forbid
        || passwords::instead_of_auto_unlock(decision, steps)
    {
        steps.push(Action::RemoveAutoUnlock {
            device: steps.volume.device.clone(),
        });
    }
}
