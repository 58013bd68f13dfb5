//! A server that lies, babbles, stalls or is not the one that was promised: the agent says so kindly and goes on living.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall panic")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agent::client::{Client, ClientError, Endpoint, MAX_ANSWER, Timeouts};
use domain::ids::{ProtectorId, VolumeId};
use protocol::messages::{CheckInRequest, EscrowRequest, WaitRequest};
use protocol::sealing::SealedSecret;
use support::authority::Authority;
use support::https::{Reply, TestServer, handler};
use uuid::Uuid;

fn client(server: &str, authority: &Authority, timeouts: Timeouts) -> Client {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, &authority.certificate_pem).unwrap();
    Client::anonymous(&Endpoint::new(server, &ca, timeouts).unwrap()).unwrap()
}

fn check_in() -> CheckInRequest {
    CheckInRequest {
        sequence: 1,
        inventory_digest: "00".to_owned(),
        inventory: None,
        policy_digest: None,
        blocked: Vec::new(),
        last_error: None,
        done: Vec::new(),
        exemption_wishes: Vec::new(),
    }
}

/// What the agent makes of one answer.
async fn answer_to(reply: impl Fn() -> Reply + Send + Sync + 'static) -> ClientError {
    let authority = Authority::new();
    let reply = handler(move |_| {
        let reply = reply();
        async move { reply }
    });
    let server = TestServer::start(&authority, reply).await;
    let client = client(&server.address, &authority, Timeouts::default());
    client.check_in(&check_in()).await.unwrap_err()
}

fn raw(head: &str, body: &[u8]) -> Reply {
    Reply::Raw([head.as_bytes(), b"\r\n\r\n", body].concat())
}

#[tokio::test]
async fn a_server_of_another_authority_gets_no_request() {
    let (ours, foreign) = (Authority::new(), Authority::new());
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    let handler = handler(move |_| {
        seen.fetch_add(1, Ordering::SeqCst);
        async { Reply::Hang }
    });
    let server = TestServer::start(&foreign, handler).await;
    let error = client(&server.address, &ours, Timeouts::default())
        .check_in(&check_in())
        .await
        .unwrap_err();
    assert!(matches!(&error, ClientError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_that_only_speaks_tls_1_2_gets_no_request() {
    let authority = Authority::new();
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    let handler = handler(move |_| {
        seen.fetch_add(1, Ordering::SeqCst);
        async { Reply::Hang }
    });
    let server = TestServer::start_with(&authority, &[&rustls::version::TLS12], handler).await;
    let error = client(&server.address, &authority, Timeouts::default())
        .check_in(&check_in())
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn later_is_obeyed_with_the_servers_time_or_a_minute_but_never_more_than_a_day() {
    for (head, seconds) in [
        ("HTTP/1.1 429 X\r\nretry-after: 17", 17),
        ("HTTP/1.1 503 X\r\nretry-after: 3", 3),
        ("HTTP/1.1 503 X", 60),
        ("HTTP/1.1 429 X\r\nretry-after: soon", 60),
        ("HTTP/1.1 429 X\r\nretry-after: 99999999999", 86400),
    ] {
        let error = answer_to(move || raw(&format!("{head}\r\ncontent-length: 0"), b"")).await;
        assert_eq!(error.retry_after(), Some(Duration::from_secs(seconds)), "{head}");
    }
}

#[tokio::test]
async fn answers_that_are_not_the_protocols_are_refused() {
    for body in [
        &b"{"[..],
        b"",
        b"null",
        b"[]",
        b"{\"send_inventory\": true}",
        b"\xff\xfe",
        &[b'['; 100_000],
    ] {
        let head = format!("HTTP/1.1 200 X\r\ncontent-length: {}", body.len());
        let error = answer_to(move || raw(&head, body)).await;
        assert!(matches!(error, ClientError::Answer(_)), "{error:?}");
        assert!(error.to_string().len() < 500);
    }
}

#[tokio::test]
async fn an_unknown_field_in_an_answer_is_refused_by_name() {
    let error = answer_to(|| Reply::Json(200, serde_json::json!({"surprise": 1}))).await;
    assert!(error.to_string().contains("surprise"), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_announced_too_long_is_not_read() {
    let head = format!("HTTP/1.1 200 X\r\ncontent-length: {}", MAX_ANSWER + 1);
    let error = answer_to(move || raw(&head, b"{")).await;
    assert!(
        matches!(&error, ClientError::Answer(m) if m.contains("longer")),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let body = vec![b' '; MAX_ANSWER + 65536];
    let error = answer_to(move || raw("HTTP/1.1 200 X\r\nconnection: close", &body)).await;
    assert!(
        matches!(&error, ClientError::Answer(m) if m.contains("longer")),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let error = answer_to(|| raw("HTTP/1.1 200 X\r\ncontent-length: 500", b"{\"send_inventory\"")).await;
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
    let error = answer_to(|| Reply::Hang).await;
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
    let error = answer_to(|| Reply::Raw(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec())).await;
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_silent_server_is_given_up_in_time() {
    let authority = Authority::new();
    let server = TestServer::start(&authority, handler(|_| async { Reply::Silence })).await;
    let timeouts = Timeouts {
        exchange: Duration::from_millis(300),
        ..Timeouts::default()
    };
    let client = client(&server.address, &authority, timeouts);
    let error = client.check_in(&check_in()).await.unwrap_err();
    assert!(error.to_string().contains("in time"), "{error}");
    let held = WaitRequest {
        policy_digest: None,
        seconds: 0,
    };
    assert!(client.wait(&held).await.is_err());
}

#[tokio::test]
async fn a_refusal_is_told_with_its_code_and_sentence_and_harmless_characters() {
    let problem = serde_json::json!({"code": "device_unknown", "detail": "Not\u{1b}[31m known.\nForged: line"});
    let error = answer_to(move || Reply::Json(403, problem.clone())).await;
    let text = error.to_string();
    assert!(
        text.contains("403") && text.contains("device_unknown") && text.contains("known."),
        "{text}"
    );
    assert!(!text.contains(['\u{1b}', '\n']), "{text:?}");
    let error = answer_to(|| raw("HTTP/1.1 500 X\r\ncontent-length: 4", b"<ht>")).await;
    assert!(matches!(error, ClientError::Refused { status: 500, .. }), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let error = answer_to(|| {
        raw(
            "HTTP/1.1 307 X\r\nlocation: https://127.0.0.1:1/agent/v1/check-in\r\ncontent-length: 0",
            b"",
        )
    })
    .await;
    assert!(matches!(error, ClientError::Refused { status: 307, .. }), "{error:?}");
}

#[tokio::test]
async fn an_acknowledgement_for_another_protector_acknowledges_nothing() {
    let authority = Authority::new();
    let other = ProtectorId(Uuid::from_u128(99));
    let server = TestServer::start(
        &authority,
        handler(move |_| async move { Reply::Json(200, serde_json::json!({"protector": other, "escrowed_at": 1})) }),
    )
    .await;
    let request = EscrowRequest {
        volume: VolumeId(Uuid::from_u128(1)),
        protector: ProtectorId(Uuid::from_u128(2)),
        sealed_password: SealedSecret {
            key_version: 1,
            encapsulated_key: String::new(),
            ciphertext: String::new(),
        },
        metadata: String::new(),
    };
    let error = client(&server.address, &authority, Timeouts::default())
        .escrow(&request)
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Answer(_)), "{error:?}");
}

#[tokio::test]
async fn an_authority_file_without_certificate_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    for content in [
        &b""[..],
        b"hello",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        std::fs::write(&file, content).unwrap();
        let error = Endpoint::new("https://x", &file, Timeouts::default()).err().unwrap();
        assert!(error.to_string().contains("ca.pem"), "{error}");
    }
}
