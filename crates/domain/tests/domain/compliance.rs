//! Verdicts and their codes.

use domain::compliance::{Compliance, ErrorCategory, Reason, StatusCategory, Verdict, evaluate};
use domain::inventory::{Inventory, Tpm, TpmCause, VolumeReport};
use domain::ledger::{KeyState, ProofState};
use domain::plan::Situation;
use domain::policy::{AutoUnlock, Encryption, OsProtector, Policy};
use domain::volume::{ConversionStatus, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind};

use crate::build::*;

fn judged(policy: &Policy, inventory: &Inventory) -> Compliance {
    evaluate(policy, inventory, &ledger(&[]), &Situation::default())
}

/// Codes of the first volume.
fn codes(policy: &Policy, inventory: &Inventory) -> Vec<u8> {
    judged(policy, inventory).volumes[0]
        .reasons
        .iter()
        .map(|r| r.code())
        .collect()
}

fn os_codes(policy: &Policy, change: impl FnOnce(&mut VolumeReport)) -> Vec<u8> {
    let mut volume = os_volume();
    change(&mut volume);
    codes(policy, &device(vec![volume]))
}

fn fixed_codes(policy: &Policy, os: VolumeReport, auto_unlock: bool) -> Vec<u8> {
    let mut volume = encrypted("D:", VolumeKind::Fixed, V2, &[(R2, ProtectorType::RecoveryPassword)]);
    volume.auto_unlock = Some(auto_unlock);
    codes(policy, &device(vec![volume, os]))
}

#[test]
fn codes_are_those_of_the_field_and_each_has_its_own_sentence() {
    for (number, reason) in Reason::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(reason.code()), number);
        assert!(reason.sentence().ends_with('.'));
        let same = Reason::ALL
            .into_iter()
            .filter(|r| r.sentence() == reason.sentence())
            .count();
        assert_eq!(same, 1, "{reason:?}");
    }
}

#[test]
fn a_protected_volume_is_compliant_and_shown_as_escrowed_only_when_it_is() {
    let inventory = device(vec![os_volume()]);
    let held = evaluate(
        &require_os(),
        &inventory,
        &ledger(&[live(V1, R1)]),
        &Situation::default(),
    );
    assert_eq!(held.verdict, Verdict::Compliant);
    assert!(held.volumes[0].escrowed);
    assert!(!judged(&require_os(), &inventory).volumes[0].escrowed);
    let failed = ledger(&[entry(V1, R1, KeyState::Live, ProofState::Failed)]);
    let without = evaluate(&require_os(), &inventory, &failed, &Situation::default());
    assert!(!without.volumes[0].escrowed);
}

#[test]
fn a_volume_that_is_not_wholly_encrypted_gives_1() {
    assert_eq!(codes(&require_os(), &device(vec![plain("C:", VolumeKind::Os)])), [1]);
    for status in [
        ConversionStatus::EncryptionInProgress,
        ConversionStatus::EncryptionPaused,
        ConversionStatus::DecryptionInProgress,
        ConversionStatus::DecryptionPaused,
    ] {
        let change = |v: &mut VolumeReport| {
            v.conversion = status;
            v.protection = ProtectionStatus::Off;
        };
        assert_eq!(os_codes(&require_os(), change), [1]);
    }
}

#[test]
fn a_forbidden_encryption_gives_2_even_when_locked() {
    let mut policy = Policy::default();
    policy.os.encryption = Encryption::Forbid;
    assert_eq!(os_codes(&policy, |_| {}), [2]);
    assert_eq!(os_codes(&policy, |v| v.lock = LockStatus::Locked), [2]);
    let inventory = device(vec![plain("C:", VolumeKind::Os)]);
    assert_eq!(judged(&policy, &inventory).verdict, Verdict::Compliant);
}

#[test]
fn missing_start_up_protectors_give_3_and_4() {
    let only_password = |v: &mut VolumeReport| v.protectors.retain(|p| p.kind == ProtectorType::RecoveryPassword);
    assert_eq!(os_codes(&require_os(), only_password), [3]);
    let mut with_pin = require_os();
    with_pin.os.protector = OsProtector::TpmPin;
    assert_eq!(os_codes(&with_pin, |_| {}), [4]);
    let kind = |kind| move |v: &mut VolumeReport| v.protectors[0].kind = kind;
    assert_eq!(os_codes(&with_pin, kind(ProtectorType::TpmPin)), [0_u8; 0]);
    assert_eq!(
        os_codes(&require_os(), kind(ProtectorType::TpmPin)),
        [0_u8; 0],
        "a PIN is more than policy asks for"
    );
}

#[test]
fn a_plain_tpm_protector_beside_the_pin_gives_4() {
    let mut with_pin = require_os();
    with_pin.os.protector = OsProtector::TpmPin;
    let mut pin = os_volume().protectors[0].clone();
    pin.id = P1;
    pin.kind = ProtectorType::TpmPin;
    assert_eq!(os_codes(&with_pin, |v| v.protectors.push(pin)), [4]);
}

#[test]
fn a_missing_tpm_gives_5_and_a_vanished_one_6() {
    let mut inventory = device(vec![plain("C:", VolumeKind::Os)]);
    inventory.tpm = Tpm::Absent;
    assert_eq!(codes(&require_os(), &inventory), [1, 5]);
    inventory.volumes = vec![os_volume()];
    assert_eq!(codes(&require_os(), &inventory), [6]);
}

#[test]
fn automatic_unlocking_gives_9_10_11_and_14() {
    let mut policy = require_fixed();
    policy.fixed.auto_unlock = AutoUnlock::Require;
    assert_eq!(fixed_codes(&policy, os_volume(), true), [0_u8; 0]);
    assert_eq!(fixed_codes(&policy, os_volume(), false), [9]);
    assert_eq!(fixed_codes(&policy, plain("C:", VolumeKind::Os), true), [14]);
    policy.fixed.auto_unlock = AutoUnlock::Prohibit;
    assert_eq!(fixed_codes(&policy, os_volume(), true), [10]);
    policy.fixed.auto_unlock = AutoUnlock::Require;
    policy.os.encryption = Encryption::Forbid;
    assert_eq!(fixed_codes(&policy, os_volume(), true), [11]);
}

#[test]
fn suspension_gives_13() {
    let suspended = |v: &mut VolumeReport| {
        v.suspend_count = Some(1);
        v.protection = ProtectionStatus::Off;
    };
    assert_eq!(os_codes(&require_os(), suspended), [13]);
    let mut policy = Policy::default();
    policy.removable.encryption = Encryption::Require;
    let mut stick = encrypted(
        "E:",
        VolumeKind::Removable,
        V2,
        &[(R2, ProtectorType::RecoveryPassword)],
    );
    stick.protection = ProtectionStatus::Off;
    assert_eq!(codes(&policy, &device(vec![stick])), [13]);
}

#[test]
fn weak_ciphers_give_0_15_and_16_and_stronger_ones_nothing() {
    use EncryptionMethod::*;
    for (wanted, present, expected) in [
        (XtsAes128, Aes256, vec![15]),
        (XtsAes128, Unknown, vec![15]),
        (XtsAes128, XtsAes256, vec![]),
        (XtsAes256, XtsAes128, vec![16]),
        (XtsAes256, XtsAes256, vec![]),
        (Aes256, Aes128, vec![0]),
        (Aes256, XtsAes256, vec![]),
        (Aes128, XtsAes128, vec![]),
    ] {
        let mut policy = require_os();
        policy.os.method = wanted;
        assert_eq!(
            os_codes(&policy, |v| v.method = present),
            expected,
            "{wanted:?} {present:?}"
        );
    }
}

#[test]
fn a_locked_volume_is_unknown_and_its_key_still_counts_as_escrowed() {
    let mut volume = os_volume();
    volume.lock = LockStatus::Locked;
    volume.protection = ProtectionStatus::Unknown;
    volume.protectors.clear();
    let compliance = evaluate(
        &require_os(),
        &device(vec![volume]),
        &ledger(&[live(V1, R1)]),
        &Situation::default(),
    );
    assert_eq!(compliance.verdict, Verdict::Unknown);
    assert!(compliance.volumes[0].escrowed);
}

#[test]
fn os_and_fixed_drives_decide_and_removable_ones_do_not() {
    let mut policy = require_fixed();
    policy.removable.encryption = Encryption::Require;
    let stick = plain("E:", VolumeKind::Removable);
    let with_stick = judged(&policy, &device(vec![os_volume(), stick]));
    assert_eq!(with_stick.verdict, Verdict::Compliant);
    assert_eq!(with_stick.volumes[1].verdict, Verdict::NonCompliant);
    let with_fixed = device(vec![os_volume(), plain("D:", VolumeKind::Fixed)]);
    assert_eq!(judged(&policy, &with_fixed).verdict, Verdict::NonCompliant);
    assert_eq!(
        judged(&require_os(), &with_fixed).verdict,
        Verdict::Compliant,
        "policy says nothing about D:"
    );
}

#[test]
fn a_device_is_not_enforced_unknown_or_not_applicable_when_nothing_can_be_said() {
    assert_eq!(
        judged(&Policy::default(), &device(vec![os_volume()])).verdict,
        Verdict::NotEnforced
    );
    assert_eq!(judged(&require_os(), &device(vec![])).verdict, Verdict::Unknown);
    let mut machine = device(vec![plain("C:", VolumeKind::Os)]);
    machine.virtual_machine = true;
    let mut policy = require_os();
    assert_eq!(judged(&policy, &machine).verdict, Verdict::NotApplicable);
    assert_eq!(judged(&policy, &machine).volumes[0].verdict, Verdict::NotApplicable);
    policy.client.manage_virtual_machines = true;
    assert_eq!(judged(&policy, &machine).verdict, Verdict::NonCompliant);
}

#[test]
fn the_dashboard_says_what_and_why() {
    let category = |tpm: Tpm, volume: VolumeReport| {
        let mut inventory = device(vec![volume]);
        inventory.tpm = tpm;
        let compliance = judged(&require_os(), &inventory);
        (
            StatusCategory::of(Some(&compliance)),
            ErrorCategory::of(Some(&inventory), Some(&compliance)),
        )
    };
    let not_ready = Tpm::NotReady {
        reason: String::new(),
        cause: TpmCause::Other,
    };
    let open = || plain("C:", VolumeKind::Os);
    let bad = StatusCategory::NonCompliant;
    assert_eq!(category(tpm(), os_volume()), (StatusCategory::Compliant, None));
    assert_eq!(category(tpm(), open()), (bad, Some(ErrorCategory::Other)));
    assert_eq!(
        category(Tpm::Absent, open()),
        (bad, Some(ErrorCategory::NoCompatibleTpm))
    );
    assert_eq!(category(not_ready, open()), (bad, Some(ErrorCategory::TpmNotReady)));
    assert_eq!(StatusCategory::of(None), StatusCategory::Unknown);
    assert_eq!(ErrorCategory::of(None, None), Some(ErrorCategory::NoInformation));
}
