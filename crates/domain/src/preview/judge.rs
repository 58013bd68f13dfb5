//! One device under the present and the proposed policy.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Effect, StoredDevice};
use crate::compliance::{Compliance, Reason, Verdict, evaluate};
use crate::ids::{ProtectorId, VolumeId};
use crate::inventory::{Inventory, ProtectorReport};
use crate::ledger::{KeyState, Ledger, LedgerEntry, ProofState};
use crate::plan::{Action, Blocked, Plan, Situation, plan};
use crate::policy::{Encryption, Policy};
use crate::time::Timestamp;
use crate::volume::{ConversionStatus, ProtectionStatus, ProtectorType, VolumeKind};

/// What happens, in numbers: the same for all devices of a class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) now: Verdict,
    pub(super) then: Verdict,
    /// Volumes.
    pub(super) encrypt: u32,
    /// Volumes.
    pub(super) decrypt: u32,
    /// Volumes.
    pub(super) reencrypt: u32,
    pub(super) held_back: bool,
}

/// What is told about one device by name.
pub(super) struct Detail {
    pub(super) reasons: BTreeSet<Reason>,
    pub(super) blocked: Vec<String>,
}

/// Everything that a device waits for is at hand.
fn favourable() -> Situation {
    Situation {
        server_reachable: true,
        pin_available: true,
        password_available: true,
        ..Situation::default()
    }
}

/// A device under a policy that stays as it is.
pub(super) fn unchanged(policy: &Policy, device: &StoredDevice) -> Outcome {
    let verdict = evaluate(policy, &device.inventory, &device.ledger, &favourable()).verdict;
    Outcome {
        now: verdict,
        then: verdict,
        encrypt: 0,
        decrypt: 0,
        reencrypt: 0,
        held_back: false,
    }
}

/// A device under both policies.
pub(super) fn changed(present: &Policy, proposed: &Policy, device: &StoredDevice) -> Outcome {
    let under = |policy| Under::look(policy, device);
    let (now, then) = (under(present), under(proposed));
    let new = |does: &dyn Fn(&Under<'_>, &str) -> bool| {
        let volumes = device.inventory.volumes.iter();
        let count = volumes
            .filter(|v| does(&then, &v.device) && !does(&now, &v.device))
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    Outcome {
        now: now.compliance.verdict,
        then: then.compliance.verdict,
        encrypt: new(&|under, volume| under.encrypts(volume)),
        decrypt: new(&|under, volume| under.decrypts(volume)),
        reencrypt: new(&|under, volume| under.encrypts_anew(volume)),
        held_back: new(&|under, volume| under.is_held_back(volume)) > 0,
    }
}

/// What is told by name about a device under the proposed policy.
pub(super) fn detail(proposed: &Policy, device: &StoredDevice) -> Detail {
    let under = Under::look(proposed, device);
    let reasons = under.compliance.volumes.iter().flat_map(|v| v.reasons.iter().copied());
    let name = |device_name: &str| {
        let volume = device.inventory.volumes.iter().find(|v| v.device == device_name);
        volume.map_or_else(|| device_name.to_owned(), |v| v.display_name().to_owned())
    };
    let blocked = under
        .blocked()
        .iter()
        .map(|b| format!("{}: {}", name(&b.device), b.reason));
    Detail {
        reasons: reasons.collect(),
        blocked: blocked.collect(),
    }
}

struct Under<'a> {
    policy: &'a Policy,
    inventory: &'a Inventory,
    compliance: Compliance,
    plan: Plan,
    /// What comes once the operating system drive is encrypted, where that is still to be done: data drives wait for it.
    later: Option<Plan>,
}

impl<'a> Under<'a> {
    fn look(policy: &'a Policy, device: &'a StoredDevice) -> Self {
        let StoredDevice { inventory, ledger, .. } = device;
        let plan = plan(policy, inventory, ledger, &favourable());
        Self {
            policy,
            inventory,
            compliance: evaluate(policy, inventory, ledger, &favourable()),
            later: later(policy, inventory, ledger, &plan),
            plan,
        }
    }

    /// Both plans' steps.
    fn actions(&self) -> impl Iterator<Item = &Action> {
        let later = self.later.iter().flat_map(|plan| &plan.actions);
        self.plan.actions.iter().chain(later)
    }

    /// What stands in the way in the end.
    fn blocked(&self) -> &[Blocked] {
        &self.later.as_ref().unwrap_or(&self.plan).blocked
    }

    fn encrypts(&self, device: &str) -> bool {
        let encrypts = |action: &Action| matches!(action, Action::Encrypt { device: d, .. } if d == device);
        self.actions().any(encrypts)
    }

    fn decrypts(&self, device: &str) -> bool {
        self.takes_off(device) && !self.must_be_encrypted(device)
    }

    fn encrypts_anew(&self, device: &str) -> bool {
        self.takes_off(device) && self.must_be_encrypted(device)
    }

    fn takes_off(&self, device: &str) -> bool {
        let decrypts = |action: &Action| matches!(action, Action::Decrypt { device: d, .. } if d == device);
        self.actions().any(decrypts)
    }

    fn must_be_encrypted(&self, device: &str) -> bool {
        let volume = self.inventory.volumes.iter().find(|v| v.device == device);
        volume.is_some_and(|v| self.policy.rule(v.kind).encryption == Encryption::Require)
    }

    /// It must be encrypted, is not, and the plan does not get there.
    fn is_held_back(&self, device: &str) -> bool {
        let volume = self.inventory.volumes.iter().find(|v| v.device == device);
        self.policy.manages(self.inventory)
            && self.must_be_encrypted(device)
            && volume.is_some_and(|v| !v.is_encrypted_at_all())
            && !self.encrypts(device)
    }
}

/// The plan of a device whose operating system drive was encrypted as the first plan says; none when it says no such thing.
fn later(policy: &Policy, inventory: &Inventory, ledger: &Ledger, first: &Plan) -> Option<Plan> {
    let (mut inventory, mut ledger) = (inventory.clone(), ledger.clone());
    let mut encrypted = false;
    for report in inventory.volumes.iter_mut().filter(|v| v.kind == VolumeKind::Os) {
        let own = || first.actions.iter().filter(|action| action.device() == report.device);
        let begun = own().find_map(|action| match action {
            Action::Encrypt { method, .. } => Some(*method),
            _ => None,
        });
        let Some(method) = begun else { continue };
        let added = own().filter_map(|action| match action {
            Action::AddRecoveryPassword { .. } => Some(ProtectorType::RecoveryPassword),
            Action::AddTpm { .. } => Some(ProtectorType::Tpm),
            Action::AddTpmPin { .. } => Some(ProtectorType::TpmPin),
            Action::AddPassphrase { .. } => Some(ProtectorType::Passphrase),
            _ => None,
        });
        // Ids that no device has.
        let new = (1u128..).zip(added).map(|(number, kind)| ProtectorReport {
            id: ProtectorId(Uuid::from_u128(u128::MAX - number)),
            kind,
            name: None,
        });
        let new: Vec<ProtectorReport> = new.collect();
        let volume = report.volume.unwrap_or(VolumeId(Uuid::max()));
        report.protectors.extend(new);
        report.volume = Some(volume);
        report.method = method;
        report.protection = ProtectionStatus::On;
        report.conversion = ConversionStatus::FullyEncrypted;
        report.encrypted_basis_points = 10_000;
        let missing: Vec<ProtectorId> = report
            .recovery_passwords()
            .filter(|id| !ledger.holds(volume, *id))
            .collect();
        ledger.0.extend(missing.into_iter().map(|protector| LedgerEntry {
            volume,
            protector,
            state: KeyState::Live,
            proof: ProofState::Proven,
            escrowed_at: Timestamp::default(),
        }));
        encrypted = true;
    }
    encrypted.then(|| plan(policy, &inventory, &ledger, &favourable()))
}

impl Outcome {
    /// The effects, given whether settings change.
    pub(super) fn effects(&self, settings: bool) -> impl Iterator<Item = Effect> {
        let happens = [
            (Effect::Settings, settings),
            (Effect::Encrypt, self.encrypt > 0),
            (Effect::Decrypt, self.decrypt > 0),
            (Effect::Reencrypt, self.reencrypt > 0),
            (Effect::HeldBack, self.held_back),
            (Effect::BecomesNonCompliant, self.becomes(Verdict::NonCompliant)),
            (Effect::BecomesCompliant, self.becomes(Verdict::Compliant)),
        ];
        happens.into_iter().filter(|(_, does)| *does).map(|(effect, _)| effect)
    }

    fn becomes(&self, verdict: Verdict) -> bool {
        self.then == verdict && self.now != verdict
    }
}
