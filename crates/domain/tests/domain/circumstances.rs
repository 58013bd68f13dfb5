//! Exemptions, grace, and what else makes a difference at the moment of planning; and that the checker knows them too.

use std::time::Duration;

use domain::compliance::{ErrorCategory, StatusCategory, device_encryption_status, evaluate};
use domain::exemption::{Decision, Enforcement, Exemption, Postponement, enforcement};
use domain::inventory::{Inventory, Join, Origin, RegistryData, RegistryEntry, SystemPartition, Tpm};
use domain::plan::check::{Rule, check};
use domain::plan::{Action, Maintenance, Plan, Power, Question, Situation, plan};
use domain::policy::{
    CoManaged, Complexity, Encryption, Policy, Root, TriState, WantedValue, WeakCipher, compare_registry, wanted_values,
};
use domain::time::Timestamp;
use domain::volume::{EncryptionExtent, EncryptionMethod, ProtectorType, VolumeKind};

use crate::build::*;

const DAY: i64 = 24 * 60 * 60 * 1000;
const NOW: Timestamp = Timestamp(1000 * DAY);

fn online() -> Situation {
    Situation {
        server_reachable: true,
        now: NOW,
        ..Situation::default()
    }
}

fn days(n: i64) -> Timestamp {
    Timestamp(NOW.0 + n * DAY)
}

fn approved(user: &str, until: Option<Timestamp>) -> Exemption {
    Exemption {
        user: user.to_owned(),
        requested: Timestamp(0),
        decision: Decision::Approved {
            at: Timestamp(0),
            until,
        },
    }
}

fn with_exemptions() -> Policy {
    let mut policy = require_os();
    policy.client.user_exemption = TriState::Enabled;
    policy
}

fn used_by(users: &[&str]) -> Inventory {
    Inventory {
        users: users.iter().map(|user| (*user).to_owned()).collect(),
        ..device(vec![plain("C:", VolumeKind::Os)])
    }
}

fn planned(policy: &Policy, inventory: &Inventory, keys: &domain::ledger::Ledger, situation: &Situation) -> Plan {
    let plan = plan(policy, inventory, keys, situation);
    assert_eq!(check(&plan, inventory, keys, policy, situation), Ok(()));
    plan
}

fn encrypts(plan: &Plan) -> bool {
    plan.actions.iter().any(|a| matches!(a, Action::Encrypt { .. }))
}

fn decrypts(plan: &Plan) -> bool {
    plan.actions.iter().any(|a| matches!(a, Action::Decrypt { .. }))
}

/// The first rule that the only step breaks.
fn broken(policy: &Policy, inventory: &Inventory, situation: &Situation, action: Action) -> Option<Rule> {
    let plan = Plan {
        actions: vec![action],
        ..Plan::default()
    };
    let keys = ledger(&[live(V1, R1), live(V2, R2)]);
    let breaches = check(&plan, inventory, &keys, policy, situation);
    breaches.err().map(|breaches| breaches[0].rule)
}

#[test]
fn a_device_is_exempt_when_all_of_its_users_are() {
    let policy = with_exemptions();
    let state = |users: &[&str], exemptions: &[Exemption]| {
        let users: Vec<String> = users.iter().map(|u| (*u).to_owned()).collect();
        enforcement(&policy, &users, exemptions, NOW)
    };
    let (anna, ben) = (approved("CORP\\anna", None), approved("CORP\\ben", Some(days(3))));
    assert_eq!(
        state(&["corp\\Anna"], std::slice::from_ref(&anna)),
        Enforcement::Exempt { until: None }
    );
    assert_eq!(
        state(&["CORP\\anna", "CORP\\ben"], std::slice::from_ref(&anna)),
        Enforcement::Enforced
    );
    let both = [anna.clone(), ben.clone()];
    assert_eq!(
        state(&["CORP\\anna", "CORP\\ben"], &both),
        Enforcement::Exempt { until: Some(days(3)) }
    );
    let expired = [approved("CORP\\ben", Some(NOW))];
    assert_eq!(state(&["CORP\\ben"], &expired), Enforcement::Enforced);
    let pending = Exemption {
        decision: Decision::Pending,
        ..ben
    };
    assert_eq!(
        state(&["CORP\\anna", "CORP\\ben"], &[anna, pending]),
        Enforcement::Pending
    );
    assert_eq!(state(&[], &both), Enforcement::Enforced, "nobody is there to be exempt");
    let without = enforcement(&require_os(), &["CORP\\anna".to_owned()], &both, NOW);
    assert_eq!(without, Enforcement::Enforced, "policy knows no exemptions");
}

#[test]
fn an_exempt_device_is_not_encrypted_and_its_keys_are_kept_safe_all_the_same() {
    let policy = with_exemptions();
    let situation = Situation {
        exemptions: vec![approved("anna", Some(days(3)))],
        ..online()
    };
    let plain = planned(&policy, &used_by(&["anna"]), &ledger(&[]), &situation);
    assert_eq!(plain.actions, []);
    let two = planned(&policy, &used_by(&["anna", "ben"]), &ledger(&[]), &situation);
    assert!(encrypts(&two), "one of two users is not enough");

    let encrypted = Inventory {
        volumes: vec![os_volume()],
        ..used_by(&["anna"])
    };
    let keys = ledger(&[disclosed(V1, R1)]);
    assert_eq!(
        planned(&policy, &encrypted, &keys, &situation).actions.len(),
        3,
        "P5 holds"
    );
    let compliance = evaluate(&policy, &used_by(&["anna"]), &ledger(&[]), &situation);
    assert_eq!(
        StatusCategory::of(Some(&compliance)),
        StatusCategory::TemporaryUserExempt
    );
    assert_eq!(compliance.enforcement.code(), 3);
}

#[test]
fn a_user_can_put_encryption_off_until_the_grace_period_is_over() {
    let mut policy = require_os();
    policy.os.enforcement = TriState::Enabled;
    policy.os.grace_days = 5;
    let inventory = used_by(&["anna"]);
    let first = evaluate(&policy, &inventory, &ledger(&[]), &online());
    assert_eq!(first.volumes[0].detected_at, Some(NOW));
    assert_eq!(first.volumes[0].enforce_from, Some(days(5)));
    let later = |after: i64| Situation {
        now: days(after),
        detected: first.detected.clone(),
        postponed: Some(Postponement { until: days(30) }),
        ..online()
    };
    let waiting = planned(&policy, &inventory, &ledger(&[]), &later(4));
    assert!(!encrypts(&waiting) && waiting.blocked[0].reason.contains("put encryption off until"));
    assert!(!waiting.actions.is_empty(), "its key is made and stored meanwhile");
    let compliance = evaluate(&policy, &inventory, &ledger(&[]), &later(4));
    assert_eq!(
        ErrorCategory::of(Some(&inventory), Some(&compliance)),
        Some(ErrorCategory::UserPostponed)
    );
    assert_eq!(compliance.detected, first.detected, "the first date stands");
    assert!(encrypts(&planned(&policy, &inventory, &ledger(&[]), &later(5))));
    assert!(!evaluate(&policy, &inventory, &ledger(&[]), &later(5)).postponed);
}

#[test]
fn the_grace_of_a_fixed_drive_begins_once_the_operating_system_drive_is_compliant() {
    let mut policy = require_fixed();
    policy.fixed.enforcement = TriState::Enabled;
    policy.fixed.grace_days = 2;
    let both = device(vec![plain("C:", VolumeKind::Os), plain("D:", VolumeKind::Fixed)]);
    let before = evaluate(&policy, &both, &ledger(&[]), &online());
    assert_eq!(before.volumes[1].detected_at, Some(NOW));
    assert_eq!(before.volumes[1].enforce_from, None);
    let encrypted = device(vec![os_volume(), plain("D:", VolumeKind::Fixed)]);
    let next = Situation {
        now: days(10),
        detected: before.detected,
        ..online()
    };
    let after = evaluate(&policy, &encrypted, &ledger(&[live(V1, R1)]), &next);
    assert_eq!(after.volumes[1].detected_at, Some(NOW));
    assert_eq!(after.volumes[1].enforce_from, Some(days(12)));
}

#[test]
fn no_conversion_starts_on_a_low_battery_before_a_restart_or_outside_maintenance() {
    let mut policy = require_os();
    policy.client.min_battery_percent = 40;
    let inventory = device(vec![plain("C:", VolumeKind::Os)]);
    type Change = fn(&mut Situation);
    let waits: [(&str, Change); 3] = [
        ("39 %", |s| s.power = Power::Battery { percent: 39 }),
        ("restart", |s| s.restart_pending = true),
        ("maintenance", |s| s.maintenance = Maintenance::Closed { opens: None }),
    ];
    for (word, change) in waits {
        let mut situation = online();
        change(&mut situation);
        let plan = planned(&policy, &inventory, &ledger(&[]), &situation);
        assert!(!encrypts(&plan) && plan.blocked[0].reason.contains(word), "{word}");
        assert_eq!(plan.actions.len(), 3, "{word}: the keys do not wait");
    }
    let enough = Situation {
        power: Power::Battery { percent: 40 },
        ..online()
    };
    assert!(encrypts(&planned(&policy, &inventory, &ledger(&[]), &enough)));
}

#[test]
fn a_weaker_drive_is_encrypted_anew_only_when_policy_asks_and_a_key_is_held() {
    let mut policy = require_os();
    policy.os.method = EncryptionMethod::XtsAes256;
    let inventory = device(vec![os_volume()]);
    let keys = ledger(&[live(V1, R1)]);
    assert!(!decrypts(&planned(&policy, &inventory, &keys, &online())));
    policy.setup.reencrypt = WeakCipher::Reencrypt;
    assert!(decrypts(&planned(&policy, &inventory, &keys, &online())));
    let offline = Situation {
        server_reachable: false,
        ..online()
    };
    assert!(!decrypts(&planned(&policy, &inventory, &ledger(&[]), &offline)));
    let decrypt = Action::Decrypt {
        device: "C:".to_owned(),
    };
    let unheld = Plan {
        actions: vec![decrypt],
        ..Plan::default()
    };
    let breaches = check(&unheld, &inventory, &ledger(&[]), &policy, &online()).expect_err("no way back");
    assert_eq!(breaches[0].rule, Rule::NoWayBack);
}

#[test]
fn a_machine_without_tpm_gets_a_password_where_policy_allows_it() {
    let mut policy = require_os();
    policy.os.allow_without_tpm = true;
    let inventory = Inventory {
        tpm: Tpm::Absent,
        ..device(vec![plain("C:", VolumeKind::Os)])
    };
    let asked = planned(&policy, &inventory, &ledger(&[]), &online());
    let question = asked.prompt.map(|prompt| prompt.question);
    assert!(
        matches!(question, Some(Question::Password { min_length: 8, .. })),
        "{question:?}"
    );
    let chosen = Situation {
        password_available: true,
        ..online()
    };
    assert!(encrypts(&planned(&policy, &inventory, &ledger(&[]), &chosen)));
    let fips = Inventory {
        fips: true,
        ..inventory.clone()
    };
    let refused = planned(&policy, &fips, &ledger(&[]), &chosen);
    assert!(!encrypts(&refused) && refused.blocked[0].reason.contains("FIPS"));
    let password = Action::AddPassphrase {
        device: "C:".to_owned(),
    };
    assert_eq!(
        broken(&policy, &fips, &chosen, password.clone()),
        Some(Rule::PasswordForbidden)
    );
    assert_eq!(broken(&policy, &inventory, &chosen, password), None);
}

#[test]
fn a_key_that_is_too_old_or_was_used_is_replaced() {
    let mut policy = require_os();
    policy.client.rotate_max_age_days = 90;
    let inventory = device(vec![os_volume()]);
    let mut entry = live(V1, R1);
    entry.escrowed_at = Timestamp(NOW.0 - 90 * DAY);
    assert_eq!(
        planned(&policy, &inventory, &ledger(&[entry.clone()]), &online()).actions,
        []
    );
    let older = Situation {
        now: NOW.after(Duration::from_millis(1)),
        ..online()
    };
    assert_eq!(
        planned(&policy, &inventory, &ledger(&[entry.clone()]), &older)
            .actions
            .len(),
        3
    );
    let used = Situation {
        used: vec![R1],
        ..online()
    };
    assert_eq!(
        planned(&policy, &inventory, &ledger(&[entry.clone()]), &used)
            .actions
            .len(),
        3
    );
    policy.client.rotate_after_use = false;
    assert_eq!(planned(&policy, &inventory, &ledger(&[entry]), &used).actions, []);
}

#[test]
fn the_registry_is_told_what_differs_and_group_policy_is_not_fought() {
    let policy = require_os();
    let wanted = wanted_values(&policy);
    let value = |name: &str| wanted.iter().find(|v| v.name == name).map(|v| v.data.clone());
    assert_eq!(value("ShouldEncryptOSDrive"), Some(RegistryData::Number(1)));
    assert_eq!(value("OSDriveProtector"), Some(RegistryData::Number(1)));
    assert_eq!(value("MorBehavior"), None, "not configured");
    let entry = |data: u32, origin| RegistryEntry {
        root: Root::R3,
        name: "shouldencryptosdrive".to_owned(),
        data: RegistryData::Number(data),
        origin,
    };
    let with = |entries: Vec<RegistryEntry>| Inventory {
        registry: Some(entries),
        join: Join::Domain,
        ..device(vec![os_volume()])
    };
    let keys = ledger(&[live(V1, R1)]);
    let missing = planned(&policy, &with(Vec::new()), &keys, &online());
    let [Action::WriteSettings { values }] = missing.actions.as_slice() else {
        panic!("{missing:?}");
    };
    assert_eq!(values, &wanted);
    let present: Vec<RegistryEntry> = wanted
        .iter()
        .map(|v| RegistryEntry {
            root: v.root,
            name: v.name.clone(),
            data: v.data.clone(),
            origin: Origin::Local,
        })
        .collect();
    assert_eq!(planned(&policy, &with(present), &keys, &online()).actions, []);

    let contradicted = with(vec![entry(0, Origin::Domain)]);
    let plan = planned(&policy, &contradicted, &keys, &online());
    let [Action::WriteSettings { values }] = plan.actions.as_slice() else {
        panic!("{plan:?}");
    };
    assert!(values.iter().all(|v| v.name != "ShouldEncryptOSDrive"));
    assert!(
        plan.blocked[0]
            .reason
            .contains("ShouldEncryptOSDrive to 0, policy wants 1 (os.encryption)")
    );
    let compliance = evaluate(&policy, &contradicted, &keys, &online());
    let codes: Vec<u8> = compliance.volumes[0].reasons.iter().map(|r| r.code()).collect();
    assert_eq!(codes, [11]);
    assert_eq!(
        compare_registry(&policy, &device(vec![])),
        Default::default(),
        "no registry"
    );
    let fight = Action::WriteSettings { values: wanted };
    assert_eq!(
        broken(&policy, &contradicted, &online(), fight),
        Some(Rule::GroupPolicy)
    );
    let foreign = Action::WriteSettings {
        values: vec![WantedValue {
            setting: "os.encryption".to_owned(),
            root: Root::R1,
            name: "Shell".to_owned(),
            data: RegistryData::Number(1),
        }],
    };
    assert_eq!(
        broken(&policy, &contradicted, &online(), foreign),
        Some(Rule::UnknownSetting)
    );
}

#[test]
fn a_device_that_another_product_manages_is_left_to_it_but_for_keys() {
    let mut policy = require_os();
    let inventory = Inventory {
        co_managed: true,
        ..device(vec![plain("C:", VolumeKind::Os)])
    };
    let quiet = planned(&policy, &inventory, &ledger(&[]), &online());
    assert_eq!(quiet.actions, []);
    let encrypt = Action::Encrypt {
        device: "C:".to_owned(),
        method: EncryptionMethod::XtsAes128,
        extent: EncryptionExtent::Full,
        after_escrow: true,
    };
    assert_eq!(
        broken(&policy, &inventory, &online(), encrypt.clone()),
        Some(Rule::StandsBack)
    );
    policy.client.co_managed = CoManaged::Act;
    assert!(encrypts(&planned(&policy, &inventory, &ledger(&[]), &online())));

    let exempt = Situation {
        exemptions: vec![approved("anna", None)],
        ..online()
    };
    assert_eq!(
        broken(&with_exemptions(), &used_by(&["anna"]), &exempt, encrypt.clone()),
        Some(Rule::Exempt)
    );
    let mut foreign = plain("C:", VolumeKind::Os);
    foreign.other_encryption = Some("VeraCrypt".to_owned());
    let foreign = device(vec![foreign]);
    assert!(!encrypts(&planned(&policy, &foreign, &ledger(&[]), &online())));
    assert_eq!(
        broken(&policy, &foreign, &online(), encrypt),
        Some(Rule::OtherEncryption)
    );
}

#[test]
fn an_excluded_stick_is_left_alone() {
    let mut policy = Policy::default();
    policy.removable.encryption = Encryption::Require;
    policy.removable.excluded_hardware_ids = "USB\\VID_1, usb\\vid_2".to_owned();
    let mut stick = plain("E:", VolumeKind::Removable);
    stick.hardware_ids = vec!["USB\\VID_2".to_owned()];
    let inventory = device(vec![os_volume(), stick.clone()]);
    assert_eq!(
        planned(&policy, &inventory, &ledger(&[live(V1, R1)]), &online()).actions,
        []
    );
    let add = Action::AddRecoveryPassword {
        device: "E:".to_owned(),
    };
    assert_eq!(broken(&policy, &inventory, &online(), add), Some(Rule::Excluded));
    stick.hardware_ids.clear();
    let other = device(vec![os_volume(), stick]);
    assert!(
        !planned(&policy, &other, &ledger(&[live(V1, R1)]), &online())
            .actions
            .is_empty()
    );
}

#[test]
fn codes_seven_eight_and_twelve_have_their_facts() {
    let codes = |policy: &Policy, inventory: &Inventory| -> Vec<u8> {
        let compliance = evaluate(policy, inventory, &ledger(&[]), &online());
        compliance
            .volumes
            .iter()
            .flat_map(|v| &v.reasons)
            .map(|r| r.code())
            .collect()
    };
    let mut policy = Policy::default();
    policy.fixed.encryption = Encryption::Require;
    policy.fixed.password.state = TriState::Enabled;
    policy.fixed.password.required = true;
    let drive = |kind| device(vec![encrypted("D:", VolumeKind::Fixed, V2, &[(R2, kind)])]);
    assert_eq!(codes(&policy, &drive(ProtectorType::RecoveryPassword)), [7]);
    assert_eq!(codes(&policy, &drive(ProtectorType::Passphrase)), Vec::<u8>::new());
    policy.fixed.password.required = false;
    policy.fixed.password.state = TriState::Disabled;
    assert_eq!(codes(&policy, &drive(ProtectorType::Passphrase)), [8]);
    let no_partition = Inventory {
        system_partition: SystemPartition::Missing,
        ..device(vec![plain("C:", VolumeKind::Os)])
    };
    assert_eq!(codes(&require_os(), &no_partition), [1, 12]);
    assert!(!encrypts(&planned(
        &require_os(),
        &no_partition,
        &ledger(&[]),
        &online()
    )));
}

#[test]
fn the_status_bits_of_the_csp_say_what_is_amiss() {
    let bits = |inventory: &Inventory| {
        let compliance = evaluate(&require_fixed(), inventory, &ledger(&[]), &online());
        device_encryption_status(&require_fixed(), inventory, &compliance)
    };
    let plain_both = device(vec![plain("C:", VolumeKind::Os), plain("D:", VolumeKind::Fixed)]);
    assert_eq!(bits(&plain_both), 1 << 2 | 1 << 9);
    assert_eq!(bits(&device(vec![os_volume()])), 1 << 8, "nothing is stored");
    let server = Inventory {
        os_kind: domain::inventory::OsKind::WindowsServer,
        ..plain_both
    };
    assert_eq!(bits(&server), 0);
}

#[test]
fn a_secret_is_measured_by_what_was_asked() {
    let pin = |enhanced, ascii_only| Question::Pin {
        min_length: 6,
        enhanced,
        ascii_only,
    };
    let password = |ascii_only| Question::Password {
        device: "D:".to_owned(),
        min_length: 8,
        complexity: Complexity::Allow,
        ascii_only,
    };
    for (question, secret, allowed) in [
        (pin(false, false), "123456", true),
        (pin(false, false), "12345", false),
        (pin(false, false), "123456789012345678901", false),
        (pin(false, false), "12345a", false),
        (pin(true, false), "12345ä", true),
        (pin(true, true), "12345ä", false),
        (password(false), "Großmutter", true),
        (password(true), "Großmutter", false),
        (password(false), "äöüäöüä", false),
        (password(false), "with\nbreak", false),
        (password(false), &"x".repeat(257), false),
        (
            Question::Encryption {
                device: "D:".to_owned(),
            },
            "123456",
            false,
        ),
    ] {
        let outcome = question.accepts(secret);
        assert_eq!(outcome.is_ok(), allowed, "{question:?} {secret}: {outcome:?}");
        assert!(!outcome.is_err_and(|words| words.contains(secret)), "{secret}");
    }
}
