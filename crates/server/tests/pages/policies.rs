use reqwest::StatusCode;

use crate::browser::{Answer, Browser};
use crate::roles::person;
use crate::support::{ADMIN_PASSWORD, Harness};
use crate::with_a_device;

const PIN: &str = "name = \"PIN on the road\"\n\n[os]\nencryption = \"require\" # since May\nmin_pin_length = 8\n";
const LAPTOPS: &str = "name = \"Laptops\"\n\n[[rules]]\nchassis = \"portable\"\n";

async fn post(browser: &Browser<'_>, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
    browser.submit(page, action, fields).await
}

/// A policy "pin" for a collection "laptops", and somebody who asks to be exempt.
pub(crate) async fn filled(harness: &Harness) {
    let browser = Browser::signed_in(harness, "admin", ADMIN_PASSWORD).await;
    let new = [("id", "pin"), ("text", PIN)];
    let made = post(&browser, "/admin/policies/new", "/admin/policies", &new).await;
    assert_eq!(made.location(), "/admin/policies/pin?done=policy", "{}", made.body);
    let new = [("id", "laptops"), ("revision", "0"), ("text", LAPTOPS)];
    let made = post(&browser, "/admin/collections", "/admin/collections", &new).await;
    assert_eq!(
        made.location(),
        "/admin/collections/laptops?done=collection",
        "{}",
        made.body
    );
    let deployed = post(&browser, "/admin/policies/pin", "/admin/policies/pin/deploy", &DEPLOY).await;
    assert_eq!(
        deployed.location(),
        "/admin/policies/pin?done=deployment",
        "{}",
        deployed.body
    );
    let wish = [("user", "CORP\\anna"), ("reason", "a measuring device")];
    let asked = post(&browser, "/admin/exemptions", "/admin/exemptions", &wish).await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.body);
}

const DEPLOY: [(&str, &str); 5] = [
    ("deployment", "laptops-pin"),
    ("collection", "laptops"),
    ("priority", "10"),
    ("begin", ""),
    ("windows", "windows = [{ start = \"22:00\", minutes = 60 }]"),
];

#[tokio::test]
async fn a_policy_is_written_deployed_shown_and_ended() {
    let harness = Harness::start().await;
    with_a_device(&harness).await;
    filled(&harness).await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let list = browser.get("/admin/policies").await.body;
    assert!(list.contains("PIN on the road") && list.contains("laptops"), "{list}");
    let page = browser.get("/admin/policies/pin").await.body;
    for shown in ["laptops-pin", "8 characters", "# since May", "not configured"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    // It is deployed, so it cannot be retired yet.
    let refused = post(
        &browser,
        "/admin/policies/pin",
        "/admin/policies/pin/retire",
        &[("revision", "1")],
    )
    .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let ended = [("ended", "laptops-pin")];
    post(
        &browser,
        "/admin/policies/pin",
        "/admin/policies/pin/deploy/end",
        &ended,
    )
    .await;
    let retired = post(
        &browser,
        "/admin/policies/pin",
        "/admin/policies/pin/retire",
        &[("revision", "1")],
    )
    .await;
    assert_eq!(
        retired.location(),
        "/admin/policies/pin?done=retired",
        "{}",
        retired.body
    );
    assert!(browser.get("/admin/policies/pin").await.body.contains("is retired"));
    assert_eq!(harness.audit_count("deployment.ended").await, 1);
    assert_eq!(harness.audit_count("policy.retired").await, 1);
}

#[tokio::test]
async fn a_text_with_faults_is_shown_again_with_every_fault_and_its_line() {
    let harness = Harness::start().await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let text = "[os]\nencrpytion = \"require\"\nmin_pin_length = 3\n";
    let new = [("id", "Bad Name"), ("text", text)];
    let refused = post(&browser, "/admin/policies/new", "/admin/policies", &new).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let new = [("id", "pin"), ("text", text)];
    let refused = post(&browser, "/admin/policies/new", "/admin/policies", &new).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body.matches("field-error").count(), 2, "{}", refused.body);
    assert!(refused.body.contains("2:1: os.encrpytion"), "{}", refused.body);
    let collection = [("id", "x"), ("revision", "0"), ("text", "name = \"X\"\nrulez = []\n")];
    let refused = post(&browser, "/admin/collections", "/admin/collections", &collection).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("unknown field"), "{}", refused.body);
    assert_eq!(harness.audit_count("policy.changed").await, 0);
}

#[tokio::test]
async fn the_form_keeps_the_comments_of_the_text() {
    let harness = Harness::start().await;
    filled(&harness).await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let edit = "/admin/policies/pin/edit";
    let fields = [
        ("revision", "1"),
        ("os.encryption", "require"),
        ("os.min_pin_length", "10"),
    ];
    let saved = post(&browser, edit, edit, &fields).await;
    assert_eq!(saved.location(), "/admin/policies/pin?done=policy", "{}", saved.body);
    let page = browser.get("/admin/policies/pin").await.body;
    assert!(page.contains("# since May") && page.contains("10 characters"), "{page}");
    assert!(page.contains("8 characters → 10 characters"), "{page}");
    let late = post(&browser, edit, edit, &fields).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_preview_says_what_would_happen_and_saves_nothing() {
    let harness = Harness::start().await;
    with_a_device(&harness).await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let edit = "/admin/policies/default/edit";
    let fields = [
        ("revision", "0"),
        ("os.encryption", "require"),
        ("os.min_pin_length", "9"),
    ];
    let seen = post(&browser, edit, "/admin/policies/default/preview", &fields).await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.body);
    assert!(
        seen.body.contains("1 of 1 device would change") && seen.body.contains("pc-1"),
        "{}",
        seen.body
    );
    assert!(!seen.body.contains(" style=") && !seen.body.contains("<script"));
    assert_eq!(harness.audit_count("policy.changed").await, 0);
    // The button below it saves what was looked at.
    let text = "name = \"Default policy\"\n[os]\nencryption = \"require\"\n";
    let save = [("revision", "0"), ("text", text)];
    let saved = post(
        &browser,
        "/admin/policies/default/text",
        "/admin/policies/default/text",
        &save,
    )
    .await;
    assert_eq!(
        saved.location(),
        "/admin/policies/default?done=policy",
        "{}",
        saved.body
    );
    let wrong = [("revision", "1"), ("os.min_pin_length", "3")];
    let refused = post(&browser, edit, "/admin/policies/default/preview", &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_deployment_is_previewed_before_it_is_made() {
    let harness = Harness::start().await;
    with_a_device(&harness).await;
    filled(&harness).await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let mut fields = DEPLOY;
    fields[0].1 = "everybody";
    fields[1].1 = "all-devices";
    let seen = post(
        &browser,
        "/admin/policies/pin",
        "/admin/policies/pin/deploy/preview",
        &fields,
    )
    .await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.body);
    assert!(!browser.get("/admin/policies/pin").await.body.contains("everybody"));
    fields[2].1 = "soon";
    let refused = post(&browser, "/admin/policies/pin", "/admin/policies/pin/deploy", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("priority"), "{}", refused.body);
}

#[tokio::test]
async fn sections_of_the_form_are_folded_unless_something_in_them_is_configured_or_wrong() {
    let harness = Harness::start().await;
    filled(&harness).await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let edit = "/admin/policies/pin/edit";
    let page = browser.get(edit).await.body;
    let opened = |page: &str| {
        let sections = page.split("<details class=\"card fold form-section\"").skip(1);
        let open = sections.filter(|section| section.starts_with(" open"));
        let id = |section: &str| {
            section
                .split("id=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap()
                .to_owned()
        };
        open.map(id).collect::<Vec<_>>()
    };
    assert_eq!(opened(&page), ["section-os"], "{page}");
    assert_eq!(page.matches("href=\"#section-").count(), 5);
    assert!(page.contains("2 of ") && page.contains("none of "), "{page}");
    // Every setting is in the form, in view or folded away.
    for setting in domain::policy::reference() {
        assert_eq!(
            page.matches(&format!(" name=\"{}\"", setting.id)).count(),
            1,
            "{}",
            setting.id
        );
    }
    let wrong = [("revision", "1"), ("client.check_interval_minutes", "0")];
    let refused = post(&browser, edit, edit, &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(opened(&refused.body), ["section-client"], "{}", refused.body);
}

#[tokio::test]
async fn self_service_tells_who_may_ask_to_be_exempt_how_it_stands() {
    let harness = Harness::start().await;
    let (device, _) = with_a_device(&harness).await;
    let anna = person(&harness, "CORP\\anna", domain::access::Role::SelfService).await;
    let words = "Exemption from encryption";
    assert!(
        !anna.get("/selfservice").await.body.contains(words),
        "no policy heeds exemptions"
    );
    let admin = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let edit = "/admin/policies/default/edit";
    let heed = [("revision", "0"), ("client.user_exemption", "enabled")];
    let saved = post(&admin, edit, edit, &heed).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    device.check_in(None).await.unwrap();
    let stands = async |state: &str| {
        let page = anna.get("/selfservice").await.body;
        assert!(
            page.contains("href=\"/selfservice/exemption\"") && page.contains(state),
            "{state}: {page}"
        );
    };
    stands("you may ask to be exempt").await;
    let own = "/selfservice/exemption";
    post(&anna, own, own, &[("reason", "a measuring device")]).await;
    stands("nobody has decided yet").await;
    let grant = [("id", "1"), ("verb", "approve"), ("days", "30"), ("note", "")];
    post(&admin, "/admin/exemptions", "/admin/exemptions/decide", &grant).await;
    stands("You are exempt until 2026-12-25 00:00:00 UTC").await;
    let back = [("id", "1"), ("verb", "revoke"), ("days", ""), ("note", "")];
    post(&admin, "/admin/exemptions", "/admin/exemptions/decide", &back).await;
    stands("was taken back").await;
}

#[tokio::test]
async fn a_deployment_is_changed_by_a_form_that_shows_how_it_stands() {
    let harness = Harness::start().await;
    filled(&harness).await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let form = "/admin/policies/pin?deployment=laptops-pin";
    let page = browser.get("/admin/policies/pin").await.body;
    assert!(page.contains(&format!("href=\"{form}\"")), "{page}");
    let page = browser.get(form).await.body;
    for shown in [
        "Change deployment laptops-pin",
        "name=\"deployment\" value=\"laptops-pin\"",
        "name=\"revision\" value=\"1\"",
        "value=\"10\"",
        "minutes = 60",
        "<option value=\"laptops\" selected>",
        "deployed to laptops with priority 10",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let deploy = "/admin/policies/pin/deploy";
    let changed = [
        ("revision", "1"),
        ("deployment", "laptops-pin"),
        ("collection", "all-devices"),
        ("priority", "20"),
        ("begin", "2026-12-01"),
        ("windows", ""),
    ];
    let saved = post(&browser, form, deploy, &changed).await;
    assert_eq!(
        saved.location(),
        "/admin/policies/pin?done=deployment",
        "{}",
        saved.body
    );
    let page = browser.get(form).await.body;
    for shown in [
        "collection: laptops → all-devices; priority: 10 → 20; begins: At once → 2026-12-01T00:00:00Z; windows: every day",
        "deployed to laptops with priority 10",
        "value=\"2026-12-01\"",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert_eq!(harness.audit_count("deployment.changed").await, 2);

    let late = post(&browser, form, deploy, &[&changed[..], &[("outside", "on")]].concat()).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "it was made of the first version");
    let mut same = changed;
    same[0].1 = "2";
    let nothing = post(&browser, form, deploy, &same).await;
    assert_eq!(nothing.location(), "/admin/policies/pin?done=policy-same");
    assert_eq!(harness.audit_count("deployment.changed").await, 2);
    // Faults are told at the fields, and what was given is kept.
    let wrong = [
        ("revision", "2"),
        ("deployment", "laptops-pin"),
        ("collection", "laptops"),
        ("priority", "soon"),
        ("begin", "tomorrow"),
        ("windows", "windows = 7"),
    ];
    let refused = post(&browser, form, deploy, &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body.matches("field-error").count(), 3, "{}", refused.body);
    assert!(refused.body.contains("value=\"soon\"") && refused.body.contains("windows = 7"));
    let missing = browser.get("/admin/policies/pin?deployment=nothing").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_new_deployment_does_not_take_the_name_of_another() {
    let harness = Harness::start().await;
    filled(&harness).await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let again = post(&browser, "/admin/policies/pin", "/admin/policies/pin/deploy", &DEPLOY).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        again.body.contains("There is a deployment of this name already"),
        "{}",
        again.body
    );
    let new = [("id", "other"), ("text", PIN)];
    post(&browser, "/admin/policies/new", "/admin/policies", &new).await;
    let other = "/admin/policies/other";
    for fields in [&DEPLOY[..], &[&[("revision", "1")], &DEPLOY[..]].concat()] {
        let taken = post(&browser, other, "/admin/policies/other/deploy", fields).await;
        assert_eq!(taken.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            taken.body.contains("belongs to a deployment of the policy pin"),
            "{}",
            taken.body
        );
    }
    let ended = post(
        &browser,
        other,
        "/admin/policies/other/deploy/end",
        &[("ended", "laptops-pin")],
    )
    .await;
    assert_eq!(ended.status, StatusCode::NOT_FOUND);
    // One that was ended begins anew, with its history.
    let end = [("ended", "laptops-pin")];
    post(&browser, "/admin/policies/pin", "/admin/policies/pin/deploy/end", &end).await;
    let anew = post(&browser, "/admin/policies/pin", "/admin/policies/pin/deploy", &DEPLOY).await;
    assert_eq!(anew.location(), "/admin/policies/pin?done=deployment", "{}", anew.body);
    let page = browser.get("/admin/policies/pin?deployment=laptops-pin").await.body;
    assert!(
        page.contains(">ended<") && page.contains("name=\"revision\" value=\"3\""),
        "{page}"
    );
}

#[tokio::test]
async fn a_device_shows_what_holds_for_it_and_why() {
    let harness = Harness::start().await;
    let (device, _) = with_a_device(&harness).await;
    filled(&harness).await;
    let browser = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let path = format!("/admin/devices/{}/policy", device.id);
    let wrong = [("tags", "lab"), ("reason", ""), ("text", "[os]\nmin_pin_length = 12\n")];
    let refused = post(&browser, &path, &path, &wrong).await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "an own setting needs a reason"
    );
    let right = [
        ("tags", "lab, pilot"),
        ("reason", "the safe"),
        ("text", "[os]\nmin_pin_length = 12\n"),
    ];
    let saved = post(&browser, &path, &path, &right).await;
    assert_eq!(saved.location(), format!("{path}?done=marked"), "{}", saved.body);
    let page = browser.get(&path).await.body;
    assert!(
        page.contains("12 characters") && page.contains("own profile: the safe"),
        "{page}"
    );
    assert!(page.contains("lab, pilot"), "{page}");
    let told = device.check_in(None).await.unwrap().policy.unwrap();
    assert_eq!(told.os.min_pin_length, 12, "the device is told its own policy");
}

#[tokio::test]
async fn an_exemption_is_asked_for_decided_and_told_to_the_device() {
    let harness = Harness::start().await;
    let (device, _) = with_a_device(&harness).await;
    let anna = person(&harness, "CORP\\anna", domain::access::Role::SelfService).await;
    let own = "/selfservice/exemption";
    let asked = post(&anna, own, own, &[("reason", "a measuring device")]).await;
    assert_eq!(
        asked.location(),
        "/selfservice/exemption?done=exemption",
        "{}",
        asked.body
    );
    assert!(anna.get(own).await.body.contains("Waits for a decision"));
    let forbidden = post(
        &anna,
        own,
        "/admin/exemptions",
        &[("user", "CORP\\bob"), ("reason", "x")],
    )
    .await;
    assert_eq!(forbidden.status, StatusCode::FORBIDDEN);

    let admin = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let page = admin.get("/admin/exemptions").await.body;
    assert!(
        page.contains("CORP\\anna") && page.contains("a measuring device"),
        "{page}"
    );
    let grant = [("id", "1"), ("verb", "approve"), ("days", "30"), ("note", "ordered")];
    let granted = post(&admin, "/admin/exemptions", "/admin/exemptions/decide", &grant).await;
    assert_eq!(granted.status, StatusCode::SEE_OTHER, "{}", granted.body);
    let told = device.check_in(None).await.unwrap().exemptions;
    assert!(told.len() == 1 && told[0].holds(harness.state().now()), "{told:?}");
    let deny = [("id", "1"), ("verb", "deny"), ("days", ""), ("note", "")];
    let refused = post(&admin, "/admin/exemptions", "/admin/exemptions/decide", &deny).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(harness.audit_count("exemption.approved").await, 1);
    assert!(admin.get("/admin/exemptions").await.body.contains("Exempt"));
}
