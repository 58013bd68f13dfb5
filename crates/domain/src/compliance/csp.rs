//! The status of a device as the BitLocker configuration service provider reports it.

use super::{Compliance, Reason, Verdict};
use crate::inventory::{Inventory, Tpm};
use crate::policy::{Encryption, OsProtector, Policy};
use crate::volume::{EncryptionMethod, VolumeKind};

const OS_METHOD: u32 = 1 << 1;
const OS_UNPROTECTED: u32 = 1 << 2;
const TPM_ONLY: u32 = 1 << 3;
const TPM_PIN: u32 = 1 << 4;
const TPM_NOT_USED: u32 = 1 << 7;
const BACKUP_FAILED: u32 = 1 << 8;
const FIXED_UNPROTECTED: u32 = 1 << 9;
const FIXED_METHOD: u32 = 1 << 10;
const TPM_UNAVAILABLE: u32 = 1 << 13;
const TPM_NOT_READY: u32 = 1 << 14;
const OS_EXTENT: u32 = 1 << 16;
const FIXED_EXTENT: u32 = 1 << 17;

/// `Status/DeviceEncryptionStatus`: 0 for a compliant device, else one bit for each thing that is amiss.
///
/// Bits 0, 5, 6, 11, 12 and 15 stand for what is not observed (consent, startup keys, rights, the recovery environment, the
/// network) and are never set. That the others mean the same on Windows is inferred from their names.
#[must_use]
pub fn device_encryption_status(policy: &Policy, inventory: &Inventory, compliance: &Compliance) -> u32 {
    if matches!(compliance.verdict, Verdict::NotApplicable | Verdict::NotEnforced) {
        return 0;
    }
    let mut bits = 0;
    let mut set = |holds: bool, bit: u32| bits |= if holds { bit } else { 0 };
    for (report, verdict) in inventory.volumes.iter().zip(&compliance.volumes) {
        let required = policy.rule(report.kind).encryption == Encryption::Require;
        let os = report.kind == VolumeKind::Os;
        if !required || report.kind == VolumeKind::Removable {
            continue;
        }
        let has = |reason| verdict.reasons.contains(&reason);
        let unprotected = has(Reason::MustEncrypt) || has(Reason::ProtectionSuspended);
        let method = has(Reason::CipherNotAes256) || has(Reason::CipherBelowXts128) || has(Reason::CipherBelowXts256);
        let rule = policy.rule(report.kind);
        let extent = report.is_encrypted_at_all() && report.extent.is_some_and(|extent| extent > rule.extent);
        set(unprotected, if os { OS_UNPROTECTED } else { FIXED_UNPROTECTED });
        let known = report.method != EncryptionMethod::None;
        set(method && known, if os { OS_METHOD } else { FIXED_METHOD });
        set(extent, if os { OS_EXTENT } else { FIXED_EXTENT });
        set(
            policy.client.escrow && report.is_encrypted_at_all() && !verdict.escrowed,
            BACKUP_FAILED,
        );
        if os {
            set(
                has(Reason::TpmProtectorMissing) && policy.os.protector == OsProtector::Tpm,
                TPM_ONLY,
            );
            set(has(Reason::TpmPinProtectorMissing), TPM_PIN);
            set(
                has(Reason::TpmProtectorMissing) || has(Reason::TpmNotVisible),
                TPM_NOT_USED,
            );
            set(
                matches!(inventory.tpm, Tpm::Absent) && has(Reason::NonTpmNotAllowed),
                TPM_UNAVAILABLE,
            );
            set(matches!(inventory.tpm, Tpm::NotReady { .. }), TPM_NOT_READY);
        }
    }
    bits
}
