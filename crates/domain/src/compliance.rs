//! Whether a device is as policy wants it, with the field's own codes 0–16.

use serde::{Deserialize, Serialize};

use crate::inventory::Inventory;
use crate::ledger::Ledger;
use crate::policy::Policy;

/// Why a volume is not compliant; the numbers are those of `ReasonsForNonCompliance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[expect(
    missing_docs,
    reason = "the names are the documented meanings; `Reason::sentence` says them in full"
)]
pub enum Reason {
    CipherNotAes256 = 0,
    MustEncrypt = 1,
    MustNotEncrypt = 2,
    TpmProtectorMissing = 3,
    TpmPinProtectorMissing = 4,
    NonTpmNotAllowed = 5,
    TpmNotVisible = 6,
    PasswordProtectorMissing = 7,
    PasswordProtectorForbidden = 8,
    AutoUnlockMissing = 9,
    AutoUnlockForbidden = 10,
    PolicyConflict = 11,
    SystemVolumeMissing = 12,
    ProtectionSuspended = 13,
    AutoUnlockUnsafe = 14,
    CipherBelowXts128 = 15,
    CipherBelowXts256 = 16,
}

/// The verdict on a volume or a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// The verdict.
    pub verdict: Verdict,
    /// Codes, ascending; empty unless non-compliant.
    pub reasons: Vec<Reason>,
    /// Whether the server holds a recovery password of it; not part of the codes, but shown beside them.
    pub escrowed: bool,
}

/// Verdict on a device. Removable drives are listed but do not decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compliance {
    /// The verdict.
    pub verdict: Verdict,
    /// Its volumes.
    pub volumes: Vec<VolumeCompliance>,
}

/// Evaluates a device; the same function runs on the device and on the server.
#[must_use]
pub fn evaluate(policy: &Policy, inventory: &Inventory, ledger: &Ledger) -> Compliance {
    let _ = (policy, inventory, ledger);
    Compliance {
        verdict: Verdict::Unknown,
        volumes: Vec::new(),
    }
}
