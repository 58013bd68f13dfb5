//! Finding and telling keys.

use domain::access::Role;
use domain::ledger::KeyState;
use server::services::recovery::{Why, disclose, disclose_own, own_devices, save, search, search_own};
use server::services::requests::set_retired;
use store::model::KeyName;

use crate::support::{Device, Harness, Volume, inventory};

fn why() -> Why {
    Why {
        reason: "Lost PIN".to_owned(),
        remark: "on the phone".to_owned(),
        on_behalf_of: "alice".to_owned(),
    }
}

async fn escrowed(harness: &Harness, hardware: &str, seed: u8, users: &[&str]) -> (Device, Volume, KeyName) {
    let device = Device::enrol(harness, hardware).await;
    let volume = Volume::new(seed);
    device.escrow(&volume).await.unwrap();
    let inventory = inventory(users, &volume, &[volume.protector]);
    device.check_in(Some(inventory)).await.unwrap();
    let name = KeyName {
        device: device.id,
        volume: volume.id,
        protector: volume.protector,
    };
    (device, volume, name)
}

#[tokio::test]
async fn the_help_desk_finds_a_key_by_eight_digits_and_tells_it_with_a_record() {
    let harness = Harness::start().await;
    let (device, volume, name) = escrowed(&harness, "HW-1", 1, &["alice"]).await;
    let dana = harness.person("dana", Role::HelpDeskAdministrator).await;
    let found = search(harness.state(), &dana, &volume.protector.short().to_lowercase(), "")
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].key.name, name);
    let told = disclose(harness.state(), &dana, name, &why()).await.unwrap();
    assert_eq!(*told.password, *volume.password.expose());
    let entries = harness.audit().await;
    let entry = entries
        .iter()
        .find(|entry| entry.event.action == "key.disclosed")
        .unwrap();
    assert_eq!(entry.event.actor, "user:dana");
    assert_eq!(entry.event.detail, "Lost PIN; for alice; on the phone");
    assert!(entry.event.subject.contains(&volume.protector.to_string()));
    let ledger = device.check_in(None).await.unwrap().ledger;
    assert_eq!(
        ledger.entry(volume.id, volume.protector).unwrap().state,
        KeyState::Disclosed
    );
}

#[tokio::test]
async fn no_secret_leaves_when_the_record_cannot_be_stored() {
    let harness = Harness::start().await;
    let (_, _, name) = escrowed(&harness, "HW-1", 1, &[]).await;
    let admin = harness.admin().await;
    let file = rusqlite::Connection::open(harness.database()).unwrap();
    file.execute_batch(
        "CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END",
    )
    .unwrap();
    let refused = disclose(harness.state(), &admin, name, &why()).await.unwrap_err();
    assert!(refused.status().is_server_error());
    let key = harness.state().store.key(name).await.unwrap().unwrap();
    assert_eq!((key.state, key.disclosed_at), (KeyState::Live, None));
    file.execute_batch("DROP TRIGGER no_audit").unwrap();
    disclose(harness.state(), &admin, name, &why()).await.unwrap();
}

#[tokio::test]
async fn a_key_that_does_not_open_is_recorded_as_wanted_and_as_not_opened() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let volume = Volume::new(1);
    // Sealed for another device: the seal does not fit its place.
    let other = domain::ids::DeviceId(uuid::Uuid::from_u128(1));
    let request = device.escrow_with(&volume, other, &volume.password.expose());
    device.post::<serde_json::Value>("escrow", &request).await.unwrap();
    let name = KeyName {
        device: device.id,
        volume: volume.id,
        protector: volume.protector,
    };
    let refused = disclose(harness.state(), &harness.admin().await, name, &why())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "internal");
    assert_eq!(harness.audit_count("key.disclosed").await, 1);
    assert_eq!(harness.audit_count("key.not_opened").await, 1);
}

#[tokio::test]
async fn a_reason_is_needed_and_every_role_has_its_own_bounds() {
    let harness = Harness::start().await;
    let (_, volume, name) = escrowed(&harness, "HW-1", 1, &["alice"]).await;
    let dana = harness.person("dana", Role::HelpDeskAdministrator).await;
    let no_reason = disclose(harness.state(), &dana, name, &Why::default())
        .await
        .unwrap_err();
    assert_eq!(no_reason.code(), "reason");
    for (who, role) in [("ed", Role::Auditor), ("alice", Role::SelfService)] {
        let person = harness.person(who, role).await;
        let refused = disclose(harness.state(), &person, name, &why()).await.unwrap_err();
        assert_eq!(refused.code(), "not_allowed", "{who}");
        let refused = search(harness.state(), &person, &volume.protector.to_string(), "")
            .await
            .unwrap_err();
        assert_eq!(refused.code(), "not_allowed", "{who}");
    }
    assert_eq!(harness.audit_count("key.disclosed").await, 0);
}

#[tokio::test]
async fn a_person_gets_the_own_keys_and_never_anothers() {
    let harness = Harness::start().await;
    let (_, own_volume, own) = escrowed(&harness, "HW-1", 1, &["ALICE"]).await;
    let (_, other_volume, other) = escrowed(&harness, "HW-2", 2, &["bob", "CORP\\alice", "alice2"]).await;
    let alice = harness.person("alice", Role::SelfService).await;
    let state = harness.state();
    let devices = own_devices(state, &alice).await.unwrap();
    assert_eq!(devices.iter().map(|device| device.id).collect::<Vec<_>>(), [own.device]);
    assert_eq!(
        search_own(state, &alice, &own_volume.protector.short())
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(
        search_own(state, &alice, &other_volume.protector.to_string())
            .await
            .unwrap()
            .is_empty()
    );
    let told = disclose_own(state, &alice, own, &why()).await.unwrap();
    assert_eq!(*told.password, *own_volume.password.expose());
    let missing = KeyName {
        protector: domain::ids::ProtectorId(uuid::Uuid::from_u128(3)),
        ..other
    };
    // Another's key and one that does not exist look the same.
    let one = disclose_own(state, &alice, other, &why()).await.unwrap_err();
    let two = disclose_own(state, &alice, missing, &why()).await.unwrap_err();
    assert_eq!(
        (one.status(), one.code(), one.detail()),
        (two.status(), two.code(), two.detail())
    );
    // A mixture of an own device and another's key is another's key.
    let mixed = KeyName {
        device: own.device,
        ..other
    };
    assert_eq!(
        disclose_own(state, &alice, mixed, &why()).await.unwrap_err().code(),
        "not_found"
    );
    assert_eq!(harness.audit_count("key.refused").await, 3);
}

#[tokio::test]
async fn a_retired_devices_key_is_for_the_help_desk_only() {
    let harness = Harness::start().await;
    let (_, volume, name) = escrowed(&harness, "HW-1", 1, &["alice"]).await;
    let admin = harness.person("root", Role::Administrator).await;
    let alice = harness.person("alice", Role::SelfService).await;
    let state = harness.state();
    set_retired(state, &admin, name.device, true).await.unwrap();
    let found = search_own(state, &alice, &volume.protector.short()).await.unwrap();
    assert!(found.is_empty());
    let refused = disclose_own(state, &alice, name, &why()).await.unwrap_err();
    assert_eq!(refused.code(), "not_found");
    assert_eq!(harness.audit_count("key.refused").await, 1);
    assert_eq!(harness.audit_count("key.disclosed").await, 0);
    let told = disclose(state, &admin, name, &why()).await.unwrap();
    assert_eq!(*told.password, *volume.password.expose());
}

#[tokio::test]
async fn a_key_told_from_an_old_record_is_replaced_by_the_device_that_enrolled_anew() {
    let harness = Harness::start().await;
    let (_, volume, old) = escrowed(&harness, "HW-1", 1, &["alice"]).await;
    let again = Device::enrol(&harness, "HW-1").await;
    again.escrow(&volume).await.unwrap();
    let dana = harness.person("dana", Role::HelpDeskAdministrator).await;
    disclose(harness.state(), &dana, old, &why()).await.unwrap();
    let ledger = again
        .check_in(Some(inventory(&["alice"], &volume, &[volume.protector])))
        .await
        .unwrap()
        .ledger;
    let entry = ledger.entry(volume.id, volume.protector).unwrap();
    assert_eq!(entry.state, KeyState::Disclosed);
}

#[tokio::test]
async fn a_told_key_is_saved_once_and_only_by_the_session_that_it_was_told_to() {
    let harness = Harness::start().await;
    let (_, volume, name) = escrowed(&harness, "HW-1", 1, &[]).await;
    let (one, other) = (harness.admin().await, harness.admin().await);
    let state = harness.state();
    let told = disclose(state, &one, name, &why()).await.unwrap();
    assert_eq!(
        save(state, &other, &told.save_token).await.unwrap_err().code(),
        "save_token"
    );
    let told = disclose(state, &one, name, &why()).await.unwrap();
    let (saved, password) = save(state, &one, &told.save_token).await.unwrap();
    assert_eq!((saved, &*password), (name, &*volume.password.expose()));
    assert_eq!(
        save(state, &one, &told.save_token).await.unwrap_err().code(),
        "save_token"
    );
    assert_eq!(harness.audit_count("key.saved").await, 1);
    let told = disclose(state, &one, name, &why()).await.unwrap();
    harness.clock.advance(std::time::Duration::from_secs(10 * 60));
    assert_eq!(
        save(state, &one, &told.save_token).await.unwrap_err().code(),
        "save_token"
    );
}

#[tokio::test]
async fn control_characters_in_a_reason_do_not_reach_the_audit() {
    let harness = Harness::start().await;
    let (_, _, name) = escrowed(&harness, "HW-1", 1, &[]).await;
    let why = Why {
        reason: "lost\u{1b}[2J\r\nPIN".to_owned(),
        ..Why::default()
    };
    disclose(harness.state(), &harness.admin().await, name, &why)
        .await
        .unwrap();
    let entries = harness.audit().await;
    let entry = entries
        .iter()
        .find(|entry| entry.event.action == "key.disclosed")
        .unwrap();
    assert_eq!(entry.event.detail, "lost [2J  PIN");
}

#[tokio::test]
async fn what_is_typed_wrong_is_answered_with_what_is_allowed() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    for text in ["", "1234567", "123456789", "GGGGGGGG", "' OR 1=1"] {
        let refused = search(harness.state(), &admin, text, "").await.unwrap_err();
        assert_eq!(refused.code(), "key_id", "{text:?}");
    }
    assert!(
        search(harness.state(), &admin, "00000000", "")
            .await
            .unwrap()
            .is_empty()
    );
}
