//! Devices outside a scope are as if they did not exist.

use domain::access::{Grant, Role, Scope};
use domain::compliance::Verdict;
use domain::policy::targeting::{Collection, CollectionId, Rule};
use store::model::{
    AccountChange, AuditQuery, Content, DeviceQuery, Direction, ExemptionQuery, ItemKind, KeySearch, NewExemption,
    NewItem, NewRequest, RequestKind, Summary, Within,
};
use store::{Refusal, Store, StoreError, What};

use super::make::{
    at, enrolled, escrowed, event, inventory, name, new_account, protector, reported, request, volume_report,
};

fn collection(id: &str, pattern: &str) -> Collection {
    Collection {
        rules: vec![Rule::Name(pattern.to_owned())],
        ..Collection::empty(CollectionId::new(id).unwrap(), id)
    }
}

async fn put(store: &dyn Store, collection: Collection, base: u32) {
    let item = NewItem {
        content: Content::Collection(collection),
        text: String::new(),
        base,
        retired: false,
        at: at(1),
        by: "user:anna".into(),
        note: String::new(),
    };
    store
        .put_item(item, event("collection.changed", "collection:x"))
        .await
        .unwrap();
}

fn within(collections: &[&str]) -> Within {
    let ids = collections.iter().map(|id| CollectionId::new(*id).unwrap());
    Within::of(&Scope::of(ids))
}

/// BER-1 (anna) and PAR-1 (bert), each with one key; both keys begin with the same digits.
async fn two_sites(store: &dyn Store) -> [domain::ids::DeviceId; 2] {
    put(store, collection("berlin", "BER-*"), 0).await;
    put(store, collection("paris", "PAR-*"), 0).await;
    let (berlin, paris) = (enrolled(store, 1).await, enrolled(store, 2).await);
    for (id, host, user, number) in [(berlin, "BER-1", "CORP\\anna", 1), (paris, "PAR-1", "CORP\\bert", 2)] {
        let volumes = vec![volume_report(number, &[0xABCD_0000 + u32::try_from(number).unwrap()])];
        reported(store, id, inventory(host, &[user], volumes), 10).await;
        escrowed(
            store,
            name(id, number, 0xABCD_0000 + u32::try_from(number).unwrap()),
            20,
        )
        .await;
    }
    [berlin, paris]
}

pub(crate) async fn lists_and_look_ups_end_at_the_scope(store: &dyn Store) {
    let [berlin, paris] = two_sites(store).await;
    let listed = async |within: Within| {
        let query = DeviceQuery {
            within,
            ..DeviceQuery::default()
        };
        let page = store.devices(query).await.unwrap();
        assert_eq!(page.total, page.items.len() as u64);
        page.items.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let both = vec![berlin, paris];
    for (scope, expected) in [
        (Within::default(), both.clone()),
        (within(&["berlin"]), vec![berlin]),
        (within(&["paris"]), vec![paris]),
        (within(&["berlin", "paris"]), both.clone()),
        (within(&["all-devices"]), both.clone()),
        (within(&["nowhere"]), vec![]),
        (within(&[]), vec![]),
        (Within::default().used_by("corp\\ANNA"), vec![berlin]),
        (Within::default().used_by("anna"), vec![]),
        (Within::default().used_by("\\"), vec![]),
        (within(&["paris"]).used_by("CORP\\anna"), vec![]),
    ] {
        assert_eq!(listed(scope.clone()).await, expected, "{scope:?}");
        for id in &both {
            let seen = store.device_within(*id, &scope).await.unwrap();
            assert_eq!(seen.is_some(), expected.contains(id), "{scope:?}");
        }
        let stored = store.stored_devices(&scope, None, 10).await.unwrap();
        assert_eq!(
            stored.iter().map(|d| d.device).collect::<Vec<_>>(),
            expected,
            "{scope:?}"
        );
        for search in [
            KeySearch::Whole(protector(0xABCD_0001)),
            KeySearch::Whole(protector(0xABCD_0002)),
            KeySearch::FirstEight(0xABCD_0001),
        ] {
            let everywhere = store.find_keys(search, &Within::default()).await.unwrap();
            let found = store.find_keys(search, &scope).await.unwrap();
            assert_eq!(everywhere.len(), 1);
            assert_eq!(
                found.len(),
                usize::from(expected.contains(&everywhere[0].key.name.device))
            );
        }
    }
}

pub(crate) async fn a_key_outside_the_scope_is_not_told_and_nothing_is_recorded(store: &dyn Store) {
    let [berlin, paris] = two_sites(store).await;
    let (own, other) = (name(berlin, 1, 0xABCD_0001), name(paris, 2, 0xABCD_0002));
    let before = store.audit_head().await.unwrap();
    for scope in [
        within(&["berlin"]),
        Within::default().used_by("CORP\\anna"),
        within(&[]),
    ] {
        let refused = store.disclose(other, &scope, at(50), event("key.disclosed", "")).await;
        assert_eq!(refused, Err(StoreError::NotFound(What::Key)), "{scope:?}");
    }
    assert_eq!(store.audit_head().await.unwrap(), before);
    let untold = store.key(other).await.unwrap().unwrap();
    assert_eq!(untold.disclosed_at, None);
    let told = store
        .disclose(
            own,
            &within(&["berlin"]).used_by("CORP\\anna"),
            at(50),
            event("key.disclosed", ""),
        )
        .await;
    assert_eq!(told.unwrap().name, own);
}

pub(crate) async fn counts_of_a_part_are_those_of_its_devices(store: &dyn Store) {
    let [berlin, paris] = two_sites(store).await;
    let wish = NewRequest {
        id: request(1),
        device: paris,
        kind: RequestKind::Report,
        at: at(30),
        by: "user:anna".into(),
    };
    store.add_request(wish, event("x", "")).await.unwrap();
    store
        .disclose(
            name(paris, 2, 0xABCD_0002),
            &Within::default(),
            at(40),
            event("key.disclosed", ""),
        )
        .await
        .unwrap();
    let summary = async |within: Within| store.summary(&within).await.unwrap();
    let whole = summary(Within::default()).await;
    assert_eq!(
        summary(within(&["berlin", "paris"])).await,
        whole,
        "counted as it is kept"
    );
    assert_eq!(summary(within(&["all-devices"])).await, whole);
    assert_eq!(summary(within(&["nowhere"])).await, Summary::default());
    let (of_berlin, of_paris) = (summary(within(&["berlin"])).await, summary(within(&["paris"])).await);
    assert_eq!(
        (
            of_berlin.keys.live,
            of_berlin.keys.disclosed,
            of_berlin.pending_requests
        ),
        (1, 0, 0)
    );
    assert_eq!(
        (of_paris.keys.live, of_paris.keys.disclosed, of_paris.pending_requests),
        (0, 1, 1)
    );
    assert_eq!((of_berlin.devices_total(), of_berlin.drives.len()), (1, 1));
    store
        .set_retired(berlin, Some(at(60)), event("device.retired", ""))
        .await
        .unwrap();
    let of_berlin = summary(within(&["berlin"])).await;
    assert_eq!(
        (of_berlin.devices_total(), of_berlin.retired, of_berlin.keys.live),
        (0, 1, 1)
    );
    assert_eq!(
        summary(within(&["berlin", "paris"])).await,
        summary(Within::default()).await
    );
    assert!(!of_berlin.devices.contains_key(&Verdict::Compliant));
}

pub(crate) async fn the_audit_of_a_part_is_that_of_its_devices(store: &dyn Store) {
    let [berlin, _] = two_sites(store).await;
    store
        .append_audit(event("sign_in.succeeded", "account:anna"))
        .await
        .unwrap();
    let found = async |within: Within| {
        let query = AuditQuery {
            within,
            direction: Direction::Descending,
            ..AuditQuery::default()
        };
        store.search_audit(query).await.unwrap()
    };
    let of_berlin = found(within(&["berlin"])).await;
    let about = format!("device:{berlin}");
    assert!(of_berlin.total > 0 && of_berlin.items.len() as u64 == of_berlin.total);
    assert!(
        of_berlin
            .items
            .iter()
            .all(|entry| entry.event.subject.starts_with(&about))
    );
    let of_devices = found(within(&["all-devices"])).await;
    assert!(
        of_devices
            .items
            .iter()
            .all(|entry| entry.event.subject.starts_with("device:"))
    );
    assert!(
        found(Within::default()).await.total > of_devices.total,
        "accounts and policy belong to no device"
    );
    assert_eq!(found(within(&[])).await.total, 0);
}

pub(crate) async fn exemptions_of_a_part_are_those_of_its_people(store: &dyn Store) {
    two_sites(store).await;
    let wish = NewExemption {
        user: "CORP\\bert".into(),
        at: at(100),
        by: "user:bert".into(),
        reason: "r".into(),
    };
    store
        .request_exemption(wish, event("exemption.requested", ""))
        .await
        .unwrap();
    let found = async |within: Within| {
        let query = ExemptionQuery {
            within,
            ..ExemptionQuery::default()
        };
        store.exemptions(query).await.unwrap().total
    };
    assert_eq!(found(within(&["paris"])).await, 1);
    assert_eq!(found(within(&["berlin"])).await, 0);
    assert_eq!(found(Within::default()).await, 1);
}

pub(crate) async fn devices_move_between_scopes_with_rules_names_and_retirement(store: &dyn Store) {
    let [berlin, paris] = two_sites(store).await;
    let sees = async |id, scope: &[&str]| store.device_within(id, &within(scope)).await.unwrap().is_some();
    reported(store, berlin, inventory("PAR-9", &[], Vec::new()), 30).await;
    assert!(
        !sees(berlin, &["berlin"]).await && sees(berlin, &["paris"]).await,
        "with the inventory, at once"
    );

    store
        .set_retired(paris, Some(at(40)), event("device.retired", ""))
        .await
        .unwrap();
    put(store, collection("paris", "LYO-*"), 1).await;
    let mut last = None;
    while let Some(id) = store.reevaluate(last, 1, at(50)).await.unwrap() {
        last = Some(id);
    }
    assert!(!sees(paris, &["paris"]).await, "retired devices move as well");
    assert!(!sees(berlin, &["paris"]).await);
    assert_eq!(
        store
            .item(ItemKind::Collection, "paris")
            .await
            .unwrap()
            .unwrap()
            .version,
        2
    );

    store
        .set_retired(paris, None, event("device.taken_back", ""))
        .await
        .unwrap();
    let view = store.check_in_view(paris).await.unwrap().unwrap();
    assert!(view.stale, "who comes back is evaluated again");
}

pub(crate) async fn an_account_keeps_its_scope_and_an_administrator_for_everything_stays(store: &dyn Store) {
    store
        .add_account(new_account("root", Role::Administrator), Vec::new())
        .await
        .unwrap();
    let narrow = Grant {
        role: Role::Administrator,
        scope: Scope::of([CollectionId::new("berlin").unwrap()]),
    };
    let mut second = new_account("second", Role::Administrator);
    second.grant = narrow.clone();
    store.add_account(second, Vec::new()).await.unwrap();
    assert_eq!(store.account("second").await.unwrap().unwrap().grant, narrow);
    let change = |grant: Grant| AccountChange {
        grant: Some(grant),
        ..AccountChange::default()
    };
    let refused = Err(StoreError::Refused(Refusal::LastAdministrator));
    assert_eq!(
        store.change_account("root", change(narrow.clone()), Vec::new()).await,
        refused
    );
    let wide = store
        .change_account("second", change(Role::Administrator.into()), Vec::new())
        .await;
    assert_eq!(wide.unwrap().grant, Grant::everywhere(Role::Administrator));
    let now = store.change_account("root", change(narrow.clone()), Vec::new()).await;
    assert_eq!(now.unwrap().grant, narrow);
}
