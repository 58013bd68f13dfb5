use reqwest::StatusCode;

use crate::browser::Browser;
use crate::support::{ADMIN_PASSWORD, Device, Harness, Volume, inventory};
use crate::with_a_device;

#[tokio::test]
async fn what_a_device_says_about_itself_is_text_and_never_markup() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let volume = Volume::new(1);
    let evil = "<script>alert(1)</script>\"'>";
    let mut report = inventory(&[evil], &volume, &[volume.protector]);
    for text in [
        &mut report.hostname,
        &mut report.os,
        &mut report.model,
        &mut report.volumes[0].label,
    ] {
        evil.clone_into(text);
    }
    device.check_in(Some(report)).await.unwrap();
    device.escrow(&volume).await.unwrap();
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let device = format!("/admin/devices/{}", device.id);
    for page in [
        "/admin",
        "/admin/devices",
        &device,
        "/admin/audit",
        "/admin/devices?q=%3Cscript%3E",
        "/admin/audit?actor=%3Cscript%3E",
    ] {
        let answer = browser.get(page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}");
        assert!(!answer.body.contains("<script"), "{page}");
    }
}

#[tokio::test]
async fn pages_carry_a_strict_policy_and_nothing_inline() {
    let harness = Harness::start().await;
    let (device, _) = with_a_device(&harness).await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let device = format!("/admin/devices/{}", device.id);
    for page in [
        "/admin",
        "/admin/devices",
        &device,
        "/admin/policies",
        "/admin/policies/default",
        "/admin/policies/default/edit",
        "/admin/policies/default/text",
        "/admin/policies/new",
        "/admin/collections",
        "/admin/collections/all-devices",
        "/admin/exemptions",
        "/selfservice/exemption",
        &format!("{device}/policy"),
        "/admin/enrolment",
        "/admin/accounts",
        "/admin/audit",
        "/helpdesk",
        "/selfservice",
        "/account",
        "/nowhere",
    ] {
        let answer = browser.get(page).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{page}"
        );
        assert_eq!(answer.headers["cache-control"], "no-store", "{page}");
        for inline in ["<script", "<style", " style=", " onclick=", "javascript:"] {
            assert!(!answer.body.contains(inline), "{page} has {inline}");
        }
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever_and_not_sent_twice() {
    let harness = Harness::start().await;
    let browser = Browser::new(&harness);
    let path = server::web::assets::SITE_CSS;
    let answer = browser.get(path).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.headers["cache-control"].to_str().unwrap().contains("immutable"));
    assert!(answer.body.contains(".card"));
    let etag = answer.headers["etag"].to_str().unwrap().to_owned();
    let again = harness
        .client(None)
        .get(harness.url(path))
        .header("if-none-match", etag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(
        browser.get("/assets/site.0000000000000000.css").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_theme_is_kept_in_a_cookie_and_goes_back_to_the_page() {
    let harness = Harness::start().await;
    let mut browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let answer = browser
        .submit("/admin", "/theme", &[("theme", "dark"), ("back", "/admin/devices?q=x")])
        .await;
    assert_eq!(answer.location(), "/admin/devices?q=x");
    browser.keep(&answer);
    assert!(browser.get("/admin").await.body.contains("data-bs-theme=\"dark\""));
    let away = browser
        .submit("/admin", "/theme", &[("theme", "dark"), ("back", "//evil.test")])
        .await;
    assert_eq!(away.location(), "/");
}

#[tokio::test]
async fn a_policy_is_changed_only_when_every_field_is_right_and_nobody_was_faster() {
    let harness = Harness::start().await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let edit = "/admin/policies/default/edit";
    let good: Vec<(&str, String)> = domain::policy::reference()
        .iter()
        .map(|setting| (setting.id, setting.default_value()))
        .filter(|(_, value)| value != "false")
        .collect();
    let with = |changes: &[(&'static str, &'static str)]| -> Vec<(String, String)> {
        good.iter()
            .map(|(id, value)| {
                (
                    (*id).to_owned(),
                    changes
                        .iter()
                        .find(|(name, _)| name == id)
                        .map_or(value.clone(), |(_, value)| (*value).to_owned()),
                )
            })
            .collect()
    };
    let send = async |revision: &str, fields: Vec<(String, String)>| {
        let mut all = vec![("revision", revision)];
        all.extend(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        browser.submit(edit, edit, &all).await
    };
    let refused = send(
        "0",
        with(&[("os.min_pin_length", "3"), ("client.check_interval_minutes", "x")]),
    )
    .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body.matches("field-error").count(), 2, "{}", refused.body);
    assert!(refused.body.contains("value=\"3\"") && refused.body.contains("value=\"x\""));

    let saved = send("0", with(&[("os.encryption", "require")])).await;
    assert_eq!(
        saved.location(),
        "/admin/policies/default?done=policy",
        "{}",
        saved.body
    );
    assert_eq!(
        send("0", with(&[("os.encryption", "forbid")])).await.status,
        StatusCode::CONFLICT
    );
    assert!(
        browser
            .get("/admin/policies/default")
            .await
            .body
            .contains("Must be encrypted")
    );
    assert_eq!(harness.audit_count("policy.changed").await, 1);
}

#[tokio::test]
async fn secrets_are_shown_once_in_the_answer_that_made_them() {
    let harness = Harness::start().await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let fields = [("label", "Autumn"), ("uses", "3"), ("lifetime", "24")];
    let made = browser.submit("/admin/enrolment", "/admin/enrolment", &fields).await;
    let (_, rest) = made.body.split_once("id=\"fresh-token\" readonly value=\"").unwrap();
    let token = rest.split('"').next().unwrap();
    assert!(token.len() > 20);
    let page = browser.get("/admin/enrolment").await;
    assert!(
        page.body.contains("Autumn") && page.body.contains("0 of 3"),
        "{}",
        page.body
    );
    assert!(!page.body.contains(token));
    let revoked = browser
        .submit(
            "/admin/enrolment",
            "/admin/enrolment/revoke",
            &[("id", &page.hidden("id"))],
        )
        .await;
    assert_eq!(revoked.status, StatusCode::SEE_OTHER);
    assert!(browser.get("/admin/enrolment").await.body.contains("Revoked"));
}

#[tokio::test]
async fn the_audit_is_shown_verified_and_exported() {
    let harness = Harness::start().await;
    with_a_device(&harness).await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let page = browser.get("/admin/audit").await;
    assert!(page.body.contains("Verified up to #"), "{}", page.body);
    assert!(page.body.contains("Key stored") && page.body.contains("pc-1"));
    let filtered = browser.get("/admin/audit?action=key.&subject=pc-1").await;
    assert!(filtered.body.contains("Key stored") && !filtered.body.contains("<span class=\"tag tag-calm\">Signed in"));
    let csv = browser.get("/admin/audit.csv?action=key.escrowed").await;
    assert_eq!(csv.body.lines().count(), 2, "{}", csv.body);
    assert!(
        browser
            .get("/admin/audit?from=yesterday")
            .await
            .body
            .contains("From: a day")
    );
}
