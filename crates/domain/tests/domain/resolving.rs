//! What all deployments together say to one device.

use std::collections::BTreeSet;

use domain::ids::DeviceId;
use domain::inventory::Inventory;
use domain::policy::resolve::{Because, Origin, PolicySource, Resolved, Targeting, TargetingError};
use domain::policy::targeting::{Collection, Collections, Deployment, DeviceFacts, Profile, UtcOffset};
use domain::policy::{Assignments, Encryption, OsProtector, Policy, reference};
use domain::time::Timestamp;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use crate::build::device;

pub(crate) fn assign(pairs: &[(&str, &str)]) -> Assignments {
    let mut assignments = Assignments::default();
    for (id, value) in pairs {
        assignments.set(id, value).unwrap();
    }
    assignments
}

pub(crate) fn source(id: &str, pairs: &[(&str, &str)]) -> PolicySource {
    PolicySource {
        id: id.parse().unwrap(),
        name: format!("Policy {id}"),
        assignments: assign(pairs),
    }
}

pub(crate) fn deploy(id: &str, policy: &str, collection: &str, priority: u32) -> Deployment {
    serde_json::from_value(json!({ "id": id, "policy": policy, "collection": collection, "priority": priority }))
        .unwrap()
}

pub(crate) fn tagged(id: &str) -> Collection {
    serde_json::from_value(json!({ "id": id, "name": id, "rules": [{ "tag": id }] })).unwrap()
}

fn resolve(targeting: &Targeting, tags: &[&str], profile: Option<&Profile>, now: Timestamp) -> Resolved {
    let inventory = device(Vec::new());
    let tags: BTreeSet<String> = tags.iter().map(|t| (*t).to_owned()).collect();
    targeting.resolve(&facts(&inventory, &tags), profile, now)
}

fn facts<'a>(inventory: &'a Inventory, tags: &'a BTreeSet<String>) -> DeviceFacts<'a> {
    DeviceFacts {
        id: DeviceId(Uuid::from_u128(1)),
        inventory,
        tags,
    }
}

fn three() -> Targeting {
    let collections = Collections::new(vec![tagged("laptops"), tagged("pilot")]).unwrap();
    let policies = vec![
        source(
            "base",
            &[
                ("os.encryption", "require"),
                ("os.protector", "tpm"),
                ("os.min_pin_length", "6"),
            ],
        ),
        source("pin", &[("os.protector", "tpm_pin")]),
        source("strict", &[("os.min_pin_length", "10"), ("os.protector", "tpm")]),
    ];
    let deployments = vec![
        deploy("everybody", "base", "all-devices", 1000),
        deploy("pin", "pin", "laptops", 10),
        deploy("more-strict", "strict", "pilot", 10),
    ];
    Targeting::new(collections, policies, deployments).unwrap()
}

#[test]
fn each_setting_comes_from_the_strongest_policy_that_says_anything_about_it() {
    let resolved = resolve(&three(), &["laptops"], None, Timestamp(0));
    assert_eq!(resolved.policy.os.encryption, Encryption::Require);
    assert_eq!(resolved.policy.os.protector, OsProtector::TpmPin);
    assert_eq!(resolved.policy.os.min_pin_length, 6);
    assert_eq!(resolved.policy.client, Policy::default().client);
    let explained = |id: &str| resolved.settings.iter().find(|s| s.setting == id).unwrap();
    let protector = explained("os.protector");
    assert_eq!(
        protector.origin.to_string(),
        "policy \"Policy pin\" for collection \"laptops\" (priority 10; rule 1: has tag laptops)"
    );
    let [beaten] = protector.beat.as_slice() else {
        panic!("{:?}", protector.beat)
    };
    assert_eq!((beaten.value.as_str(), beaten.because), ("tpm", Because::Priority));
    assert!(beaten.origin.to_string().contains("Policy base"));
    assert_eq!(explained("client.check_interval_minutes").origin, Origin::Default);
    assert!(explained("os.encryption").beat.is_empty());
}

#[test]
fn among_equal_priorities_the_deployment_whose_name_comes_first_wins_and_the_answer_says_so() {
    let resolved = resolve(&three(), &["laptops", "pilot"], None, Timestamp(0));
    assert_eq!(resolved.policy.os.protector, OsProtector::Tpm);
    assert_eq!(resolved.policy.os.min_pin_length, 10);
    let protector = resolved.settings.iter().find(|s| s.setting == "os.protector").unwrap();
    let because: Vec<Because> = protector.beat.iter().map(|b| b.because).collect();
    assert_eq!(because, [Because::NameOrder, Because::Priority]);
    let order: Vec<&str> = resolved.deployments.iter().map(|d| d.deployment.as_str()).collect();
    assert_eq!(order, ["more-strict", "pin", "everybody"]);
}

#[test]
fn the_devices_own_profile_beats_everything_and_shows_its_reason() {
    let profile = Profile {
        assignments: assign(&[("os.protector", "tpm")]),
        reason: "stands in a locked room".to_owned(),
    };
    let resolved = resolve(&three(), &["laptops"], Some(&profile), Timestamp(0));
    assert_eq!(resolved.policy.os.protector, OsProtector::Tpm);
    let protector = resolved.settings.iter().find(|s| s.setting == "os.protector").unwrap();
    assert_eq!(
        protector.origin.to_string(),
        "the device's own profile: stands in a locked room"
    );
    assert_eq!(protector.beat.len(), 2);
    assert!(protector.beat.iter().all(|b| b.because == Because::Profile));
}

#[test]
fn a_deployment_says_nothing_before_its_time() {
    let mut later = deploy("later", "pin", "all-devices", 1);
    later.not_before = Some(Timestamp(1000));
    let targeting = three().with_deployment(later).unwrap();
    let protector = |now| resolve(&targeting, &[], None, Timestamp(now)).policy.os.protector;
    assert_eq!(protector(999), OsProtector::Tpm);
    assert_eq!(protector(1000), OsProtector::TpmPin);
}

#[test]
fn settings_of_several_documents_that_contradict_each_other_are_reported() {
    let targeting = three()
        .with_policy(source("unlock", &[("fixed.auto_unlock", "require")]))
        .with_policy(source("base", &[("os.min_pin_length", "6")]))
        .with_deployment(deploy("unlock", "unlock", "all-devices", 5))
        .unwrap();
    let resolved = resolve(&targeting, &[], None, Timestamp(0));
    assert_eq!(resolved.faults.len(), 1, "{:?}", resolved.faults);
    assert_eq!(resolved.faults.first().unwrap().setting, "fixed.auto_unlock");
    assert!(resolve(&three(), &["laptops"], None, Timestamp(0)).faults.is_empty());
}

#[test]
fn what_group_policy_of_the_domain_says_otherwise_is_shown_with_both_sides() {
    let mut inventory = device(Vec::new());
    let entry = |origin| json!({ "root": "r1", "name": "MinimumPIN", "data": 4, "origin": origin });
    let tags = BTreeSet::new();
    inventory.registry = serde_json::from_value(json!([entry("domain")])).unwrap();
    let resolved = three().resolve(&facts(&inventory, &tags), None, Timestamp(0));
    let [conflict] = resolved.conflicts.as_slice() else {
        panic!("{:?}", resolved.conflicts)
    };
    assert_eq!(
        (
            conflict.setting.as_str(),
            conflict.wanted.as_str(),
            conflict.found.as_str()
        ),
        ("os.min_pin_length", "6", "4")
    );
    inventory.registry = serde_json::from_value(json!([entry("local")])).unwrap();
    assert!(
        three()
            .resolve(&facts(&inventory, &tags), None, Timestamp(0))
            .conflicts
            .is_empty()
    );
}

#[test]
fn a_plan_is_told_whether_it_may_begin_and_when() {
    let mut base = deploy("everybody", "base", "all-devices", 1000);
    base.windows = serde_json::from_value(json!([{ "start": "01:00", "minutes": 60, "clock": "utc" }])).unwrap();
    let state = |allowed: bool, now: i64| {
        let mut base = base.clone();
        base.outside_window_allowed = allowed;
        let targeting = three().with_deployment(base).unwrap();
        let maintenance = resolve(&targeting, &[], None, Timestamp(0)).maintenance;
        maintenance.state(Timestamp(now), UtcOffset(0))
    };
    let opens = Some(Timestamp(3_600_000));
    assert_eq!(state(false, 0), domain::plan::Maintenance::Closed { opens });
    assert_eq!(state(false, 3_600_000), domain::plan::Maintenance::Open);
    assert_eq!(state(true, 0), domain::plan::Maintenance::Open);
}

#[test]
fn what_is_not_there_is_named_with_who_names_it() {
    let collections = Collections::new(Vec::new()).unwrap();
    let errors = Targeting::new(
        collections,
        vec![source("p", &[]), source("p", &[])],
        vec![
            deploy("d", "q", "c", 1),
            deploy("d", "p", "all-devices", 1),
            deploy("d", "p", "all-devices", 2),
        ],
    )
    .unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "policy \"p\" is there twice",
            "deployment \"d\" names collection \"c\", and there is no such collection",
            "deployment \"d\" names policy \"q\", and there is no such policy",
            "deployment \"d\" is there twice",
        ]
    );
    assert!(matches!(errors.last(), Some(TargetingError::DeploymentTwice(_))));
}

#[test]
fn windows_of_all_deployments_hold_and_the_strongest_that_speaks_of_encryption_may_open_them() {
    let windows = |deployment: &mut Deployment, start: &str| {
        deployment.windows = serde_json::from_value(json!([{ "start": start, "minutes": 60 }])).unwrap();
    };
    let mut base = deploy("everybody", "base", "all-devices", 1000);
    windows(&mut base, "22:00");
    base.outside_window_allowed = true;
    let mut pin = deploy("pin", "pin", "laptops", 10);
    windows(&mut pin, "03:00");
    let targeting = three().with_deployment(base).unwrap().with_deployment(pin).unwrap();
    let of = |tags: &[&str]| resolve(&targeting, tags, None, Timestamp(0)).maintenance;
    assert_eq!(of(&["laptops"]).windows.len(), 2);
    assert_eq!(of(&[]).windows.len(), 1);
    assert!(
        of(&["laptops"]).outside_allowed,
        "\"pin\" says nothing about encryption"
    );
}

/// Few settings, few values: so that policies meet.
const SAID: [(&str, &[&str]); 5] = [
    ("os.encryption", &["require", "forbid", "not_configured"]),
    ("os.protector", &["tpm", "tpm_pin"]),
    ("os.min_pin_length", &["4", "8", "20"]),
    ("fixed.encryption", &["require", "not_configured"]),
    ("client.check_interval_minutes", &["1", "90", "2880"]),
];

fn some_assignments() -> impl Strategy<Value = Assignments> {
    prop::collection::vec((0..SAID.len(), 0..3usize), 0..5).prop_map(|chosen| {
        let pairs = chosen.into_iter().map(|(setting, value)| {
            let (id, values) = SAID[setting];
            (id, values[value % values.len()])
        });
        assign(&pairs.collect::<Vec<_>>())
    })
}

proptest! {
    #[test]
    fn resolution_equals_a_search_for_the_least_rank_per_setting(
        policies in prop::collection::vec(some_assignments(), 1..5),
        deployed in prop::collection::vec((0..5usize, 0..3u32, any::<bool>(), 0..3i64), 0..8),
        own in prop::option::of(some_assignments()),
        now in 0..3i64,
    ) {
        let collections = Collections::new(vec![tagged("mine"), tagged("others")]).unwrap();
        let sources: Vec<PolicySource> = (0..).zip(&policies).map(|(n, assignments)| PolicySource {
            assignments: assignments.clone(),
            ..source(&format!("p{n}"), &[])
        }).collect();
        let deployments: Vec<(usize, Deployment)> = (0..).zip(&deployed).map(|(n, (policy, priority, mine, begin))| {
            let policy = policy % policies.len();
            let collection = if *mine { "mine" } else { "others" };
            // Names are not in the order of numbers.
            let mut deployment = deploy(&format!("d{}", (n * 5) % 8), &format!("p{policy}"), collection, *priority);
            deployment.not_before = Some(Timestamp(*begin));
            (policy, deployment)
        }).collect();
        let all = deployments.iter().map(|(_, d)| d.clone()).collect();
        let targeting = Targeting::new(collections, sources, all).unwrap();
        let profile = own.map(|assignments| Profile { assignments, reason: "special".to_owned() });
        let resolved = resolve(&targeting, &["mine"], profile.as_ref(), Timestamp(now));

        for (setting, explained) in reference().iter().zip(&resolved.settings) {
            prop_assert_eq!(setting.id, explained.setting);
            let by_profile = profile.as_ref().and_then(|p| p.assignments.get(setting.id));
            let strongest = deployments.iter()
                .filter(|(_, d)| d.collection.as_str() == "mine" && d.not_before.unwrap().0 <= now)
                .filter_map(|(policy, d)| Some(((d.priority, d.id.clone()), policies[*policy].get(setting.id)?)))
                .min();
            let expected = by_profile.or(strongest.map(|(_, value)| value));
            let default = setting.default_value();
            prop_assert_eq!(expected.unwrap_or(&default), &explained.value);
            prop_assert_eq!(setting.value(&resolved.policy), explained.value.clone());
            prop_assert_eq!(expected.is_none(), explained.origin == Origin::Default);
        }
    }
}
