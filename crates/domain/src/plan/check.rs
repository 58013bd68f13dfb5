//! A second opinion on a plan, made by carrying it out on a model of the device.
//!
//! It shares no decision with the planner: the executor asks it before acting, so that a mistake in planning, or a plan
//! that came from elsewhere, breaks neither a promise nor a rule of the volume provider.

use std::fmt;

use super::{Plan, Situation};
use crate::inventory::Inventory;
use crate::ledger::Ledger;
use crate::policy::Policy;

mod model;

/// A step that must not be carried out, and the first rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The step's place in the plan, from 0.
    pub step: usize,
    /// The provider's name of the volume.
    pub device: String,
    /// The rule.
    pub rule: Rule,
}

/// What a step may break. Names in capitals are the provider's return codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The plan acts on a device that policy does not manage (a virtual machine).
    NotManaged,
    /// No volume of that name was reported.
    UnknownVolume,
    /// `FVE_E_LOCKED_VOLUME`.
    LockedVolume,
    /// P1: encryption or protection would start before the server holds a recovery password.
    NothingEscrowed,
    /// The step does not carry the guard (`after_escrow`) that policy's wish for escrow demands, or carries it needlessly.
    WrongGuard,
    /// P2: afterwards the volume would carry no recovery password that the server holds.
    NoWayBack,
    /// A recovery password is deleted without `replaced`, or something else with it.
    WrongReplaced,
    /// Policy does not ask for escrow.
    EscrowNotWanted,
    /// There is nothing to escrow: no such recovery password.
    NothingToEscrow,
    /// A second recovery password would be added by one plan.
    SecondRecoveryPassword,
    /// The volume carries no such protector, or no longer.
    UnknownProtector,
    /// `FVE_E_KEY_REQUIRED`: the last protector.
    LastProtector,
    /// `FVE_E_PROTECTOR_EXISTS`.
    ProtectorExists,
    /// `FVE_E_VOLUME_BOUND_ALREADY`: automatic unlocking is on, or uses this protector.
    BoundToAutoUnlock,
    /// `FVE_E_VOLUME_NOT_BOUND`: automatic unlocking is off.
    NotBoundToAutoUnlock,
    /// `FVE_E_FOREIGN_VOLUME` or `FVE_E_NOT_OS_VOLUME`: only the operating system volume can do that.
    OnlyOsVolume,
    /// `FVE_E_NOT_DATA_VOLUME`: only data volumes can do that.
    OnlyDataVolume,
    /// `FVE_E_OS_NOT_PROTECTED`: automatic unlocking needs a protected operating system volume.
    OsNotProtected,
    /// `FVE_E_AUTOUNLOCK_ENABLED`: the operating system volume still holds keys of data volumes.
    AutoUnlockKeysStored,
    /// A plain TPM protector beside TPM+PIN switches the PIN off.
    PinDefeated,
    /// Every start of the machine would end at the recovery screen.
    NoStartUpProtector,
    /// A drive that stays encrypted would open by nothing but its recovery passwords from the next restart on.
    NoDayByDay,
    /// There is no TPM that can be used.
    NoTpm,
    /// Policy does not ask for it.
    NotWanted,
    /// The volume is encrypted, or being so, already: drives are never encrypted anew.
    AlreadyEncrypted,
    /// `FVE_E_CANNOT_SET_FVEK_ENCRYPTED`, or a method that cannot be written.
    WrongMethod,
    /// No conversion stands still.
    NothingPaused,
    /// Protection is not suspended, or is for a counted number of restarts and resumes by itself.
    NotSuspended,
    /// The volume is decrypted already, or being so.
    NothingToDecrypt,
    /// All users of the device are exempt.
    Exempt,
    /// Another product manages the device too, and policy leaves it to that.
    StandsBack,
    /// Policy leaves this drive alone.
    Excluded,
    /// Another product encrypts the volume.
    OtherEncryption,
    /// Policy, or FIPS mode, forbids passwords (`FVE_E_POLICY_PASSPHRASE_NOT_ALLOWED`, `FVE_E_FIPS_PREVENTS_PASSPHRASE`).
    PasswordForbidden,
    /// Group Policy of the domain says otherwise, and would write it back.
    GroupPolicy,
    /// The device has no registry, or the value is not one that policy wants.
    UnknownSetting,
}

/// Carries the plan out on a model and reports each step that breaks a rule. Escrows are taken to succeed, as the executor
/// stops at one that does not.
///
/// # Errors
/// All breaches, in the plan's order; a step that breaks a rule is not carried out on the model.
pub fn check(
    plan: &Plan,
    inventory: &Inventory,
    ledger: &Ledger,
    policy: &Policy,
    situation: &Situation,
) -> Result<(), Vec<Breach>> {
    let mut device = model::Device::new(inventory, ledger, policy, situation);
    let breaches: Vec<Breach> = plan
        .actions
        .iter()
        .enumerate()
        .filter_map(|(step, action)| {
            let rule = device.carry_out(action).err()?;
            Some(Breach {
                step,
                device: action.device().to_owned(),
                rule,
            })
        })
        .collect();
    if breaches.is_empty() { Ok(()) } else { Err(breaches) }
}

impl Rule {
    /// A sentence for the log and for administrators.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotManaged => "policy does not manage this device",
            Self::UnknownVolume => "no volume of that name was reported",
            Self::LockedVolume => "the volume is locked",
            Self::NothingEscrowed => "the server holds no recovery password of the volume yet",
            Self::WrongGuard => "the step's escrow guard does not agree with policy",
            Self::NoWayBack => "the volume would be left without a recovery password that the server holds",
            Self::WrongReplaced => "the step does not say rightly whether it deletes a recovery password",
            Self::EscrowNotWanted => "policy does not ask for escrow",
            Self::NothingToEscrow => "there is no such recovery password to escrow",
            Self::SecondRecoveryPassword => "one plan adds at most one recovery password to a volume",
            Self::UnknownProtector => "the volume carries no such protector",
            Self::LastProtector => "the volume's last protector cannot be deleted",
            Self::ProtectorExists => "a protector of that type exists already",
            Self::BoundToAutoUnlock => "automatic unlocking is on",
            Self::NotBoundToAutoUnlock => "automatic unlocking is off",
            Self::OnlyOsVolume => "only the operating system volume can do that",
            Self::OnlyDataVolume => "only a data volume can do that",
            Self::OsNotProtected => "the operating system volume is not protected",
            Self::AutoUnlockKeysStored => "the operating system volume still holds keys that unlock data volumes",
            Self::PinDefeated => "a plain TPM protector would switch the PIN off",
            Self::NoStartUpProtector => "the machine would stop at the recovery screen at every start",
            Self::NoDayByDay => "nothing but a recovery password would open the drive day by day",
            Self::NoTpm => "there is no TPM that can be used",
            Self::NotWanted => "policy does not ask for it",
            Self::AlreadyEncrypted => "the volume is encrypted, or being encrypted, already",
            Self::WrongMethod => "the volume cannot be encrypted with that method",
            Self::NothingPaused => "no conversion stands still",
            Self::NotSuspended => "protection is not suspended until resumed",
            Self::NothingToDecrypt => "the volume is decrypted, or being decrypted, already",
            Self::Exempt => "all users of the device are exempt",
            Self::StandsBack => "another product manages the device",
            Self::Excluded => "policy leaves this drive alone",
            Self::OtherEncryption => "another product encrypts the volume",
            Self::PasswordForbidden => "passwords are forbidden",
            Self::GroupPolicy => "Group Policy of the domain says otherwise",
            Self::UnknownSetting => "policy does not want this value in the registry",
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} on {}: {}", self.step + 1, self.device, self.rule.sentence())
    }
}
