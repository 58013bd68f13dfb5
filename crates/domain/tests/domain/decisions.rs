//! The decision table: `tests/decisions/GROUP/SITUATION.toml`, each a situation in a few words, and below it what is decided.
//!
//! A file says what differs from a laptop with a TPM, one drive in plain text, a server that answers, and a policy that
//! requires the operating system drive. `UPDATE_DECISIONS=1 cargo test -p domain decisions` writes the lower parts anew; what
//! changed is then read as a diff, by somebody who looks after machines.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use domain::compliance::{ErrorCategory, Reason, StatusCategory, evaluate};
use domain::plan::check::check;
use domain::plan::{Action, Plan, plan};
use domain::policy::{Policy, SettingKind, reference};

use case::Case;

mod case;
mod words;

/// Begins the lower part of a file.
const MARK: &str = "\n# ---- Decided: ----\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/decisions")
}

/// All cases, by name.
fn table() -> Vec<(String, PathBuf, String)> {
    let mut found = Vec::new();
    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder).expect("a folder of the table");
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        paths
    };
    for group in names(&folder()) {
        for path in names(&group) {
            let text = std::fs::read_to_string(&path).expect("a case");
            let name = path.strip_prefix(folder()).expect("inside").display().to_string();
            found.push((name, path, text));
        }
    }
    found
}

fn cases() -> Vec<(String, Case)> {
    table()
        .into_iter()
        .map(|(name, _, text)| {
            let case = Case::read(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, case)
        })
        .collect()
}

#[test]
fn every_situation_is_decided_as_its_file_says() {
    let update = std::env::var_os("UPDATE_DECISIONS").is_some();
    let mut differing = Vec::new();
    let table = table();
    assert!(table.len() >= 150, "{} situations", table.len());
    for (name, path, text) in table {
        let (above, below) = text.split_once(MARK).unwrap_or((text.trim_end(), ""));
        let case = Case::read(above).unwrap_or_else(|error| panic!("{name}: {error}"));
        let decided = words::decided(&case);
        if below != decided {
            if update {
                std::fs::write(&path, format!("{}\n{MARK}{decided}", above.trim_end())).expect("the case is written");
            }
            differing.push(format!("{name}: {}\n{decided}", case.about));
        }
    }
    assert!(
        update || differing.is_empty(),
        "decided otherwise (UPDATE_DECISIONS=1 writes it down):\n{}",
        differing.join("\n")
    );
}

#[test]
fn no_decision_of_the_table_is_refused_by_the_checker() {
    for (name, case) in cases() {
        let plan = plan(&case.policy, &case.inventory, &case.ledger, &case.situation);
        let checked = check(&plan, &case.inventory, &case.ledger, &case.policy, &case.situation);
        assert_eq!(checked, Ok(()), "{name}: {plan:#?}");
    }
}

#[test]
fn every_reason_category_and_step_occurs_in_the_table() {
    let (mut reasons, mut statuses, mut errors, mut steps) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (_, case) in cases() {
        let compliance = evaluate(&case.policy, &case.inventory, &case.ledger, &case.situation);
        reasons.extend(
            compliance
                .volumes
                .iter()
                .flat_map(|volume| volume.reasons.iter().copied()),
        );
        statuses.insert(StatusCategory::of(Some(&compliance)));
        errors.extend(ErrorCategory::of(Some(&case.inventory), Some(&compliance)));
        let plan = plan(&case.policy, &case.inventory, &case.ledger, &case.situation);
        steps.extend(plan.actions.iter().map(kind));
    }
    assert_eq!(reasons, BTreeSet::from(Reason::ALL));
    assert_eq!(statuses.len(), 7, "{statuses:?}");
    assert_eq!(errors.len(), 8, "{errors:?}");
    assert_eq!(steps.len(), 13, "{steps:?}");
}

/// Its name in JSON.
fn kind(action: &Action) -> String {
    let value = serde_json::to_value(action).expect("JSON");
    value["action"].as_str().expect("a name").to_owned()
}

/// Values other than the default that a setting can have.
fn others(kind: SettingKind, default: &str) -> Vec<String> {
    let all = match kind {
        SettingKind::Switch => vec!["true".to_owned(), "false".to_owned()],
        SettingKind::Number { min, max, .. } => vec![min.to_string(), max.to_string()],
        SettingKind::Choice(choices) => choices.iter().map(|choice| choice.value.to_owned()).collect(),
        SettingKind::Text { .. } => vec!["USBSTOR\\DISKCAMERA".to_owned()],
    };
    all.into_iter().filter(|value| value != default).collect()
}

/// A plan and a verdict, as JSON.
fn decision(case: &Case, policy: &Policy) -> (Plan, String) {
    let compliance = evaluate(policy, &case.inventory, &case.ledger, &case.situation);
    let plan = plan(policy, &case.inventory, &case.ledger, &case.situation);
    (plan, serde_json::to_string(&compliance).expect("JSON"))
}

#[test]
fn every_value_of_every_setting_changes_a_decision_of_the_table() {
    let cases = cases();
    let mut without_effect = Vec::new();
    for setting in reference() {
        for value in others(setting.kind, &setting.default_value()) {
            let matters = cases.iter().any(|(_, case)| {
                let mut plain = case.policy.clone();
                let mut changed = case.policy.clone();
                setting.set(&mut plain, &setting.default_value()).expect("a default");
                setting.set(&mut changed, &value).expect("an allowed value");
                decision(case, &plain) != decision(case, &changed)
            });
            if !matters {
                without_effect.push(format!("{} = {value}", setting.id));
            }
        }
    }
    assert!(without_effect.is_empty(), "no decision depends on: {without_effect:#?}");
}

#[test]
fn settings_that_this_agent_carries_out_change_more_than_the_registry() {
    let cases = cases();
    let without_registry = |(plan, compliance): (Plan, String)| {
        let steps = plan
            .actions
            .into_iter()
            .filter(|a| !matches!(a, Action::WriteSettings { .. }));
        (
            steps.collect::<Vec<_>>(),
            plan.blocked,
            plan.prompt,
            plan.notes,
            plan.next_check_minutes,
            compliance,
        )
    };
    // All of these are Windows' own affair: the agent tells it and checks nothing more.
    let told_only = |id: &str| {
        let parts = ["recovery", "startup_", "preboot_", "deny_write_", "allow_user_"];
        parts.iter().any(|part| id.contains(part))
            || [
                "setup.encryption_method_legacy",
                "setup.prevent_memory_overwrite",
                "setup.smart_card_oid",
                "setup.org_identifier",
                "setup.org_allowed_identifiers",
                "os.reset_platform_validation",
                "os.standard_user_pin_change",
                "removable.control",
            ]
            .contains(&id)
    };
    for setting in reference().iter().filter(|setting| !told_only(setting.id)) {
        let matters = others(setting.kind, &setting.default_value()).iter().any(|value| {
            cases.iter().any(|(_, case)| {
                let mut plain = case.policy.clone();
                let mut changed = case.policy.clone();
                setting.set(&mut plain, &setting.default_value()).expect("a default");
                setting.set(&mut changed, value).expect("an allowed value");
                without_registry(decision(case, &plain)) != without_registry(decision(case, &changed))
            })
        });
        assert!(matters, "{} changes the registry at most", setting.id);
    }
}
