//! One device under the present and the proposed policy.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Effect, StoredDevice};
use crate::compliance::{Compliance, Reason, Verdict, evaluate};
use crate::exemption::{Decision, Enforcement, Exemption};
use crate::ids::{ProtectorId, VolumeId};
use crate::inventory::{Inventory, ProtectorReport};
use crate::ledger::{KeyState, LedgerEntry, ProofState};
use crate::plan::{Action, Blocked, Maintenance, Plan, Situation, plan};
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
    pub(super) waits: bool,
    pub(super) begins_at_once: bool,
    /// Encryption is asked for, and an exemption is why it does not come.
    pub(super) exempt: bool,
    pub(super) held_back: bool,
    pub(super) now_excused: bool,
    pub(super) then_excused: bool,
    pub(super) enforced_now: Enforcement,
    pub(super) enforced_then: Enforcement,
}

/// What holds for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) policy: Policy,
    /// Whether a window is open at the moment that is asked about.
    pub(super) maintenance: Maintenance,
}

/// What is told about one device by name.
pub(super) struct Detail {
    pub(super) reasons: BTreeSet<Reason>,
    pub(super) blocked: Vec<String>,
    pub(super) enforcement: Enforcement,
    pub(super) opens: Option<Timestamp>,
}

/// Those exemptions that count at this moment: for the rest of the work no time passes.
pub(super) fn in_force(exemptions: &[Exemption], now: Timestamp) -> Vec<Exemption> {
    let counts = |e: &&Exemption| e.holds(now) || e.decision == Decision::Pending;
    exemptions.iter().filter(counts).cloned().collect()
}

/// Everything that a device waits for is at hand, or, like a window that will open, comes in the end.
fn favourable(maintenance: Maintenance, exemptions: &[Exemption]) -> Situation {
    Situation {
        server_reachable: true,
        pin_available: true,
        password_available: true,
        maintenance: match maintenance {
            Maintenance::Closed { opens: None } => maintenance,
            Maintenance::Open | Maintenance::Closed { opens: Some(_) } => Maintenance::Open,
        },
        exemptions: exemptions.to_vec(),
        ..Situation::default()
    }
}

/// A device under terms that stay as they are. `exemptions`: those in force.
pub(super) fn unchanged(terms: &Terms, device: &StoredDevice, exemptions: &[Exemption]) -> Outcome {
    let situation = favourable(terms.maintenance, exemptions);
    let compliance = evaluate(&terms.policy, &device.inventory, &device.ledger, &situation);
    let excused = compliance.is_excused();
    Outcome {
        now: compliance.verdict,
        then: compliance.verdict,
        encrypt: 0,
        decrypt: 0,
        reencrypt: 0,
        waits: false,
        begins_at_once: false,
        exempt: false,
        held_back: false,
        now_excused: excused,
        then_excused: excused,
        enforced_now: compliance.enforcement,
        enforced_then: compliance.enforcement,
    }
}

/// A device under both terms. `exemptions`: those in force.
pub(super) fn changed(present: &Terms, proposed: &Terms, device: &StoredDevice, exemptions: &[Exemption]) -> Outcome {
    let under = |terms| Under::look(terms, device, exemptions);
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
        waits: then.opens().is_some() && now.opens().is_none(),
        begins_at_once: now.opens().is_some() && then.converts() && then.opens().is_none(),
        exempt: new(&|under, volume| under.is_exempted(volume)) > 0,
        held_back: new(&|under, volume| under.is_held_back(volume)) > 0,
        now_excused: now.compliance.is_excused(),
        then_excused: then.compliance.is_excused(),
        enforced_now: now.compliance.enforcement,
        enforced_then: then.compliance.enforcement,
    }
}

/// What is told by name about a device under the proposed terms.
pub(super) fn detail(proposed: &Terms, device: &StoredDevice, exemptions: &[Exemption]) -> Detail {
    let under = Under::look(proposed, device, exemptions);
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
        enforcement: under.compliance.enforcement,
        opens: under.opens(),
    }
}

struct Under<'a> {
    policy: &'a Policy,
    maintenance: Maintenance,
    inventory: &'a Inventory,
    compliance: Compliance,
    plan: Plan,
    /// What comes once the operating system drive is encrypted, where that is still to be done: data drives wait for it.
    later: Option<Plan>,
}

impl<'a> Under<'a> {
    fn look(terms: &'a Terms, device: &'a StoredDevice, exemptions: &[Exemption]) -> Self {
        let StoredDevice { inventory, ledger, .. } = device;
        let Terms { policy, maintenance } = terms;
        let situation = favourable(*maintenance, exemptions);
        let plan = plan(policy, inventory, ledger, &situation);
        Self {
            policy,
            maintenance: *maintenance,
            inventory,
            compliance: evaluate(policy, inventory, ledger, &situation),
            later: later(policy, device, &situation, &plan),
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

    /// Whether it begins to encrypt or decrypt.
    fn converts(&self) -> bool {
        self.actions()
            .any(|action| matches!(action, Action::Encrypt { .. } | Action::Decrypt { .. }))
    }

    /// When the window opens for which it waits; none: it does not wait.
    fn opens(&self) -> Option<Timestamp> {
        match self.maintenance {
            Maintenance::Closed { opens } if self.converts() => opens,
            _ => None,
        }
    }

    fn must_be_encrypted(&self, device: &str) -> bool {
        let volume = self.inventory.volumes.iter().find(|v| v.device == device);
        volume.is_some_and(|v| self.policy.rule(v.kind).encryption == Encryption::Require)
    }

    /// It must be encrypted, is not, and the plan does not get there.
    fn is_held_back(&self, device: &str) -> bool {
        self.stays_plain(device) && !self.compliance.enforcement.is_exempt()
    }

    /// It must be encrypted and is not, because all users are exempt.
    fn is_exempted(&self, device: &str) -> bool {
        self.stays_plain(device) && self.compliance.enforcement.is_exempt()
    }

    fn stays_plain(&self, device: &str) -> bool {
        let volume = self.inventory.volumes.iter().find(|v| v.device == device);
        self.policy.manages(self.inventory)
            && self.must_be_encrypted(device)
            && volume.is_some_and(|v| !v.is_encrypted_at_all())
            && !self.encrypts(device)
    }
}

/// The plan of a device whose operating system drive was encrypted as the first plan says; none when it says no such thing.
fn later(policy: &Policy, device: &StoredDevice, situation: &Situation, first: &Plan) -> Option<Plan> {
    let (mut inventory, mut ledger) = (device.inventory.clone(), device.ledger.clone());
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
    encrypted.then(|| plan(policy, &inventory, &ledger, situation))
}

impl Outcome {
    /// The effects, given whether settings change.
    pub(super) fn effects(&self, settings: bool) -> impl Iterator<Item = Effect> {
        let happens = [
            (Effect::Settings, settings),
            (Effect::Encrypt, self.encrypt > 0),
            (Effect::Decrypt, self.decrypt > 0),
            (Effect::Reencrypt, self.reencrypt > 0),
            (Effect::Waits, self.waits),
            (Effect::BeginsAtOnce, self.begins_at_once),
            (Effect::Exempt, self.exempt),
            (Effect::HeldBack, self.held_back),
            (Effect::BecomesNonCompliant, self.fails_then() && !self.fails_now()),
            (
                Effect::BecomesCompliant,
                self.then == Verdict::Compliant && self.now != Verdict::Compliant,
            ),
        ];
        happens.into_iter().filter(|(_, does)| *does).map(|(effect, _)| effect)
    }

    fn fails_now(&self) -> bool {
        self.now == Verdict::NonCompliant && !self.now_excused
    }

    fn fails_then(&self) -> bool {
        self.then == Verdict::NonCompliant && !self.then_excused
    }
}
