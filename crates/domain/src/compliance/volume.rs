//! The verdict on one volume.

use super::{Reason, Verdict};
use crate::inventory::{Inventory, SystemPartition, Tpm, VolumeReport};
use crate::ledger::{KeyState, Ledger, ProofState};
use crate::policy::{AutoUnlock, Encryption, OsProtector, Policy, compare_registry};
use crate::volume::{ConversionStatus, EncryptionMethod, ProtectorType, VolumeKind};

pub(super) fn judge(policy: &Policy, inventory: &Inventory, volume: &VolumeReport) -> (Verdict, Vec<Reason>) {
    if policy.excludes(volume) {
        return (Verdict::NotEnforced, Vec::new());
    }
    let mut reasons = match policy.rule(volume.kind).encryption {
        Encryption::NotConfigured => return (Verdict::NotEnforced, Vec::new()),
        // Only an encrypted volume can be locked, so that much is certain.
        Encryption::Forbid if !volume.is_readable() || volume.is_encrypted_at_all() => vec![Reason::MustNotEncrypt],
        Encryption::Forbid => Vec::new(),
        Encryption::Require if !volume.is_readable() => return (Verdict::Unknown, Vec::new()),
        Encryption::Require => required(policy, inventory, volume),
    };
    reasons.sort_unstable();
    reasons.dedup();
    if reasons.is_empty() {
        (Verdict::Compliant, reasons)
    } else {
        (Verdict::NonCompliant, reasons)
    }
}

/// Whether the server holds a recovery password of it. A locked volume may not list its protectors; then any key that
/// was not superseded counts.
pub(super) fn escrowed(report: &VolumeReport, ledger: &Ledger) -> bool {
    if report.is_readable() || !report.protectors.is_empty() {
        return ledger.holds_one_of(report);
    }
    ledger
        .0
        .iter()
        .any(|e| Some(e.volume) == report.volume && e.proof != ProofState::Failed && e.state != KeyState::Superseded)
}

fn required(policy: &Policy, inventory: &Inventory, volume: &VolumeReport) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if volume.conversion != ConversionStatus::FullyEncrypted {
        reasons.push(Reason::MustEncrypt);
    }
    let os_alone = volume.kind == VolumeKind::Os;
    if os_alone && !compare_registry(policy, inventory).conflicts.is_empty() {
        reasons.push(Reason::PolicyConflict);
    }
    let no_partition = matches!(
        inventory.system_partition,
        SystemPartition::Missing | SystemPartition::TooSmall
    );
    if os_alone && no_partition && !volume.is_encrypted_at_all() {
        reasons.push(Reason::SystemVolumeMissing);
    }
    let password = policy.password(volume.kind, inventory);
    let has_password = volume.has(ProtectorType::Passphrase);
    if has_password && password.forbidden {
        reasons.push(Reason::PasswordProtectorForbidden);
    }
    if password.required && !has_password && volume.is_encrypted_at_all() {
        reasons.push(Reason::PasswordProtectorMissing);
    }
    if volume.is_encrypted_at_all() {
        reasons.extend(cipher(policy.rule(volume.kind).method, volume.method));
        if volume.suspension().is_some() {
            reasons.push(Reason::ProtectionSuspended);
        }
    }
    match volume.kind {
        VolumeKind::Os => reasons.extend(start_up(policy, inventory, volume)),
        VolumeKind::Fixed | VolumeKind::Removable => reasons.extend(auto_unlock(policy, inventory, volume)),
    }
    reasons
}

fn cipher(wanted: EncryptionMethod, present: EncryptionMethod) -> Option<Reason> {
    if present.satisfies(wanted) {
        return None;
    }
    Some(match wanted {
        EncryptionMethod::XtsAes256 => Reason::CipherBelowXts256,
        EncryptionMethod::Aes256 | EncryptionMethod::Aes256Diffuser => Reason::CipherNotAes256,
        _ => Reason::CipherBelowXts128,
    })
}

/// A drive that is not encrypted at all misses its encryption; its protectors are no extra fault. A missing TPM is: it
/// says why.
fn start_up(policy: &Policy, inventory: &Inventory, volume: &VolumeReport) -> Option<Reason> {
    let by_tpm = volume.protectors.iter().any(|p| p.kind.starts_by_tpm());
    let by_pin = volume.protectors.iter().any(|p| p.kind.asks_for_pin());
    let password = policy.password(VolumeKind::Os, inventory);
    let has_password = volume.has(ProtectorType::Passphrase) || volume.has(ProtectorType::ExternalKey);
    match (&inventory.tpm, policy.os.protector) {
        (Tpm::Absent, _) if by_tpm => Some(Reason::TpmNotVisible),
        (Tpm::Absent, _) if !policy.os.allow_without_tpm => Some(Reason::NonTpmNotAllowed),
        // Nothing is left that could open it.
        (Tpm::Absent, _) if password.forbidden && !has_password => Some(Reason::NonTpmNotAllowed),
        (Tpm::Absent, _) if volume.is_encrypted_at_all() && !has_password => Some(Reason::PasswordProtectorMissing),
        (Tpm::Absent, _) => None,
        _ if !volume.is_encrypted_at_all() => None,
        (_, OsProtector::Tpm) if !by_tpm => Some(Reason::TpmProtectorMissing),
        (_, OsProtector::TpmPin) if !by_pin || volume.has(ProtectorType::Tpm) => Some(Reason::TpmPinProtectorMissing),
        _ => None,
    }
}

fn auto_unlock(policy: &Policy, inventory: &Inventory, volume: &VolumeReport) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let wanted = policy.auto_unlock(volume.kind);
    let on = volume.auto_unlock == Some(true);
    if wanted == AutoUnlock::Require && policy.os.encryption == Encryption::Forbid {
        reasons.push(Reason::PolicyConflict);
    } else if wanted == AutoUnlock::Require && !on && volume.is_encrypted_at_all() {
        reasons.push(Reason::AutoUnlockMissing);
    } else if wanted == AutoUnlock::Prohibit && on {
        reasons.push(Reason::AutoUnlockForbidden);
    }
    let os_open = inventory
        .os_volume()
        .is_some_and(|os| os.conversion == ConversionStatus::FullyDecrypted);
    if on && os_open {
        reasons.push(Reason::AutoUnlockUnsafe);
    }
    reasons
}
