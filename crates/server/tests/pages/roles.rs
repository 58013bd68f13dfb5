use domain::access::Role;
use reqwest::StatusCode;
use server::services::accounts;

use crate::browser::Browser;
use crate::support::{ADMIN_PASSWORD, Harness};

/// Makes an account and signs it in past the change of the first password.
pub(crate) async fn person<'a>(harness: &'a Harness, name: &str, role: Role) -> Browser<'a> {
    let admin = harness.admin().await;
    let first = accounts::create(harness.state(), &admin, name, role).await.unwrap();
    let browser = Browser::signed_in(harness, name, &first).await;
    let chosen = "another quite long password";
    let fields = [("current", first.as_str()), ("new", chosen), ("again", chosen)];
    let changed = browser.submit("/account/password", "/account/password", &fields).await;
    assert_eq!(changed.status, StatusCode::SEE_OTHER, "{}", changed.body);
    browser
}

#[tokio::test]
async fn every_role_sees_its_pages_and_no_others() {
    let harness = Harness::start().await;
    let admin = Browser::signed_in(&harness, "admin", ADMIN_PASSWORD).await;
    let help_desk = person(&harness, "nora", Role::HelpDeskAdministrator).await;
    let auditor = person(&harness, "ruth", Role::Auditor).await;
    let user = person(&harness, "CORP\\anna", Role::SelfService).await;
    let table = [
        ("/admin", [200, 200, 200, 403]),
        ("/admin/devices", [200, 200, 200, 403]),
        ("/admin/policies", [200, 200, 200, 403]),
        ("/admin/policies/default", [200, 200, 200, 403]),
        ("/admin/policies/default/edit", [200, 403, 403, 403]),
        ("/admin/policies/default/text", [200, 403, 403, 403]),
        ("/admin/policies/new", [200, 403, 403, 403]),
        ("/admin/policies/nothing", [404, 404, 404, 403]),
        ("/admin/collections", [200, 200, 200, 403]),
        ("/admin/collections/all-devices", [200, 200, 200, 403]),
        ("/admin/collections/nothing", [404, 404, 404, 403]),
        ("/admin/exemptions", [200, 200, 200, 403]),
        ("/admin/devices/nonsense/policy", [404, 404, 404, 403]),
        ("/selfservice/exemption", [200, 200, 200, 200]),
        ("/admin/enrolment", [200, 403, 403, 403]),
        ("/admin/accounts", [200, 403, 403, 403]),
        ("/admin/audit", [200, 403, 200, 403]),
        ("/admin/audit.csv", [200, 403, 200, 403]),
        ("/helpdesk", [200, 200, 403, 403]),
        ("/selfservice", [200, 200, 200, 200]),
        ("/account", [200, 200, 200, 200]),
        ("/admin/devices/nonsense", [404, 404, 404, 403]),
        ("/nowhere", [404, 404, 404, 404]),
    ];
    for (path, expected) in table {
        for (browser, status) in [&admin, &help_desk, &auditor, &user].into_iter().zip(expected) {
            let answer = browser.get(path).await;
            assert_eq!(answer.status.as_u16(), status, "{path}");
            if path != "/admin/audit.csv" || status != 200 {
                assert!(answer.body.starts_with("<!doctype html>"), "{path}: {}", answer.body);
            }
        }
    }
}

#[tokio::test]
async fn nobody_sees_a_page_without_signing_in() {
    let harness = Harness::start().await;
    let nobody = Browser::new(&harness);
    for path in [
        "/admin",
        "/admin/devices?q=x",
        "/helpdesk",
        "/selfservice",
        "/account",
        "/admin/audit.csv",
    ] {
        let answer = nobody.get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(
            answer.location().starts_with("/login?next="),
            "{path}: {}",
            answer.location()
        );
    }
}

#[tokio::test]
async fn addresses_that_people_know_lead_on() {
    let harness = Harness::start().await;
    let nobody = Browser::new(&harness);
    for (from, to) in [
        ("/HelpDesk", "/helpdesk"),
        ("/SelfService/", "/selfservice"),
        ("/audit", "/admin/audit"),
        ("/", "/login"),
    ] {
        assert_eq!(nobody.get(from).await.location(), to, "{from}");
    }
}

#[tokio::test]
async fn the_help_desk_sees_what_happened_to_devices_and_not_who_signed_in() {
    let harness = Harness::start().await;
    crate::with_a_device(&harness).await;
    let help_desk = person(&harness, "nora", Role::HelpDeskAdministrator).await;
    let auditor = person(&harness, "ruth", Role::Auditor).await;
    let (help_desk, auditor) = (help_desk.get("/admin").await.body, auditor.get("/admin").await.body);
    assert!(auditor.contains("Signed in"));
    assert!(
        !help_desk.contains("Signed in") && !help_desk.contains("Account created"),
        "{help_desk}"
    );
}
