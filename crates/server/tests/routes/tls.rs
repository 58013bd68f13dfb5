//! Who may connect, and as whom.

use std::time::Duration;

use protocol::messages::CheckInResponse;
use serde_json::Value;

use crate::support::{Device, Harness, Key, check_in, client, post};

#[tokio::test]
async fn without_a_client_certificate_only_enrolment_is_open() {
    let harness = Harness::start().await;
    for path in ["check-in", "escrow", "wait", "renew"] {
        let url = harness.url(&format!("/agent/v1/{path}"));
        let (status, problem) = post::<Value>(&harness.client(None), &url, &check_in(None))
            .await
            .unwrap_err();
        assert_eq!((status.as_u16(), problem.code.as_str()), (401, "certificate_needed"));
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_in_the_handshake() {
    let ours = Harness::start().await;
    let theirs = Harness::start_with(|config| config.public_names.push("other.example".to_owned())).await;
    let device = Device::enrol(&theirs, "HW-1").await;
    let foreign = ours.client(Some((&device.certificate, &device.key)));
    let sent = foreign
        .post(ours.url("/agent/v1/check-in"))
        .json(&check_in(None))
        .send()
        .await;
    assert!(sent.is_err(), "{sent:?}");
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused_by_the_client() {
    let ours = Harness::start().await;
    let theirs = Harness::start().await;
    let root = std::fs::read(theirs.directory.path().join("ca.pem")).unwrap();
    assert!(client(&root, None).get(ours.url("/healthz")).send().await.is_err());
}

#[tokio::test]
async fn an_expired_certificate_is_refused_also_on_a_connection_that_is_open() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    device.check_in(None).await.unwrap();
    harness.clock.advance(Duration::from_secs(90 * 24 * 60 * 60 + 1));
    let (status, problem) = device.check_in(None).await.unwrap_err();
    assert_eq!((status.as_u16(), problem.code.as_str()), (401, "certificate_expired"));
    let fresh = harness.client(Some((&device.certificate, &device.key)));
    let sent = fresh
        .post(harness.url("/agent/v1/check-in"))
        .json(&check_in(None))
        .send()
        .await;
    assert!(sent.is_err(), "{sent:?}");
}

#[tokio::test]
async fn a_certificate_of_a_device_that_the_database_does_not_know_is_refused() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    // As after restoring a backup from before the enrolment: same keys, another database.
    harness.running.stop().await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(
        harness.directory.path().join("keys.json"),
        directory.path().join("keys.json"),
    )
    .unwrap();
    let config = crate::support::config(directory.path());
    let running = server::Server::start(config, harness.clock.clone(), crate::support::rng(3))
        .await
        .unwrap();
    let url = format!("https://localhost:{}/agent/v1/check-in", running.address().port());
    let (status, problem) = post::<CheckInResponse>(&device.http, &url, &check_in(None))
        .await
        .unwrap_err();
    assert_eq!((status.as_u16(), problem.code.as_str()), (403, "device_unknown"));
}

#[tokio::test]
async fn the_servers_own_certificate_is_no_identity_of_a_device() {
    let harness = Harness::start().await;
    let identity = server::tls::PeerIdentity::of(harness.state().authority.root());
    assert_eq!(identity, None);
}

#[tokio::test]
async fn a_given_certificate_is_served_and_devices_still_enrol_with_the_own_authority() {
    let files = tempfile::tempdir().unwrap();
    let (root_key, key) = (Key::new(), Key::new());
    let mut root = rcgen::CertificateParams::default();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let given = root.self_signed(&root_key.0).unwrap().pem();
    let issuer = rcgen::Issuer::new(root, root_key.0);
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key.0, &issuer).unwrap().pem();
    let (certificate, key_file) = (files.path().join("server.pem"), files.path().join("server.key"));
    std::fs::write(&certificate, leaf).unwrap();
    std::fs::write(&key_file, key.0.serialize_pem()).unwrap();
    let harness = Harness::start_with(|config| {
        config.certificate = server::CertificateSource::Files {
            certificate,
            key: key_file,
        };
    })
    .await;
    let enrol = protocol::messages::EnrolRequest {
        token: harness.token().await,
        certificate_request: key.request(),
        hostname: "pc-1".to_owned(),
        hardware_id: "HW-1".to_owned(),
    };
    let trusting = client(given.as_bytes(), None);
    let identity: protocol::messages::EnrolResponse =
        post(&trusting, &harness.url("/agent/v1/enrol"), &enrol).await.unwrap();
    let device = client(given.as_bytes(), Some((&identity.certificate, &key)));
    let answer = post::<CheckInResponse>(&device, &harness.url("/agent/v1/check-in"), &check_in(None)).await;
    assert!(answer.is_ok(), "{answer:?}");
    let own = harness.client(None).get(harness.url("/healthz")).send().await;
    assert!(own.is_err(), "{own:?}");
}

#[tokio::test]
async fn certificate_files_that_cannot_be_used_are_named() {
    let harness = Harness::start().await;
    let directory = harness.directory.path();
    let (missing, other) = (directory.join("missing.pem"), directory.join("ca.pem"));
    for (certificate, key, named) in [
        (missing.clone(), missing.clone(), "missing.pem"),
        (other.clone(), other.clone(), "ca.pem"),
        (directory.join("audit.pub"), other, "audit.pub"),
    ] {
        let mut config = crate::support::config(directory);
        config.certificate = server::CertificateSource::Files { certificate, key };
        let started = server::Server::start(config, harness.clock.clone(), crate::support::rng(3)).await;
        let Err(error) = started else { panic!("it started") };
        assert!(error.to_string().contains(named), "{error}");
    }
}
