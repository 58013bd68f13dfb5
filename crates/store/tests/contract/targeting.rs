//! Documents, collections, deployments, marks, exemptions.

use std::collections::{BTreeMap, BTreeSet};

use domain::compliance::Verdict;
use domain::exemption::Decision;
use domain::policy::Assignments;
use domain::policy::targeting::{Collection, CollectionId, Deployment, DeploymentId, PolicyId, Profile, Rule};
use store::model::{
    BUILT_IN, Content, Document, ExemptionQuery, ItemKind, Marks, NewExemption, NewItem, NewPolicy, Passed, Within,
};
use store::{Store, StoreError, What};

use super::make::*;

pub(crate) fn assignments(pairs: &[(&str, &str)]) -> Assignments {
    let pairs: BTreeMap<String, String> = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    Assignments::try_from(pairs).unwrap()
}

fn document(id: &str, pairs: &[(&str, &str)]) -> Content {
    Content::Document(Document {
        id: PolicyId::new(id).unwrap(),
        name: format!("Policy {id}"),
        description: String::new(),
        assignments: assignments(pairs),
    })
}

fn collection(id: &str, rules: Vec<Rule>) -> Content {
    let id = CollectionId::new(id).unwrap();
    Content::Collection(Collection {
        rules,
        ..Collection::empty(id, "Some")
    })
}

fn deployment(id: &str, policy: &str, collection: &str, priority: u32) -> Deployment {
    Deployment {
        id: DeploymentId::new(id).unwrap(),
        policy: PolicyId::new(policy).unwrap(),
        collection: CollectionId::new(collection).unwrap(),
        priority,
        not_before: None,
        windows: Vec::new(),
        outside_window_allowed: false,
    }
}

fn item(content: Content, base: u32) -> NewItem {
    NewItem {
        content,
        text: "# a comment\n".into(),
        base,
        retired: false,
        at: at(100),
        by: "user:anna".into(),
        note: "roll-out".into(),
    }
}

async fn put(store: &dyn Store, content: Content) {
    let events = event("targeting.changed", content.id());
    store.put_item(item(content, 0), events).await.unwrap();
}

pub(crate) async fn a_version_is_kept_with_its_text_and_never_written_over(store: &dyn Store) {
    let first = document("pin", &[("os.encryption", "require")]);
    assert_eq!(
        store
            .put_item(item(first.clone(), 0), event("policy.changed", ""))
            .await,
        Ok(1)
    );
    let again = store
        .put_item(item(first.clone(), 0), event("policy.changed", ""))
        .await;
    assert_eq!(again, Err(StoreError::Exists(What::Document)));
    let second = document("pin", &[("os.encryption", "forbid")]);
    assert_eq!(store.put_item(item(second.clone(), 1), Vec::new()).await, Ok(2));
    let late = store
        .put_item(item(first.clone(), 1), event("policy.changed", ""))
        .await;
    assert_eq!(late, Err(StoreError::Outdated(What::Document)));
    assert_eq!(
        store.audit_head().await.unwrap().sequence,
        1,
        "what was refused left no entry"
    );

    let history = store.item_history(ItemKind::Document, "pin").await.unwrap();
    let seen: Vec<_> = history.iter().map(|v| (v.version, v.content.clone())).collect();
    assert_eq!(seen, [(2, second.clone()), (1, first)]);
    assert_eq!(
        (history[0].text.as_str(), history[0].by.as_str()),
        ("# a comment\n", "user:anna")
    );
    let newest = store.items(ItemKind::Document).await.unwrap();
    assert_eq!(newest.iter().map(|v| &v.content).collect::<Vec<_>>(), [&second]);
    assert_eq!(store.items(ItemKind::Collection).await, Ok(Vec::new()));
}

pub(crate) async fn what_does_not_fit_together_is_rejected_and_leaves_nothing(store: &dyn Store) {
    let orphan = Content::Deployment(deployment("d", "pin", "laptops", 1));
    let Err(StoreError::Rejected(why)) = store.put_item(item(orphan.clone(), 0), event("x", "")).await else {
        panic!("a deployment of nothing to nobody")
    };
    assert!(
        why.contains("no such policy") && why.contains("no such collection"),
        "{why}"
    );
    assert_eq!(store.items(ItemKind::Deployment).await, Ok(Vec::new()));
    put(store, document("pin", &[])).await;
    put(store, collection("laptops", Vec::new())).await;
    put(store, orphan).await;

    let mut retire = item(document("pin", &[]), 1);
    retire.retired = true;
    let refused = store.put_item(retire.clone(), Vec::new()).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))), "it is deployed");
    let mut end = item(Content::Deployment(deployment("d", "pin", "laptops", 1)), 1);
    end.retired = true;
    store.put_item(end, Vec::new()).await.unwrap();
    assert_eq!(store.put_item(retire, Vec::new()).await, Ok(2));
    assert!(
        store.items(ItemKind::Document).await.unwrap()[0].retired,
        "retired, and still there"
    );

    let mut circle = Collection::empty(CollectionId::new("a").unwrap(), "A");
    circle.include = vec![circle.id.clone()];
    let refused = store.put_item(item(Content::Collection(circle), 0), Vec::new()).await;
    assert!(matches!(refused, Err(StoreError::Rejected(_))));
}

pub(crate) async fn the_built_in_ones_stay(store: &dyn Store) {
    let all = Content::Collection(Collection::all_devices());
    let built_in = Content::Deployment(deployment(BUILT_IN, BUILT_IN, "all-devices", 1));
    put(store, document(BUILT_IN, &[])).await;
    let mut retired = item(document(BUILT_IN, &[]), 1);
    retired.retired = true;
    for refused in [item(all, 0), item(built_in, 0), retired] {
        let answer = store.put_item(refused, Vec::new()).await;
        assert!(matches!(answer, Err(StoreError::Rejected(_))), "{answer:?}");
    }
}

pub(crate) async fn a_device_is_evaluated_under_the_policy_of_its_collections(store: &dyn Store) {
    let [laptop, desk] = [enrolled(store, 1).await, enrolled(store, 2).await];
    reported(
        store,
        laptop,
        inventory("LAP-1", &[], vec![volume_report(1, &[0xA])]),
        10,
    )
    .await;
    reported(
        store,
        desk,
        inventory("DESK-1", &[], vec![volume_report(2, &[0xB])]),
        10,
    )
    .await;
    let view = async |id| store.check_in_view(id).await.unwrap().unwrap();
    let plain = view(desk).await.policy_digest.unwrap();
    assert!(!view(desk).await.stale);

    put(store, document(BUILT_IN, &[("os.min_pin_length", "9")])).await;
    put(
        store,
        document("strict", &[("os.encryption", "require"), ("os.min_pin_length", "8")]),
    )
    .await;
    put(store, collection("laptops", vec![Rule::Name("LAP-*".into())])).await;
    put(store, Content::Deployment(deployment("d", "strict", "laptops", 10))).await;
    assert!(view(laptop).await.stale && view(desk).await.stale);
    assert_eq!(store.reevaluate(None, 10, at(200)).await, Ok(Some(desk)));
    assert_eq!(store.reevaluate(None, 10, at(200)).await, Ok(None), "nobody is stale");

    let policy_of = async |id| {
        let digest = view(id).await.policy_digest.unwrap();
        store.effective_policy(&digest).await.unwrap().unwrap()
    };
    assert_eq!(policy_of(laptop).await.os.min_pin_length, 8);
    assert_eq!(policy_of(desk).await.os.min_pin_length, 9);
    assert_ne!(view(desk).await.policy_digest.unwrap(), plain);
    let digest = domain::digest::digest(&policy_of(desk).await).unwrap();
    assert_eq!(view(desk).await.policy_digest, Some(digest));
    let verdict = async |id| store.device(id).await.unwrap().unwrap().verdict;
    assert_eq!(verdict(desk).await, Verdict::NotEnforced);
    assert_ne!(verdict(laptop).await, Verdict::NotEnforced);
    assert_eq!(store.policy().await.unwrap().unwrap().policy.os.min_pin_length, 9);
}

pub(crate) async fn a_refresh_settles_a_stale_device_even_before_it_reported(store: &dyn Store) {
    let id = enrolled(store, 1).await;
    let view = async || store.check_in_view(id).await.unwrap().unwrap();
    assert!(view().await.stale);
    store.refresh(id, at(5)).await.unwrap();
    assert!(!view().await.stale);
    let digest = view().await.policy_digest.unwrap();
    assert_eq!(store.effective_policy(&digest).await.unwrap(), Some(Default::default()));
    assert_eq!(
        store.refresh(device(9), at(5)).await,
        Err(StoreError::NotFound(What::Device))
    );
}

pub(crate) async fn a_failed_change_does_not_reach_devices(store: &dyn Store) {
    let id = enrolled(store, 1).await;
    reported(store, id, inventory("PC", &[], Vec::new()), 10).await;
    put(store, document(BUILT_IN, &[("os.min_pin_length", "9")])).await;
    store.reevaluate(None, 10, at(200)).await.unwrap();
    let before = store.check_in_view(id).await.unwrap().unwrap();
    let orphan = Content::Deployment(deployment("d", "nothing", "all-devices", 1));
    assert!(store.put_item(item(orphan, 0), Vec::new()).await.is_err());
    let mut other = Marks::default();
    other.tags.insert("lab".into());
    store
        .set_marks(id, other, at(300), "user:anna".into(), Vec::new())
        .await
        .unwrap();
    let after = store.check_in_view(id).await.unwrap().unwrap();
    assert_eq!((after.policy_digest, after.stale), (before.policy_digest, false));
}

pub(crate) async fn tags_and_own_settings_take_effect_with_the_change(store: &dyn Store) {
    let id = enrolled(store, 1).await;
    reported(store, id, inventory("PC", &[], vec![volume_report(1, &[0xA])]), 10).await;
    put(store, document("lab", &[("os.min_pin_length", "8")])).await;
    put(store, collection("lab", vec![Rule::Tag("lab".into())])).await;
    put(store, Content::Deployment(deployment("d", "lab", "lab", 1))).await;
    let length = async || {
        let digest = store.check_in_view(id).await.unwrap().unwrap().policy_digest.unwrap();
        store
            .effective_policy(&digest)
            .await
            .unwrap()
            .unwrap()
            .os
            .min_pin_length
    };
    let mut marks = Marks {
        tags: BTreeSet::from(["lab".to_owned()]),
        profile: None,
    };
    store
        .set_marks(
            id,
            marks.clone(),
            at(20),
            "user:anna".into(),
            event("device.marked", ""),
        )
        .await
        .unwrap();
    assert_eq!(length().await, 8);
    marks.profile = Some(Profile {
        assignments: assignments(&[("os.min_pin_length", "12")]),
        reason: "the safe".into(),
    });
    store
        .set_marks(
            id,
            marks.clone(),
            at(30),
            "user:anna".into(),
            event("device.marked", ""),
        )
        .await
        .unwrap();
    assert_eq!((length().await, store.marks(id).await.unwrap()), (12, marks.clone()));
    let before = store.audit_head().await.unwrap().sequence;
    store
        .set_marks(id, marks, at(40), "user:anna".into(), event("device.marked", ""))
        .await
        .unwrap();
    assert_eq!(store.audit_head().await.unwrap().sequence, before, "nothing changed");
    let stored = store.stored_devices(&Within::default(), None, 10).await.unwrap();
    assert_eq!((stored.len(), stored[0].clone().read().unwrap().tags.len()), (1, 1));
    assert_eq!(
        store.stored_devices(&Within::default(), Some(id), 10).await,
        Ok(Vec::new())
    );
}

pub(crate) async fn a_deployment_begins_by_time_alone(store: &dyn Store) {
    let id = enrolled(store, 1).await;
    reported(store, id, inventory("PC", &[], Vec::new()), 10).await;
    put(store, document("later", &[("os.min_pin_length", "8")])).await;
    let mut begins = deployment("d", "later", "all-devices", 1);
    begins.not_before = Some(at(5000));
    put(store, Content::Deployment(begins)).await;
    store.reevaluate(None, 10, at(1000)).await.unwrap();
    let digest = async || store.check_in_view(id).await.unwrap().unwrap().policy_digest.unwrap();
    let before = digest().await;
    assert_eq!(store.time_passed(at(4999)).await, Ok(Passed::default()));
    assert!(store.time_passed(at(5000)).await.unwrap().everybody);
    assert_eq!(store.time_passed(at(6000)).await, Ok(Passed::default()), "told once");
    store.reevaluate(None, 10, at(6000)).await.unwrap();
    assert_ne!(digest().await, before);
}

pub(crate) async fn an_exemption_goes_from_request_to_end_and_keeps_its_record(store: &dyn Store) {
    let id = enrolled(store, 1).await;
    reported(store, id, inventory("PC", &["CORP\\Anna"], Vec::new()), 10).await;
    let wish = |user: &str, time| NewExemption {
        user: user.into(),
        at: at(time),
        by: "user:anna".into(),
        reason: "a measuring device".into(),
    };
    let (number, devices) = store
        .request_exemption(wish("corp\\anna", 100), event("exemption.requested", ""))
        .await
        .unwrap();
    assert_eq!(devices, [id], "two spellings are one person");
    let twice = store.request_exemption(wish("CORP\\ANNA", 101), event("x", "")).await;
    assert_eq!(twice, Err(StoreError::Exists(What::Exemption)));
    let nobody = store.request_exemption(wish("\\", 101), event("x", "")).await;
    assert!(matches!(nobody, Err(StoreError::Invalid { field: "user", .. })));
    let waiting = ExemptionQuery {
        pending: true,
        ..ExemptionQuery::default()
    };
    assert_eq!(store.exemptions(waiting.clone()).await.unwrap().total, 1);

    let decide = async |decision, time| {
        let (by, note) = ("user:bob".to_owned(), "until the new one comes".to_owned());
        store
            .decide_exemption(number, decision, at(time), by, note, event("exemption.decided", ""))
            .await
    };
    let approve = |time, until| Decision::Approved {
        at: at(time),
        until: Some(at(until)),
    };
    assert_eq!(decide(approve(200, 1000), 200).await, Ok(vec![id]));
    assert_eq!(store.exemptions(waiting).await.unwrap().total, 0);
    let holding = |time| ExemptionQuery {
        holding: Some(at(time)),
        ..ExemptionQuery::default()
    };
    assert_eq!(store.exemptions(holding(999)).await.unwrap().total, 1);
    assert_eq!(store.exemptions(holding(1000)).await.unwrap().total, 0);
    assert_eq!(store.time_passed(at(999)).await, Ok(Passed::default()));
    assert_eq!(store.time_passed(at(1000)).await.unwrap().devices, [id]);
    assert!(matches!(
        decide(Decision::Denied { at: at(300) }, 300).await,
        Err(StoreError::Rejected(_))
    ));
    decide(Decision::Revoked { at: at(400) }, 400).await.unwrap();
    let record = store.exemptions_of(id).await.unwrap().remove(0);
    assert_eq!(record.exemption.decision, Decision::Revoked { at: at(400) });
    let steps: Vec<_> = record
        .decisions
        .iter()
        .map(|d| (d.decision, d.at, d.by.as_str()))
        .collect();
    assert_eq!(
        steps,
        [
            (approve(200, 1000), at(200), "user:bob"),
            (Decision::Revoked { at: at(400) }, at(400), "user:bob")
        ]
    );
    let again = store.request_exemption(wish("CORP\\anna", 500), Vec::new()).await;
    assert!(again.is_ok(), "who lost it may ask again");
    assert_eq!(store.exemptions_of_user("corp\\ANNA").await.unwrap().len(), 2);
    assert_eq!(store.exemptions_of_user("anna").await, Ok(Vec::new()), "another person");
    assert_eq!(store.exemptions(ExemptionQuery::default()).await.unwrap().total, 2);
}

pub(crate) async fn a_whole_policy_is_a_version_of_the_built_in_document(store: &dyn Store) {
    let mut policy = domain::policy::Policy::default();
    policy.os.min_pin_length = 11;
    let new = NewPolicy {
        digest: domain::digest::digest(&policy).unwrap(),
        policy: policy.clone(),
        at: at(1),
        by: "system".into(),
        note: String::new(),
    };
    assert_eq!(store.put_policy(new.clone(), Vec::new()).await, Ok(1));
    let next = item(document(BUILT_IN, &[("os.min_pin_length", "12")]), 1);
    assert_eq!(store.put_item(next, Vec::new()).await, Ok(2));
    assert_eq!(store.put_policy(new, Vec::new()).await, Ok(3));
    assert_eq!(store.item_history(ItemKind::Document, BUILT_IN).await.unwrap().len(), 3);
    assert_eq!(store.policy().await.unwrap().unwrap().policy, policy);
}
