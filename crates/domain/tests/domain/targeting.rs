//! Collections and maintenance windows.

use std::collections::BTreeSet;

use domain::ids::DeviceId;
use domain::inventory::{Inventory, Join, OsKind, Tpm};
use domain::policy::targeting::{
    Collection, CollectionError, CollectionId, Collections, Deployment, DeviceFacts, Rule, UtcOffset, Why, Window,
    is_open, next_opening,
};
use domain::time::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::build::device;

fn rule(value: serde_json::Value) -> Rule {
    serde_json::from_value(value).unwrap()
}

fn pc() -> Inventory {
    Inventory {
        hostname: "BER-0042".to_owned(),
        os_version: "10.0.22631.3007 (23H2)".to_owned(),
        model: "Latitude 7440".to_owned(),
        os_kind: OsKind::WindowsClient,
        join: Join::Hybrid,
        domain: Some("corp.example".to_owned()),
        ou: Some(r"CN=BER-0042,OU=Lab\, new,OU=Berlin,DC=corp,DC=example".to_owned()),
        groups: vec!["Finance devices".to_owned()],
        ..device(Vec::new())
    }
}

fn matches(value: serde_json::Value, inventory: &Inventory, tags: &[&str]) -> bool {
    let tags: BTreeSet<String> = tags.iter().map(|t| (*t).to_owned()).collect();
    rule(value).matches(&DeviceFacts {
        id: DeviceId(Uuid::from_u128(1)),
        inventory,
        tags: &tags,
    })
}

#[test]
fn each_rule_finds_what_it_says_and_nothing_else() {
    let pc = pc();
    let found = [
        json!({ "name": "ber-*" }),
        json!({ "name": "BER-00?2" }),
        json!({ "name": "*0*4*" }),
        json!({ "name": "*" }),
        json!({ "os": "windows 11*" }),
        json!({ "os_version": { "from": "10.0.22000" } }),
        json!({ "os_version": { "from": "10.0.22631.3007", "below": "10.0.26100" } }),
        json!({ "os_version": { "from": "10" } }),
        json!({ "kind": "windows_client" }),
        json!({ "join": "hybrid" }),
        json!({ "domain": "*.EXAMPLE" }),
        json!({ "manufacturer": "maker" }),
        json!({ "model": "Latitude *" }),
        json!({ "ou": "OU=Berlin,DC=corp,DC=example" }),
        json!({ "ou": r"ou = lab\, new , ou=berlin,dc=corp,dc=example" }),
        json!({ "group": "finance*" }),
        json!({ "tag": "Pilot" }),
        json!({ "chassis": "portable" }),
        json!({ "tpm": "ready" }),
        json!({ "virtual": false }),
        json!({ "co_managed": false }),
        json!({ "all": [] }),
        json!({ "all": [{ "tag": "pilot" }, { "not": { "name": "HAM-*" } }] }),
        json!({ "any": [{ "name": "HAM-*" }, { "chassis": "portable" }] }),
    ];
    for value in found {
        assert!(matches(value.clone(), &pc, &["pilot"]), "{value}");
        assert!(
            !matches(json!({ "not": value.clone() }), &pc, &["pilot"]),
            "not {value}"
        );
    }
    let passed_over = [
        json!({ "name": "BER-" }),
        json!({ "name": "BER-?" }),
        json!({ "name": "" }),
        json!({ "os_version": { "below": "10.0.22631" } }),
        json!({ "os_version": { "from": "10.0.22631.3008" } }),
        json!({ "kind": "windows_server" }),
        json!({ "join": "domain" }),
        json!({ "ou": "OU=erlin,DC=corp,DC=example" }),
        json!({ "ou": "OU=Berlin,DC=corp" }),
        json!({ "ou": "OU= new,OU=Berlin,DC=corp,DC=example" }),
        json!({ "group": "Finance" }),
        json!({ "tag": "pilo" }),
        json!({ "chassis": "stationary" }),
        json!({ "tpm": "absent" }),
        json!({ "virtual": true }),
        json!({ "any": [] }),
    ];
    for value in passed_over {
        assert!(!matches(value.clone(), &pc, &["pilot"]), "{value}");
    }
    let no_number = Inventory {
        os_version: "rolling".to_owned(),
        tpm: Tpm::Absent,
        ..pc
    };
    assert!(!matches(json!({ "os_version": { "from": "1" } }), &no_number, &[]));
    assert!(!matches(json!({ "os_version": { "below": "99" } }), &no_number, &[]));
}

#[test]
fn a_rule_that_makes_no_sense_is_refused_with_what_is_allowed() {
    for (value, expected) in [
        (json!({ "nmae": "x" }), "expected one of `name`"),
        (
            json!({ "os_version": { "from": "ten" } }),
            "numbers with points between them are allowed",
        ),
        (json!({ "ou": "Berlin" }), "parts like OU=Berlin"),
        (json!({ "chassis": "laptop" }), "`portable`"),
        (json!({ "os_version": { "form": "10" } }), "unknown field `form`"),
    ] {
        let error = serde_json::from_value::<Rule>(value).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

fn id(text: &str) -> CollectionId {
    text.parse().unwrap()
}

fn collection(name: &str, include: &[&str], exclude: &[&str]) -> Collection {
    Collection {
        include: include.iter().map(|c| id(c)).collect(),
        exclude: exclude.iter().map(|c| id(c)).collect(),
        ..Collection::empty(id(name), name)
    }
}

fn with_rule(mut collection: Collection, value: serde_json::Value) -> Collection {
    collection.rules.push(rule(value));
    collection
}

#[test]
fn circles_are_refused_with_the_way_round_and_unknown_names_with_both_ends() {
    let errors = Collections::new(vec![
        collection("a", &["b"], &[]),
        collection("b", &[], &["c"]),
        collection("c", &["a"], &[]),
        collection("d", &["d"], &["nowhere"]),
        collection("d", &[], &[]),
    ])
    .unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(
        texts.contains(&"collections refer to each other in a circle: a includes b excludes c includes a".to_owned()),
        "{texts:?}"
    );
    assert!(errors.contains(&CollectionError::Twice(id("d"))));
    assert!(errors.contains(&CollectionError::Unknown {
        from: id("d"),
        to: id("nowhere")
    }));
}

#[test]
fn exclusion_beats_every_way_in_and_membership_says_why() {
    let pc = pc();
    let tags = BTreeSet::from(["pilot".to_owned()]);
    let facts = DeviceFacts {
        id: DeviceId(Uuid::from_u128(7)),
        inventory: &pc,
        tags: &tags,
    };
    let mut named = collection("named", &[], &["pilot"]);
    named.members.insert(facts.id);
    let mut direct = collection("direct", &[], &[]);
    direct.members.insert(facts.id);
    let collections = Collections::new(vec![
        named,
        direct,
        collection("outer", &["inner"], &[]),
        collection("inner", &["pilot"], &[]),
        with_rule(
            with_rule(collection("pilot", &[], &[]), json!({ "name": "X" })),
            json!({ "tag": "pilot" }),
        ),
    ])
    .unwrap();
    let membership = collections.member_of(&facts);
    let inside: Vec<&str> = membership.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(inside, ["direct", "outer", "inner", "pilot", "all-devices"]);
    assert!(!membership.contains(&id("named")));
    assert_eq!(membership.why(&id("named"), &facts), None);
    assert_eq!(membership.why(&id("direct"), &facts), Some(Why::Direct));
    let why = membership.why(&id("outer"), &facts).unwrap().to_string();
    assert_eq!(
        why,
        "included by way of inner (included by way of pilot (rule 2: has tag pilot))"
    );
}

#[test]
fn a_long_chain_of_includes_is_followed_to_its_end() {
    let mut chain: Vec<Collection> = (0..20_000)
        .map(|n| collection(&format!("c{n}"), &[&format!("c{}", n + 1)], &[]))
        .collect();
    chain.push(with_rule(collection("c20000", &[], &[]), json!({ "all": [] })));
    let collections = Collections::new(chain).unwrap();
    let (pc, tags) = (pc(), BTreeSet::new());
    let facts = DeviceFacts {
        id: DeviceId(Uuid::nil()),
        inventory: &pc,
        tags: &tags,
    };
    assert!(collections.member_of(&facts).contains(&id("c0")));
}

fn at(text: &str) -> Timestamp {
    let deployment: Deployment = serde_json::from_value(json!({
        "id": "d", "policy": "p", "collection": "c", "priority": 1, "not_before": text
    }))
    .unwrap();
    deployment.not_before.unwrap()
}

fn windows(value: serde_json::Value) -> Vec<Window> {
    serde_json::from_value(value).unwrap()
}

#[test]
fn moments_are_read_and_written_as_rfc_3339() {
    assert_eq!(at("1970-01-01T00:00:00Z"), Timestamp(0));
    assert_eq!(at("2026-11-28T22:30:15+01:00"), Timestamp(1_795_901_415_000));
    assert_eq!(at("2024-02-29T12:00Z"), Timestamp(1_709_208_000_000));
    assert_eq!(at("1969-12-31T23:59:59Z"), Timestamp(-1000));
    let deployment = json!({
        "id": "d", "policy": "p", "collection": "c", "priority": 1,
        "not_before": "2026-11-28T21:30:15Z", "outside_window_allowed": false
    });
    let read: Deployment = serde_json::from_value(deployment.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), deployment);
    for wrong in [
        "2025-02-29T00:00Z",
        "2026-13-01T00:00Z",
        "2026-11-28T24:00Z",
        "2026-11-28",
        "tomorrow",
        "2026-11-28T00:00",
        "é-é",
    ] {
        let value = json!({ "id": "d", "policy": "p", "collection": "c", "priority": 1, "not_before": wrong });
        assert!(serde_json::from_value::<Deployment>(value).is_err(), "{wrong}");
    }
}

#[test]
fn a_nightly_window_in_the_devices_time_lasts_past_midnight() {
    let windows = windows(json!([{ "start": "22:00", "minutes": 360 }]));
    let berlin = UtcOffset(60);
    for (moment, open) in [
        ("2026-11-25T20:59:59Z", false),
        ("2026-11-25T21:00:00Z", true),
        ("2026-11-26T02:59:59Z", true),
        ("2026-11-26T03:00:00Z", false),
    ] {
        assert_eq!(is_open(&windows, at(moment), berlin), open, "{moment}");
    }
    assert_eq!(
        next_opening(&windows, at("2026-11-26T03:00:00Z"), berlin),
        Some(at("2026-11-26T21:00:00Z"))
    );
}

#[test]
fn a_weekly_window_opens_on_its_days_only_and_one_of_a_week_never_closes() {
    // 2026-11-28 is a Saturday.
    let weekend = windows(json!([{ "days": ["sat"], "start": "23:00", "minutes": 120, "clock": "utc" }]));
    let anywhere = UtcOffset(-600);
    assert!(!is_open(&weekend, at("2026-11-27T23:30:00Z"), anywhere));
    assert!(is_open(&weekend, at("2026-11-28T23:30:00Z"), anywhere));
    assert!(is_open(&weekend, at("2026-11-29T00:59:00Z"), anywhere));
    assert!(!is_open(&weekend, at("2026-11-29T01:00:00Z"), anywhere));
    assert_eq!(
        next_opening(&weekend, at("2026-11-29T01:00:00Z"), anywhere),
        Some(at("2026-12-05T23:00:00Z"))
    );
    let always = windows(json!([{ "days": ["mon"], "start": "00:00", "minutes": 10_080 }]));
    assert!((0..2000).all(|hour| is_open(&always, Timestamp(hour * 3_600_000), anywhere)));
}

#[test]
fn a_window_on_a_date_opens_once_and_no_window_means_always() {
    let once = windows(json!([{ "date": "2026-12-24", "start": "18:00", "minutes": 60, "clock": "utc" }]));
    let utc = UtcOffset(0);
    assert_eq!(
        next_opening(&once, at("2026-01-01T00:00Z"), utc),
        Some(at("2026-12-24T18:00Z"))
    );
    assert!(is_open(&once, at("2026-12-24T18:59Z"), utc));
    assert_eq!(next_opening(&once, at("2026-12-24T19:00Z"), utc), None);
    assert!(is_open(&[], at("2026-12-24T19:00Z"), utc));
    assert_eq!(next_opening(&[], Timestamp(5), utc), Some(Timestamp(5)));
    for extreme in [Timestamp(i64::MIN), Timestamp(i64::MAX)] {
        let _ = is_open(&once, extreme, UtcOffset(i16::MIN));
        let _ = next_opening(&once, extreme, UtcOffset(i16::MAX));
    }
}

#[test]
fn a_window_that_makes_no_sense_is_refused_with_what_is_allowed() {
    for (value, expected) in [
        (json!({ "start": "25:00", "minutes": 1 }), "like 22:30"),
        (json!({ "start": "22:00", "minutes": 0 }), "from 1 to 10080"),
        (json!({ "start": "22:00", "minutes": 10_081 }), "from 1 to 10080"),
        (json!({ "start": "22:00", "minutes": 1, "days": [] }), "at least one"),
        (
            json!({ "start": "22:00", "minutes": 1, "days": ["sat"], "date": "2026-12-24" }),
            "either",
        ),
        (
            json!({ "start": "22:00", "minutes": 1, "date": "24.12.2026" }),
            "like 2026-12-24",
        ),
        (
            json!({ "start": "22:00", "minutes": 1, "day": "sat" }),
            "unknown field `day`",
        ),
    ] {
        let error = serde_json::from_value::<Window>(value).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
