//! The second opinion: each rule is broken once, and found.

use domain::ids::ProtectorId;
use domain::inventory::{Inventory, ProtectorReport, Tpm, VolumeReport};
use domain::ledger::{KeyState, Ledger, ProofState};
use domain::plan::check::{Rule, check};
use domain::plan::{Action, Plan, Situation};
use domain::policy::{Encryption, OsProtector, Policy};
use domain::volume::{ConversionStatus, EncryptionExtent, EncryptionMethod, LockStatus, ProtectionStatus};
use domain::volume::{ProtectorType, VolumeKind};

use crate::build::*;

fn name(device: &str) -> String {
    device.to_owned()
}

fn add(device: &str) -> Action {
    Action::AddRecoveryPassword { device: name(device) }
}

fn escrow(device: &str) -> Action {
    Action::Escrow {
        device: name(device),
        protector: None,
    }
}

fn tpm_on(device: &str) -> Action {
    Action::AddTpm { device: name(device) }
}

fn encrypt(device: &str) -> Action {
    Action::Encrypt {
        device: name(device),
        method: EncryptionMethod::XtsAes128,
        extent: EncryptionExtent::Full,
        after_escrow: true,
    }
}

fn protect(device: &str) -> Action {
    Action::EnableProtectors {
        device: name(device),
        after_escrow: true,
    }
}

fn delete(device: &str, protector: ProtectorId, replaced: bool) -> Action {
    Action::DeleteProtector {
        device: name(device),
        protector,
        replaced,
    }
}

/// The rules that the plan breaks, with the step.
fn breaches(policy: &Policy, inventory: &Inventory, ledger: &Ledger, actions: &[Action]) -> Vec<(usize, Rule)> {
    let plan = Plan {
        actions: actions.to_vec(),
        blocked: Vec::new(),
        ..Plan::default()
    };
    match check(&plan, inventory, ledger, policy, &Situation::default()) {
        Ok(()) => Vec::new(),
        Err(breaches) => breaches.iter().map(|b| (b.step, b.rule)).collect(),
    }
}

fn on_plain_os(actions: &[Action]) -> Vec<(usize, Rule)> {
    breaches(
        &require_os(),
        &device(vec![plain("C:", VolumeKind::Os)]),
        &ledger(&[]),
        actions,
    )
}

fn on_os(change: impl FnOnce(&mut VolumeReport), keys: &Ledger, actions: &[Action]) -> Vec<(usize, Rule)> {
    let mut volume = os_volume();
    change(&mut volume);
    breaches(&require_os(), &device(vec![volume]), keys, actions)
}

fn fixed(auto_unlock: bool) -> VolumeReport {
    let protectors = &[(E1, ProtectorType::ExternalKey), (R2, ProtectorType::RecoveryPassword)];
    let mut volume = encrypted("D:", VolumeKind::Fixed, V2, protectors);
    volume.auto_unlock = Some(auto_unlock);
    volume
}

#[test]
fn the_right_order_passes() {
    assert_eq!(on_plain_os(&[add("C:"), escrow("C:"), tpm_on("C:"), encrypt("C:")]), []);
    let keys = ledger(&[disclosed(V1, R1)]);
    assert_eq!(
        on_os(|_| {}, &keys, &[add("C:"), escrow("C:"), delete("C:", R1, true)]),
        []
    );
}

#[test]
fn encryption_before_escrow_is_found() {
    let plan = [add("C:"), tpm_on("C:"), encrypt("C:"), escrow("C:")];
    assert_eq!(on_plain_os(&plan), [(2, Rule::NothingEscrowed)]);
}

#[test]
fn encryption_without_its_guard_is_found() {
    let unguarded = Action::Encrypt {
        device: name("C:"),
        method: EncryptionMethod::XtsAes128,
        extent: EncryptionExtent::Full,
        after_escrow: false,
    };
    assert_eq!(
        on_plain_os(&[add("C:"), escrow("C:"), tpm_on("C:"), unguarded]),
        [(3, Rule::WrongGuard)]
    );
}

#[test]
fn encryption_that_would_stop_every_start_is_found() {
    assert_eq!(
        on_plain_os(&[add("C:"), escrow("C:"), encrypt("C:")]),
        [(2, Rule::NoStartUpProtector)]
    );
}

#[test]
fn end_of_suspension_before_escrow_is_found() {
    let suspended = |v: &mut VolumeReport| {
        v.suspend_count = Some(0);
        v.protection = ProtectionStatus::Off;
    };
    assert_eq!(
        on_os(suspended, &ledger(&[]), &[protect("C:")]),
        [(0, Rule::NothingEscrowed)]
    );
    let failed = ledger(&[entry(V1, R1, KeyState::Live, ProofState::Failed)]);
    assert_eq!(
        on_os(suspended, &failed, &[protect("C:")]),
        [(0, Rule::NothingEscrowed)]
    );
    assert_eq!(
        on_os(suspended, &failed, &[escrow("C:"), protect("C:")]),
        [(1, Rule::NothingEscrowed)]
    );
    assert_eq!(on_os(suspended, &ledger(&[live(V1, R1)]), &[protect("C:")]), []);
    let counted = |v: &mut VolumeReport| v.suspend_count = Some(1);
    assert_eq!(
        on_os(counted, &ledger(&[live(V1, R1)]), &[protect("C:")]),
        [(0, Rule::NotSuspended)]
    );
}

#[test]
fn resumed_encryption_before_escrow_is_found() {
    let paused = |v: &mut VolumeReport| v.conversion = ConversionStatus::EncryptionPaused;
    let resume = [Action::ResumeConversion {
        device: name("C:"),
        after_escrow: true,
    }];
    assert_eq!(on_os(paused, &ledger(&[]), &resume), [(0, Rule::NothingEscrowed)]);
    assert_eq!(on_os(paused, &ledger(&[live(V1, R1)]), &resume), []);
    assert_eq!(
        on_os(|_| {}, &ledger(&[live(V1, R1)]), &resume),
        [(0, Rule::NothingPaused)]
    );
}

#[test]
fn deletion_before_the_replacement_is_escrowed_is_found() {
    let keys = ledger(&[disclosed(V1, R1)]);
    let plan = [add("C:"), delete("C:", R1, true), escrow("C:")];
    assert_eq!(on_os(|_| {}, &keys, &plan), [(1, Rule::NoWayBack)]);
    assert_eq!(on_os(|_| {}, &keys, &[delete("C:", R1, true)]), [(0, Rule::NoWayBack)]);
}

#[test]
fn deletion_that_hides_or_feigns_a_recovery_password_is_found() {
    let keys = ledger(&[live(V1, R1)]);
    assert_eq!(
        on_os(|_| {}, &keys, &[delete("C:", R1, false)]),
        [(0, Rule::WrongReplaced)]
    );
    assert_eq!(
        on_os(|_| {}, &keys, &[delete("C:", T1, true)]),
        [(0, Rule::WrongReplaced)]
    );
}

#[test]
fn deletion_of_the_only_start_up_protector_or_the_last_protector_is_found() {
    let keys = ledger(&[live(V1, R1)]);
    assert_eq!(
        on_os(|_| {}, &keys, &[delete("C:", T1, false)]),
        [(0, Rule::NoStartUpProtector)]
    );
    let only_tpm = |v: &mut VolumeReport| v.protectors.truncate(1);
    assert_eq!(
        on_os(only_tpm, &keys, &[delete("C:", T1, false)]),
        [(0, Rule::LastProtector)]
    );
    assert_eq!(
        on_os(|_| {}, &keys, &[delete("C:", P1, false)]),
        [(0, Rule::UnknownProtector)]
    );
}

#[test]
fn duplicates_and_a_defeated_pin_are_found() {
    let keys = ledger(&[live(V1, R1)]);
    assert_eq!(on_os(|_| {}, &keys, &[tpm_on("C:")]), [(0, Rule::ProtectorExists)]);
    assert_eq!(
        on_plain_os(&[add("C:"), add("C:")]),
        [(1, Rule::SecondRecoveryPassword)]
    );
    let mut policy = require_os();
    policy.os.protector = OsProtector::TpmPin;
    let plan = [Action::AddTpmPin { device: name("C:") }, tpm_on("C:")];
    let inventory = device(vec![plain("C:", VolumeKind::Os)]);
    assert_eq!(
        breaches(&policy, &inventory, &ledger(&[]), &plan),
        [(1, Rule::PinDefeated)]
    );
}

#[test]
fn steps_that_policy_does_not_want_are_found() {
    let keys = ledger(&[live(V1, R1)]);
    assert_eq!(
        on_os(|_| {}, &keys, &[Action::Decrypt { device: name("C:") }]),
        [(0, Rule::NotWanted)]
    );
    let inventory = device(vec![plain("C:", VolumeKind::Os)]);
    assert_eq!(
        breaches(&Policy::default(), &inventory, &keys, &[encrypt("C:")]),
        [(0, Rule::NotWanted)]
    );
    let mut no_escrow = require_os();
    no_escrow.client.escrow = false;
    assert_eq!(
        breaches(&no_escrow, &inventory, &keys, &[escrow("C:")]),
        [(0, Rule::EscrowNotWanted)]
    );
    let mut machine = device(vec![os_volume()]);
    machine.virtual_machine = true;
    assert_eq!(
        breaches(&require_os(), &machine, &keys, &[add("C:")]),
        [(0, Rule::NotManaged)]
    );
}

#[test]
fn encryption_anew_or_with_a_wrong_method_is_found() {
    let keys = ledger(&[live(V1, R1)]);
    assert_eq!(on_os(|_| {}, &keys, &[encrypt("C:")]), [(0, Rule::AlreadyEncrypted)]);
    let decrypting = |v: &mut VolumeReport| {
        v.conversion = ConversionStatus::DecryptionInProgress;
        v.method = EncryptionMethod::XtsAes256;
    };
    assert_eq!(on_os(decrypting, &keys, &[encrypt("C:")]), [(0, Rule::WrongMethod)]);
}

#[test]
fn steps_on_unknown_and_locked_volumes_are_found() {
    assert_eq!(on_plain_os(&[add("X:")]), [(0, Rule::UnknownVolume)]);
    let locked = |v: &mut VolumeReport| v.lock = LockStatus::Locked;
    assert_eq!(on_os(locked, &ledger(&[]), &[add("C:")]), [(0, Rule::LockedVolume)]);
}

#[test]
fn an_escrow_of_nothing_is_found() {
    assert_eq!(on_plain_os(&[escrow("C:")]), [(0, Rule::NothingToEscrow)]);
}

#[test]
fn tpm_protectors_need_a_tpm_and_the_os_volume() {
    let mut inventory = device(vec![plain("C:", VolumeKind::Os), plain("D:", VolumeKind::Fixed)]);
    assert_eq!(
        breaches(&require_os(), &inventory, &ledger(&[]), &[tpm_on("D:")]),
        [(0, Rule::OnlyOsVolume)]
    );
    inventory.tpm = Tpm::Absent;
    assert_eq!(
        breaches(&require_os(), &inventory, &ledger(&[]), &[tpm_on("C:")]),
        [(0, Rule::NoTpm)]
    );
}

#[test]
fn automatic_unlocking_follows_the_providers_rules() {
    let on = |d: &str| Action::AddAutoUnlock { device: name(d) };
    let off = |d: &str| Action::RemoveAutoUnlock { device: name(d) };
    let keys = ledger(&[live(V1, R1), live(V2, R2)]);
    let with = |os: VolumeReport, auto: bool, actions: &[Action]| {
        breaches(&require_fixed(), &device(vec![os, fixed(auto)]), &keys, actions)
    };
    let password = Action::AddPassphrase { device: name("D:") };
    assert_eq!(with(os_volume(), false, &[password, on("D:"), off("D:")]), []);
    assert_eq!(with(os_volume(), false, &[on("C:")]), [(0, Rule::OnlyDataVolume)]);
    assert_eq!(with(os_volume(), true, &[on("D:")]), [(0, Rule::BoundToAutoUnlock)]);
    assert_eq!(
        with(os_volume(), false, &[off("D:")]),
        [(0, Rule::NotBoundToAutoUnlock)]
    );
    assert_eq!(
        with(plain("C:", VolumeKind::Os), false, &[on("D:")]),
        [(0, Rule::OsNotProtected)]
    );
    assert_eq!(
        with(os_volume(), true, &[delete("D:", E1, false)]),
        [(0, Rule::BoundToAutoUnlock)]
    );
    let unknown = breaches(
        &require_fixed(),
        &device(vec![os_volume(), fixed(true)]),
        &ledger(&[]),
        &[off("D:")],
    );
    assert_eq!(unknown, [(0, Rule::NoWayBack)]);
}

#[test]
fn automatic_unlocking_that_ends_and_leaves_the_recovery_password_alone_is_found() {
    let off = [Action::RemoveAutoUnlock { device: name("D:") }];
    let keys = ledger(&[live(V1, R1), live(V2, R2)]);
    let found = |policy: &Policy, beside: Option<ProtectorType>| {
        let mut drive = fixed(true);
        drive.protectors.extend(beside.map(|kind| ProtectorReport {
            id: P1,
            kind,
            name: None,
        }));
        breaches(policy, &device(vec![os_volume(), drive]), &keys, &off)
    };
    let alone = [(0, Rule::NoDayByDay)];
    assert_eq!(found(&require_fixed(), None), alone);
    // It could be the one that automatic unlocking left behind.
    assert_eq!(found(&require_fixed(), Some(ProtectorType::ExternalKey)), alone);
    for kind in [
        ProtectorType::Passphrase,
        ProtectorType::PublicKey,
        ProtectorType::AdSid,
    ] {
        assert_eq!(found(&require_fixed(), Some(kind)), [], "{kind:?}");
    }
    let mut to_plain_text = require_fixed();
    to_plain_text.fixed.encryption = Encryption::Forbid;
    assert_eq!(found(&to_plain_text, None), []);
}

#[test]
fn the_os_volume_is_not_decrypted_while_it_holds_keys_of_data_volumes() {
    let mut policy = Policy::default();
    policy.os.encryption = Encryption::Forbid;
    let inventory = device(vec![os_volume(), fixed(true)]);
    let keys = ledger(&[live(V2, R2)]);
    let decrypt = Action::Decrypt { device: name("C:") };
    let only = [decrypt.clone()];
    assert_eq!(
        breaches(&policy, &inventory, &keys, &only),
        [(0, Rule::AutoUnlockKeysStored)]
    );
    let both = [
        Action::AddPassphrase { device: name("D:") },
        Action::RemoveAutoUnlock { device: name("D:") },
        decrypt.clone(),
        decrypt,
    ];
    assert_eq!(
        breaches(&policy, &inventory, &keys, &both),
        [(3, Rule::NothingToDecrypt)]
    );
}

#[test]
fn a_breach_says_where_and_what() {
    let plan = Plan {
        actions: vec![encrypt("C:")],
        blocked: Vec::new(),
        ..Plan::default()
    };
    let inventory = device(vec![plain("C:", VolumeKind::Os)]);
    let breaches = check(&plan, &inventory, &ledger(&[]), &require_os(), &Situation::default()).expect_err("a breach");
    assert_eq!(
        breaches[0].to_string(),
        "step 1 on C:: the server holds no recovery password of the volume yet"
    );
}
