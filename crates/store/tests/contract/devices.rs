//! Devices and requests.

use domain::compliance::Verdict;
use domain::ledger::KeyState;
use domain::plan::{Blocked, RotateRequest};
use store::model::{DeviceQuery, DeviceSort, Direction, NewRequest, Paging, Report, RequestKind, TokenId, Within};
use store::{Refusal, Store, StoreError, What};

use super::make::*;

pub(crate) async fn an_enrolled_device_is_found_and_its_token_loses_a_use(store: &dyn Store) {
    let mut token = new_token(b"an enrolment token");
    token.uses = Some(2);
    store.add_token(token, Vec::new()).await.unwrap();
    let enrolled = store
        .enrol(new_device(1, "PC-001", "serial"), token_hash(), Vec::new())
        .await
        .unwrap();
    assert_eq!(store.device(device(1)).await.unwrap(), Some(enrolled.clone()));
    assert_eq!(enrolled.hostname, "PC-001");
    assert_eq!(enrolled.enrolled_at, at(1000));
    assert_eq!(enrolled.verdict, Verdict::Unknown);
    assert!(!enrolled.duplicate_hardware);
    let token = &store.tokens().await.unwrap()[0];
    assert_eq!((token.uses_left, token.used), (Some(1), 1));

    let again = store
        .enrol(new_device(1, "other", "other"), token_hash(), Vec::new())
        .await;
    assert_eq!(again, Err(StoreError::Exists(What::Device)));
    let token = &store.tokens().await.unwrap()[0];
    assert_eq!(
        (token.uses_left, token.used),
        (Some(1), 1),
        "a refused enrolment costs no use"
    );
    assert_eq!(store.device(device(1)).await.unwrap(), Some(enrolled));
}

pub(crate) async fn a_token_that_is_unknown_revoked_expired_or_used_up_enrols_nobody(store: &dyn Store) {
    let mut token = new_token(b"an enrolment token");
    token.expires_at = Some(at(2000));
    token.uses = Some(1);
    let id = store.add_token(token, Vec::new()).await.unwrap();
    let enrol = async |number, time, secret: &[u8]| {
        let mut new = new_device(number, "PC", "serial");
        new.enrolled_at = at(time);
        let answer = store
            .enrol(new, store::model::SecretHash::of(secret), event("device.enrolled", ""))
            .await;
        answer.map(|device| device.id)
    };
    let secret = b"an enrolment token";
    let refused = |refusal| Err(StoreError::Refused(refusal));
    assert_eq!(enrol(1, 1000, b"guessed").await, refused(Refusal::TokenUnknown));
    assert_eq!(enrol(1, 2000, secret).await, refused(Refusal::TokenExpired));
    assert_eq!(enrol(1, 1999, secret).await, Ok(device(1)));
    assert_eq!(enrol(2, 1999, secret).await, refused(Refusal::TokenUsedUp));
    store.revoke_token(id, at(1500), Vec::new()).await.unwrap();
    assert_eq!(enrol(2, 1999, secret).await, refused(Refusal::TokenRevoked));
    assert_eq!(store.devices(DeviceQuery::default()).await.unwrap().total, 1);
    assert_eq!(store.audit_head().await.unwrap().sequence, 1);
    assert_eq!(
        store.revoke_token(TokenId(99), at(0), Vec::new()).await,
        Err(StoreError::NotFound(What::Token))
    );
}

pub(crate) async fn devices_with_one_hardware_id_are_all_marked_until_one_is_left(store: &dyn Store) {
    let first = enrolled_as(store, 1, "PC-1", "clash").await;
    let second = enrolled_as(store, 2, "PC-2", "clash").await;
    let nameless = [
        enrolled_as(store, 3, "PC-3", "").await,
        enrolled_as(store, 4, "PC-4", "").await,
    ];
    let marked = async |id| store.device(id).await.unwrap().unwrap().duplicate_hardware;
    assert!(marked(first).await && marked(second).await);
    assert!(
        !marked(nameless[0]).await && !marked(nameless[1]).await,
        "no id is no clash"
    );
    assert_eq!(store.device(first).await.unwrap().unwrap().hostname, "PC-1");

    store.set_retired(second, Some(at(5)), Vec::new()).await.unwrap();
    assert!(!marked(first).await);
    store.set_retired(second, None, Vec::new()).await.unwrap();
    assert!(marked(first).await && marked(second).await);

    // A new main board: the second device reports another hardware id.
    reported(store, second, inventory("PC-2", &[], Vec::new()), 10).await;
    assert!(!marked(first).await && !marked(second).await);
}

pub(crate) async fn an_inventory_is_stored_with_users_volumes_and_verdict(store: &dyn Store) {
    let id = enrolled(store, 1).await;
    let sent = inventory("PC-NEW", &["Anna", "ANNA", "bob"], vec![volume_report(1, &[0xA])]);
    let outcome = store
        .record_inventory(
            id,
            1,
            sent.clone(),
            "digest".into(),
            at(5000),
            event("device.reported", ""),
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!(outcome.verdict_before, Verdict::Unknown);
    assert_eq!(outcome.compliance.verdict, Verdict::NotEnforced, "there is no policy");

    let device = store.device(id).await.unwrap().unwrap();
    assert_eq!(device.inventory, Some(sent));
    assert_eq!(device.inventory_digest.as_deref(), Some("digest"));
    assert_eq!(device.inventory_at, Some(at(5000)));
    assert_eq!(device.last_seen, Some(at(5000)));
    assert_eq!(device.hostname, "PC-NEW");
    assert_eq!(device.verdict, Verdict::NotEnforced);
    assert_eq!(device.compliance, Some(outcome.compliance));

    let row = store.devices(DeviceQuery::default()).await.unwrap().items.remove(0);
    assert_eq!((row.model.as_str(), row.volumes), ("Slate 7", 1));
    assert_eq!(row.users.len(), 2, "two spellings are one person");

    // The volume is taken out, and stays on record.
    reported(
        store,
        id,
        inventory("PC-NEW", &["bob"], vec![volume_report(2, &[])]),
        6000,
    )
    .await;
    let volumes = store.volumes(id).await.unwrap();
    let seen: Vec<_> = volumes
        .iter()
        .map(|v| (v.volume, v.present, v.first_seen, v.last_seen))
        .collect();
    assert_eq!(
        seen,
        [
            (volume(2), true, at(6000), at(6000)),
            (volume(1), false, at(5000), at(5000))
        ]
    );
    assert_eq!(volumes[1].report, Some(volume_report(1, &[0xA])));
    assert!(store.devices_of_user("anna").await.unwrap().is_empty());
}

pub(crate) async fn a_retired_device_may_not_write_and_leaves_the_lists(store: &dyn Store) {
    let id = enrolled(store, 1).await;
    store
        .set_retired(id, Some(at(2000)), event("device.retired", ""))
        .await
        .unwrap();
    let refused = StoreError::Refused(Refusal::DeviceRetired);
    let escrow = store.escrow(escrow(name(id, 1, 1), b"sealed", 1), Vec::new()).await;
    assert_eq!(escrow, Err(refused.clone()));
    let report = store.record_report(id, 0, Report::default(), at(1), Vec::new()).await;
    assert_eq!(report, Err(refused.clone()));
    let wish = NewRequest {
        id: request(1),
        device: id,
        kind: RequestKind::Report,
        at: at(1),
        by: "user:anna".into(),
    };
    assert_eq!(store.add_request(wish, Vec::new()).await, Err(refused.clone()));
    let inventory = store
        .record_inventory(id, 0, inventory("PC", &[], Vec::new()), "d".into(), at(1), Vec::new())
        .await;
    assert_eq!(inventory.err(), Some(refused));

    assert_eq!(store.devices(DeviceQuery::default()).await.unwrap().total, 0);
    let all = DeviceQuery {
        include_retired: true,
        ..DeviceQuery::default()
    };
    assert_eq!(store.devices(all).await.unwrap().items[0].retired_at, Some(at(2000)));
    assert!(store.check_in_view(id).await.unwrap().unwrap().retired);
    store.set_retired(id, None, Vec::new()).await.unwrap();
    assert_eq!(store.devices(DeviceQuery::default()).await.unwrap().total, 1);
}

pub(crate) async fn a_missing_device_is_not_found_by_any_change(store: &dyn Store) {
    let missing = StoreError::NotFound(What::Device);
    let escrow = store
        .escrow(escrow(name(device(9), 1, 1), b"sealed", 1), Vec::new())
        .await;
    assert_eq!(escrow, Err(missing.clone()));
    let report = store
        .record_report(device(9), 0, Report::default(), at(1), Vec::new())
        .await;
    assert_eq!(report, Err(missing.clone()));
    let retired = store.set_retired(device(9), Some(at(1)), Vec::new()).await;
    assert_eq!(retired, Err(missing));
    assert_eq!(store.device(device(9)).await, Ok(None));
    assert_eq!(store.check_in_view(device(9)).await, Ok(None));
    store.seen(device(9), at(1));
    assert_eq!(store.flush().await, Ok(()));
}

pub(crate) async fn last_contacts_are_gathered_and_never_go_back(store: &dyn Store) {
    let id = enrolled(store, 1).await;
    let last_seen = async || store.device(id).await.unwrap().unwrap().last_seen;
    store.seen(id, at(9000));
    store.seen(id, at(8000));
    assert_eq!(last_seen().await, Some(at(1000)), "nothing is written yet");
    store.flush().await.unwrap();
    assert_eq!(last_seen().await, Some(at(9000)));
    store.seen(id, at(7000));
    store.flush().await.unwrap();
    assert_eq!(last_seen().await, Some(at(9000)));
    store.seen(id, at(9500));
    enrolled(store, 2).await;
    assert_eq!(last_seen().await, Some(at(9500)), "any transaction takes them along");
}

pub(crate) async fn a_check_in_that_was_overtaken_is_not_stored(store: &dyn Store) {
    let id = enrolled(store, 1).await;
    let digest = async || store.device(id).await.unwrap().unwrap().inventory_digest;
    let sends = async |sequence: u64, hostname: &str| {
        let sent = inventory(hostname, &[], vec![volume_report(1, &[0xA])]);
        let stored = store
            .record_inventory(id, sequence, sent, hostname.into(), at(5000), Vec::new())
            .await;
        stored.unwrap().is_some()
    };
    let says = async |sequence: u64, error: &str| {
        let report = Report {
            last_error: Some(error.into()),
            ..Report::default()
        };
        store
            .record_report(id, sequence, report, at(5000), Vec::new())
            .await
            .unwrap()
            .is_some()
    };
    assert!(sends(5, "five").await);
    assert!(!sends(4, "four").await);
    assert!(!says(4, "four").await);
    assert!(
        says(5, "five").await,
        "the same message stores its report after its inventory"
    );
    assert_eq!(digest().await.as_deref(), Some("five"));
    assert_eq!(
        store.check_in_view(id).await.unwrap().unwrap().last_error.as_deref(),
        Some("five")
    );

    // A check-in with nothing new costs no write, and is remembered all the same.
    store.checked_in(id, 9, at(6000));
    assert_eq!(store.check_in_view(id).await.unwrap().unwrap().sequence, 9);
    assert!(!sends(8, "eight").await);
    store.flush().await.unwrap();
    assert_eq!(store.check_in_view(id).await.unwrap().unwrap().sequence, 9);
    assert!(!sends(8, "eight").await && !says(8, "eight").await);
    store.checked_in(id, 3, at(6000));
    store.flush().await.unwrap();
    assert_eq!(
        store.check_in_view(id).await.unwrap().unwrap().sequence,
        9,
        "it never goes back"
    );

    // What is not counted is taken as it comes.
    assert!(sends(0, "uncounted").await);
    assert!(sends(9, "nine").await);
    assert_eq!(digest().await.as_deref(), Some("nine"));
    // The end of the numbers locks nobody out.
    let last = u64::try_from(i64::MAX).unwrap();
    assert!(sends(last, "last").await && sends(last, "last again").await);
}

pub(crate) async fn a_check_in_sees_ledger_and_requests(store: &dyn Store) {
    let id = enrolled(store, 1).await;
    escrowed(store, name(id, 1, 0xA), 2000).await;
    let wish = NewRequest {
        id: request(1),
        device: id,
        kind: RequestKind::Rotate(RotateRequest {
            volume: Some(volume(1)),
            protectors: vec![protector(0xA)],
        }),
        at: at(3000),
        by: "user:anna".into(),
    };
    store.add_request(wish.clone(), Vec::new()).await.unwrap();
    let report = Report {
        blocked: vec![Blocked {
            device: "C:".into(),
            reason: "the TPM is not ready".into(),
        }],
        last_error: Some("0x80310048".into()),
        done: Vec::new(),
    };
    store
        .record_report(id, 0, report.clone(), at(4000), Vec::new())
        .await
        .unwrap();
    reported(store, id, inventory("PC", &[], vec![volume_report(1, &[0xA])]), 5000).await;

    let view = store.check_in_view(id).await.unwrap().unwrap();
    assert_eq!(view.inventory_digest.as_deref(), Some("digest-5000"));
    assert_eq!((view.blocked, view.last_error), (report.blocked, report.last_error));
    assert!(!view.retired);
    assert_eq!(view.ledger, store.ledger(id).await.unwrap());
    assert_eq!(
        view.ledger.entry(volume(1), protector(0xA)).unwrap().state,
        KeyState::Live
    );
    assert_eq!(view.requests[0].kind, wish.kind);
    assert!(store.devices(DeviceQuery::default()).await.unwrap().items[0].has_problems);
}

pub(crate) async fn a_request_is_done_once_and_only_by_its_device(store: &dyn Store) {
    let (id, other) = (enrolled(store, 1).await, enrolled(store, 2).await);
    for number in [1, 2] {
        let wish = NewRequest {
            id: request(number),
            device: id,
            kind: RequestKind::Report,
            at: at(3000),
            by: "user:anna".into(),
        };
        store.add_request(wish.clone(), Vec::new()).await.unwrap();
        assert_eq!(
            store.add_request(wish, Vec::new()).await,
            Err(StoreError::Exists(What::Request))
        );
    }
    let done = |requests: &[u128]| Report {
        done: requests.iter().copied().map(request).collect(),
        ..Report::default()
    };
    let by_other = store.record_report(other, 0, done(&[1]), at(4000), Vec::new()).await;
    assert_eq!(by_other, Ok(Some(Vec::new())));
    let first = store.record_report(id, 0, done(&[1, 77]), at(5000), Vec::new()).await;
    assert_eq!(first, Ok(Some(vec![request(1)])));
    let again = store.record_report(id, 0, done(&[1]), at(6000), Vec::new()).await;
    assert_eq!(again, Ok(Some(Vec::new())));
    let pending: Vec<_> = store.pending_requests(id).await.unwrap().iter().map(|r| r.id).collect();
    assert_eq!(pending, [request(2)]);
    let all = store.requests(id).await.unwrap();
    assert_eq!(all.iter().map(|r| r.id).collect::<Vec<_>>(), [request(2), request(1)]);
    assert_eq!(all[1].done_at, Some(at(5000)));
}

pub(crate) async fn search_finds_name_user_model_and_key_id(store: &dyn Store) {
    let (first, second) = (enrolled(store, 1).await, enrolled(store, 2).await);
    reported(
        store,
        first,
        inventory("Müller-PC", &["CONTOSO\\jörg"], Vec::new()),
        2000,
    )
    .await;
    escrowed(store, name(second, 1, 0xBEEF_0123), 2000).await;
    let found = async |term: &str| -> Vec<_> {
        let query = DeviceQuery {
            search: Some(term.into()),
            ..DeviceQuery::default()
        };
        let page = store.devices(query).await.unwrap();
        assert_eq!(page.total, page.items.len() as u64);
        page.items.iter().map(|row| row.id).collect()
    };
    assert_eq!(found("MÜLLER").await, [first]);
    assert_eq!(found("Jörg").await, [first]);
    assert_eq!(found("slate").await, [first]);
    assert_eq!(found("serial-2").await, [second]);
    assert_eq!(found("beef").await, [second]);
    assert_eq!(found("{BEEF0123-").await, [second]);
    assert_eq!(found(&protector(0xBEEF_0123).to_string()).await, [second]);
    assert!(found("beef0124").await.is_empty());
    assert!(found("%").await.is_empty(), "no wildcards");
    assert_eq!(found(" ").await.len(), 2);
}

pub(crate) async fn filters_sorting_and_pages_agree_with_the_total(store: &dyn Store) {
    for number in 1..=5 {
        enrolled_as(
            store,
            number,
            &format!("{}c", char::from(b'f' - number as u8)),
            &number.to_string(),
        )
        .await;
    }
    escrowed(store, name(device(1), 1, 0xA), 2000).await;
    escrowed(store, name(device(2), 1, 0xB), 2000).await;
    store
        .record_proof(
            proof(name(device(2), 1, 0xB), 1, domain::ledger::ProofState::Proven),
            Vec::new(),
        )
        .await
        .unwrap();
    store
        .disclose(
            name(device(2), 1, 0xB),
            &Within::default(),
            at(3000),
            event("key.disclosed", ""),
        )
        .await
        .unwrap();
    store.seen(device(3), at(9000));
    store.flush().await.unwrap();
    reported(
        store,
        device(4),
        inventory("bc", &[], vec![volume_report(4, &[])]),
        2500,
    )
    .await;

    let ids = async |query: DeviceQuery| -> (Vec<_>, u64) {
        let page = store.devices(query).await.unwrap();
        (page.items.iter().map(|row| row.id).collect(), page.total)
    };
    let all = DeviceQuery::default;
    let by_name = [device(5), device(4), device(3), device(2), device(1)];
    assert_eq!(ids(all()).await, (by_name.to_vec(), 5));
    let mut pages = Vec::new();
    for number in 1..=3 {
        let (page, total) = ids(DeviceQuery {
            paging: Paging::page(number, 2),
            ..all()
        })
        .await;
        assert_eq!(total, 5);
        pages.extend(page);
    }
    assert_eq!(pages, by_name);

    let latest = DeviceQuery {
        sort: DeviceSort::LastSeen,
        direction: Direction::Descending,
        ..all()
    };
    assert_eq!(ids(latest).await.0[..2], [device(3), device(4)]);
    let worst = DeviceQuery {
        sort: DeviceSort::Verdict,
        direction: Direction::Descending,
        ..all()
    };
    assert_eq!(ids(worst).await.0[0], device(4), "not enforced comes after unknown");
    let exposed = DeviceQuery { exposed: true, ..all() };
    assert_eq!(ids(exposed).await, (vec![device(2)], 1));
    let unproven = DeviceQuery {
        unproven: true,
        ..all()
    };
    assert_eq!(ids(unproven).await, (vec![device(1)], 1));
    let verdict = DeviceQuery {
        verdict: Some(Verdict::NotEnforced),
        ..all()
    };
    assert_eq!(ids(verdict).await, (vec![device(4)], 1));
    let silent = DeviceQuery {
        not_seen_since: Some(at(2500)),
        ..all()
    };
    assert_eq!(ids(silent).await, (vec![device(5), device(2), device(1)], 3));
    let clashing = DeviceQuery {
        duplicate_hardware: true,
        ..all()
    };
    assert_eq!(ids(clashing).await.1, 0);
    let tally = store.devices(all()).await.unwrap().items[3].keys;
    assert_eq!((tally.disclosed, tally.proven, tally.live), (1, 1, 0));
}

pub(crate) async fn users_find_their_devices_whatever_the_case(store: &dyn Store) {
    let (first, second) = (enrolled(store, 1).await, enrolled(store, 2).await);
    reported(store, first, inventory("A", &["CONTOSO\\Änna"], Vec::new()), 1).await;
    reported(store, second, inventory("B", &["contoso\\änna", "bob"], Vec::new()), 1).await;
    let of = async |user| -> Vec<_> {
        let rows = store.devices_of_user(user).await.unwrap();
        rows.iter().map(|row| row.id).collect()
    };
    assert_eq!(of("Contoso\\ÄNNA").await, [first, second]);
    assert_eq!(of("bob").await, [second]);
    assert!(of("bo").await.is_empty(), "a part of a name is another name");
    reported(
        store,
        second,
        inventory("B", &["contoso\\änna", "kim", "\\"], Vec::new()),
        2,
    )
    .await;
    assert_eq!(of(" Kim ").await, [second]);
    assert!(of("\u{212A}im").await.is_empty(), "the Kelvin sign is no k");
    assert!(of("\\").await.is_empty(), "a malformed name is nobody's");
    store.set_retired(first, Some(at(5)), Vec::new()).await.unwrap();
    assert_eq!(of("contoso\\änna").await, [second]);
}
