//! What a device does in each situation.

use domain::inventory::{Inventory, Tpm, TpmCause, VolumeReport};
use domain::ledger::{KeyState, Ledger, ProofState};
use domain::plan::check::check;
use domain::plan::{Action, Plan, RotateRequest, Situation, plan};
use domain::policy::{AutoUnlock, Encryption, OsProtector, Policy, TriState};
use domain::volume::{ConversionStatus, EncryptionExtent, EncryptionMethod, LockStatus, ProtectionStatus};
use domain::volume::{ProtectorType, VolumeKind};

use crate::build::*;

mod keys;
mod present;
mod start;

fn online() -> Situation {
    Situation {
        server_reachable: true,
        ..Situation::default()
    }
}

/// A plan that does nothing.
fn nothing() -> Plan {
    Plan {
        next_check_minutes: 90,
        ..Plan::default()
    }
}

fn offline() -> Situation {
    Situation::default()
}

fn with_pin() -> Situation {
    Situation {
        pin_available: true,
        ..online()
    }
}

fn with_password() -> Situation {
    Situation {
        password_available: true,
        ..online()
    }
}

/// Plans, and has the checker agree.
fn planned(policy: &Policy, inventory: &Inventory, ledger: &Ledger, situation: &Situation) -> Plan {
    let plan = plan(policy, inventory, ledger, situation);
    assert_eq!(check(&plan, inventory, ledger, policy, situation), Ok(()));
    plan
}

/// The steps in short: `add C:`, `escrow C: *`, `delete C: A1`.
fn steps(plan: &Plan) -> Vec<String> {
    let short = |action: &Action| match action {
        Action::AddRecoveryPassword { device } => format!("add {device}"),
        Action::Escrow {
            device,
            protector: None,
        } => format!("escrow {device} *"),
        Action::Escrow {
            device,
            protector: Some(id),
        } => format!("escrow {device} {:X}", id.0.as_u128()),
        Action::AddTpm { device } => format!("tpm {device}"),
        Action::AddTpmPin { device } => format!("tpm+pin {device}"),
        Action::AddAutoUnlock { device } => format!("auto-unlock {device}"),
        Action::RemoveAutoUnlock { device } => format!("no auto-unlock {device}"),
        Action::Encrypt { device, .. } => format!("encrypt {device}"),
        Action::ResumeConversion { device, .. } => format!("resume {device}"),
        Action::EnableProtectors { device, .. } => format!("protect {device}"),
        Action::AddPassphrase { device } => format!("password {device}"),
        Action::WriteSettings { values } => format!("write {} values", values.len()),
        Action::DeleteProtector { device, protector, .. } => format!("delete {device} {:X}", protector.0.as_u128()),
        Action::Decrypt { device } => format!("decrypt {device}"),
    };
    plan.actions.iter().map(short).collect()
}

fn blocked(plan: &Plan, device: &str) -> String {
    let reasons: Vec<&str> = plan
        .blocked
        .iter()
        .filter(|b| b.device == device)
        .map(|b| b.reason.as_str())
        .collect();
    reasons.join(" ")
}

fn rotate(protectors: &[domain::ids::ProtectorId]) -> Situation {
    Situation {
        rotate: vec![RotateRequest {
            volume: Some(V1),
            protectors: protectors.to_vec(),
        }],
        ..online()
    }
}

fn os_with(change: impl FnOnce(&mut VolumeReport)) -> Inventory {
    let mut volume = os_volume();
    change(&mut volume);
    device(vec![volume])
}
