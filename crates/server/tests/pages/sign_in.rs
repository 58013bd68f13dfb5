use reqwest::StatusCode;

use crate::browser::Browser;
use crate::support::{ADMIN_PASSWORD, Harness};

#[tokio::test]
async fn the_form_signs_in_and_goes_where_the_person_wanted() {
    let harness = Harness::start().await;
    let mut browser = Browser::new(&harness);
    let form = browser.get("/login?next=%2Fadmin%2Fdevices").await;
    browser.keep(&form);
    let fields = [
        ("csrf", form.hidden("csrf")),
        ("next", form.hidden("next")),
        ("name", "admin".to_owned()),
        ("password", ADMIN_PASSWORD.to_owned()),
    ];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = browser.post("/login", &fields).await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, "/admin/devices"),
        "{}",
        answer.body
    );
    browser.keep(&answer);
    assert_eq!(browser.get("/admin/devices").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_wrong_password_is_not_told_from_a_wrong_name() {
    let harness = Harness::start().await;
    let mut browser = Browser::new(&harness);
    let form = browser.get("/login").await;
    browser.keep(&form);
    let csrf = form.hidden("csrf");
    let mut bodies = Vec::new();
    for name in ["admin", "nobod"] {
        let answer = browser
            .post("/login", &[("csrf", &csrf), ("name", name), ("password", "wrong")])
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(!answer.body.contains("wrong\""));
        bodies.push(answer.body.replace(name, "NAME"));
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn signing_in_never_leads_to_another_server() {
    let harness = Harness::start().await;
    let mut browser = Browser::new(&harness);
    let form = browser.get("/login?next=https%3A%2F%2Fevil.test").await;
    assert!(!form.body.contains("name=\"next\""));
    browser.keep(&form);
    let fields = [("csrf", form.hidden("csrf"))];
    let answer = browser
        .post(
            "/login",
            &[
                ("csrf", &fields[0].1),
                ("next", "//evil.test"),
                ("name", "admin"),
                ("password", ADMIN_PASSWORD),
            ],
        )
        .await;
    assert_eq!(answer.location(), "/admin");
}

#[tokio::test]
async fn a_first_sign_in_opens_nothing_but_the_change_of_password() {
    let harness = Harness::start().await;
    let admin = harness.admin().await;
    let first = server::services::accounts::create(
        harness.state(),
        &admin,
        "nora",
        domain::access::Role::HelpDeskAdministrator,
    )
    .await
    .unwrap();
    let browser = Browser::signed_in(&harness, "nora", &first).await;
    assert_eq!(browser.get("/helpdesk").await.location(), "/account/password");
    let differing = [
        ("current", first.as_str()),
        ("new", "a long enough password"),
        ("again", "another long password"),
    ];
    let answer = browser
        .submit("/account/password", "/account/password", &differing)
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("The two new passwords differ."));
    let short = [("current", first.as_str()), ("new", "short"), ("again", "short")];
    let answer = browser.submit("/account/password", "/account/password", &short).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(browser.get("/helpdesk").await.location(), "/account/password");
}

#[tokio::test]
async fn a_session_that_is_ended_opens_nothing() {
    let harness = Harness::start().await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let answer = browser.submit("/account", "/logout", &[]).await;
    assert_eq!(answer.location(), "/login");
    assert_eq!(browser.get("/account").await.status, StatusCode::SEE_OTHER);
}
