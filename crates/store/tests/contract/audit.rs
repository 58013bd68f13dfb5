//! The audit chain.

use domain::audit::{ChainHead, Checkpoint};
use store::model::{AuditQuery, Direction, Paging, subject};
use store::{Store, StoreError};

use super::make::*;

pub(crate) async fn the_chain_verifies_and_follows_the_order_of_commits(store: &dyn Store) {
    let id = enrolled(store, 1).await;
    for number in 0..20 {
        escrowed(store, name(id, 1, number), 2000).await;
    }
    let two = [event("one", ""), event("two", "")].concat();
    let head = store.append_audit(two).await.unwrap();
    assert_eq!(head.sequence, 23);
    assert_eq!(store.audit_head().await, Ok(head));
    let mut entries = store.audit_entries(1, 10).await.unwrap();
    assert_eq!(entries.len(), 10);
    entries.extend(store.audit_entries(11, 100).await.unwrap());
    assert_eq!(domain::audit::verify(entries.clone()).unwrap(), head);
    assert_eq!(entries[22].event.action, "two");
    assert_eq!(store.append_audit(Vec::new()).await, Ok(head));
}

pub(crate) async fn a_failed_change_leaves_no_entry(store: &dyn Store) {
    enrolled(store, 1).await;
    let head = store.audit_head().await.unwrap();
    let missing = name(device(9), 1, 0xA);
    store
        .escrow(escrow(missing, b"s", 1), event("key.escrowed", ""))
        .await
        .unwrap_err();
    store.set_retired(device(9), None, event("x", "")).await.unwrap_err();
    assert_eq!(store.audit_head().await, Ok(head));
    store.append_audit(event("next", "")).await.unwrap();
    let entries = store.audit_entries(1, 100).await.unwrap();
    assert!(domain::audit::verify(entries).is_ok());
}

pub(crate) async fn entries_are_found_by_actor_action_subject_device_and_time(store: &dyn Store) {
    let (first, second) = (
        subject(device(1), Some(volume(1)), None),
        subject(device(2), None, None),
    );
    let by_device = format!("device:{}", device(1));
    for (time, actor, action, about) in [
        (10, "user:anna", "key.disclosed", first.as_str()),
        (20, "user:bob", "key.disclosed", second.as_str()),
        (30, by_device.as_str(), "key.escrowed", ""),
        (40, "user:anna", "sign_in.failed", "account:Eve"),
    ] {
        store.append_audit(event_at(time, actor, action, about)).await.unwrap();
    }
    let found = async |query: AuditQuery| -> (Vec<u64>, u64) {
        let page = store.search_audit(query).await.unwrap();
        (page.items.iter().map(|entry| entry.sequence).collect(), page.total)
    };
    let all = AuditQuery::default;
    assert_eq!(found(all()).await, (vec![1, 2, 3, 4], 4));
    let actor = AuditQuery {
        actor: Some("user:anna".into()),
        ..all()
    };
    assert_eq!(found(actor).await.0, [1, 4]);
    let prefix = AuditQuery {
        action_prefix: Some("key.".into()),
        direction: Direction::Descending,
        paging: Paging { offset: 1, limit: 1 },
        ..all()
    };
    assert_eq!(found(prefix).await, (vec![2], 3));
    let about = AuditQuery {
        subject: Some("account:eve".into()),
        ..all()
    };
    assert_eq!(found(about).await.0, [4]);
    let of_device = AuditQuery {
        device: Some(device(1)),
        ..all()
    };
    assert_eq!(found(of_device).await.0, [1, 3]);
    let time = AuditQuery {
        from: Some(at(20)),
        until: Some(at(40)),
        ..all()
    };
    assert_eq!(found(time).await.0, [2, 3]);
}

pub(crate) async fn a_checkpoint_must_fit_the_chain(store: &dyn Store) {
    let head = store.append_audit(event("one", "")).await.unwrap();
    let checkpoint = Checkpoint {
        head,
        at: at(50),
        signature: vec![1, 2, 3],
    };
    store.add_checkpoint(checkpoint.clone()).await.unwrap();
    for wrong in [ChainHead { sequence: 2, ..head }, ChainHead { hash: [7; 32], ..head }] {
        let wrong = Checkpoint {
            head: wrong,
            ..checkpoint.clone()
        };
        let answer = store.add_checkpoint(wrong).await;
        assert!(matches!(
            answer,
            Err(StoreError::Invalid {
                field: "checkpoint",
                ..
            })
        ));
    }
    assert_eq!(store.checkpoints().await, Ok(vec![checkpoint]));
}
