//! One device under the present and the proposed policy.

use std::collections::BTreeSet;

use super::{Effect, StoredDevice};
use crate::compliance::{Compliance, Reason, Verdict, evaluate};
use crate::inventory::Inventory;
use crate::plan::{Action, Plan, Situation, plan};
use crate::policy::{Encryption, Policy};

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
        .plan
        .blocked
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
}

impl<'a> Under<'a> {
    fn look(policy: &'a Policy, device: &'a StoredDevice) -> Self {
        let StoredDevice { inventory, ledger, .. } = device;
        Self {
            policy,
            inventory,
            compliance: evaluate(policy, inventory, ledger, &favourable()),
            plan: plan(policy, inventory, ledger, &favourable()),
        }
    }

    fn encrypts(&self, device: &str) -> bool {
        let encrypts = |action: &Action| matches!(action, Action::Encrypt { device: d, .. } if d == device);
        self.plan.actions.iter().any(encrypts)
    }

    fn decrypts(&self, device: &str) -> bool {
        self.takes_off(device) && !self.must_be_encrypted(device)
    }

    fn encrypts_anew(&self, device: &str) -> bool {
        self.takes_off(device) && self.must_be_encrypted(device)
    }

    fn takes_off(&self, device: &str) -> bool {
        let decrypts = |action: &Action| matches!(action, Action::Decrypt { device: d, .. } if d == device);
        self.plan.actions.iter().any(decrypts)
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
