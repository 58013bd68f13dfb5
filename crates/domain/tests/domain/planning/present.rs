//! Drives in every state between plain and protected.

use domain::plan::Question;

use super::*;

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
fn automatic_unlocking_that_is_prohibited_is_removed_once_the_key_is_held_and_a_password_chosen() {
    let mut policy = require_fixed();
    policy.fixed.auto_unlock = AutoUnlock::Prohibit;
    let protectors = &[(E1, ProtectorType::ExternalKey), (R2, ProtectorType::RecoveryPassword)];
    let mut fixed = encrypted("D:", VolumeKind::Fixed, V2, protectors);
    fixed.auto_unlock = Some(true);
    let inventory = device(vec![os_volume(), fixed]);
    let keys = ledger(&[live(V1, R1)]);
    let plan = planned(&policy, &inventory, &keys, &online());
    assert_eq!(steps(&plan), ["escrow D: A2"]);
    assert!(blocked(&plan, "D:").contains("until the user has chosen a password"));
    let asked = plan.prompt.unwrap().question;
    assert!(
        matches!(&asked, Question::Password { device, .. } if device == "D:"),
        "{asked:?}"
    );
    let chosen = Situation {
        password_available: true,
        ..online()
    };
    let plan = planned(&policy, &inventory, &keys, &chosen);
    assert_eq!(steps(&plan), ["escrow D: A2", "password D:", "no auto-unlock D:"]);
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
    assert_eq!(planned(&policy, &going_on, &keys, &online()), nothing());
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
    let chosen = Situation {
        password_available: true,
        ..online()
    };
    assert_eq!(
        steps(&planned(&policy, &inventory, &keys, &chosen)),
        ["password D:", "no auto-unlock D:", "decrypt C:"]
    );
    let plan = planned(&policy, &inventory, &keys, &online());
    assert_eq!(steps(&plan), [""; 0]);
    assert!(blocked(&plan, "C:").contains("D:") && blocked(&plan, "D:").contains("password"));

    fixed.lock = LockStatus::Locked;
    fixed.protection = ProtectionStatus::Unknown;
    let plan = planned(&policy, &device(vec![os_volume(), fixed]), &keys, &online());
    assert_eq!(steps(&plan), [""; 0]);
    assert!(blocked(&plan, "C:").contains("D:"));
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
    assert_eq!(planned(&policy, &inventory, &ledger(&[]), &online()), nothing());
    policy.client.manage_virtual_machines = true;
    assert!(!planned(&policy, &inventory, &ledger(&[]), &online()).actions.is_empty());
}
