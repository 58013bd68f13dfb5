//! Settings: their reference, their limits, and which of them need one another.

use std::collections::BTreeSet;

use domain::policy::{AutoUnlock, Encryption, Policy, SettingKind, reference, setting};
use domain::volume::EncryptionMethod;

use crate::build::*;

fn faults(policy: &Policy) -> Vec<String> {
    policy.validate().err().into_iter().flatten().map(|e| e.field).collect()
}

#[test]
fn the_default_policy_is_valid() {
    assert_eq!(Policy::default().validate(), Ok(()));
    assert_eq!(require_fixed().validate(), Ok(()));
}

#[test]
fn numbers_outside_their_range_are_refused_by_name() {
    for (length, valid) in [(3, false), (4, true), (20, true), (21, false)] {
        let mut policy = Policy::default();
        policy.os.min_pin_length = length;
        assert_eq!(faults(&policy).is_empty(), valid, "{length}");
    }
    for (minutes, valid) in [(0, false), (1, true), (2880, true), (2881, false)] {
        let mut policy = Policy::default();
        policy.client.check_interval_minutes = minutes;
        assert_eq!(faults(&policy).is_empty(), valid, "{minutes}");
    }
    let mut policy = Policy::default();
    policy.os.min_pin_length = 30;
    policy.client.check_interval_minutes = 0;
    let errors = policy.validate().expect_err("two faults");
    assert_eq!(
        errors[0].to_string(),
        "os.min_pin_length: Must be a whole number from 4 to 20 (characters)."
    );
    assert_eq!(errors[1].field, "client.check_interval_minutes");
}

#[test]
fn methods_that_cannot_be_written_are_refused() {
    let mut policy = Policy::default();
    policy.os.method = EncryptionMethod::Aes256Diffuser;
    policy.fixed.method = EncryptionMethod::None;
    policy.removable.method = EncryptionMethod::Hardware;
    let methods = ["os", "fixed", "removable"].map(|d| format!("setup.encryption_method_{d}"));
    assert_eq!(faults(&policy), methods);
}

#[test]
fn required_automatic_unlocking_needs_a_required_os_drive() {
    let mut policy = require_fixed();
    policy.fixed.auto_unlock = AutoUnlock::Require;
    assert_eq!(policy.validate(), Ok(()));
    for os in [Encryption::NotConfigured, Encryption::Forbid] {
        policy.os.encryption = os;
        assert_eq!(faults(&policy), ["fixed.auto_unlock"]);
    }
}

#[test]
fn every_setting_is_described_and_has_a_valid_default() {
    let ids: BTreeSet<&str> = reference().iter().map(|s| s.id).collect();
    assert_eq!(ids.len(), reference().len(), "an id stands twice");
    for setting in reference() {
        let mut policy = Policy::default();
        assert!(
            setting.help.ends_with('.') && !setting.title.is_empty(),
            "{}",
            setting.id
        );
        assert_eq!(
            setting.set(&mut policy, &setting.default_value()),
            Ok(()),
            "{}",
            setting.id
        );
        assert_eq!(policy, Policy::default(), "{}", setting.id);
    }
}

#[test]
fn every_field_of_a_policy_has_its_setting() {
    let policy = serde_json::to_value(Policy::default()).expect("JSON");
    fn leaves(value: &serde_json::Value) -> usize {
        value.as_object().map_or(1, |fields| fields.values().map(leaves).sum())
    }
    let fields = leaves(&policy);
    assert_eq!(reference().len(), fields);
}

#[test]
fn every_allowed_value_can_be_set_and_read_back_and_touches_nothing_else() {
    for setting in reference() {
        let values: Vec<String> = match setting.kind {
            SettingKind::Switch => vec!["true".to_owned(), "false".to_owned()],
            SettingKind::Number { min, max, .. } => vec![min.to_string(), max.to_string()],
            SettingKind::Choice(choices) => choices.iter().map(|c| c.value.to_owned()).collect(),
            SettingKind::Text { max } => vec![String::new(), "x".repeat(max.into())],
        };
        for value in values {
            let mut policy = Policy::default();
            setting.set(&mut policy, &value).expect("an allowed value");
            assert_eq!(setting.value(&policy), value, "{}", setting.id);
            for other in reference().iter().filter(|s| s.id != setting.id) {
                assert_eq!(
                    other.value(&policy),
                    other.default_value(),
                    "{} changed {}",
                    setting.id,
                    other.id
                );
            }
        }
    }
}

#[test]
fn a_value_that_is_not_allowed_changes_nothing_and_says_what_is() {
    for (id, value, message) in [
        (
            "os.min_pin_length",
            "300",
            "Must be a whole number from 4 to 20 (characters).",
        ),
        (
            "os.min_pin_length",
            "six",
            "Must be a whole number from 4 to 20 (characters).",
        ),
        ("client.management_services", "maybe", "Must be \"true\" or \"false\"."),
        ("os.protector", "password", "Must be one of: tpm, tpm_pin."),
        (
            "setup.encryption_method_os",
            "aes512",
            "Must be one of: xts_aes128, xts_aes256, aes128, aes256.",
        ),
    ] {
        let mut policy = Policy::default();
        let error = setting(id)
            .expect("a setting")
            .set(&mut policy, value)
            .expect_err("not allowed");
        assert_eq!((error.field.as_str(), error.message.as_str()), (id, message));
        assert_eq!(policy, Policy::default());
    }
    assert!(setting("no.such_setting").is_none());
}

#[test]
fn a_policy_of_an_older_server_is_read_with_defaults() {
    let policy: Policy =
        serde_json::from_str(r#"{"os":{"encryption":"require"},"client":{"escrow":true}}"#).expect("a policy");
    assert_eq!(policy, require_os());
}
