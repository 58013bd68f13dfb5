//! Policy and its effect.

use domain::compliance::Verdict;
use domain::policy::{Encryption, Policy};
use domain::volume::EncryptionMethod;
use store::Store;
use store::model::{NewPolicy, Within};

use super::make::*;

fn policy(method: EncryptionMethod) -> NewPolicy {
    let mut policy = Policy::default();
    policy.os.encryption = Encryption::Require;
    policy.os.method = method;
    NewPolicy {
        policy,
        digest: format!("{method:?}"),
        at: at(100),
        by: "user:anna".into(),
        note: "roll-out".into(),
    }
}

pub(crate) async fn a_policy_gets_the_next_version_unless_it_is_in_force_already(store: &dyn Store) {
    assert_eq!(store.policy().await, Ok(None));
    let first = policy(EncryptionMethod::XtsAes128);
    assert_eq!(
        store.put_policy(first.clone(), event("policy.changed", "")).await,
        Ok(1)
    );
    assert_eq!(
        store.put_policy(first.clone(), event("policy.changed", "")).await,
        Ok(1)
    );
    assert_eq!(store.audit_head().await.unwrap().sequence, 1);
    let second = policy(EncryptionMethod::XtsAes256);
    assert_eq!(store.put_policy(second.clone(), Vec::new()).await, Ok(2));
    assert_eq!(
        store.put_policy(first.clone(), Vec::new()).await,
        Ok(3),
        "going back is a change"
    );
    let in_force = store.policy().await.unwrap().unwrap();
    assert_eq!((in_force.version, in_force.policy), (3, first.policy));
    let history = store.policy_history().await.unwrap();
    assert_eq!(history.iter().map(|v| v.version).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(
        (history[1].policy.clone(), history[1].by.as_str()),
        (second.policy, "user:anna")
    );
    assert_eq!((history[1].at, history[1].note.as_str()), (at(100), "roll-out"));
}

pub(crate) async fn a_new_policy_shows_in_verdicts_after_reevaluation(store: &dyn Store) {
    let id = enrolled(store, 1).await;
    escrowed(store, name(id, 1, 0xA), 1500).await;
    reported(store, id, inventory("PC", &[], vec![volume_report(1, &[0xA])]), 2000).await;
    let verdict = async || store.device(id).await.unwrap().unwrap().verdict;
    assert_eq!(verdict().await, Verdict::NotEnforced);
    store
        .put_policy(policy(EncryptionMethod::XtsAes128), Vec::new())
        .await
        .unwrap();
    assert_eq!(store.reevaluate(None, 10, at(3000)).await, Ok(Some(id)));
    assert_eq!(verdict().await, Verdict::Compliant);
    store
        .put_policy(policy(EncryptionMethod::XtsAes256), Vec::new())
        .await
        .unwrap();
    store.reevaluate(None, 10, at(3000)).await.unwrap();
    assert_eq!(verdict().await, Verdict::NonCompliant);
    assert_eq!(
        store.summary(&Within::default()).await.unwrap().devices[&Verdict::NonCompliant],
        1
    );
}

pub(crate) async fn reevaluation_goes_through_all_devices_in_steps(store: &dyn Store) {
    for number in 1..=5 {
        let id = enrolled(store, number).await;
        if number != 3 {
            let hostname = number.to_string();
            reported(store, id, inventory(&hostname, &[], vec![volume_report(1, &[])]), 10).await;
        }
    }
    store
        .put_policy(policy(EncryptionMethod::XtsAes256), Vec::new())
        .await
        .unwrap();
    let mut last = None;
    let mut steps = Vec::new();
    while let Some(id) = store.reevaluate(last, 2, at(3000)).await.unwrap() {
        steps.push(id);
        last = Some(id);
    }
    assert_eq!(steps, [device(2), device(5)]);
    assert_eq!(
        store.summary(&Within::default()).await.unwrap().devices[&Verdict::NonCompliant],
        4
    );
}
