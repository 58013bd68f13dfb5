//! Drives that are to be encrypted, and their start-up protectors.

use super::*;

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
        nothing()
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
    assert_eq!(plan, nothing());
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
    assert_eq!(planned(&require_os(), &inventory, &ledger(&[]), &online()), nothing());
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
        &with_password(),
    );
    assert_eq!(steps(&plan), ["add E:", "escrow E: *", "password E:", "encrypt E:"]);
}

#[test]
fn a_data_drive_is_not_encrypted_with_nothing_but_a_recovery_password() {
    let mut policy = Policy::default();
    policy.removable.encryption = Encryption::Require;
    let inventory = device(vec![plain("E:", VolumeKind::Removable)]);
    let waiting = planned(&policy, &inventory, &ledger(&[]), &online());
    assert_eq!(steps(&waiting), ["add E:", "escrow E: *"]);
    assert!(blocked(&waiting, "E:").contains("until the user has chosen a password"));
    policy.removable.password.state = TriState::Disabled;
    let never = planned(&policy, &inventory, &ledger(&[]), &with_password());
    assert_eq!(steps(&never), ["add E:", "escrow E: *"]);
    assert!(blocked(&never, "E:").contains("passwords are forbidden"));
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
        cause: TpmCause::Other,
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
    let plan = planned(&policy, &inventory, &ledger(&[]), &with_password());
    let expected = [
        "add C:",
        "escrow C: *",
        "add D:",
        "escrow D: *",
        "password D:",
        "encrypt D:",
        "add E:",
        "escrow E: *",
        "password E:",
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
        nothing()
    );
}
