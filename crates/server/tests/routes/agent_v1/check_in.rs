//! `POST /agent/v1/check-in`.

use domain::exemption::Decision;
use domain::ledger::KeyState;
use domain::plan::Maintenance;
use domain::policy::targeting::{CollectionId, Deployment, PolicyId, UtcOffset};
use domain::policy::{Assignments, Encryption, Policy, TriState};
use protocol::messages::{CheckInResponse, ExemptionWish, RequestKind, digest};
use server::services::{policy, requests, targeting};
use store::model::{Content, Document};

use crate::support::{Device, Harness, Volume, check_in, inventory};

#[tokio::test]
async fn the_inventory_is_asked_for_once_and_then_the_digest_is_enough() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let inventory = inventory(&["alice"], &Volume::new(1), &[]);
    let mut short = check_in(Some(inventory.clone()));
    short.inventory = None;
    let first: CheckInResponse = device.post("check-in", &short).await.unwrap();
    assert!(first.send_inventory);
    assert!(!device.check_in(Some(inventory)).await.unwrap().send_inventory);
    let before = harness.audit().await.len();
    let again: CheckInResponse = device.post("check-in", &short).await.unwrap();
    assert!(!again.send_inventory);
    assert_eq!(harness.audit().await.len(), before);
}

#[tokio::test]
async fn the_policy_comes_only_when_the_device_has_another() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let first = device.check_in(None).await.unwrap();
    assert_eq!(first.policy, Some(Policy::default()));
    assert_eq!(first.policy_digest, digest(&Policy::default()).unwrap());
    let mut request = check_in(None);
    request.policy_digest = Some(first.policy_digest);
    let second: CheckInResponse = device.post("check-in", &request).await.unwrap();
    assert_eq!(second.policy, None);
    let mut other = Policy::default();
    other.client.check_interval_minutes = 10;
    policy::update(harness.state(), &harness.admin().await, other.clone(), "")
        .await
        .unwrap();
    let third: CheckInResponse = device.post("check-in", &request).await.unwrap();
    assert_eq!(third.policy, Some(other));
}

#[tokio::test]
async fn devices_are_told_to_come_back_around_the_interval_and_not_all_at_once() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let seconds = device.check_in(None).await.unwrap().next_check_in_seconds;
        assert!((90 * 54..=90 * 66).contains(&seconds), "{seconds}");
        seen.insert(seconds);
    }
    assert!(seen.len() > 10, "{seen:?}");
}

#[tokio::test]
async fn a_digest_that_is_not_the_inventorys_is_refused_and_nothing_is_stored() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let mut request = check_in(Some(inventory(&[], &Volume::new(1), &[])));
    request.inventory_digest = "0".repeat(64);
    let (status, problem) = device.post::<CheckInResponse>("check-in", &request).await.unwrap_err();
    assert_eq!((status.as_u16(), problem.code.as_str()), (422, "invalid_message"));
    assert!(problem.detail.starts_with("inventory_digest:"), "{}", problem.detail);
    let stored = harness.state().store.device(device.id).await.unwrap().unwrap();
    assert_eq!(stored.inventory, None);
}

#[tokio::test]
async fn a_replaced_key_is_superseded_in_the_same_answer() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let [old, new] = Volume::with_passwords(1);
    device.escrow(&old).await.unwrap();
    device.escrow(&new).await.unwrap();
    let both = inventory(&[], &old, &[old.protector, new.protector]);
    let state =
        |answer: &CheckInResponse, volume: &Volume| answer.ledger.entry(volume.id, volume.protector).unwrap().state;
    let answer = device.check_in(Some(both)).await.unwrap();
    assert_eq!(
        (state(&answer, &old), state(&answer, &new)),
        (KeyState::Live, KeyState::Live)
    );
    let answer = device
        .check_in(Some(inventory(&[], &old, &[new.protector])))
        .await
        .unwrap();
    assert_eq!(
        (state(&answer, &old), state(&answer, &new)),
        (KeyState::Superseded, KeyState::Live)
    );
    assert_eq!(harness.audit_count("key.superseded").await, 1);
}

#[tokio::test]
async fn a_rotation_request_is_told_until_it_is_done() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let volume = Volume::new(1);
    device.escrow(&volume).await.unwrap();
    let admin = harness.admin().await;
    let id = requests::rotate(harness.state(), &admin, device.id, Some(volume.id), "test")
        .await
        .unwrap();
    for _ in 0..2 {
        let told = device.check_in(None).await.unwrap().requests;
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].id, id);
        let RequestKind::Rotate(rotate) = &told[0].kind else {
            panic!("{told:?}")
        };
        assert_eq!(rotate.protectors, [volume.protector]);
    }
    let mut done = check_in(None);
    done.done = vec![id];
    let answer: CheckInResponse = device.post("check-in", &done).await.unwrap();
    assert!(answer.requests.is_empty());
}

#[tokio::test]
async fn a_device_cannot_finish_another_devices_request() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let other = Device::enrol(&harness, "HW-2").await;
    let id = requests::report(harness.state(), &harness.admin().await, device.id)
        .await
        .unwrap();
    let mut done = check_in(None);
    done.done = vec![id];
    other.post::<CheckInResponse>("check-in", &done).await.unwrap();
    assert_eq!(device.check_in(None).await.unwrap().requests.len(), 1);
}

#[tokio::test]
async fn a_check_in_that_was_overtaken_is_answered_and_not_stored() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let [old, new] = Volume::with_passwords(1);
    device.escrow(&old).await.unwrap();
    device.escrow(&new).await.unwrap();
    let id = requests::report(harness.state(), &harness.admin().await, device.id)
        .await
        .unwrap();
    let message = |sequence, volume: &Volume, protectors: &[_]| {
        let mut message = check_in(Some(inventory(&[], volume, protectors)));
        message.sequence = sequence;
        message
    };
    let newer = message(7, &old, &[new.protector]);
    let answer: CheckInResponse = device.post("check-in", &newer).await.unwrap();
    assert_eq!(answer.sequence, 7);

    // What was sent before it arrives only now: a rotation was not finished then.
    let mut older = message(6, &old, &[old.protector]);
    older.last_error = Some("of long ago".to_owned());
    older.done = vec![id];
    let answer: CheckInResponse = device.post("check-in", &older).await.unwrap();
    assert_eq!((answer.sequence, answer.send_inventory), (7, false));
    let state = |volume: &Volume| answer.ledger.entry(volume.id, volume.protector).unwrap().state;
    assert_eq!((state(&old), state(&new)), (KeyState::Superseded, KeyState::Live));
    assert_eq!(answer.requests.len(), 1, "nor is a request done that it calls done");
    let stored = harness.state().store.device(device.id).await.unwrap().unwrap();
    assert_eq!(stored.inventory, newer.inventory);
    assert_eq!(stored.last_error, None);

    // The device goes on above the number that it was told.
    older.sequence = 8;
    let answer: CheckInResponse = device.post("check-in", &older).await.unwrap();
    assert_eq!((answer.sequence, answer.requests.len()), (8, 0));
    let stored = harness.state().store.device(device.id).await.unwrap().unwrap();
    assert_eq!(stored.inventory, older.inventory);
}

#[tokio::test]
async fn a_check_in_with_nothing_new_overtakes_one_with_an_inventory() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let volume = Volume::new(1);
    let mut now = check_in(Some(inventory(&[], &volume, &[])));
    now.sequence = 1;
    device.post::<CheckInResponse>("check-in", &now).await.unwrap();
    let mut unchanged = now.clone();
    (unchanged.sequence, unchanged.inventory) = (3, None);
    let audit = harness.audit().await.len();
    device.post::<CheckInResponse>("check-in", &unchanged).await.unwrap();
    let mut late = check_in(Some(inventory(&["somebody"], &volume, &[])));
    late.sequence = 2;
    let answer: CheckInResponse = device.post("check-in", &late).await.unwrap();
    assert_eq!(answer.sequence, 3);
    let stored = harness.state().store.device(device.id).await.unwrap().unwrap();
    assert_eq!(stored.inventory, now.inventory);
    assert_eq!(harness.audit().await.len(), audit);
}

#[tokio::test]
async fn a_user_of_the_device_may_ask_there_to_be_exempt_where_policy_allows_it() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let wish = |user: &str| ExemptionWish {
        user: user.to_owned(),
        reason: "a drive for a customer".to_owned(),
    };
    let mut request = check_in(Some(inventory(&["alice"], &Volume::new(1), &[])));
    request.exemption_wishes = vec![wish("alice")];
    let answer: CheckInResponse = device.post("check-in", &request).await.unwrap();
    assert_eq!(answer.exemptions, [], "policy says nothing of it");

    let mut allowed = Policy::default();
    allowed.client.user_exemption = TriState::Enabled;
    policy::update(harness.state(), &harness.admin().await, allowed, "")
        .await
        .unwrap();
    request.exemption_wishes = vec![wish("mallory"), wish("ALICE"), wish("alice")];
    for _ in 0..2 {
        let answer: CheckInResponse = device.post("check-in", &request).await.unwrap();
        let [exemption] = &answer.exemptions[..] else {
            panic!("{:?}", answer.exemptions)
        };
        assert_eq!(
            (exemption.user.as_str(), exemption.decision),
            ("ALICE", Decision::Pending)
        );
    }
    assert_eq!(harness.audit_count("exemption.requested").await, 1);
}

#[tokio::test]
async fn a_device_is_told_since_when_its_volumes_are_not_compliant() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let mut forbids = Policy::default();
    forbids.fixed.encryption = Encryption::Forbid;
    policy::update(harness.state(), &harness.admin().await, forbids, "")
        .await
        .unwrap();
    let reported = inventory(&[], &Volume::new(1), &[]);
    let answer = device.check_in(Some(reported.clone())).await.unwrap();
    let [detected] = &answer.detected[..] else {
        panic!("{:?}", answer.detected)
    };
    assert_eq!(detected.device, reported.volumes[0].device);
    let again = device.check_in(Some(reported)).await.unwrap();
    assert_eq!(again.detected, answer.detected);
}

#[tokio::test]
async fn a_maintenance_window_in_the_devices_time_follows_the_offset_that_it_reports() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let admin = harness.admin().await;
    let hour = harness.state().now().0.div_euclid(3_600_000).rem_euclid(24);
    let windows =
        targeting::read_windows(&format!("windows = [{{ start = \"{hour:02}:00\", minutes = 60 }}]")).unwrap();
    let document = Content::Document(Document {
        id: PolicyId::new("own").unwrap(),
        name: "Own".to_owned(),
        description: String::new(),
        assignments: Assignments::default(),
    });
    let deployment = Content::Deployment(Deployment {
        id: "nights".parse().unwrap(),
        policy: PolicyId::new("own").unwrap(),
        collection: CollectionId::new("all-devices").unwrap(),
        priority: 1,
        not_before: None,
        windows,
        outside_window_allowed: false,
    });
    for content in [document, deployment] {
        targeting::put(harness.state(), &admin, content, String::new(), 0, false, "")
            .await
            .unwrap();
    }
    for (offset, open) in [(None, true), (Some(0), true), (Some(120), false), (Some(-600), false)] {
        let mut reported = inventory(&[], &Volume::new(1), &[]);
        reported.utc_offset_minutes = offset.map(UtcOffset);
        let told = device.check_in(Some(reported)).await.unwrap().maintenance;
        let found = targeting::effective(harness.state(), &admin, device.id).await.unwrap();
        assert_eq!(found.maintenance == Maintenance::Open, open, "{offset:?}");
        let now = harness.state().now();
        let by_device = told.state(now, UtcOffset(offset.unwrap_or(0)));
        assert_eq!(found.maintenance, by_device, "both sides come to the same");
    }
}
