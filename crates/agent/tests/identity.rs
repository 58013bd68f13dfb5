//! Enrolment, renewal, and what becomes of lost, damaged and expired identities.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use agent::AgentError;
use agent::identity::{Identity, IdentityError};
use domain::ids::DeviceId;
use domain::time::Timestamp;
use domain::volume::VolumeKind;
use protocol::messages::EnrolResponse;
use support::authority::Authority;
use support::bench::Bench;
use support::https::{Reply, TestServer};
use support::ledger::{Book, Server, json};
use support::volumes::Volumes;
use uuid::Uuid;

async fn scene() -> (Arc<Server>, TestServer, Bench) {
    let book = Book::new();
    let server = Server::new(&book);
    let listening = TestServer::start(&server.authority, server.handler()).await;
    let volumes = Volumes::new(book, &[("c", VolumeKind::Os)]);
    let bench = Bench::new(&listening.address, &server.authority, volumes);
    (server, listening, bench)
}

fn stored(bench: &Bench) -> Identity {
    Identity::load(&bench.config.state_dir).unwrap().unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn the_identity_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let (_server, _listening, bench) = scene().await;
    bench.once().await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&bench.state("identity.json")), 0o600);
    assert_eq!(mode(&bench.config.state_dir), 0o700);
    assert!(format!("{:?}", stored(&bench)).contains("[redacted]"));
}

#[tokio::test]
async fn a_wiped_state_directory_enrols_again_and_loses_nothing() {
    let (server, _listening, bench) = scene().await;
    bench.once().await.unwrap();
    std::fs::remove_dir_all(&bench.config.state_dir).unwrap();
    assert_eq!(bench.once().await.unwrap().exit_code(), 0);
    assert_eq!(server.book.lock().unwrap().enrolled, 2);
    assert_eq!(bench.volumes.disk("c").recovery_passwords().len(), 1);
}

#[tokio::test]
async fn a_damaged_identity_is_replaced_when_there_is_a_token_and_named_when_not() {
    let (server, _listening, mut bench) = scene().await;
    bench.once().await.unwrap();
    std::fs::write(bench.state("identity.json"), "{\"key\": \"secret-looking").unwrap();
    bench.once().await.unwrap();
    assert_eq!(server.book.lock().unwrap().enrolled, 2);

    std::fs::write(bench.state("identity.json"), "{\"key\": \"secret-looking").unwrap();
    bench.config.enrolment_token_file = None;
    let error = bench.once().await.unwrap_err().to_string();
    assert!(
        error.contains("identity.json") && !error.contains("secret-looking"),
        "{error}"
    );
}

#[tokio::test]
async fn without_a_token_the_device_says_what_it_needs() {
    let (server, _listening, mut bench) = scene().await;
    bench.config.enrolment_token_file = None;
    let error = bench.once().await.unwrap_err();
    assert!(
        matches!(error, AgentError::Identity(IdentityError::NoToken)),
        "{error:?}"
    );
    assert!(server.book.lock().unwrap().paths.is_empty());
    let shown = agent::status(&bench.config).unwrap();
    assert!(shown.last_error.unwrap().contains("enrolment_token_file"));
}

#[tokio::test]
async fn a_token_that_is_no_token_is_not_sent_and_a_wrong_one_is_never_repeated_in_words() {
    let (server, _listening, bench) = scene().await;
    let token = bench.dir.path().join("token");
    for bad in ["", "  \n", "two words", &"x".repeat(2000)] {
        std::fs::write(&token, bad).unwrap();
        let error = bench.once().await.unwrap_err();
        assert!(
            matches!(error, AgentError::Identity(IdentityError::Token { .. })),
            "{error:?}"
        );
    }
    assert!(server.book.lock().unwrap().paths.is_empty());
    std::fs::write(&token, "wrong-token\n").unwrap();
    let error = bench.once().await.unwrap_err();
    assert_eq!(error.exit_code(), 1);
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains("token_unknown") && !shown.contains("wrong-token"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_due_certificate_is_renewed_for_a_new_key_and_the_device_stays_the_same() {
    let (server, _listening, bench) = scene().await;
    server.book.lock().unwrap().renew_after = Timestamp(1_900_000_000_000);
    bench.once().await.unwrap();
    let before = std::fs::read_to_string(bench.state("identity.json")).unwrap();
    bench.once().await.unwrap();
    assert_eq!(
        std::fs::read_to_string(bench.state("identity.json")).unwrap(),
        before,
        "not due yet"
    );

    bench.clock.0.store(1_900_000_000_000, Ordering::SeqCst);
    bench.once().await.unwrap();
    let book = server.book.lock().unwrap();
    assert_eq!(
        (book.enrolled, book.paths.iter().filter(|p| *p == "renew").count()),
        (1, 1)
    );
    let after = stored(&bench);
    assert_eq!(after.device, DeviceId(Uuid::from_u128(1)));
    assert!(!before.contains(&serde_json::to_string(&after.certificate).unwrap()));
}

#[tokio::test]
async fn a_renewal_that_fails_stops_nothing() {
    let (server, _listening, bench) = scene().await;
    server.book.lock().unwrap().renew_after = Timestamp(0);
    server.book.lock().unwrap().bad.push(("renew", Reply::Hang));
    bench.once().await.unwrap();
    server.book.lock().unwrap().bad.push(("renew", Reply::Hang));
    assert_eq!(bench.once().await.unwrap().exit_code(), 0);
    let shown = agent::status(&bench.config).unwrap().last_error.unwrap();
    assert!(shown.contains("renewed"), "{shown}");
}

#[tokio::test]
async fn an_expired_certificate_leads_to_a_new_enrolment() {
    let (server, _listening, mut bench) = scene().await;
    server.book.lock().unwrap().not_after = 1_850_000_000;
    bench.once().await.unwrap();
    bench.clock.0.store(1_850_000_000_000, Ordering::SeqCst);
    server.book.lock().unwrap().not_after = 4_000_000_000;
    let token = bench.config.enrolment_token_file.take();
    let error = bench.once().await.unwrap_err();
    assert!(
        matches!(error, AgentError::Identity(IdentityError::Expired)),
        "{error:?}"
    );
    bench.config.enrolment_token_file = token;
    bench.once().await.unwrap();
    assert_eq!(server.book.lock().unwrap().enrolled, 2);
}

#[tokio::test]
async fn a_certificate_for_somebody_elses_key_is_not_kept() {
    let (server, _listening, bench) = scene().await;
    let (foreign, _) = Authority::new().server();
    for certificate in [foreign, "no certificate".to_owned()] {
        let answer = json(&EnrolResponse {
            device: DeviceId(Uuid::from_u128(1)),
            certificate,
            renew_after: Timestamp(i64::MAX),
            recovery_key: server.recovery_key.public(),
        });
        server.book.lock().unwrap().bad.push(("enrol", answer));
        let error = bench.once().await.unwrap_err();
        assert!(matches!(error, AgentError::Identity(_)), "{error:?}");
        assert!(!bench.state("identity.json").exists());
    }
}
