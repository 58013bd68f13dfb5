use reqwest::StatusCode;

use crate::browser::Browser;
use crate::support::{ADMIN_PASSWORD, Harness};
use crate::with_a_device;

const FORMS: [&str; 17] = [
    "/login",
    "/logout",
    "/theme",
    "/account/password",
    "/account/sessions/revoke",
    "/admin/devices/DEVICE/rotate",
    "/admin/policies/default/edit",
    "/admin/enrolment",
    "/admin/enrolment/revoke",
    "/admin/accounts",
    "/admin/accounts/role",
    "/admin/accounts/reset",
    "/admin/accounts/disable",
    "/admin/accounts/enable",
    "/helpdesk",
    "/helpdesk/save",
    "/selfservice",
];

#[tokio::test]
async fn every_form_refuses_a_missing_and_a_foreign_token_and_changes_nothing() {
    let harness = Harness::start().await;
    let (device, volume) = with_a_device(&harness).await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let other = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let foreign = other.get("/account").await.hidden("csrf");
    let before = harness.audit().await.len();
    let digits = volume.protector.short();
    for form in FORMS {
        let path = form.replace("DEVICE", &device.id.to_string());
        for token in [None, Some(""), Some(foreign.as_str())] {
            let mut fields = vec![
                ("key_id", digits.as_str()),
                ("reason", "Lost PIN"),
                ("name", "admin"),
                ("id", "1"),
                ("role", "user"),
                ("theme", "dark"),
            ];
            fields.extend(token.map(|token| ("csrf", token)));
            let answer = browser.post(&path, &fields).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} with {token:?}");
            assert!(answer.password().is_none());
        }
    }
    assert_eq!(harness.audit().await.len(), before);
}
