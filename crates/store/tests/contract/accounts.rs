//! Accounts, sessions, tokens.

use std::time::Duration;

use domain::access::{Grant, Role, Scope};
use domain::policy::targeting::CollectionId;
use store::model::{AccountChange, ApiTokenId, LockRule, NewApiToken, NewSession, PasswordHash, SecretHash};
use store::{Refusal, Store, StoreError, What};

use super::make::*;

fn session(secret: &[u8], account: &str, from: i64, until: i64) -> NewSession {
    NewSession {
        hash: SecretHash::of(secret),
        account: account.into(),
        created_at: at(from),
        expires_at: at(until),
        user_agent: "Firefox on Linux".into(),
    }
}

async fn is_signed_in(store: &dyn Store, secret: &[u8], now: i64) -> bool {
    store.session(SecretHash::of(secret), at(now)).await.unwrap().is_some()
}

pub(crate) async fn an_account_is_found_whatever_the_case_and_made_once(store: &dyn Store) {
    store
        .add_account(new_account("Ännä", Role::HelpDeskAdministrator), Vec::new())
        .await
        .unwrap();
    let again = store
        .add_account(new_account("ÄNNÄ ", Role::Administrator), event("account.made", ""))
        .await;
    assert_eq!(again, Err(StoreError::Exists(What::Account)));
    assert_eq!(store.audit_head().await.unwrap().sequence, 0);
    let account = store.account("ännä").await.unwrap().unwrap();
    assert_eq!(
        (account.name.as_str(), account.grant.role),
        ("Ännä", Role::HelpDeskAdministrator)
    );
    assert_eq!(account.password, password_hash("c2FsdA"));
    assert!(account.must_change_password && !account.disabled);
    assert_eq!(store.account("other").await, Ok(None));
    let nameless = store.add_account(new_account(" ", Role::SelfService), Vec::new()).await;
    assert!(matches!(nameless, Err(StoreError::Invalid { field: "name", .. })));
    assert!(
        PasswordHash::new("Passw0rd!".into()).is_err(),
        "a plain password cannot be stored"
    );
    assert!(!format!("{account:?}").contains("argon2"));
}

pub(crate) async fn the_first_account_is_made_only_when_there_is_none(store: &dyn Store) {
    let admin = new_account("admin", Role::Administrator);
    assert_eq!(store.add_first_account(admin, Vec::new()).await, Ok(true));
    let late = new_account("late", Role::Administrator);
    assert_eq!(store.add_first_account(late, Vec::new()).await, Ok(false));
    assert_eq!(store.accounts().await.unwrap().len(), 1);
}

pub(crate) async fn the_last_administrator_stays(store: &dyn Store) {
    store
        .add_account(new_account("a", Role::Administrator), Vec::new())
        .await
        .unwrap();
    store
        .add_account(new_account("b", Role::Administrator), Vec::new())
        .await
        .unwrap();
    let disable = || AccountChange {
        disabled: Some(true),
        ..AccountChange::default()
    };
    let demote = AccountChange {
        grant: Some(Grant::everywhere(Role::Auditor)),
        ..AccountChange::default()
    };
    assert!(store.change_account("a", disable(), Vec::new()).await.unwrap().disabled);
    let refused = Err(StoreError::Refused(Refusal::LastAdministrator));
    assert_eq!(store.change_account("b", disable(), event("x", "")).await, refused);
    assert_eq!(store.change_account("b", demote, event("x", "")).await, refused);
    let account = store.account("b").await.unwrap().unwrap();
    assert_eq!((account.disabled, account.grant.role), (false, Role::Administrator));
    assert_eq!(store.audit_head().await.unwrap().sequence, 0);
    let missing = store.change_account("c", AccountChange::default(), Vec::new()).await;
    assert_eq!(missing, Err(StoreError::NotFound(What::Account)));
}

pub(crate) async fn failed_sign_ins_lock_and_a_good_one_forgets_them(store: &dyn Store) {
    store
        .add_account(new_account("anna", Role::HelpDeskAdministrator), Vec::new())
        .await
        .unwrap();
    let rule = LockRule {
        failures: 3,
        lasts: Duration::from_secs(60),
    };
    let fail = async |time| {
        let account = store
            .sign_in_failed("ANNA", at(time), rule, event("sign_in.failed", ""))
            .await
            .unwrap();
        (account.failed_count, account.locked_until)
    };
    assert_eq!(fail(1).await, (1, None));
    assert_eq!(fail(2).await, (2, None));
    assert_eq!(fail(3).await, (3, Some(at(60_003))));
    assert_eq!(fail(70_000).await, (4, Some(at(130_000))));
    assert_eq!(store.audit_head().await.unwrap().sequence, 4);
    let unlock = AccountChange {
        unlock: true,
        ..AccountChange::default()
    };
    let account = store.change_account("anna", unlock, Vec::new()).await.unwrap();
    assert_eq!((account.failed_count, account.locked_until), (0, None));
    fail(80_000).await;
    let session = store
        .sign_in(session(b"t", "anna", 90_000, 99_000), Vec::new())
        .await
        .unwrap();
    assert_eq!(
        (session.account.failed_count, session.account.last_sign_in),
        (0, Some(at(90_000)))
    );
    let nobody = store.sign_in_failed("nobody", at(1), rule, Vec::new()).await;
    assert_eq!(nobody, Err(StoreError::NotFound(What::Account)));
}

pub(crate) async fn a_session_ends_by_time_by_signing_out_and_by_disabling(store: &dyn Store) {
    store
        .add_account(new_account("anna", Role::HelpDeskAdministrator), Vec::new())
        .await
        .unwrap();
    store
        .add_account(new_account("root", Role::Administrator), Vec::new())
        .await
        .unwrap();
    for secret in [b"1", b"2", b"3"] {
        store
            .sign_in(session(secret, "Anna", 100, 200), Vec::new())
            .await
            .unwrap();
    }
    let found = store.session(SecretHash::of(b"1"), at(150)).await.unwrap().unwrap();
    assert_eq!((found.account.name.as_str(), found.created_at), ("anna", at(100)));
    assert_eq!((found.last_used, found.expires_at), (at(100), at(200)));
    store.session_used(SecretHash::of(b"1"), at(160));
    store.flush().await.unwrap();
    let found = store.session(SecretHash::of(b"1"), at(170)).await.unwrap().unwrap();
    assert_eq!(found.last_used, at(160));
    assert!(is_signed_in(store, b"1", 199).await);
    assert!(!is_signed_in(store, b"1", 200).await);
    assert!(!is_signed_in(store, b"guessed", 150).await);
    assert_eq!(store.sessions_of("ANNA", at(150)).await.unwrap().len(), 3);
    assert_eq!(store.sessions_of("anna", at(200)).await.unwrap().len(), 0);

    store
        .end_session(SecretHash::of(b"2"), event("sign_out", ""))
        .await
        .unwrap();
    store
        .end_session(SecretHash::of(b"2"), event("sign_out", ""))
        .await
        .unwrap();
    assert_eq!(store.audit_head().await.unwrap().sequence, 1);
    assert!(!is_signed_in(store, b"2", 150).await);
    assert!(is_signed_in(store, b"3", 150).await);
    let disable = AccountChange {
        disabled: Some(true),
        ..AccountChange::default()
    };
    store.change_account("anna", disable, Vec::new()).await.unwrap();
    assert!(!is_signed_in(store, b"3", 150).await);
    let again = store.sign_in(session(b"4", "anna", 100, 200), Vec::new()).await;
    assert_eq!(again, Err(StoreError::NotFound(What::Account)));
}

pub(crate) async fn a_new_password_ends_the_other_sessions(store: &dyn Store) {
    store
        .add_account(new_account("anna", Role::Administrator), Vec::new())
        .await
        .unwrap();
    for secret in [b"1", b"2"] {
        store
            .sign_in(session(secret, "anna", 100, 200), Vec::new())
            .await
            .unwrap();
    }
    let change = AccountChange {
        password: Some(password_hash("bmV3")),
        keep_session: Some(SecretHash::of(b"1")),
        must_change_password: Some(false),
        ..AccountChange::default()
    };
    store.change_account("anna", change, Vec::new()).await.unwrap();
    assert!(is_signed_in(store, b"1", 150).await);
    assert!(!is_signed_in(store, b"2", 150).await);
    let account = store.account("anna").await.unwrap().unwrap();
    assert_eq!(account.password, password_hash("bmV3"));
    assert!(!account.must_change_password);
}

pub(crate) async fn stale_sessions_are_removed(store: &dyn Store) {
    store
        .add_account(new_account("anna", Role::Administrator), Vec::new())
        .await
        .unwrap();
    store
        .sign_in(session(b"expired", "anna", 100, 200), Vec::new())
        .await
        .unwrap();
    store
        .sign_in(session(b"idle", "anna", 100, 900), Vec::new())
        .await
        .unwrap();
    store
        .sign_in(session(b"good", "anna", 100, 900), Vec::new())
        .await
        .unwrap();
    store.session_used(SecretHash::of(b"good"), at(300));
    assert_eq!(store.remove_stale_sessions(at(400), at(300)).await, Ok(2));
    assert!(is_signed_in(store, b"good", 400).await);
    assert!(!is_signed_in(store, b"idle", 400).await);
}

pub(crate) async fn a_token_is_listed_without_its_hash_and_revoked_once(store: &dyn Store) {
    let id = store
        .add_token(new_token(b"secret"), event("token.made", ""))
        .await
        .unwrap();
    let again = store.add_token(new_token(b"secret"), event("token.made", "")).await;
    assert_eq!(again, Err(StoreError::Exists(What::Token)));
    store.revoke_token(id, at(5), event("token.revoked", "")).await.unwrap();
    store.revoke_token(id, at(6), event("token.revoked", "")).await.unwrap();
    let token = store.tokens().await.unwrap().remove(0);
    assert_eq!(
        (token.id, token.note.as_str(), token.revoked_at),
        (id, "head office", Some(at(5)))
    );
    assert_eq!(
        (token.uses_left, token.used, token.created_by.as_str()),
        (None, 0, "user:anna")
    );
    assert_eq!(store.audit_head().await.unwrap().sequence, 2);
}

pub(crate) async fn an_api_token_is_found_by_its_hash_until_it_ends(store: &dyn Store) {
    let grant = Grant {
        role: Role::Auditor,
        scope: Scope::of([CollectionId::new("berlin").unwrap()]),
    };
    let new = |secret: &[u8]| NewApiToken {
        hash: SecretHash::of(secret),
        note: "the monthly report".into(),
        grant: grant.clone(),
        created_at: at(1000),
        created_by: "user:anna".into(),
        expires_at: at(9000),
    };
    let id = store
        .add_api_token(new(b"one"), event("api_token.created", ""))
        .await
        .unwrap();
    let again = store.add_api_token(new(b"one"), event("api_token.created", "")).await;
    assert_eq!(again, Err(StoreError::Exists(What::Token)));
    let other = store
        .add_api_token(new(b"two"), event("api_token.created", ""))
        .await
        .unwrap();
    let found = async |secret: &[u8], now| store.api_token(SecretHash::of(secret), at(now)).await.unwrap();
    let token = found(b"one", 8999).await.unwrap();
    assert_eq!((token.id, &token.grant, token.last_used), (id, &grant, None));
    assert_eq!(found(b"one", 9000).await, None, "it has expired");
    assert_eq!(found(b"three", 2000).await, None);
    store.api_token_used(SecretHash::of(b"one"), at(3000));
    store.api_token_used(SecretHash::of(b"one"), at(2000));
    store.flush().await.unwrap();
    assert_eq!(found(b"one", 4000).await.unwrap().last_used, Some(at(3000)));
    for _ in 0..2 {
        store
            .revoke_api_token(id, at(5000), event("api_token.revoked", ""))
            .await
            .unwrap();
    }
    assert_eq!(
        (found(b"one", 6000).await, found(b"two", 6000).await.unwrap().id),
        (None, other)
    );
    let all = store.api_tokens().await.unwrap();
    let revoked: Vec<_> = all.iter().map(|token| (token.id, token.revoked_at)).collect();
    assert_eq!(revoked, [(other, None), (id, Some(at(5000)))]);
    let missing = store.revoke_api_token(ApiTokenId(99), at(5000), Vec::new()).await;
    assert_eq!(missing, Err(StoreError::NotFound(What::Token)));
    assert_eq!(store.audit_head().await.unwrap().sequence, 3, "two made, one revoked");
}
