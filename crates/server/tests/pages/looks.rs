use std::path::Path;
use std::process::Command;

use crate::support::{ADMIN_PASSWORD, Harness};
use crate::with_a_device;

/// Pictures go to `target/looks`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and the packages of tests/web; ./test runs it"]
async fn a_browser_finds_no_serious_fault_on_any_page() {
    let harness = Harness::start().await;
    let (device, volume) = with_a_device(&harness).await;
    crate::policies::filled(&harness).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let password = harness.directory.path().join("password");
    std::fs::write(&password, ADMIN_PASSWORD).unwrap();
    let mut command = Command::new("node");
    command
        .arg(root.join("tests/web/look.mjs"))
        .arg("--out")
        .arg(root.join("target/looks"));
    command.args([
        "--insecure",
        "--base",
        &harness.url(""),
        "--user",
        "admin",
        "--recover",
        &volume.protector.short(),
    ]);
    command.arg("--password-file").arg(&password);
    command.args([
        "/login",
        "/admin",
        "/admin/devices",
        "/admin/policies",
        "/admin/policies/default",
        "/admin/policies/default/edit",
        "/admin/policies/default/text",
        "/admin/policies/new",
        "/admin/policies/pin",
        "/admin/policies/pin?deployment=laptops-pin",
        "/admin/policies/new?from=pin",
        "/admin/collections",
        "/admin/collections/laptops",
        "/admin/exemptions",
        "/selfservice/exemption",
    ]);
    command.args([
        "/admin/enrolment",
        "/admin/accounts",
        "/admin/api-tokens",
        "/admin/audit",
        "/helpdesk",
        "/selfservice",
        "/account",
        "/missing",
    ]);
    command.arg(format!("/admin/devices/{}", device.id));
    command.arg(format!("/admin/devices/{}/policy", device.id));
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
