//! Messages that no agent sends.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::support::{Device, Harness, Volume, check_in, inventory};

const PATHS: [&str; 5] = ["enrol", "renew", "check-in", "escrow", "wait"];

async fn send(device: &Device, harness: &Harness, path: &str, kind: &str, body: Vec<u8>) -> (u16, Value) {
    let response = device
        .http
        .post(harness.url(&format!("/agent/v1/{path}")))
        .header("content-type", kind)
        .body(body)
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn malformed_bodies_are_refused_with_a_code_on_every_path() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let before = harness.audit().await.len();
    let deep = "[".repeat(100_000);
    let bodies: [&[u8]; 9] = [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\"text\"",
        b"{}{}",
        b"{\"unknown\": 1}",
        b"\xFF\xFE",
        deep.as_bytes(),
    ];
    for path in PATHS {
        for body in bodies {
            let (status, problem) = send(&device, &harness, path, "application/json", body.to_vec()).await;
            assert_eq!(status, 422, "{path} {problem}");
            assert_eq!(problem["code"], "invalid_message", "{path}");
        }
        let (status, problem) = send(&device, &harness, path, "text/plain", b"{}".to_vec()).await;
        assert_eq!((status, &problem["code"]), (415, &json!("content_type")));
        let large = vec![b' '; protocol::limits::MAX_BODY + 1];
        let (status, problem) = send(&device, &harness, path, "application/json", large).await;
        assert_eq!((status, &problem["code"]), (413, &json!("too_large")));
    }
    assert_eq!(harness.audit().await.len(), before);
}

#[tokio::test]
async fn a_refusal_names_the_field_and_never_repeats_a_value() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let body = json!({"token": {"s3cret": "s3cret"}, "certificate_request": "", "hostname": "", "hardware_id": ""});
    let (_, problem) = send(&device, &harness, "enrol", "application/json", body.to_string().into()).await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("token: must be a string"), "{detail}");
    assert!(!detail.contains("s3cret"), "{detail}");
    let mut body = serde_json::to_value(check_in(Some(inventory(&[], &Volume::new(1), &[])))).unwrap();
    body["inventory"]["volumes"][0]["size"] = json!("s3cret");
    let (_, problem) = send(
        &device,
        &harness,
        "check-in",
        "application/json",
        body.to_string().into(),
    )
    .await;
    assert_eq!(problem["detail"], "inventory.volumes[0].size: must be u64");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_with_a_problem() {
    let harness = Harness::start().await;
    let client = harness.client(None);
    for (method, path) in [
        ("GET", "/agent/v1/enrol"),
        ("POST", "/agent/v1/nothing"),
        ("POST", "/agent/v2/enrol"),
    ] {
        let method = method.parse().unwrap();
        let response = client.request(method, harness.url(path)).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 404, "{path}");
    }
}

/// A good message with one value, anywhere in it, replaced by another.
fn mutate(good: &Value, pointer: &prop::sample::Index, replacement: &Value) -> Value {
    fn collect(value: &Value, path: String, all: &mut Vec<String>) {
        match value {
            Value::Object(map) => map
                .iter()
                .for_each(|(key, value)| collect(value, format!("{path}/{key}"), all)),
            Value::Array(list) => list
                .iter()
                .enumerate()
                .for_each(|(index, value)| collect(value, format!("{path}/{index}"), all)),
            _ => {}
        }
        all.push(path);
    }
    let mut all = Vec::new();
    collect(good, String::new(), &mut all);
    let mut changed = good.clone();
    if let Some(target) = changed.pointer_mut(&all[pointer.index(all.len())]) {
        *target = replacement.clone();
    }
    changed
}

#[tokio::test]
async fn a_good_message_with_any_value_replaced_never_fails_inside_the_server() {
    let harness = Harness::start().await;
    let device = Device::enrol(&harness, "HW-1").await;
    let volume = Volume::new(1);
    let good = [
        (
            "check-in",
            serde_json::to_value(check_in(Some(inventory(&["alice"], &volume, &[volume.protector])))).unwrap(),
        ),
        ("escrow", serde_json::to_value(device.escrow_of(&volume)).unwrap()),
        ("wait", json!({"policy_digest": null, "seconds": 1})),
        ("renew", json!({"certificate_request": device.key.request()})),
    ];
    let values = prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!([])),
        Just(json!(-1)),
        Just(json!(u64::MAX)),
        Just(json!(1e300)),
        Just(json!("")),
        Just(json!("\u{0}\u{7f}'; DROP TABLE keys; --")),
        Just(json!("é".repeat(1000))),
        ".{0,40}".prop_map(|text| json!(text)),
    ];
    let strategy = (0..good.len(), any::<prop::sample::Index>(), values);
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    for _ in 0..200 {
        let (which, pointer, value) = strategy.new_tree(&mut runner).unwrap().current();
        let (path, message) = &good[which];
        let body = mutate(message, &pointer, &value).to_string();
        let (status, problem) = send(&device, &harness, path, "application/json", body.clone().into()).await;
        assert!(status < 500, "{path} {status} {problem} {body:.300}");
    }
    device.check_in(None).await.unwrap();
}
