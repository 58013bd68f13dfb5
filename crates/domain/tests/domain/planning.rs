//! What a device does in each situation.

use domain::inventory::{Inventory, Tpm, VolumeReport};
use domain::ledger::{KeyState, Ledger, ProofState};
use domain::plan::check::check;
use domain::plan::{Action, Plan, RotateRequest, Situation, plan};
use domain::policy::{AutoUnlock, Encryption, OsProtector, Policy};
use domain::volume::{ConversionStatus, EncryptionExtent, EncryptionMethod, LockStatus, ProtectionStatus};
use domain::volume::{ProtectorType, VolumeKind};

use crate::build::*;

fn online() -> Situation {
    Situation {
        server_reachable: true,
        ..Situation::default()
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

/// Plans, and has the checker agree.
fn planned(policy: &Policy, inventory: &Inventory, ledger: &Ledger, situation: &Situation) -> Plan {
    let plan = plan(policy, inventory, ledger, situation);
    assert_eq!(check(&plan, inventory, ledger, policy), Ok(()));
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
        Action::ResumeConversion { device } => format!("resume {device}"),
        Action::EnableProtectors { device, .. } => format!("protect {device}"),
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

#[test]
fn a_plain_os_volume_gets_its_password_escrowed_before_it_is_encrypted() {
    let plan = planned(
        &require_os(),
        &device(vec![plain("C:", VolumeKind::Os)]),
        &ledger(&[]),
        &online(),
    );
    assert_eq!(steps(&plan), ["add C:", "escrow C: *", "tpm C:", "encrypt C:"]);
    assert!(plan.blocked.is_empty());
    assert_eq!(
        plan.actions.last(),
        Some(&Action::Encrypt {
            device: "C:".to_owned(),
            method: EncryptionMethod::XtsAes128,
            extent: EncryptionExtent::Full,
            after_escrow: true,
        })
    );
}

#[test]
fn without_escrow_in_policy_a_password_is_added_and_encryption_is_not_guarded() {
    let mut policy = require_os();
    policy.client.escrow = false;
    let plan = planned(
        &policy,
        &device(vec![plain("C:", VolumeKind::Os)]),
        &ledger(&[]),
        &offline(),
    );
    assert_eq!(steps(&plan), ["add C:", "tpm C:", "encrypt C:"]);
    assert!(matches!(
        plan.actions.last(),
        Some(Action::Encrypt {
            after_escrow: false,
            ..
        })
    ));
}

#[test]
fn a_policy_that_configures_nothing_leaves_a_plain_volume_alone() {
    let inventory = device(vec![plain("C:", VolumeKind::Os), plain("E:", VolumeKind::Removable)]);
    assert_eq!(
        planned(&Policy::default(), &inventory, &ledger(&[]), &online()),
        Plan::default()
    );
}

#[test]
fn an_encrypted_volume_whose_key_the_server_holds_needs_nothing() {
    let plan = planned(
        &require_os(),
        &device(vec![os_volume()]),
        &ledger(&[live(V1, R1)]),
        &online(),
    );
    assert_eq!(plan, Plan::default());
}

#[test]
fn an_encrypted_volume_is_escrowed_by_reading_back_and_not_encrypted_anew() {
    let plan = planned(&require_os(), &device(vec![os_volume()]), &ledger(&[]), &online());
    assert_eq!(steps(&plan), ["escrow C: A1"]);
}

#[test]
fn keys_of_encrypted_volumes_are_escrowed_even_when_policy_asks_for_no_encryption() {
    let plan = planned(&Policy::default(), &device(vec![os_volume()]), &ledger(&[]), &online());
    assert_eq!(steps(&plan), ["escrow C: A1"]);
}

#[test]
fn a_strangers_stick_is_left_alone_when_policy_says_nothing_about_removable_drives() {
    let stick = encrypted(
        "E:",
        VolumeKind::Removable,
        V2,
        &[(R2, ProtectorType::RecoveryPassword)],
    );
    let inventory = device(vec![stick]);
    assert_eq!(
        planned(&require_os(), &inventory, &ledger(&[]), &online()),
        Plan::default()
    );
    let known = planned(&require_os(), &inventory, &ledger(&[disclosed(V2, R2)]), &online());
    assert_eq!(steps(&known), ["add E:", "escrow E: *", "delete E: A2"]);
}

#[test]
fn a_removable_drive_is_encrypted_when_policy_asks() {
    let mut policy = Policy::default();
    policy.removable.encryption = Encryption::Require;
    let plan = planned(
        &policy,
        &device(vec![plain("E:", VolumeKind::Removable)]),
        &ledger(&[]),
        &online(),
    );
    assert_eq!(steps(&plan), ["add E:", "escrow E: *", "encrypt E:"]);
}

#[test]
fn without_a_tpm_the_key_is_stored_but_encryption_does_not_start() {
    let mut inventory = device(vec![plain("C:", VolumeKind::Os)]);
    inventory.tpm = Tpm::Absent;
    let plan = planned(&require_os(), &inventory, &ledger(&[]), &online());
    assert_eq!(steps(&plan), ["add C:", "escrow C: *"]);
    assert!(blocked(&plan, "C:").contains("no TPM is visible"));
}

#[test]
fn a_tpm_that_is_not_ready_blocks_with_its_reason() {
    let mut inventory = device(vec![plain("C:", VolumeKind::Os)]);
    inventory.tpm = Tpm::NotReady {
        reason: "It is locked out.".to_owned(),
    };
    let plan = planned(&require_os(), &inventory, &ledger(&[]), &online());
    assert_eq!(steps(&plan), ["add C:", "escrow C: *"]);
    assert!(blocked(&plan, "C:").contains("It is locked out."));
}

#[test]
fn one_volume_that_is_blocked_does_not_hold_up_the_others() {
    let mut policy = require_fixed();
    policy.removable.encryption = Encryption::Require;
    let mut inventory = device(vec![
        plain("C:", VolumeKind::Os),
        plain("D:", VolumeKind::Fixed),
        plain("E:", VolumeKind::Removable),
    ]);
    inventory.tpm = Tpm::Absent;
    let plan = planned(&policy, &inventory, &ledger(&[]), &online());
    let expected = [
        "add C:",
        "escrow C: *",
        "add D:",
        "escrow D: *",
        "encrypt D:",
        "add E:",
        "escrow E: *",
        "encrypt E:",
    ];
    assert_eq!(steps(&plan), expected);
}

#[test]
fn with_a_pin_at_hand_tpm_and_pin_comes_before_encryption() {
    let mut policy = require_os();
    policy.os.protector = OsProtector::TpmPin;
    let plan = planned(
        &policy,
        &device(vec![plain("C:", VolumeKind::Os)]),
        &ledger(&[]),
        &with_pin(),
    );
    assert_eq!(steps(&plan), ["add C:", "escrow C: *", "tpm+pin C:", "encrypt C:"]);
}

#[test]
fn without_a_pin_encryption_waits_for_the_user() {
    let mut policy = require_os();
    policy.os.protector = OsProtector::TpmPin;
    let plan = planned(
        &policy,
        &device(vec![plain("C:", VolumeKind::Os)]),
        &ledger(&[]),
        &online(),
    );
    assert_eq!(steps(&plan), ["add C:", "escrow C: *"]);
    assert!(blocked(&plan, "C:").contains("PIN"));
}

#[test]
fn a_plain_tpm_protector_goes_only_after_tpm_and_pin_exists() {
    let mut policy = require_os();
    policy.os.protector = OsProtector::TpmPin;
    let inventory = device(vec![os_volume()]);
    let keys = ledger(&[live(V1, R1)]);
    let plan = planned(&policy, &inventory, &keys, &with_pin());
    assert_eq!(steps(&plan), ["tpm+pin C:", "delete C: B1"]);
    let waiting = planned(&policy, &inventory, &keys, &online());
    assert_eq!(steps(&waiting), [""; 0]);
    assert!(blocked(&waiting, "C:").contains("PIN"));
}

#[test]
fn a_plain_tpm_protector_beside_tpm_and_pin_is_deleted() {
    let mut policy = require_os();
    policy.os.protector = OsProtector::TpmPin;
    let both = &[
        (T1, ProtectorType::Tpm),
        (P1, ProtectorType::TpmPin),
        (R1, ProtectorType::RecoveryPassword),
    ];
    let inventory = device(vec![encrypted("C:", VolumeKind::Os, V1, both)]);
    let keys = ledger(&[live(V1, R1)]);
    assert_eq!(steps(&planned(&policy, &inventory, &keys, &online())), ["delete C: B1"]);
    assert_eq!(
        steps(&planned(&policy, &inventory, &keys, &offline())),
        [""; 0],
        "nothing is deleted offline"
    );
}

#[test]
fn a_tpm_protector_is_never_added_beside_a_pin() {
    let protectors = &[(P1, ProtectorType::TpmPin), (R1, ProtectorType::RecoveryPassword)];
    let inventory = device(vec![encrypted("C:", VolumeKind::Os, V1, protectors)]);
    assert_eq!(
        planned(&require_os(), &inventory, &ledger(&[live(V1, R1)]), &online()),
        Plan::default()
    );
}

#[test]
fn fixed_drives_wait_for_the_os_drive_and_then_unlock_automatically() {
    let mut policy = require_fixed();
    policy.fixed.auto_unlock = AutoUnlock::Require;
    let fixed = || [plain("D:", VolumeKind::Fixed), plain("E:", VolumeKind::Fixed)];
    let mut before = vec![plain("C:", VolumeKind::Os)];
    before.extend(fixed());
    let first = planned(&policy, &device(before), &ledger(&[]), &online());
    let expected = [
        "add C:",
        "escrow C: *",
        "tpm C:",
        "encrypt C:",
        "add D:",
        "escrow D: *",
        "add E:",
        "escrow E: *",
    ];
    assert_eq!(steps(&first), expected);
    assert!(blocked(&first, "D:").contains("operating system drive"));

    let mut after = vec![os_volume()];
    after.extend(fixed());
    let second = planned(&policy, &device(after), &ledger(&[live(V1, R1)]), &online());
    let each = |d: &str| {
        ["add", "escrow", "auto-unlock", "encrypt"].map(|s| {
            if s == "escrow" {
                format!("{s} {d} *")
            } else {
                format!("{s} {d}")
            }
        })
    };
    assert_eq!(steps(&second), [each("D:"), each("E:")].concat());
}

#[test]
fn automatic_unlocking_that_is_prohibited_is_removed_once_the_key_is_held() {
    let mut policy = require_fixed();
    policy.fixed.auto_unlock = AutoUnlock::Prohibit;
    let protectors = &[(E1, ProtectorType::ExternalKey), (R2, ProtectorType::RecoveryPassword)];
    let mut fixed = encrypted("D:", VolumeKind::Fixed, V2, protectors);
    fixed.auto_unlock = Some(true);
    let inventory = device(vec![os_volume(), fixed]);
    let plan = planned(&policy, &inventory, &ledger(&[live(V1, R1)]), &online());
    assert_eq!(steps(&plan), ["escrow D: A2", "no auto-unlock D:"]);
}

#[test]
fn a_locked_volume_gets_nothing_but_a_note() {
    let inventory = os_with(|v| {
        v.lock = LockStatus::Locked;
        v.protection = ProtectionStatus::Unknown;
    });
    let plan = planned(&require_os(), &inventory, &ledger(&[disclosed(V1, R1)]), &online());
    assert_eq!(steps(&plan), [""; 0]);
    assert!(blocked(&plan, "C:").contains("locked"));
}

#[test]
fn a_forgotten_suspension_ends_after_the_escrow() {
    let inventory = os_with(|v| {
        v.suspend_count = Some(0);
        v.protection = ProtectionStatus::Off;
    });
    assert_eq!(
        steps(&planned(&require_os(), &inventory, &ledger(&[]), &online())),
        ["escrow C: A1", "protect C:"]
    );
    assert_eq!(
        steps(&planned(&require_os(), &inventory, &ledger(&[]), &offline())),
        [""; 0]
    );
    let held = ledger(&[live(V1, R1)]);
    assert_eq!(
        steps(&planned(&require_os(), &inventory, &held, &offline())),
        ["protect C:"]
    );
}

#[test]
fn a_suspension_counted_in_restarts_is_left_alone() {
    let inventory = os_with(|v| {
        v.suspend_count = Some(2);
        v.protection = ProtectionStatus::Off;
    });
    let plan = planned(&require_os(), &inventory, &ledger(&[live(V1, R1)]), &online());
    assert_eq!(steps(&plan), [""; 0]);
    assert!(blocked(&plan, "C:").contains("2 more restarts"));
}

#[test]
fn a_drive_that_waits_for_activation_gets_a_key_and_a_protector_and_is_protected() {
    let mut volume = encrypted("C:", VolumeKind::Os, V1, &[]);
    volume.protection = ProtectionStatus::Off;
    let plan = planned(&require_os(), &device(vec![volume]), &ledger(&[]), &online());
    assert_eq!(steps(&plan), ["add C:", "escrow C: *", "tpm C:", "protect C:"]);
}

#[test]
fn protection_is_not_switched_on_when_every_start_would_ask_for_recovery() {
    let mut volume = encrypted("C:", VolumeKind::Os, V1, &[(R1, ProtectorType::RecoveryPassword)]);
    volume.protection = ProtectionStatus::Off;
    volume.suspend_count = Some(0);
    let mut inventory = device(vec![volume]);
    inventory.tpm = Tpm::Absent;
    assert_eq!(
        steps(&planned(&require_os(), &inventory, &ledger(&[live(V1, R1)]), &online())),
        [""; 0]
    );
}

#[test]
fn a_paused_encryption_goes_on_once_a_key_is_held() {
    let inventory = os_with(|v| {
        v.conversion = ConversionStatus::EncryptionPaused;
        v.protection = ProtectionStatus::Off;
    });
    assert_eq!(
        steps(&planned(&require_os(), &inventory, &ledger(&[]), &online())),
        ["escrow C: A1", "resume C:"]
    );
    assert_eq!(
        steps(&planned(&require_os(), &inventory, &ledger(&[]), &offline())),
        [""; 0]
    );
}

#[test]
fn a_decryption_against_policy_is_turned_back_with_the_present_method() {
    let inventory = os_with(|v| {
        v.conversion = ConversionStatus::DecryptionInProgress;
        v.protection = ProtectionStatus::Off;
        v.method = EncryptionMethod::XtsAes256;
    });
    let plan = planned(&require_os(), &inventory, &ledger(&[live(V1, R1)]), &online());
    assert!(matches!(
        plan.actions.as_slice(),
        [Action::Encrypt {
            method: EncryptionMethod::XtsAes256,
            ..
        }]
    ));
}

#[test]
fn a_drive_that_policy_forbids_to_encrypt_is_decrypted_once() {
    let mut policy = Policy::default();
    policy.os.encryption = Encryption::Forbid;
    let keys = ledger(&[live(V1, R1)]);
    assert_eq!(
        steps(&planned(&policy, &device(vec![os_volume()]), &keys, &online())),
        ["decrypt C:"]
    );
    let going_on = os_with(|v| v.conversion = ConversionStatus::DecryptionInProgress);
    assert_eq!(planned(&policy, &going_on, &keys, &online()), Plan::default());
    let paused = os_with(|v| v.conversion = ConversionStatus::DecryptionPaused);
    assert_eq!(steps(&planned(&policy, &paused, &keys, &online())), ["resume C:"]);
}

#[test]
fn data_drives_let_go_of_the_os_drive_before_it_is_decrypted() {
    let mut policy = Policy::default();
    policy.os.encryption = Encryption::Forbid;
    let protectors = &[(E1, ProtectorType::ExternalKey), (R2, ProtectorType::RecoveryPassword)];
    let mut fixed = encrypted("D:", VolumeKind::Fixed, V2, protectors);
    fixed.auto_unlock = Some(true);
    let keys = ledger(&[live(V1, R1), live(V2, R2)]);
    let inventory = device(vec![os_volume(), fixed.clone()]);
    assert_eq!(
        steps(&planned(&policy, &inventory, &keys, &online())),
        ["no auto-unlock D:", "decrypt C:"]
    );

    fixed.lock = LockStatus::Locked;
    fixed.protection = ProtectionStatus::Unknown;
    let plan = planned(&policy, &device(vec![os_volume(), fixed]), &keys, &online());
    assert_eq!(steps(&plan), [""; 0]);
    assert!(blocked(&plan, "C:").contains("D:"));
}

#[test]
fn a_disclosed_password_is_replaced_in_the_safe_order() {
    let plan = planned(
        &require_os(),
        &device(vec![os_volume()]),
        &ledger(&[disclosed(V1, R1)]),
        &online(),
    );
    assert_eq!(steps(&plan), ["add C:", "escrow C: *", "delete C: A1"]);
    assert!(matches!(
        plan.actions.last(),
        Some(Action::DeleteProtector { replaced: true, .. })
    ));
}

#[test]
fn a_disclosed_password_stays_when_policy_says_so_or_nothing_can_be_escrowed() {
    let inventory = device(vec![os_volume()]);
    let keys = ledger(&[disclosed(V1, R1)]);
    let mut keep = require_os();
    keep.client.rotate_after_disclosure = false;
    assert_eq!(planned(&keep, &inventory, &keys, &online()), Plan::default());
    let mut no_escrow = require_os();
    no_escrow.client.escrow = false;
    assert_eq!(steps(&planned(&no_escrow, &inventory, &keys, &online())), [""; 0]);
    let plan = planned(&require_os(), &inventory, &keys, &offline());
    assert_eq!(steps(&plan), [""; 0]);
    assert!(blocked(&plan, "C:").contains("not reachable"));
}

#[test]
fn a_rotation_that_broke_off_goes_on_where_it_stood() {
    let after_add = os_with(|v| {
        v.protectors.push(domain::inventory::ProtectorReport {
            id: R2,
            kind: ProtectorType::RecoveryPassword,
            name: None,
        });
    });
    let plan = planned(&require_os(), &after_add, &ledger(&[disclosed(V1, R1)]), &online());
    assert_eq!(steps(&plan), ["escrow C: A2", "delete C: A1"]);
    let escrowed = ledger(&[disclosed(V1, R1), live(V1, R2)]);
    assert_eq!(
        steps(&planned(&require_os(), &after_add, &escrowed, &online())),
        ["delete C: A1"]
    );
}

#[test]
fn superseded_keys_that_are_still_there_are_deleted() {
    let protectors = &[
        (T1, ProtectorType::Tpm),
        (R1, ProtectorType::RecoveryPassword),
        (R2, ProtectorType::RecoveryPassword),
        (R3, ProtectorType::RecoveryPassword),
    ];
    let inventory = device(vec![encrypted("C:", VolumeKind::Os, V1, protectors)]);
    let keys = ledger(&[
        entry(V1, R1, KeyState::Superseded, ProofState::Proven),
        disclosed(V1, R2),
        live(V1, R3),
    ]);
    assert_eq!(
        steps(&planned(&require_os(), &inventory, &keys, &online())),
        ["delete C: A1", "delete C: A2"]
    );
}

#[test]
fn a_password_whose_proof_failed_is_replaced_and_does_not_count_as_a_way_back() {
    let keys = ledger(&[entry(V1, R1, KeyState::Live, ProofState::Failed)]);
    let plan = planned(&require_os(), &device(vec![os_volume()]), &keys, &online());
    assert_eq!(steps(&plan), ["add C:", "escrow C: *", "delete C: A1"]);
    let paused = os_with(|v| v.conversion = ConversionStatus::EncryptionPaused);
    assert_eq!(steps(&planned(&require_os(), &paused, &keys, &offline())), [""; 0]);
}

#[test]
fn a_rotation_request_replaces_the_keys_that_it_names_and_no_newer_ones() {
    let inventory = device(vec![os_volume()]);
    let keys = ledger(&[live(V1, R1)]);
    let asked = planned(&require_os(), &inventory, &keys, &rotate(&[R1]));
    assert_eq!(steps(&asked), ["add C:", "escrow C: *", "delete C: A1"]);
    assert_eq!(
        planned(&require_os(), &inventory, &keys, &rotate(&[R2])),
        Plan::default()
    );
    let mut other = rotate(&[R1]);
    other.rotate[0].volume = Some(V2);
    assert_eq!(planned(&require_os(), &inventory, &keys, &other), Plan::default());
}

#[test]
fn offline_nothing_starts_that_needs_escrow() {
    let inventory = device(vec![plain("C:", VolumeKind::Os)]);
    let plan = planned(&require_os(), &inventory, &ledger(&[]), &offline());
    assert_eq!(steps(&plan), [""; 0]);
    assert!(blocked(&plan, "C:").contains("not reachable"));
}

#[test]
fn an_existing_drive_with_a_weaker_cipher_is_noted_and_not_touched() {
    let mut policy = require_os();
    policy.os.method = EncryptionMethod::XtsAes256;
    let plan = planned(&policy, &device(vec![os_volume()]), &ledger(&[live(V1, R1)]), &online());
    assert_eq!(steps(&plan), [""; 0]);
    assert!(blocked(&plan, "C:").contains("XTS-AES-256"));
}

#[test]
fn a_method_that_cannot_be_written_does_not_start_an_encryption() {
    let mut policy = require_os();
    policy.os.method = EncryptionMethod::Aes256;
    let plan = planned(
        &policy,
        &device(vec![plain("C:", VolumeKind::Os)]),
        &ledger(&[]),
        &online(),
    );
    assert!(!steps(&plan).contains(&"encrypt C:".to_owned()));
    assert!(blocked(&plan, "C:").contains("AES-CBC-256"));
}

#[test]
fn virtual_machines_are_left_alone_unless_policy_manages_them() {
    let mut policy = require_os();
    let mut inventory = device(vec![plain("C:", VolumeKind::Os)]);
    inventory.virtual_machine = true;
    assert_eq!(planned(&policy, &inventory, &ledger(&[]), &online()), Plan::default());
    policy.client.manage_virtual_machines = true;
    assert!(!planned(&policy, &inventory, &ledger(&[]), &online()).actions.is_empty());
}
