//! Signing in, locking out, and changing passwords.

use std::time::Duration;

use domain::access::Role;
use server::services::accounts;
use server::services::sign_in::{SignInError, change_password, sign_in, sign_out};
use server::session::user_of;
use zeroize::Zeroizing;

use crate::support::{ADMIN_PASSWORD, Harness};

fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

async fn attempt(harness: &Harness, name: &str, password: &str) -> Result<(), SignInError> {
    sign_in(harness.state(), name, secret(password), "tests")
        .await
        .map(drop)
}

#[tokio::test]
async fn a_name_with_an_account_and_one_without_are_locked_alike() {
    let harness = Harness::start().await;
    for name in ["admin", "nobody"] {
        for _ in 0..4 {
            let refused = attempt(&harness, name, "wrong").await.unwrap_err();
            assert!(matches!(refused, SignInError::Refused), "{name}: {refused}");
        }
        for _ in 0..2 {
            let locked = attempt(&harness, name, "wrong").await.unwrap_err();
            assert!(
                matches!(locked, SignInError::LockedOut { minutes: 1 }),
                "{name}: {locked}"
            );
        }
    }
    // Also the right password waits.
    let locked = attempt(&harness, "admin", ADMIN_PASSWORD).await.unwrap_err();
    assert!(matches!(locked, SignInError::LockedOut { .. }), "{locked}");
    harness.clock.advance(Duration::from_secs(31));
    attempt(&harness, "admin", ADMIN_PASSWORD).await.unwrap();
    assert_eq!(harness.audit_count("sign_in.failed").await, 10);
}

#[tokio::test]
async fn each_further_failure_locks_for_longer() {
    let harness = Harness::start().await;
    for _ in 0..5 {
        attempt(&harness, "admin", "wrong").await.unwrap_err();
    }
    for expected in [1, 2, 4, 8, 15, 15] {
        harness.clock.advance(Duration::from_secs(15 * 60));
        let locked = attempt(&harness, "admin", "wrong").await.unwrap_err();
        let SignInError::LockedOut { minutes } = locked else {
            panic!("{locked}")
        };
        assert_eq!(minutes, expected);
    }
}

#[tokio::test]
async fn a_disabled_account_is_refused_like_a_wrong_password_and_its_sessions_end() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let password = accounts::create(harness.state(), &admin, "dana", Role::HelpDeskAdministrator)
        .await
        .unwrap();
    let headers = harness.session("dana", &password).await;
    accounts::set_disabled(harness.state(), &admin, "dana", true)
        .await
        .unwrap();
    assert!(user_of(&headers, harness.state()).await.unwrap().is_none());
    let refused = attempt(&harness, "dana", &password).await.unwrap_err();
    assert!(matches!(refused, SignInError::Refused), "{refused}");
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let refused = accounts::set_disabled(harness.state(), &admin, "admin", true)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "last_administrator");
    let refused = accounts::set_grant(harness.state(), &admin, "admin", Role::SelfService)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "last_administrator");
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions_and_the_old_one_opens_nothing() {
    let harness = Harness::start().await;
    let own = harness.session("admin", ADMIN_PASSWORD).await;
    let other = harness.session("admin", ADMIN_PASSWORD).await;
    let user = user_of(&own, harness.state()).await.unwrap().unwrap();
    let new = "an entirely new sentence";
    for (current, new, code) in [
        ("wrong", new, "wrong_password"),
        (ADMIN_PASSWORD, "short", "weak_password"),
        (ADMIN_PASSWORD, "aaaaaaaaaaaaaaaa", "weak_password"),
        (ADMIN_PASSWORD, ADMIN_PASSWORD, "weak_password"),
    ] {
        let refused = change_password(harness.state(), &user, secret(current), secret(new)).await;
        assert_eq!(refused.unwrap_err().code(), code);
    }
    change_password(harness.state(), &user, secret(ADMIN_PASSWORD), secret(new))
        .await
        .unwrap();
    assert!(user_of(&own, harness.state()).await.unwrap().is_some());
    assert!(user_of(&other, harness.state()).await.unwrap().is_none());
    attempt(&harness, "admin", ADMIN_PASSWORD).await.unwrap_err();
    attempt(&harness, "admin", new).await.unwrap();
}

#[tokio::test]
async fn a_session_that_was_signed_out_is_gone() {
    let harness = Harness::start().await;
    let headers = harness.session("admin", ADMIN_PASSWORD).await;
    let user = user_of(&headers, harness.state()).await.unwrap().unwrap();
    sign_out(harness.state(), &user).await.unwrap();
    assert!(user_of(&headers, harness.state()).await.unwrap().is_none());
}

#[tokio::test]
async fn only_administrators_manage_accounts() {
    let harness = Harness::start().await;
    for role in [Role::HelpDeskAdministrator, Role::Auditor, Role::SelfService] {
        let person = harness.person(role.name(), role).await;
        let refused = accounts::create(harness.state(), &person, "eve", Role::Administrator).await;
        assert_eq!(refused.unwrap_err().code(), "not_allowed");
        assert!(accounts::list(harness.state(), &person).await.is_err());
        assert!(
            accounts::reset_password(harness.state(), &person, "admin")
                .await
                .is_err()
        );
    }
}
