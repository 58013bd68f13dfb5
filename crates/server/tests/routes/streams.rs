//! The audit as receivers get it: over TCP, over TLS, by web hook; and metrics.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use server::AUDIT_KEY;
use server::sealing::verify_signature;
use server::stream::{Standing, parse};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::support::{ADMIN_PASSWORD, Harness};

/// One message with its length before it.
async fn frame(from: &mut (impl AsyncRead + Unpin)) -> String {
    let mut length = 0;
    loop {
        match from.read_u8().await.unwrap() {
            b' ' => break,
            digit @ b'0'..=b'9' => length = length * 10 + usize::from(digit - b'0'),
            other => panic!("{other} in a length"),
        }
    }
    let mut message = vec![0; length];
    from.read_exact(&mut message).await.unwrap();
    String::from_utf8(message).unwrap()
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.unwrap()
}

fn sequence(message: &str) -> u64 {
    let rest = message.split_once("sequence=\"").unwrap().1;
    rest.split_once('"').unwrap().0.parse().unwrap()
}

fn target(to: &str, more: &str) -> Vec<server::stream::Target> {
    parse(&format!("[[stream]]\nname = \"t\"\nto = \"{to}\"\n{more}")).unwrap()
}

/// Waits until the stream stands so.
async fn standing(harness: &Harness, wanted: impl Fn(&Standing) -> bool) -> Standing {
    soon(async {
        loop {
            if let Some(standing) = harness.state().streams.all().get("t")
                && wanted(standing)
            {
                return standing.clone();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// A certificate for `localhost`; its authority is written to `ca`.
fn acceptor(ca: &Path) -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(ca, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

#[tokio::test]
async fn a_syslog_receiver_gets_every_entry_in_order_also_after_it_was_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let harness = Harness::start_with(|config| {
        config.public_names = vec!["claviger.example".to_owned()];
        config.audit_streams = target(&format!("syslog+tcp://{address}"), "");
    })
    .await;
    let before = standing(&harness, |_| true).await.reached;
    harness.sign_in("admin", ADMIN_PASSWORD).await;
    let (mut connection, _) = soon(listener.accept()).await.unwrap();
    let first = soon(frame(&mut connection)).await;
    assert!(first.starts_with("<110>1 2026-11-25T00:00:00.000Z claviger.example claviger - sign_in.succeeded ["));
    assert_eq!(sequence(&first), before + 1);

    drop((connection, listener));
    harness.sign_in("admin", ADMIN_PASSWORD).await;
    let away = standing(&harness, |standing| standing.failure.is_some()).await;
    assert_eq!(away.reached, before + 1);
    let listener = TcpListener::bind(address).await.unwrap();
    let (mut connection, _) = soon(listener.accept()).await.unwrap();
    assert_eq!(sequence(&soon(frame(&mut connection)).await), before + 2);
    standing(&harness, |standing| {
        standing.failure.is_none() && standing.reached == before + 2
    })
    .await;
    harness.running.stop().await;
}

#[tokio::test]
async fn cef_over_tls_reaches_whom_the_authority_vouches_for_and_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    let (ca, other) = (directory.path().join("ca.pem"), directory.path().join("other.pem"));
    let tls = acceptor(&ca);
    acceptor(&other);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("syslog+tls://localhost:{}", listener.local_addr().unwrap().port());
    let write = |ca: &Path| target(&to, &format!("form = \"cef\"\nca = {:?}", ca.display().to_string()));

    let trusting = Harness::start_with(|config| config.audit_streams = write(&ca)).await;
    standing(&trusting, |_| true).await;
    trusting.sign_in("admin", ADMIN_PASSWORD).await;
    let (tcp, _) = soon(listener.accept()).await.unwrap();
    let mut connection = soon(tls.accept(tcp)).await.unwrap();
    let message = soon(frame(&mut connection)).await;
    assert!(message.contains(" - CEF:0|Claviger|Claviger|"), "{message}");
    assert!(
        message.contains("|sign_in.succeeded|sign_in succeeded|2|rt=1795564800000 "),
        "{message}"
    );

    let doubting = Harness::start_with(|config| config.audit_streams = write(&other)).await;
    standing(&doubting, |_| true).await;
    doubting.sign_in("admin", ADMIN_PASSWORD).await;
    let (tcp, _) = soon(listener.accept()).await.unwrap();
    assert!(soon(tls.accept(tcp)).await.is_err());
    let failure = standing(&doubting, |standing| standing.failure.is_some()).await;
    assert!(failure.failure.unwrap().contains("certificate"));
}

type Calls = mpsc::UnboundedSender<(HeaderMap, Bytes)>;

/// Answers the given codes, then 204.
async fn called(
    State((calls, codes)): State<(Calls, Arc<Mutex<VecDeque<u16>>>)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    calls.send((headers, body)).unwrap();
    let code = codes.lock().unwrap().pop_front().unwrap_or(204);
    StatusCode::from_u16(code).unwrap()
}

#[tokio::test]
async fn a_web_hook_is_signed_tried_again_and_not_called_twice_for_what_it_took() {
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    let tls = acceptor(&ca);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (calls, mut received) = mpsc::unbounded_channel();
    let codes = Arc::new(Mutex::new(VecDeque::from([503, 302])));
    #[expect(clippy::disallowed_methods, reason = "a server of the tests' own")]
    let router = Router::new().route("/hook", post(called)).with_state((calls, codes));
    let serving = tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let connection = TokioIo::new(tls.accept(tcp).await.unwrap());
            let service = TowerToHyperService::new(router.clone());
            tokio::spawn(async move {
                Builder::new(TokioExecutor::new())
                    .serve_connection(connection, service)
                    .await
                    .map_err(|error| error.to_string())
            });
        }
    });
    let streams = target(
        &format!("https://localhost:{port}/hook?key=SECRET"),
        &format!("ca = {:?}", ca.display().to_string()),
    );
    let harness = Harness::start_with(|config| config.audit_streams = streams.clone()).await;
    standing(&harness, |_| true).await;
    harness.sign_in("admin", ADMIN_PASSWORD).await;
    let key = std::fs::read_to_string(harness.directory.path().join(AUDIT_KEY)).unwrap();
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let (headers, body) = soon(received.recv()).await.unwrap();
        let text = |name: &str| headers[name].to_str().unwrap().to_owned();
        let signature = text("claviger-signature");
        let signature = hex::decode(signature.strip_prefix("ed25519=").unwrap()).unwrap();
        let signed = [
            b"claviger web hook v1\n",
            text("claviger-timestamp").as_bytes(),
            b"\n",
            &body,
        ]
        .concat();
        assert!(verify_signature(&key, &signed, &signature));
        let changed = [&signed[..], b"x"].concat();
        assert!(!verify_signature(&key, &changed, &signature));
        bodies.push(body);
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[0], bodies[2]);
    let told: serde_json::Value = serde_json::from_slice(&bodies[0]).unwrap();
    assert_eq!(told["server"], "localhost");
    assert_eq!(told["entries"][0]["action"], "sign_in.succeeded");
    let reached = told["entries"][0]["sequence"].as_u64().unwrap();
    standing(&harness, |standing| {
        standing.reached == reached && standing.failure.is_none()
    })
    .await;

    let harness = harness.restart_with(|config| config.audit_streams = streams).await;
    harness.sign_in("admin", ADMIN_PASSWORD).await;
    let (_, body) = soon(received.recv()).await.unwrap();
    let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(told["entries"][0]["sequence"], reached + 1);
    serving.abort();
}

#[tokio::test]
async fn a_failing_stream_says_why_without_its_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let to = format!("https://127.0.0.1:{port}/hook?key=SECRET");
    let harness = Harness::start_with(|config| config.audit_streams = target(&to, "")).await;
    standing(&harness, |_| true).await;
    harness.sign_in("admin", ADMIN_PASSWORD).await;
    let failed = standing(&harness, |standing| standing.failure.is_some()).await;
    let failure = failed.failure.unwrap();
    assert!(failure.contains("refused"), "{failure}");
    assert!(!failure.contains("SECRET"), "{failure}");
}

#[tokio::test]
async fn metrics_count_devices_keys_and_audit_and_name_nobody() {
    let harness = Harness::start_with(|config| config.metrics_listen = Some(([127, 0, 0, 1], 0).into())).await;
    crate::support::Device::enrol(&harness, "HW-METRICS").await;
    let address = harness.running.metrics_address().unwrap();
    let client = harness.client(None);
    let answer = client.get(format!("http://{address}/metrics")).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let text = answer.text().await.unwrap();
    let entries = harness.state().store.audit_head().await.unwrap().sequence;
    for line in [
        "claviger_devices{state=\"unknown\"} 1",
        "claviger_devices{state=\"retired\"} 0",
        "claviger_keys{state=\"live\"} 0",
        "claviger_held_requests 0",
        &format!("claviger_audit_entries {entries}"),
        "# EOF",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("HW-METRICS"));
    // Pages are elsewhere.
    let other = client.get(format!("http://{address}/login")).send().await.unwrap();
    assert_eq!(other.status().as_u16(), 404);
}
