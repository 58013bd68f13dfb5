//! Previews: who is exempt, and what waits for a maintenance window.

use std::time::Duration;

use domain::inventory::{Inventory, Tpm, VolumeReport};
use domain::policy::targeting::Deployment;
use domain::volume::VolumeKind;
use reqwest::StatusCode;
use server::services::preview::{Proposal, preview as preview_of_the_fleet};
use server::session::CurrentUser;

use crate::browser::Browser;
use crate::support::{ADMIN_PASSWORD, Device, Harness, Volume, inventory};

const REQUIRE: &str = "[os]\nencryption = \"require\"\n\n[client]\nuser_exemption = \"enabled\"\n";

/// Two machines in plain text, of two people; the first one is exempt for 30 days.
async fn ground(harness: &Harness) -> Browser<'_> {
    for (hostname, hardware, user) in [("pc-1", "HW-1", "CORP\\anna"), ("pc-2", "HW-2", "CORP\\bob")] {
        plain_machine(harness, hostname, hardware, user).await;
    }
    let admin = Browser::signed_in(harness, "admin", ADMIN_PASSWORD).await;
    let new = [("id", "pin"), ("text", REQUIRE)];
    admin.submit("/admin/policies/new", "/admin/policies", &new).await;
    for (action, fields) in [
        (
            "/admin/exemptions",
            vec![("user", "CORP\\anna"), ("reason", "measures")],
        ),
        (
            "/admin/exemptions/decide",
            vec![("id", "1"), ("verb", "approve"), ("days", "30"), ("note", "")],
        ),
    ] {
        let done = admin.submit("/admin/exemptions", action, &fields).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    }
    admin
}

async fn plain_machine(harness: &Harness, hostname: &str, hardware: &str, user: &str) {
    let device = Device::enrol(harness, hardware).await;
    let report = Inventory {
        hostname: hostname.to_owned(),
        hardware_id: hardware.to_owned(),
        tpm: Tpm::Ready {
            manufacturer: "IBM".to_owned(),
            spec_version: "2.0".to_owned(),
        },
        volumes: vec![VolumeReport::plain("C:", VolumeKind::Os)],
        ..inventory(&[user], &Volume::new(1), &[])
    };
    device.check_in(Some(report)).await.unwrap();
}

async fn preview(admin: &Browser<'_>, begin: &str, windows: &str) -> String {
    let fields = [
        ("deployment", "everybody"),
        ("collection", "all-devices"),
        ("priority", "10"),
        ("begin", begin),
        ("windows", windows),
    ];
    let seen = admin
        .submit("/admin/policies/pin", "/admin/policies/pin/deploy/preview", &fields)
        .await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.body);
    seen.body
}

fn shows(page: &str, all: &[&str]) {
    for words in all {
        assert!(page.contains(words), "{words}: {page}");
    }
}

const NIGHT: &str = "windows = [{ start = \"22:00\", minutes = 360 }]";

#[tokio::test]
async fn a_preview_says_who_is_exempt_and_what_waits_for_a_window() {
    let harness = Harness::start().await;
    let admin = ground(&harness).await;
    // It is midnight, and the night's window is open.
    let page = preview(&admin, "", NIGHT).await;
    shows(
        &page,
        &[
            "would be on 1 device: nothing is encrypted there while that lasts",
            "exempt until 2026-12-25: CORP\\anna",
        ],
    );
    assert!(!page.contains("would wait for a maintenance window"), "{page}");
    let page = preview(&admin, "", "windows = [{ start = \"06:30\", minutes = 60 }]").await;
    shows(
        &page,
        &[
            "1 device would wait for a maintenance window before anything is encrypted",
            "the window opens 2026-11-25 06:30 UTC",
        ],
    );
}

#[tokio::test]
async fn a_deployment_that_begins_later_is_shown_as_it_will_be_then() {
    let harness = Harness::start().await;
    let admin = ground(&harness).await;
    let page = preview(&admin, "2027-01-10", "").await;
    shows(
        &page,
        &["as it will be when it begins: 2027-01-10 00:00 UTC", "2 of 2 devices"],
    );
    assert!(!page.contains("exempt until"), "the exemption is over by then: {page}");
}

#[tokio::test]
async fn further_pages_are_of_the_same_answer_for_a_while_and_the_first_one_is_always_new() {
    let harness = Harness::start().await;
    ground(&harness).await;
    let (admin, other) = (
        harness.admin().await,
        harness.person("ruth", domain::access::Role::Administrator).await,
    );
    let deployment: Deployment = serde_json::from_value(serde_json::json!({
        "id": "everybody", "policy": "pin", "collection": "all-devices", "priority": 10,
    }))
    .unwrap();
    let ask = async |user: &CurrentUser, priority: u32, offset: u64| {
        let deployment = Deployment {
            priority,
            ..deployment.clone()
        };
        let proposal = Proposal::Deployment(deployment);
        let seen = preview_of_the_fleet(harness.state(), user, proposal, offset, 1)
            .await
            .unwrap();
        (seen.preview.devices, seen.preview.listing.len())
    };
    assert_eq!(ask(&admin, 10, 0).await, (2, 1));
    plain_machine(&harness, "pc-3", "HW-3", "CORP\\carla").await;
    assert_eq!(ask(&admin, 10, 1).await, (2, 1), "the second page of the same answer");
    assert_eq!(ask(&admin, 10, 2).await, (2, 0));
    assert_eq!(
        ask(&other, 10, 1).await,
        (3, 1),
        "what another person asks is looked for"
    );
    assert_eq!(ask(&admin, 11, 1).await, (3, 1), "and so is another question");
    harness.clock.advance(Duration::from_secs(300));
    assert_eq!(ask(&admin, 10, 1).await, (3, 1), "in the end it is worked out anew");
    plain_machine(&harness, "pc-4", "HW-4", "CORP\\dora").await;
    assert_eq!(ask(&admin, 10, 0).await, (4, 1), "the first page always is");
}
