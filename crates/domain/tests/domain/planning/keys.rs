//! Recovery passwords that are exposed, old, wrong or unwanted.

use super::*;

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
    assert_eq!(planned(&keep, &inventory, &keys, &online()), nothing());
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
    assert_eq!(planned(&require_os(), &inventory, &keys, &rotate(&[R2])), nothing());
    let mut other = rotate(&[R1]);
    other.rotate[0].volume = Some(V2);
    assert_eq!(planned(&require_os(), &inventory, &keys, &other), nothing());
}

#[test]
fn offline_nothing_starts_that_needs_escrow() {
    let inventory = device(vec![plain("C:", VolumeKind::Os)]);
    let plan = planned(&require_os(), &inventory, &ledger(&[]), &offline());
    assert_eq!(steps(&plan), [""; 0]);
    assert!(blocked(&plan, "C:").contains("not reachable"));
}
