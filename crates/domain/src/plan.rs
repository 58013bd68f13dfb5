//! From what is wanted and what is there to what must be done: `plan` decides, execution makes no decisions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exemption;
use crate::ids::ProtectorId;
use crate::inventory::Inventory;
use crate::ledger::Ledger;
use crate::policy::{Policy, WantedValue};
use crate::volume::{EncryptionExtent, EncryptionMethod};

pub mod check;

pub use prompt::{Contact, Prompt, Question};
pub use situation::{Detected, Maintenance, Power, RotateRequest, Situation};

mod auto_unlock;
mod decide;
mod gates;
mod keys;
mod passwords;
mod prompt;
mod situation;
mod start_up;
mod words;

/// One step. The executor carries the steps out in order; after a step that fails, no later step of the same volume is
/// carried out. Steps of other volumes do not depend on it: where they seem to (a data volume's automatic unlocking
/// before the operating system volume is decrypted), the provider itself refuses.
/// `device` is the provider's name of the volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// `ProtectKeyWithNumericalPassword`; the new protector's id becomes known by carrying it out.
    AddRecoveryPassword {
        /// The provider's name of the volume.
        device: String,
    },
    /// Read the password back from the volume, seal it and wait until the server acknowledged it.
    /// `protector: None` means "every recovery password of this volume that the ledger does not hold", which includes one just added.
    Escrow {
        /// The provider's name of the volume.
        device: String,
        /// Which one; none: every one that the ledger does not hold.
        protector: Option<ProtectorId>,
    },
    /// `ProtectKeyWithTPM`.
    AddTpm {
        /// The provider's name of the volume.
        device: String,
    },
    /// `ProtectKeyWithTPMAndPIN`; the executor takes the PIN from the situation's source.
    AddTpmPin {
        /// The provider's name of the volume.
        device: String,
    },
    /// `ProtectKeyWithExternalKey` and `EnableAutoUnlock`.
    AddAutoUnlock {
        /// The provider's name of the volume.
        device: String,
    },
    /// `DisableAutoUnlock` and deletion of its protector.
    RemoveAutoUnlock {
        /// The provider's name of the volume.
        device: String,
    },
    /// `Encrypt`; refused by the executor unless a recovery password of the volume was acknowledged, when `after_escrow`.
    Encrypt {
        /// The provider's name of the volume.
        device: String,
        /// With which method; equal to the present one where a part is encrypted already.
        method: EncryptionMethod,
        /// All sectors, or those in use.
        extent: EncryptionExtent,
        /// Policy asks for escrow, so an acknowledged recovery password comes first (P1).
        after_escrow: bool,
    },
    /// `ResumeConversion`. Same guard as `Encrypt` when `after_escrow`, for an encryption that goes on.
    ResumeConversion {
        /// The provider's name of the volume.
        device: String,
        /// Policy asks for escrow, so an acknowledged recovery password comes first (P1).
        #[serde(default)]
        after_escrow: bool,
    },
    /// `EnableKeyProtectors`: ends a suspension. Same guard as `Encrypt` when `after_escrow`.
    EnableProtectors {
        /// The provider's name of the volume.
        device: String,
        /// Policy asks for escrow, so an acknowledged recovery password comes first (P1).
        after_escrow: bool,
    },
    /// `DeleteKeyProtector`; when `replaced`, refused unless another recovery password of the volume was acknowledged (P2).
    DeleteProtector {
        /// The provider's name of the volume.
        device: String,
        /// Which one.
        protector: ProtectorId,
        /// It is a recovery password, and another one of this volume must have been acknowledged (P2).
        replaced: bool,
    },
    /// `Decrypt`.
    Decrypt {
        /// The provider's name of the volume.
        device: String,
    },
    /// `ProtectKeyWithPassphrase`; the executor takes the password from the situation's source.
    AddPassphrase {
        /// The provider's name of the volume.
        device: String,
    },
    /// Writes policy values into the device's registry, which Windows reads. Concerns no volume.
    WriteSettings {
        /// What is written.
        values: Vec<WantedValue>,
    },
}

/// What is to be done now, and what stands in the way of more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Steps, in order.
    pub actions: Vec<Action>,
    /// What could not be planned and why, in words for an administrator.
    pub blocked: Vec<Blocked>,
    /// What the user is to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Prompt>,
    /// What an administrator may want to know besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How soon to look again, in minutes, when nothing happens before.
    #[serde(default)]
    pub next_check_minutes: u32,
}

/// Something that policy wants and that cannot be done now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Blocked {
    /// The volume's name for the provider.
    pub device: String,
    /// Why.
    pub reason: String,
}

/// Decides what a device does next. Pure and idempotent: planning again after the steps were carried out gives no steps.
///
/// | situation | steps |
/// |---|---|
/// | must be encrypted, is not | recovery password → escrow → start-up protector or automatic unlocking → `Encrypt` |
/// | encrypted already | what it carries is read back and escrowed; the drive is never encrypted anew |
/// | password disclosed, superseded, asked to rotate, or proof failed | add → escrow → delete the old one |
/// | suspended for ever | `EnableKeyProtectors`, once a recovery password is held; a suspension counted in restarts is left |
/// | encryption paused | `ResumeConversion`, once a recovery password is held |
/// | must not be encrypted | `Decrypt`; data volumes let go of the operating system volume first |
/// | weaker method, and policy wants such drives encrypted anew | `Decrypt`, then as above |
/// | no TPM that can be used, and policy allows that | password, once the user has chosen one |
/// | all users exempt; another product manages the device too | keys are kept safe, nothing else |
/// | put off, outside maintenance, battery low, restart pending | keys are made and stored; no conversion starts |
/// | registry values differ | `WriteSettings`, but for those of the domain's Group Policy |
/// | locked | nothing, and a note |
/// | server not reachable | nothing that needs escrow, no deletion |
#[must_use]
pub fn plan(policy: &Policy, inventory: &Inventory, ledger: &Ledger, situation: &Situation) -> Plan {
    let next_check_minutes = policy.client.check_interval_minutes;
    if !policy.manages(inventory) {
        return Plan {
            next_check_minutes,
            ..Plan::default()
        };
    }
    let enforcement = exemption::enforcement(policy, &inventory.users, &situation.exemptions, situation.now);
    let plan = decide::Decision {
        policy,
        inventory,
        ledger,
        situation,
        enforcement,
    }
    .plan();
    Plan {
        next_check_minutes,
        ..plan
    }
}

impl Action {
    /// The provider's name of the volume that the step concerns; empty when it concerns none.
    #[must_use]
    pub fn device(&self) -> &str {
        match self {
            Self::AddRecoveryPassword { device }
            | Self::Escrow { device, .. }
            | Self::AddTpm { device }
            | Self::AddTpmPin { device }
            | Self::AddAutoUnlock { device }
            | Self::RemoveAutoUnlock { device }
            | Self::Encrypt { device, .. }
            | Self::ResumeConversion { device, .. }
            | Self::EnableProtectors { device, .. }
            | Self::DeleteProtector { device, .. }
            | Self::AddPassphrase { device }
            | Self::Decrypt { device } => device,
            Self::WriteSettings { .. } => "",
        }
    }
}
