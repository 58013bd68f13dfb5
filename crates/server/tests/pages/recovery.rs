use domain::access::Role;
use reqwest::StatusCode;

use crate::browser::Browser;
use crate::roles::person;
use crate::support::{ADMIN_PASSWORD, Harness};
use crate::with_a_device;

#[tokio::test]
async fn the_help_desk_gets_the_right_key_once_by_eight_digits() {
    let harness = Harness::start().await;
    let (_, volume) = with_a_device(&harness).await;
    let browser = person(&harness, "nora", Role::HelpDeskAdministrator).await;
    let digits = volume.protector.short();
    let fields = [
        ("key_id", digits.as_str()),
        ("user", "anna"),
        ("reason", "Lost PIN"),
        ("remark", "ticket 1"),
    ];
    let answer = browser.submit("/helpdesk", "/helpdesk", &fields).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let password = answer.password().unwrap();
    assert_eq!(password, volume.password.expose().to_string());
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(harness.audit_count("key.disclosed").await, 1);

    let again = browser.get("/helpdesk").await;
    assert!(!again.body.contains(&password));
    assert!(again.body.contains(&digits), "the last recoveries name the key");

    let save = answer.hidden("save");
    let file = browser.submit("/helpdesk", "/helpdesk/save", &[("save", &save)]).await;
    assert_eq!(file.status, StatusCode::OK);
    assert!(file.body.contains(&password));
    assert!(
        file.headers["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
    assert_eq!(
        browser
            .submit("/helpdesk", "/helpdesk/save", &[("save", &save)])
            .await
            .status,
        StatusCode::FORBIDDEN
    );
}

type Fields<'a> = &'a [(&'a str, &'a str)];

#[tokio::test]
async fn a_form_that_is_wrong_tells_nothing_and_keeps_what_was_typed() {
    let harness = Harness::start().await;
    let (_, volume) = with_a_device(&harness).await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let digits = volume.protector.short();
    let cases: [(Fields<'_>, StatusCode, &str); 4] = [
        (
            &[("key_id", &digits), ("reason", "")],
            StatusCode::UNPROCESSABLE_ENTITY,
            "Choose a reason.",
        ),
        (
            &[("key_id", "12"), ("reason", "Other")],
            StatusCode::UNPROCESSABLE_ENTITY,
            "Give the first 8 digits",
        ),
        (
            &[("key_id", "00000000"), ("reason", "Other")],
            StatusCode::NOT_FOUND,
            "No key with 00000000",
        ),
        (
            &[("key_id", &digits), ("reason", "Other"), ("user", "eve")],
            StatusCode::NOT_FOUND,
            "eve is not known to use that device",
        ),
    ];
    for (fields, status, sentence) in cases {
        let answer = browser.submit("/helpdesk", "/helpdesk", fields).await;
        assert_eq!(answer.status, status, "{fields:?}");
        assert!(answer.body.contains(sentence), "{fields:?}: {}", answer.body);
        assert!(
            answer.body.contains(&format!("value=\"{}\"", fields[0].1)),
            "{fields:?}"
        );
        assert!(answer.password().is_none());
    }
    assert_eq!(harness.audit_count("key.disclosed").await, 0);
}

#[tokio::test]
async fn a_user_gets_the_key_of_an_own_device_and_of_no_other() {
    let harness = Harness::start().await;
    let (_, volume) = with_a_device(&harness).await;
    let anna = person(&harness, "corp\\ANNA", Role::SelfService).await;
    let eve = person(&harness, "CORP\\eve", Role::SelfService).await;
    let digits = volume.protector.short();
    let whole = volume.protector.to_string();
    for id in [&digits, &whole] {
        let refused = eve
            .submit("/selfservice", "/selfservice", &[("key_id", id), ("reason", "Other")])
            .await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND);
        assert!(refused.password().is_none());
    }
    assert!(anna.get("/selfservice").await.body.contains(&digits));
    let told = anna
        .submit(
            "/selfservice",
            "/selfservice",
            &[("key_id", &digits), ("reason", "Other")],
        )
        .await;
    assert_eq!(told.password(), Some(volume.password.expose().to_string()));
}

#[tokio::test]
async fn an_administrator_asks_for_another_key_and_the_page_says_so() {
    let harness = Harness::start().await;
    let (device, volume) = with_a_device(&harness).await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let page = format!("/admin/devices/{}", device.id);
    let shown = browser.get(&page).await;
    assert!(
        shown.body.contains(&volume.protector.short()) && shown.body.contains("Proven"),
        "{}",
        shown.body
    );
    let answer = browser
        .submit(&page, &format!("{page}/rotate"), &[("volume", &volume.id.to_string())])
        .await;
    assert_eq!(answer.location(), format!("{page}?done=rotate-volume"));
    let shown = browser.get(answer.location()).await;
    assert!(shown.body.contains("Replacement asked for"));
    assert!(shown.body.contains("was asked to replace the key"));
}
