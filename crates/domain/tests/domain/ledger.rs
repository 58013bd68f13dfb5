//! What becomes of keys that the server holds.

use domain::inventory::VolumeReport;
use domain::ledger::{
    KeyRecord, KeyState, ProofState, Recoverability, StateChange, disclose, observe_escrow, observe_inventory,
    recoverability,
};
use domain::time::Timestamp;
use domain::volume::{LockStatus, ProtectionStatus, ProtectorType, VolumeKind};

use crate::build::*;

fn record(protector: domain::ids::ProtectorId, state: KeyState) -> KeyRecord {
    let mut record = KeyRecord::new(V1, protector, Timestamp(0));
    record.entry.state = state;
    record.ever_disclosed = state == KeyState::Disclosed;
    record
}

fn carrying(protectors: &[domain::ids::ProtectorId]) -> VolumeReport {
    let list: Vec<_> = protectors
        .iter()
        .map(|&p| (p, ProtectorType::RecoveryPassword))
        .collect();
    encrypted("C:", VolumeKind::Os, V1, &list)
}

fn superseded(protector: domain::ids::ProtectorId, from: KeyState) -> StateChange {
    StateChange {
        volume: V1,
        protector,
        from,
        to: KeyState::Superseded,
    }
}

#[test]
fn a_disclosed_key_stays_disclosed_and_a_superseded_one_superseded() {
    assert_eq!(disclose(record(R1, KeyState::Live)).entry.state, KeyState::Disclosed);
    assert_eq!(
        disclose(record(R1, KeyState::Disclosed)).entry.state,
        KeyState::Disclosed
    );
    let told_late = disclose(record(R1, KeyState::Superseded));
    assert_eq!(told_late.entry.state, KeyState::Superseded);
    assert_eq!(told_late.state_while_present(), KeyState::Disclosed);
}

#[test]
fn a_key_that_gave_way_to_another_held_one_is_superseded() {
    let records = [
        record(R1, KeyState::Disclosed),
        record(R3, KeyState::Live),
        record(R2, KeyState::Live),
    ];
    let changes = observe_inventory(&records, &device(vec![carrying(&[R2])]));
    assert_eq!(
        changes,
        [superseded(R1, KeyState::Disclosed), superseded(R3, KeyState::Live)]
    );
}

#[test]
fn nothing_is_superseded_while_no_other_key_is_held() {
    let only = [record(R1, KeyState::Disclosed)];
    assert_eq!(observe_inventory(&only, &device(vec![carrying(&[R2])])), []);
    let mut failed = record(R2, KeyState::Live);
    failed.entry.proof = ProofState::Failed;
    let both = [record(R1, KeyState::Live), failed];
    assert_eq!(observe_inventory(&both, &device(vec![carrying(&[R2])])), []);
}

#[test]
fn storing_the_replacement_settles_a_key_that_vanished_before() {
    let records = [record(R1, KeyState::Disclosed), record(R2, KeyState::Live)];
    // The inventory is from before the new password was added, or from after.
    for carried in [&[][..], &[R2]] {
        let inventory = device(vec![carrying(carried)]);
        let changes = observe_escrow(&records, &inventory, V1, R2);
        assert_eq!(changes, [superseded(R1, KeyState::Disclosed)]);
    }
}

#[test]
fn an_escrow_settles_nothing_that_is_still_there_out_of_sight_or_of_another_volume() {
    let records = [record(R1, KeyState::Live), record(R2, KeyState::Live)];
    let mut locked = carrying(&[R2]);
    locked.lock = LockStatus::Locked;
    for volumes in [vec![carrying(&[R1])], vec![locked], vec![]] {
        assert_eq!(observe_escrow(&records, &device(volumes), V1, R2), []);
    }
    assert_eq!(observe_escrow(&records, &device(vec![carrying(&[R2])]), V2, R3), []);
}

#[test]
fn a_key_that_was_just_stored_is_there_whatever_an_older_inventory_says() {
    let records = [record(R1, KeyState::Live), record(R2, KeyState::Live)];
    let inventory = device(vec![carrying(&[R2])]);
    assert_eq!(observe_escrow(&records, &inventory, V1, R1), []);
}

#[test]
fn a_missing_locked_or_nameless_volume_proves_nothing() {
    let records = [record(R1, KeyState::Disclosed), record(R2, KeyState::Live)];
    let mut locked = carrying(&[R2]);
    locked.lock = LockStatus::Locked;
    let mut unknown = carrying(&[R2]);
    unknown.protection = ProtectionStatus::Unknown;
    let mut nameless = carrying(&[R2]);
    nameless.volume = None;
    let copies = vec![carrying(&[R2]), locked.clone()];
    for volumes in [vec![], vec![locked], vec![unknown], vec![nameless], copies] {
        assert_eq!(observe_inventory(&records, &device(volumes)), []);
    }
}

#[test]
fn a_copy_that_still_carries_a_key_keeps_it_alive() {
    let records = [record(R1, KeyState::Live), record(R2, KeyState::Live)];
    let copies = device(vec![carrying(&[R2]), carrying(&[R1])]);
    assert_eq!(observe_inventory(&records, &copies), []);
}

#[test]
fn a_key_that_comes_back_goes_back_to_its_former_state() {
    let mut exposed = record(R1, KeyState::Superseded);
    exposed.ever_disclosed = true;
    let records = [exposed, record(R2, KeyState::Superseded)];
    let changes = observe_inventory(&records, &device(vec![carrying(&[R1, R2])]));
    let to: Vec<_> = changes.iter().map(|c| (c.protector, c.to)).collect();
    assert_eq!(to, [(R1, KeyState::Disclosed), (R2, KeyState::Live)]);
}

#[test]
fn a_second_look_changes_nothing_more() {
    let mut records = [record(R1, KeyState::Disclosed), record(R2, KeyState::Live)];
    let inventory = device(vec![carrying(&[R2])]);
    for change in observe_inventory(&records, &inventory) {
        for record in records.iter_mut().filter(|r| r.entry.protector == change.protector) {
            record.entry.state = change.to;
        }
    }
    assert_eq!(observe_inventory(&records, &inventory), []);
}

#[test]
fn a_volume_is_as_recoverable_as_its_best_present_key() {
    let proven = entry(V1, R1, KeyState::Disclosed, ProofState::Proven);
    let unproven = entry(V1, R2, KeyState::Live, ProofState::NotProven);
    let failed = entry(V1, R3, KeyState::Live, ProofState::Failed);
    let keys = ledger(&[failed, unproven, proven]);
    let of = |protectors: &[_]| recoverability(&keys, V1, Some(&carrying(protectors)));
    assert_eq!(of(&[R1, R2, R3]), Recoverability::Proven);
    assert_eq!(of(&[R2, R3]), Recoverability::EscrowedNotProven);
    assert_eq!(of(&[R3]), Recoverability::NotRecoverable);
    assert_eq!(of(&[]), Recoverability::NotRecoverable);
    assert_eq!(recoverability(&keys, V2, None), Recoverability::NotRecoverable);
}

#[test]
fn without_a_list_of_protectors_every_key_counts_that_was_not_superseded() {
    let gone = entry(V1, R1, KeyState::Superseded, ProofState::Proven);
    let stored = entry(V1, R2, KeyState::Live, ProofState::NotProven);
    let mut silent = carrying(&[]);
    silent.lock = LockStatus::Locked;
    let keys = ledger(&[gone.clone(), stored]);
    assert_eq!(recoverability(&keys, V1, None), Recoverability::EscrowedNotProven);
    assert_eq!(
        recoverability(&keys, V1, Some(&silent)),
        Recoverability::EscrowedNotProven
    );
    assert_eq!(
        recoverability(&ledger(&[gone]), V1, None),
        Recoverability::NotRecoverable
    );
}
