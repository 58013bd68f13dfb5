//! Planners with a fault: what the real one planned, distorted.

use domain::exemption::Exemption;
use domain::inventory::Inventory;
use domain::ledger::{KeyState, Ledger};
use domain::plan::{Action, Plan, Situation, plan};
use domain::policy::Policy;
use domain::volume::ProtectorType;

use super::faults::Fault;

pub(super) fn distort(
    fault: Fault,
    mut planned: Plan,
    seen: &Inventory,
    ledger: &Ledger,
    policy: &Policy,
    situation: &Situation,
) -> Plan {
    let actions = &mut planned.actions;
    match fault {
        Fault::DeletesBeforeEscrow => {
            actions.sort_by_key(|a| {
                !matches!(
                    a,
                    Action::DeleteProtector { replaced: true, .. } | Action::AddRecoveryPassword { .. }
                )
            });
        }
        Fault::EncryptsBeforeEscrow => actions.sort_by_key(|a| matches!(a, Action::Escrow { .. })),
        Fault::ResumesBeforeEscrow => actions.sort_by_key(|a| !matches!(a, Action::EnableProtectors { .. })),
        Fault::RotationDeletesAll => {
            let rotated: Vec<String> = actions
                .iter()
                .filter(|a| matches!(a, Action::DeleteProtector { replaced: true, .. }))
                .map(|a| a.device().to_owned())
                .collect();
            actions.retain(|a| {
                !matches!(a, Action::AddRecoveryPassword { .. }) || !rotated.iter().any(|d| d == a.device())
            });
            actions.retain(|a| !matches!(a, Action::Escrow { .. }) || !rotated.iter().any(|d| d == a.device()));
        }
        Fault::RotationDeletesNothing => {
            actions.retain(|a| !matches!(a, Action::DeleteProtector { replaced: true, .. }));
        }
        Fault::ToldIgnored => {
            let mut blind = ledger.clone();
            for entry in blind.0.iter_mut().filter(|e| e.state == KeyState::Disclosed) {
                entry.state = KeyState::Live;
            }
            return plan(policy, seen, &blind, situation);
        }
        Fault::ExemptByOneUser => {
            let mut generous = situation.clone();
            let held = situation.exemptions.iter().find(|e| e.holds(situation.now)).cloned();
            if let Some(held) = held {
                generous.exemptions = seen
                    .users
                    .iter()
                    .map(|user| Exemption {
                        user: user.clone(),
                        ..held.clone()
                    })
                    .collect();
            }
            return plan(policy, seen, ledger, &generous);
        }
        Fault::TpmLeftBesidePin => {
            let plain = |device: &str, id| {
                let volume = seen.volumes.iter().find(|v| v.device == device);
                volume.is_some_and(|v| v.protectors.iter().any(|p| p.id == id && p.kind == ProtectorType::Tpm))
            };
            actions.retain(
                |a| !matches!(a, Action::DeleteProtector { device, protector, .. } if plain(device, *protector)),
            );
        }
        Fault::EscrowLeftOut => actions.retain(|a| !matches!(a, Action::Escrow { .. })),
        Fault::SuspensionForgotten => actions.retain(|a| !matches!(a, Action::EnableProtectors { .. })),
        Fault::OnlyFirstVolume => {
            let first = seen.volumes.first().map(|v| v.device.clone());
            actions.retain(|a| Some(a.device()) == first.as_deref());
        }
        _ => {}
    }
    planned
}
