//! Reading messages: limits with exact answers, and no input that brings the reader down.

#![expect(clippy::unwrap_used, reason = "a helper that cannot help ends the test")]

use domain::ids::{DeviceId, ProtectorId, VolumeId};
use domain::inventory::{Inventory, Tpm};
use domain::policy::targeting::UtcOffset;
use proptest::prelude::*;
use protocol::limits::{MAX_BLOCKED, MAX_DONE, MAX_TEXT, MAX_USERS, MAX_VOLUMES};
use protocol::messages::{CheckInRequest, EnrolRequest, EscrowRequest, RenewRequest, WaitRequest, digest};
use protocol::sealing::{Binding, RecoveryPrivateKey, seal};
use protocol::validate::read;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};
use uuid::Uuid;

fn inventory() -> Value {
    let inventory = Inventory {
        hostname: "pc".to_owned(),
        os: "Windows 11".to_owned(),
        os_version: "26100".to_owned(),
        manufacturer: String::new(),
        model: String::new(),
        hardware_id: "HW".to_owned(),
        portable: false,
        virtual_machine: false,
        agent_version: "0.1".to_owned(),
        tpm: Tpm::Absent,
        users: vec!["alice".to_owned()],
        utc_offset_minutes: Some(UtcOffset(60)),
        volumes: Vec::new(),
        ..Inventory::default()
    };
    serde_json::to_value(inventory).unwrap()
}

fn volume() -> Value {
    json!({
        "device": "/dev/sda1", "letter": null, "kind": "os", "label": "", "file_system": "NTFS", "size": 1, "volume": null,
        "protection": "off", "conversion": "fully_decrypted", "encrypted_basis_points": 0, "method": "none",
        "lock": "unlocked", "suspend_count": null, "auto_unlock": null, "protectors": []
    })
}

fn check_in(inventory: &Value) -> Value {
    let typed: Result<Inventory, _> = serde_json::from_value(inventory.clone());
    let digest = typed.map_or("0".repeat(64), |inventory| digest(&inventory).unwrap());
    json!({
        "inventory_digest": digest, "inventory": inventory, "policy_digest": null, "blocked": [], "last_error": null, "done": []
    })
}

fn refusal<T: serde::de::DeserializeOwned + protocol::validate::Validate>(message: &Value) -> String {
    match read::<T>(message.to_string().as_bytes()) {
        Ok(_) => panic!("accepted: {message}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_good_check_in_is_read() {
    let mut inventory = inventory();
    inventory["volumes"] = json!([volume()]);
    read::<CheckInRequest>(check_in(&inventory).to_string().as_bytes()).unwrap();
}

#[test]
fn each_limit_of_an_inventory_is_answered_with_its_field() {
    let long = "x".repeat(MAX_TEXT + 1);
    let text = format!("at most {MAX_TEXT} bytes without control characters");
    let many = |value: Value, count: usize| Value::Array(vec![value; count]);
    let cases: Vec<(&str, Value, String)> = vec![
        (
            "/hostname",
            json!(""),
            "inventory.hostname: must not be empty".to_owned(),
        ),
        (
            "/utc_offset_minutes",
            json!(-1081),
            "inventory.utc_offset_minutes: -1080 to 1080".to_owned(),
        ),
        ("/hostname", json!(long), format!("inventory.hostname: {text}")),
        ("/os", json!("a\u{1b}[31m"), format!("inventory.os: {text}")),
        (
            "/users",
            many(json!("a"), MAX_USERS + 1),
            format!("inventory.users: at most {MAX_USERS} entries"),
        ),
        (
            "/users",
            json!(["a", " "]),
            "inventory.users[1]: must not be empty".to_owned(),
        ),
        (
            "/volumes",
            many(volume(), MAX_VOLUMES + 1),
            format!("inventory.volumes: at most {MAX_VOLUMES} entries"),
        ),
        (
            "/tpm",
            json!({"state": "not_ready", "reason": "\u{0}"}),
            "inventory.tpm.reason: at most 4096 bytes of printable text".to_owned(),
        ),
    ];
    for (pointer, value, expected) in cases {
        let mut inventory = inventory();
        *inventory.pointer_mut(pointer).unwrap() = value;
        assert_eq!(refusal::<CheckInRequest>(&check_in(&inventory)), expected);
    }
}

#[test]
fn each_limit_of_a_volume_is_answered_with_its_place() {
    let protector = json!({"id": Uuid::nil(), "kind": "tpm", "name": "x".repeat(MAX_TEXT + 1)});
    let cases = [
        ("device", json!(""), "device: must not be empty"),
        ("size", json!(u64::MAX), "size: at most 2^63 - 1 bytes"),
        ("size", json!(-1), "size: must be u64"),
        (
            "encrypted_basis_points",
            json!(10_001),
            "encrypted_basis_points: 0 to 10000",
        ),
        ("suspend_count", json!(16), "suspend_count: 0 to 15"),
        (
            "protectors",
            json!([protector]),
            "protectors[0].name: at most 260 bytes without control characters",
        ),
    ];
    for (field, value, expected) in cases {
        let (mut inventory, mut bad) = (inventory(), volume());
        bad[field] = value;
        inventory["volumes"] = json!([volume(), bad]);
        let expected = format!("inventory.volumes[1].{expected}");
        assert_eq!(refusal::<CheckInRequest>(&check_in(&inventory)), expected);
    }
}

#[test]
fn the_rest_of_a_check_in_has_limits_too() {
    let blocked = json!({"device": "d", "reason": "r"});
    let cases = [
        (
            "sequence",
            json!(1_u64 << 63),
            "sequence: at most 9223372036854775807".to_owned(),
        ),
        (
            "inventory_digest",
            json!("A".repeat(64)),
            "inventory_digest: SHA-256 in 64 lower-case hexadecimal digits".to_owned(),
        ),
        (
            "policy_digest",
            json!(""),
            "policy_digest: SHA-256 in 64 lower-case hexadecimal digits".to_owned(),
        ),
        (
            "inventory_digest",
            json!("0".repeat(64)),
            "inventory_digest: must be the digest of the inventory that came with it".to_owned(),
        ),
        (
            "blocked",
            json!(vec![blocked; MAX_BLOCKED + 1]),
            format!("blocked: at most {MAX_BLOCKED} entries"),
        ),
        (
            "last_error",
            json!("x".repeat(4097)),
            "last_error: at most 4096 bytes of printable text".to_owned(),
        ),
        (
            "exemption_wishes",
            json!(vec![json!({"user": "u", "reason": "r"}); 17]),
            "exemption_wishes: at most 16 entries".to_owned(),
        ),
        (
            "exemption_wishes",
            json!([{"user": "u", "reason": " "}]),
            "exemption_wishes[0].reason: must not be empty".to_owned(),
        ),
        (
            "done",
            json!(vec![Uuid::nil(); MAX_DONE + 1]),
            format!("done: at most {MAX_DONE} entries"),
        ),
    ];
    for (field, value, expected) in cases {
        let mut message = check_in(&inventory());
        message[field] = value;
        assert_eq!(refusal::<CheckInRequest>(&message), expected);
    }
}

#[test]
fn missing_unknown_and_mistyped_fields_are_named_and_values_are_not_repeated() {
    let good = json!({"token": "t", "certificate_request": "c", "hostname": "h", "hardware_id": "i"});
    read::<EnrolRequest>(good.to_string().as_bytes()).unwrap();
    let mut missing = good.clone();
    missing.as_object_mut().unwrap().remove("token");
    assert_eq!(refusal::<EnrolRequest>(&missing), "message: missing field `token`");
    let mut unknown = good.clone();
    unknown["s3cret"] = json!("s3cret");
    assert_eq!(
        refusal::<EnrolRequest>(&unknown),
        "s3cret: has a field that the protocol does not know"
    );
    for value in [
        json!(1),
        json!(["s3cret"]),
        json!({"s3cret": 1}),
        json!(null),
        json!(true),
    ] {
        let mut mistyped = good.clone();
        mistyped["token"] = value;
        assert_eq!(refusal::<EnrolRequest>(&mistyped), "token: must be a string");
    }
    let error = read::<WaitRequest>(br#"{"policy_digest": null, "seconds": "s3cret"}"#).unwrap_err();
    assert_eq!(error.to_string(), "seconds: must be u32");
}

#[test]
fn waits_of_no_time_or_too_long_are_refused() {
    for seconds in [0, 301, u32::MAX] {
        let message = json!({"policy_digest": null, "seconds": seconds});
        assert_eq!(refusal::<WaitRequest>(&message), "seconds: 1 to 300");
    }
}

#[test]
fn a_sealed_secret_must_look_like_one() {
    let key = RecoveryPrivateKey::derive(1, &[1; 32]);
    let binding = Binding {
        device: DeviceId(Uuid::nil()),
        volume: VolumeId(Uuid::nil()),
        protector: ProtectorId(Uuid::nil()),
    };
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([1; 32]);
    let sealed = seal(&key.public(), &binding, b"secret", &mut rng).unwrap();
    let good = serde_json::to_value(EscrowRequest {
        volume: binding.volume,
        protector: binding.protector,
        sealed_password: sealed,
        metadata: "A".repeat(87_384),
    })
    .unwrap();
    read::<EscrowRequest>(good.to_string().as_bytes()).unwrap();
    let cases = [
        (
            "/sealed_password/key_version",
            json!(0),
            "sealed_password.key_version: 1 or more",
        ),
        (
            "/sealed_password/encapsulated_key",
            json!("zz"),
            "sealed_password.encapsulated_key: 32 bytes in hexadecimal",
        ),
        (
            "/sealed_password/ciphertext",
            json!("00"),
            "sealed_password.ciphertext: 17 to 256 bytes in hexadecimal",
        ),
        (
            "/sealed_password/ciphertext",
            json!("0".repeat(514)),
            "sealed_password.ciphertext: 17 to 256 bytes in hexadecimal",
        ),
        (
            "/metadata",
            json!(""),
            "metadata: one copy of 65536 bytes in base64 with padding (87384 characters)",
        ),
    ];
    for (pointer, value, expected) in cases {
        let mut message = good.clone();
        *message.pointer_mut(pointer).unwrap() = value;
        assert_eq!(refusal::<EscrowRequest>(&message), expected);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    let names = prop::sample::select(vec![
        "token",
        "inventory",
        "volumes",
        "kind",
        "state",
        "tpm",
        "done",
        "blocked",
        "sealed_password",
        "seconds",
        "inventory_digest",
        "protectors",
        "x",
    ]);
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..8).prop_map(|pairs| pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

fn read_all(bytes: &[u8]) {
    for error in [
        read::<EnrolRequest>(bytes).err(),
        read::<RenewRequest>(bytes).err(),
        read::<CheckInRequest>(bytes).err(),
        read::<EscrowRequest>(bytes).err(),
        read::<WaitRequest>(bytes).err(),
    ] {
        let text = error.map(|error| error.to_string()).unwrap_or_default();
        assert!(text.len() < 2000 && !text.chars().any(char::is_control), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn any_json_is_read_or_refused(value in any_json()) {
        read_all(value.to_string().as_bytes());
    }

    #[test]
    fn a_good_message_with_bytes_replaced_is_read_or_refused(
        at in any::<prop::sample::Index>(), with in prop::collection::vec(any::<u8>(), 1..6)
    ) {
        let mut inventory = inventory();
        inventory["volumes"] = json!([volume()]);
        let mut bytes = check_in(&inventory).to_string().into_bytes();
        let at = at.index(bytes.len() - with.len());
        bytes[at..at + with.len()].copy_from_slice(&with);
        read_all(&bytes);
    }
}
