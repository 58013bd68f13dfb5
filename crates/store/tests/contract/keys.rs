//! Escrowed keys.

use domain::ledger::{KeyState, ProofState};
use domain::volume::LockStatus;
use store::model::{DeviceQuery, KeyName, KeySearch, SealedBytes, Within, subject};
use store::{Store, StoreError, What};

use super::make::*;

pub(crate) async fn an_escrow_sent_again_is_acknowledged_with_its_first_moment(store: &dyn Store) {
    let key = name(enrolled(store, 1).await, 1, 0xA);
    let first = store
        .escrow(escrow(key, b"sealed", 2000), event("key.escrowed", ""))
        .await
        .unwrap();
    let head = store.audit_head().await.unwrap();
    let again = store
        .escrow(escrow(key, b"sealed", 9000), event("key.escrowed", ""))
        .await
        .unwrap();
    assert!(first.new && !again.new);
    assert_eq!((again.escrowed_at, again.version), (at(2000), 1));
    assert_eq!(
        store.audit_head().await.unwrap(),
        head,
        "nothing changed, nothing recorded"
    );
    let record = store.key(key).await.unwrap().unwrap();
    assert_eq!(record.versions.len(), 1);
    assert_eq!((record.state, record.proof), (KeyState::Live, ProofState::NotProven));
}

pub(crate) async fn another_secret_for_a_protector_is_a_further_version_and_needs_a_new_proof(store: &dyn Store) {
    let key = name(enrolled(store, 1).await, 1, 0xA);
    escrowed(store, key, 2000).await;
    store
        .record_proof(proof(key, 1, ProofState::Proven), Vec::new())
        .await
        .unwrap();
    let second = store.escrow(escrow(key, b"another", 3000), Vec::new()).await.unwrap();
    assert_eq!((second.version, second.new, second.escrowed_at), (2, true, at(3000)));

    let record = store.key(key).await.unwrap().unwrap();
    assert_eq!(record.proof, ProofState::NotProven);
    assert_eq!((record.first_escrowed_at, record.escrowed_at), (at(2000), at(3000)));
    let versions: Vec<_> = record.versions.iter().map(|v| (v.version, v.proof)).collect();
    assert_eq!(versions, [(2, ProofState::NotProven), (1, ProofState::Proven)]);
    let old = store
        .escrow(escrow(key, key.protector.to_string().as_bytes(), 4000), Vec::new())
        .await;
    assert_eq!(old.unwrap().version, 1, "an old message that arrives late is known");
    let mut other_recovery_key = escrow(key, b"another", 5000);
    other_recovery_key.sealed.key_version = 2;
    assert_eq!(store.escrow(other_recovery_key, Vec::new()).await.unwrap().version, 3);
}

pub(crate) async fn the_same_protector_on_two_devices_is_two_keys(store: &dyn Store) {
    let (first, second) = (enrolled(store, 1).await, enrolled(store, 2).await);
    escrowed(store, name(first, 1, 0xA), 2000).await;
    let other = store
        .escrow(escrow(name(second, 1, 0xA), b"foreign", 3000), Vec::new())
        .await
        .unwrap();
    assert_eq!((other.new, other.version), (true, 1));
    let told = store
        .disclose(
            name(first, 1, 0xA),
            &Within::default(),
            at(4000),
            event("key.disclosed", ""),
        )
        .await
        .unwrap();
    assert_ne!(told.sealed.bytes, b"foreign");
    let same_protector_of_another_volume = name(second, 2, 0xA);
    escrowed(store, same_protector_of_another_volume, 3000).await;
    assert_eq!(
        store
            .find_keys(KeySearch::Whole(protector(0xA)), &Within::default())
            .await
            .unwrap()
            .len(),
        3
    );
}

pub(crate) async fn a_password_told_from_one_record_is_exposed_in_every_record_of_it(store: &dyn Store) {
    let (before, now, other) = (
        enrolled(store, 1).await,
        enrolled(store, 2).await,
        enrolled(store, 3).await,
    );
    let (old, new) = (name(before, 1, 0xA), name(now, 1, 0xA));
    let another_volume = name(other, 2, 0xA);
    for key in [old, new, another_volume] {
        escrowed(store, key, 2000).await;
    }
    store.set_retired(before, Some(at(3000)), Vec::new()).await.unwrap();
    let head = store.audit_head().await.unwrap().sequence;
    let told = store
        .disclose(old, &Within::default(), at(4000), event("key.disclosed", ""))
        .await
        .unwrap();
    assert_eq!(told.elsewhere, [now]);
    let state = async |key| {
        let record = store.key(key).await.unwrap().unwrap();
        (record.state, record.disclosed_at)
    };
    assert_eq!(state(new).await, (KeyState::Disclosed, Some(at(4000))));
    assert_eq!(state(another_volume).await, (KeyState::Live, None));
    store
        .disclose(old, &Within::default(), at(5000), event("key.disclosed", ""))
        .await
        .unwrap();
    let entries = store.audit_entries(head + 1, 10).await.unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| entry.event.action.as_str()).collect();
    assert_eq!(actions, ["key.disclosed", "key.exposed", "key.disclosed"]);
    assert_eq!(
        entries[1].event.subject,
        subject(now, Some(new.volume), Some(new.protector))
    );
}

pub(crate) async fn a_password_told_before_another_device_escrows_it_is_exposed_there_too(store: &dyn Store) {
    let (before, now) = (enrolled(store, 1).await, enrolled(store, 2).await);
    let old = name(before, 1, 0xA);
    escrowed(store, old, 2000).await;
    store
        .disclose(old, &Within::default(), at(4000), event("key.disclosed", ""))
        .await
        .unwrap();
    let new = name(now, 1, 0xA);
    escrowed(store, new, 5000).await;
    escrowed(store, name(now, 1, 0xB), 5000).await;
    escrowed(store, name(now, 2, 0xA), 5000).await;
    let state = async |key| {
        let record = store.key(key).await.unwrap().unwrap();
        (record.state, record.disclosed_at)
    };
    assert_eq!(state(new).await, (KeyState::Disclosed, Some(at(4000))));
    assert_eq!(state(name(now, 1, 0xB)).await, (KeyState::Live, None));
    assert_eq!(state(name(now, 2, 0xA)).await, (KeyState::Live, None));
}

pub(crate) async fn a_disclosure_hands_out_the_newest_secret_and_records_it(store: &dyn Store) {
    let key = name(enrolled(store, 1).await, 1, 0xA);
    escrowed(store, key, 2000).await;
    store.escrow(escrow(key, b"newest", 2500), Vec::new()).await.unwrap();
    let about = subject(key.device, Some(key.volume), Some(key.protector));
    let before = store.audit_head().await.unwrap().sequence;
    let told = store
        .disclose(key, &Within::default(), at(4000), event("key.disclosed", &about))
        .await
        .unwrap();
    assert_eq!(
        told.sealed,
        SealedBytes {
            key_version: 1,
            bytes: b"newest".to_vec()
        }
    );
    assert_eq!((told.name, told.version, told.state), (key, 2, KeyState::Disclosed));
    let entry = store.audit_entries(before + 1, 10).await.unwrap();
    assert_eq!(entry.len(), 1);
    assert_eq!(
        (entry[0].event.action.as_str(), entry[0].event.subject.as_str()),
        ("key.disclosed", about.as_str())
    );
    let record = store.key(key).await.unwrap().unwrap();
    assert_eq!(
        (record.state, record.disclosed_at),
        (KeyState::Disclosed, Some(at(4000)))
    );
    let ledger = store.ledger(key.device).await.unwrap();
    assert_eq!(
        ledger.entry(key.volume, key.protector).unwrap().state,
        KeyState::Disclosed
    );
}

pub(crate) async fn a_disclosure_without_a_record_is_refused(store: &dyn Store) {
    let key = name(enrolled(store, 1).await, 1, 0xA);
    escrowed(store, key, 2000).await;
    let told = store.disclose(key, &Within::default(), at(4000), Vec::new()).await;
    assert!(matches!(told, Err(StoreError::Invalid { field: "audit", .. })));
    assert_eq!(store.key(key).await.unwrap().unwrap().state, KeyState::Live);
    let missing = name(key.device, 1, 0xB);
    let before = store.audit_head().await.unwrap();
    let told = store
        .disclose(missing, &Within::default(), at(4000), event("key.disclosed", ""))
        .await;
    assert_eq!(told, Err(StoreError::NotFound(What::Key)));
    assert_eq!(store.audit_head().await.unwrap(), before);
}

pub(crate) async fn a_disclosure_prefers_a_proven_older_version_to_a_failed_newest_one(store: &dyn Store) {
    let key = name(enrolled(store, 1).await, 1, 0xA);
    for (secret, time) in [(b"one", 1), (b"two", 2), (b"six", 3)] {
        store.escrow(escrow(key, secret, time), Vec::new()).await.unwrap();
    }
    let told = async || {
        let told = store
            .disclose(key, &Within::default(), at(4000), event("key.disclosed", ""))
            .await
            .unwrap();
        (told.version, told.proof)
    };
    store
        .record_proof(proof(key, 1, ProofState::Proven), Vec::new())
        .await
        .unwrap();
    assert_eq!(told().await, (3, ProofState::NotProven), "not tried yet is not failed");
    store
        .record_proof(proof(key, 3, ProofState::Failed), Vec::new())
        .await
        .unwrap();
    assert_eq!(told().await, (1, ProofState::Proven));
    store
        .record_proof(proof(key, 2, ProofState::Proven), Vec::new())
        .await
        .unwrap();
    assert_eq!(told().await, (2, ProofState::Proven));
    store
        .record_proof(proof(key, 3, ProofState::Proven), Vec::new())
        .await
        .unwrap();
    assert_eq!(told().await, (3, ProofState::Proven));

    let lonely = name(key.device, 1, 0xB);
    escrowed(store, lonely, 1).await;
    store
        .record_proof(proof(lonely, 1, ProofState::Failed), Vec::new())
        .await
        .unwrap();
    let told = store
        .disclose(lonely, &Within::default(), at(4000), event("key.disclosed", ""))
        .await
        .unwrap();
    assert_eq!(
        (told.version, told.proof),
        (1, ProofState::Failed),
        "better than nothing, and said so"
    );
}

/// A device whose old key was replaced by a new one.
async fn rotated(store: &dyn Store) -> (KeyName, KeyName) {
    let device = enrolled(store, 1).await;
    let (old, new) = (name(device, 1, 0xA), name(device, 1, 0xB));
    escrowed(store, old, 2000).await;
    reported(
        store,
        device,
        inventory("PC", &[], vec![volume_report(1, &[0xA])]),
        2100,
    )
    .await;
    escrowed(store, new, 3000).await;
    reported(
        store,
        device,
        inventory("PC", &[], vec![volume_report(1, &[0xB])]),
        3100,
    )
    .await;
    (old, new)
}

pub(crate) async fn a_rotation_supersedes_the_old_key_and_keeps_it(store: &dyn Store) {
    let (old, new) = rotated(store).await;
    let record = store.key(old).await.unwrap().unwrap();
    assert_eq!(
        (record.state, record.superseded_at),
        (KeyState::Superseded, Some(at(3100)))
    );
    assert_eq!(store.key(new).await.unwrap().unwrap().state, KeyState::Live);
    let keys = store.keys_of_device(old.device).await.unwrap();
    assert_eq!(
        keys.iter().map(|k| k.name).collect::<Vec<_>>(),
        [new, old],
        "in use first"
    );
    let head = store.audit_head().await.unwrap().sequence;
    let last = store.audit_entries(head, 1).await.unwrap().remove(0).event;
    assert_eq!(last.action, "key.superseded");
    assert_eq!(last.actor, format!("device:{}", old.device));
    assert_eq!(last.subject, subject(old.device, Some(old.volume), Some(old.protector)));
}

pub(crate) async fn storing_the_replacement_of_a_key_that_vanished_before_supersedes_it(store: &dyn Store) {
    let device = enrolled(store, 1).await;
    let (vanished, new) = (name(device, 1, 0xA), name(device, 1, 0xB));
    escrowed(store, vanished, 2000).await;
    store
        .disclose(vanished, &Within::default(), at(2500), event("key.disclosed", ""))
        .await
        .unwrap();
    // Somebody replaced the password by hand: the server does not hold the new one.
    reported(
        store,
        device,
        inventory("PC", &[], vec![volume_report(1, &[0xB])]),
        3000,
    )
    .await;
    let state = async |key| store.key(key).await.unwrap().unwrap().state;
    assert_eq!(
        state(vanished).await,
        KeyState::Disclosed,
        "it may be the only way back"
    );
    escrowed(store, new, 4000).await;
    assert_eq!(
        (state(vanished).await, state(new).await),
        (KeyState::Superseded, KeyState::Live)
    );
    let head = store.audit_head().await.unwrap().sequence;
    let last = store.audit_entries(head, 1).await.unwrap().remove(0).event;
    assert_eq!(last.action, "key.superseded");
    assert_eq!(
        last.subject,
        subject(device, Some(vanished.volume), Some(vanished.protector))
    );
    let exposed = DeviceQuery {
        exposed: true,
        ..DeviceQuery::default()
    };
    assert_eq!(store.devices(exposed).await.unwrap().total, 0);
}

pub(crate) async fn a_key_that_the_last_inventory_lists_or_cannot_see_is_not_superseded_by_an_escrow(
    store: &dyn Store,
) {
    let device = enrolled(store, 1).await;
    let (old, new) = (name(device, 1, 0xA), name(device, 1, 0xB));
    escrowed(store, old, 2000).await;
    reported(
        store,
        device,
        inventory("PC", &[], vec![volume_report(1, &[0xA])]),
        3000,
    )
    .await;
    escrowed(store, new, 4000).await;
    let state = async |key| store.key(key).await.unwrap().unwrap().state;
    assert_eq!(state(old).await, KeyState::Live);
    let mut locked = volume_report(1, &[0xB]);
    locked.lock = LockStatus::Locked;
    reported(store, device, inventory("PC", &[], vec![locked]), 5000).await;
    escrowed(store, name(device, 1, 0xC), 6000).await;
    assert_eq!(state(old).await, KeyState::Live);
}

pub(crate) async fn a_key_that_comes_back_is_exposed_if_it_ever_was(store: &dyn Store) {
    let (old, new) = rotated(store).await;
    store
        .disclose(old, &Within::default(), at(3500), event("key.disclosed", ""))
        .await
        .unwrap();
    // The machine is set back to an old image.
    let back = inventory("PC", &[], vec![volume_report(1, &[0xA])]);
    reported(store, old.device, back, 4000).await;
    let record = store.key(old).await.unwrap().unwrap();
    assert_eq!((record.state, record.superseded_at), (KeyState::Disclosed, None));
    assert_eq!(store.key(new).await.unwrap().unwrap().state, KeyState::Superseded);
}

pub(crate) async fn a_superseded_key_can_be_told_and_stays_superseded(store: &dyn Store) {
    let (old, _) = rotated(store).await;
    let told = store
        .disclose(old, &Within::default(), at(3500), event("key.disclosed", ""))
        .await
        .unwrap();
    assert_eq!(told.state, KeyState::Superseded);
    let record = store.key(old).await.unwrap().unwrap();
    assert_eq!(
        (record.state, record.disclosed_at),
        (KeyState::Superseded, Some(at(3500)))
    );
}

pub(crate) async fn keys_are_found_by_first_digits_and_whole_id_on_retired_devices_too(store: &dyn Store) {
    let (first, second) = (enrolled(store, 1).await, enrolled(store, 2).await);
    reported(
        store,
        first,
        inventory("PC-A", &["anna"], vec![volume_report(1, &[0xABCD_EF01])]),
        1,
    )
    .await;
    escrowed(store, name(first, 1, 0xABCD_EF01), 2000).await;
    escrowed(store, name(second, 2, 0xABCD_EF02), 2000).await;
    store.set_retired(first, Some(at(5)), Vec::new()).await.unwrap();

    let typed = KeySearch::parse(" abcdef01 ").unwrap();
    let found = store.find_keys(typed, &Within::default()).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].key.name, name(first, 1, 0xABCD_EF01));
    assert_eq!((found[0].hostname.as_str(), found[0].retired), ("PC-A", true));
    assert_eq!(
        (found[0].letter.as_deref(), found[0].label.as_deref()),
        (Some("C:"), Some("System"))
    );
    assert_eq!(found[0].users, ["anna"]);
    let whole = format!("{{{}}}", protector(0xABCD_EF02).to_string().to_lowercase());
    let found = store
        .find_keys(KeySearch::parse(&whole).unwrap(), &Within::default())
        .await
        .unwrap();
    assert_eq!(found[0].key.name.device, second);
    assert_eq!(found[0].letter, None);
    assert!(
        store
            .find_keys(KeySearch::FirstEight(0xABCD_EF00), &Within::default())
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .find_keys(KeySearch::FirstEight(u32::MAX), &Within::default())
            .await
            .unwrap()
            .is_empty()
    );
    for wrong in ["abcdef0", "abcdef012", "abcdefgh", "+bcdef01", ""] {
        assert_eq!(KeySearch::parse(wrong), None, "{wrong}");
    }
}

pub(crate) async fn untried_keys_are_offered_with_their_evidence_until_they_have_an_outcome(store: &dyn Store) {
    let device = enrolled(store, 1).await;
    let (first, second) = (name(device, 1, 0xA), name(device, 1, 0xB));
    escrowed(store, first, 2000).await;
    escrowed(store, second, 3000).await;
    let jobs = store.unproven(10).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.name).collect::<Vec<_>>(), [first, second]);
    assert_eq!(jobs[0].evidence, evidence());
    assert_eq!(jobs[0].sealed.bytes, first.protector.to_string().into_bytes());
    assert_eq!(store.unproven(1).await.unwrap().len(), 1);

    let before = store.audit_head().await.unwrap().sequence;
    let outcome = proof(first, 1, ProofState::Failed);
    assert_eq!(
        store.record_proof(outcome.clone(), event("key.proof_failed", "")).await,
        Ok(true)
    );
    assert_eq!(
        store.record_proof(outcome, event("key.proof_failed", "")).await,
        Ok(false)
    );
    assert_eq!(store.audit_head().await.unwrap().sequence, before + 1);
    assert_eq!(store.unproven(10).await.unwrap()[0].name, second);
    let record = store.key(first).await.unwrap().unwrap();
    assert_eq!(
        (record.proof, record.proof_reason.as_deref(), record.proof_at),
        (ProofState::Failed, Some("tried"), Some(at(7000)))
    );
    assert!(!store.ledger(device).await.unwrap().holds(first.volume, first.protector));
    let untried = store
        .record_proof(proof(second, 1, ProofState::NotProven), Vec::new())
        .await;
    assert!(matches!(untried, Err(StoreError::Invalid { field: "proof", .. })));
    let missing = store
        .record_proof(proof(second, 2, ProofState::Proven), Vec::new())
        .await;
    assert_eq!(missing, Err(StoreError::NotFound(What::Key)));
    assert_eq!(store.evidence(second, 1).await, Ok(Some(evidence())));
    assert_eq!(store.evidence(second, 2).await, Ok(None));
}

pub(crate) async fn an_outcome_of_an_older_version_leaves_the_newest_as_it_is(store: &dyn Store) {
    let key = name(enrolled(store, 1).await, 1, 0xA);
    escrowed(store, key, 2000).await;
    store.escrow(escrow(key, b"another", 3000), Vec::new()).await.unwrap();
    assert_eq!(
        store.record_proof(proof(key, 1, ProofState::Failed), Vec::new()).await,
        Ok(true)
    );
    let record = store.key(key).await.unwrap().unwrap();
    assert_eq!(record.proof, ProofState::NotProven);
    assert_eq!(record.versions[1].proof, ProofState::Failed);
    assert_eq!(store.unproven(10).await.unwrap()[0].version, 2);
}

pub(crate) async fn an_escrow_shows_in_the_stored_compliance(store: &dyn Store) {
    let key = name(enrolled(store, 1).await, 1, 0xA);
    reported(
        store,
        key.device,
        inventory("PC", &[], vec![volume_report(1, &[0xA])]),
        1500,
    )
    .await;
    let shown = async || {
        let device = store.device(key.device).await.unwrap().unwrap();
        device.compliance.unwrap().volumes[0].escrowed
    };
    assert!(!shown().await);
    escrowed(store, key, 2000).await;
    assert!(shown().await);
    store
        .record_proof(proof(key, 1, ProofState::Failed), Vec::new())
        .await
        .unwrap();
    assert!(
        !shown().await,
        "a password that does not open the volume does not count"
    );
}
