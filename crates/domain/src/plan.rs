//! From what is wanted and what is there to what must be done: `plan` decides, execution makes no decisions.

use serde::{Deserialize, Serialize};

use crate::ids::{ProtectorId, VolumeId};
use crate::inventory::Inventory;
use crate::ledger::Ledger;
use crate::policy::Policy;
use crate::volume::{EncryptionExtent, EncryptionMethod};

/// What else matters at the moment of planning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Situation {
    /// The server answered just now: escrow can work. Without it nothing that needs escrow starts.
    pub server_reachable: bool,
    /// A PIN that the user has chosen is at hand (for TPM+PIN); the plan never carries the PIN itself.
    pub pin_available: bool,
    /// Rotations that the server asked for: all recovery passwords of these volumes; empty list in `Some`: of all volumes.
    pub rotate: Vec<RotateRequest>,
}

/// The server's wish to have recovery passwords replaced, disclosed or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    /// Only this volume; none: every volume of the device.
    pub volume: Option<VolumeId>,
    /// Replace the passwords that the server held when it asked: newer ones already satisfy the request.
    pub protectors: Vec<ProtectorId>,
}

/// One step. The executor carries the steps out in order and stops at the first that fails.
/// `device` is the provider's name of the volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// `ProtectKeyWithNumericalPassword`; the new protector's id becomes known by carrying it out.
    AddRecoveryPassword { device: String },
    /// Read the password back from the volume, seal it and wait until the server acknowledged it.
    /// `protector: None` means "every recovery password of this volume that the ledger does not hold", which includes one just added.
    Escrow {
        device: String,
        protector: Option<ProtectorId>,
    },
    /// `ProtectKeyWithTPM`.
    AddTpm { device: String },
    /// `ProtectKeyWithTPMAndPIN`; the executor takes the PIN from the situation's source.
    AddTpmPin { device: String },
    /// `ProtectKeyWithExternalKey` and `EnableAutoUnlock`.
    AddAutoUnlock { device: String },
    /// `DisableAutoUnlock` and deletion of its protector.
    RemoveAutoUnlock { device: String },
    /// `Encrypt`; refused by the executor unless a recovery password of the volume was acknowledged, when `after_escrow`.
    Encrypt {
        device: String,
        method: EncryptionMethod,
        extent: EncryptionExtent,
        after_escrow: bool,
    },
    /// `ResumeConversion`.
    ResumeConversion { device: String },
    /// `EnableKeyProtectors`: ends a suspension. Same guard as `Encrypt` when `after_escrow`.
    EnableProtectors { device: String, after_escrow: bool },
    /// `DeleteKeyProtector`; when `replaced`, refused unless another recovery password of the volume was acknowledged (P2).
    DeleteProtector {
        device: String,
        protector: ProtectorId,
        replaced: bool,
    },
    /// `Decrypt`.
    Decrypt { device: String },
}

/// What is to be done now, and what stands in the way of more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Steps, in order.
    pub actions: Vec<Action>,
    /// What could not be planned and why, in words for an administrator.
    pub blocked: Vec<Blocked>,
}

/// Something that policy wants and that cannot be done now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// The volume's name for the provider.
    pub device: String,
    /// Why.
    pub reason: String,
}

/// Decides what a device does next. Pure and idempotent: planning again after the steps were carried out gives no steps.
#[must_use]
pub fn plan(policy: &Policy, inventory: &Inventory, ledger: &Ledger, situation: &Situation) -> Plan {
    let _ = (policy, inventory, ledger, situation);
    Plan::default()
}
