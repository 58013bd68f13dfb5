//! Recovery passwords: what to store, what to add, what to replace.

use std::time::Duration;

use super::Action;
use super::decide::{Decision, Steps};
use crate::ids::ProtectorId;
use crate::inventory::VolumeReport;
use crate::ledger::{KeyState, ProofState};

/// What became of the volume's recovery passwords.
pub(super) struct KeySteps {
    /// After the steps so far, the volume carries a recovery password that the server holds (P1); without escrow, that
    /// it carries one at all.
    pub(super) held: bool,
}

/// Plans the keys of a volume whose metadata can be read. `needed`: it must have a recovery password.
pub(super) fn plan(decision: &Decision<'_>, steps: &mut Steps<'_>, needed: bool) -> KeySteps {
    let keys = Keys::sort(decision, steps.volume);
    if decision.policy.client.escrow {
        keys.with_escrow(decision, steps, needed)
    } else {
        keys.without_escrow(steps, needed)
    }
}

/// Whether the volume carries a recovery password that can be relied on, as it is.
pub(super) fn held_now(decision: &Decision<'_>, volume: &VolumeReport) -> bool {
    if decision.policy.client.escrow {
        decision.ledger.holds_one_of(volume)
    } else {
        volume.recovery_passwords().next().is_some()
    }
}

/// The recovery passwords of a volume, by what is to happen to them.
struct Keys {
    /// Held by the server and in order.
    good: Vec<ProtectorId>,
    /// The server never got them.
    unknown: Vec<ProtectorId>,
    /// To be replaced.
    outdated: Vec<ProtectorId>,
    /// One of the outdated ones is still a way back.
    outdated_but_held: bool,
}

impl Keys {
    fn sort(decision: &Decision<'_>, report: &VolumeReport) -> Self {
        let mut keys = Self {
            good: Vec::new(),
            unknown: Vec::new(),
            outdated: Vec::new(),
            outdated_but_held: false,
        };
        let mut seen = Vec::new();
        for protector in report.recovery_passwords() {
            if seen.contains(&protector) {
                continue;
            }
            seen.push(protector);
            let entry = report.volume.and_then(|v| decision.ledger.entry(v, protector));
            let Some(entry) = entry else {
                keys.unknown.push(protector);
                continue;
            };
            let asked = decision.situation.rotate.iter().any(|request| {
                request.volume.is_none_or(|v| v == entry.volume) && request.protectors.contains(&protector)
            });
            let exposed = entry.state == KeyState::Disclosed && decision.policy.client.rotate_after_disclosure;
            let stale = entry.state == KeyState::Superseded;
            let failed = entry.proof == ProofState::Failed;
            let client = &decision.policy.client;
            let used = client.rotate_after_use && decision.situation.used.contains(&protector);
            let age = decision.situation.now.since(entry.escrowed_at);
            let days = u64::from(client.rotate_max_age_days);
            let too_old = days > 0 && age > Duration::from_secs(days * 24 * 60 * 60);
            if asked || exposed || stale || failed || used || too_old {
                keys.outdated.push(protector);
                keys.outdated_but_held |= !failed;
            } else {
                keys.good.push(protector);
            }
        }
        keys
    }

    /// Add → escrow → delete; a crash after any of them leaves less to do next time.
    fn with_escrow(self, decision: &Decision<'_>, steps: &mut Steps<'_>, needed: bool) -> KeySteps {
        let device = &steps.volume.device;
        let enough = !self.good.is_empty() || !self.unknown.is_empty();
        let add = !enough && (needed || !self.outdated.is_empty());
        if !decision.situation.server_reachable {
            if add || !self.unknown.is_empty() || !self.outdated.is_empty() {
                steps.blocked("The server is not reachable: a recovery password waits to be stored or replaced.");
            }
            return KeySteps {
                held: !self.good.is_empty() || self.outdated_but_held,
            };
        }
        for &protector in &self.unknown {
            steps.actions.push(Action::Escrow {
                device: device.clone(),
                protector: Some(protector),
            });
        }
        if add {
            steps
                .actions
                .push(Action::AddRecoveryPassword { device: device.clone() });
            steps.actions.push(Action::Escrow {
                device: device.clone(),
                protector: None,
            });
        }
        for protector in self.outdated {
            steps.actions.push(Action::DeleteProtector {
                device: device.clone(),
                protector,
                replaced: true,
            });
        }
        KeySteps { held: enough || add }
    }

    /// Nothing is stored, so nothing can be replaced safely either.
    fn without_escrow(self, steps: &mut Steps<'_>, needed: bool) -> KeySteps {
        if !self.outdated.is_empty() {
            steps.blocked("Policy does not ask for escrow, so a recovery password that should be replaced stays.");
        }
        let present = steps.volume.recovery_passwords().next().is_some();
        if needed && !present {
            steps.push(Action::AddRecoveryPassword {
                device: steps.volume.device.clone(),
            });
        }
        KeySteps {
            held: needed || present,
        }
    }
}
