//! The policy: list, one policy, and the form that changes it.
//!
//! The form is made from the settings reference, so a setting that is added there appears here.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use domain::policy::{Policy, Section, Setting, SettingKind, reference};
use store::model::PolicyVersion;

use crate::{
    csrf::CsrfForm,
    error::{AppError, Result},
    services::policy::{self, InForce},
    session::{Require, may},
    state::AppState,
    web::{
        format::moment_or,
        frame::{Frame, go, page as answer, page_with},
        view::{
            chrome::Place,
            form::{CheckField, Choice, Field, SelectField, TextField},
            part::Fact,
            policy::{FormSection, PolicyForm, PolicyList, PolicyPage, PolicyRow, PolicySection},
        },
    },
};

/// The one policy there is, until policies are deployed to collections.
const ID: &str = "default";
const NAME: &str = "Default policy";
const SECTIONS: [Section; 5] = [
    Section::Setup,
    Section::OsDrive,
    Section::FixedDrive,
    Section::RemovableDrive,
    Section::Client,
];

/// `GET /admin/policies`.
pub(crate) async fn list(
    State(state): State<AppState>,
    frame: Frame,
    user: Require<may::ReadDevices>,
) -> Result<Response> {
    let user = user.0;
    let in_force = policy::get(&state, &user).await?;
    let history = policy::history(&state, &user).await?;
    answer(&PolicyList {
        chrome: frame.chrome(&user, Place::Policies),
        rows: vec![PolicyRow {
            href: format!("/admin/policies/{ID}"),
            name: NAME.to_owned(),
            summary: summary(&in_force.policy),
            reaches: "All devices".to_owned(),
            revision: u64::from(in_force.version),
            changed: moment_or(history.first().map(|version| version.at), state.now(), "never"),
        }],
    })
}

/// `GET /admin/policies/{id}`.
pub(crate) async fn page(
    State(state): State<AppState>,
    frame: Frame,
    user: Require<may::ReadDevices>,
    Path(id): Path<String>,
) -> Result<Response> {
    let user = user.0;
    known(&id)?;
    let in_force = policy::get(&state, &user).await?;
    let history = policy::history(&state, &user).await?;
    answer(&PolicyPage {
        chrome: frame.chrome(&user, Place::Policies),
        id,
        name: NAME.to_owned(),
        about: about(&in_force, history.first(), &state),
        sections: SECTIONS
            .into_iter()
            .map(|section| shown(section, &in_force.policy))
            .collect(),
    })
}

/// `GET /admin/policies/{id}/edit`.
pub(crate) async fn edit(
    State(state): State<AppState>,
    frame: Frame,
    user: Require<may::ManagePolicy>,
    Path(id): Path<String>,
) -> Result<Response> {
    let user = user.0;
    known(&id)?;
    let in_force = policy::get(&state, &user).await?;
    let values = reference()
        .iter()
        .map(|setting| (setting.id, setting.value(&in_force.policy)))
        .collect();
    answer(&PolicyForm {
        chrome: frame.chrome(&user, Place::Policies),
        id,
        name: NAME.to_owned(),
        revision: u64::from(in_force.version),
        sections: sections(&values, &BTreeMap::new()),
        faults: Vec::new(),
    })
}

/// `POST /admin/policies/{id}/edit`.
pub(crate) async fn save(
    State(state): State<AppState>,
    frame: Frame,
    user: Require<may::ManagePolicy>,
    Path(id): Path<String>,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let user = user.0;
    known(&id)?;
    let in_force = policy::get(&state, &user).await?;
    let revision = u64::from(in_force.version);
    if given.get("revision").and_then(|text| text.parse().ok()) != Some(revision) {
        return Err(AppError::conflict(
            "policy_changed",
            "The policy was changed by somebody else while you were editing; your changes were not saved.",
        ));
    }
    let values = values(&given);
    match read(&in_force.policy, &values) {
        Ok(policy) => {
            let version = policy::update(&state, &user, policy, &changes(&in_force.policy, &values)).await?;
            let done = if u64::from(version) == revision {
                "policy-same"
            } else {
                "policy"
            };
            Ok(go(&format!("/admin/policies/{ID}?done={done}")))
        }
        Err(faults) => {
            let view = PolicyForm {
                chrome: frame.chrome(&user, Place::Policies),
                id,
                name: NAME.to_owned(),
                revision,
                sections: sections(&values, &faults),
                faults: reference()
                    .iter()
                    .filter_map(|setting| {
                        Some((
                            setting.id.to_owned(),
                            format!("{}: {}", setting.title, faults.get(setting.id)?),
                        ))
                    })
                    .collect(),
            };
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &view)
        }
    }
}

fn known(id: &str) -> Result<()> {
    if id == ID {
        Ok(())
    } else {
        Err(AppError::not_found("There is no such policy."))
    }
}

/// What the form says of each setting; a switch that is off is absent from it.
fn values(given: &BTreeMap<String, String>) -> BTreeMap<&'static str, String> {
    let value = |setting: &Setting| match (setting.kind, given.get(setting.id)) {
        (SettingKind::Switch, given) => given.is_some().to_string(),
        (_, given) => given.cloned().unwrap_or_default(),
    };
    reference().iter().map(|setting| (setting.id, value(setting))).collect()
}

/// The policy that these values make, or what is wrong with each setting.
fn read(base: &Policy, values: &BTreeMap<&'static str, String>) -> Result<Policy, BTreeMap<String, String>> {
    let mut policy = base.clone();
    let mut faults = BTreeMap::new();
    for setting in reference() {
        let value = values.get(setting.id).map(String::as_str).unwrap_or_default();
        if let Err(error) = setting.set(&mut policy, value) {
            faults.insert(error.field, error.message);
        }
    }
    if faults.is_empty()
        && let Err(errors) = policy.validate()
    {
        faults.extend(errors.into_iter().map(|error| (error.field, error.message)));
    }
    if faults.is_empty() { Ok(policy) } else { Err(faults) }
}

/// "os.method xts_aes256 (before: xts_aes128)", for the audit.
fn changes(before: &Policy, values: &BTreeMap<&'static str, String>) -> String {
    let changed = reference().iter().filter_map(|setting| {
        let (old, new) = (setting.value(before), values.get(setting.id)?);
        (old != new.trim()).then(|| format!("{} {} (before: {old})", setting.id, new.trim()))
    });
    changed.collect::<Vec<_>>().join("; ").chars().take(1000).collect()
}

fn summary(policy: &Policy) -> String {
    let ids = [
        ("OS", "os.encryption", "setup.encryption_method_os"),
        ("fixed", "fixed.encryption", "setup.encryption_method_fixed"),
        ("removable", "removable.encryption", "setup.encryption_method_removable"),
    ];
    let part = |(name, encryption, method): (&str, &str, &str)| {
        let said = |id| {
            domain::policy::setting(id)
                .map(|setting| setting.label(&setting.value(policy)))
                .unwrap_or_default()
        };
        let required = domain::policy::setting(encryption).is_some_and(|setting| setting.value(policy) == "require");
        if required {
            format!("{name}: {}", said(method))
        } else {
            format!("{name}: {}", said(encryption).to_lowercase())
        }
    };
    ids.map(part).join(" · ")
}

fn about(in_force: &InForce, last: Option<&PolicyVersion>, state: &AppState) -> Vec<Fact> {
    let mut facts = vec![Fact::new("Revision", in_force.version.to_string())];
    if let Some(last) = last {
        let by = last.by.strip_prefix("user:").unwrap_or(&last.by);
        facts.push(Fact::new(
            "changed",
            format!("{} by {by}", moment_or(Some(last.at), state.now(), "").words),
        ));
    }
    facts.push(Fact::new("reaches", "all devices"));
    facts
}

fn shown(section: Section, policy: &Policy) -> PolicySection {
    let facts = of(section)
        .map(|setting| Fact::new(setting.title, setting.label(&setting.value(policy))))
        .collect();
    PolicySection {
        title: section.title(),
        facts,
    }
}

fn of(section: Section) -> impl Iterator<Item = &'static Setting> {
    reference().iter().filter(move |setting| setting.section == section)
}

fn sections(values: &BTreeMap<&'static str, String>, faults: &BTreeMap<String, String>) -> Vec<FormSection> {
    let one = |section: Section| FormSection {
        title: section.title(),
        about: about_section(section),
        fields: of(section)
            .map(|setting| {
                field(
                    setting,
                    values.get(setting.id).map(String::as_str).unwrap_or_default(),
                    faults.get(setting.id),
                )
            })
            .collect(),
    };
    SECTIONS.into_iter().map(one).collect()
}

fn about_section(section: Section) -> &'static str {
    match section {
        Section::Setup => "How drives are encrypted from now on.",
        Section::OsDrive => "The drive that the operating system starts from.",
        Section::FixedDrive => "Further drives inside the computer.",
        Section::RemovableDrive => "Sticks and external disks, while they are attached.",
        Section::Client => "What is stored here, and how often devices ask.",
    }
}

fn field(setting: &'static Setting, value: &str, fault: Option<&String>) -> Field {
    let (label, hint, error) = (setting.title.to_owned(), setting.help.to_owned(), fault.cloned());
    match setting.kind {
        SettingKind::Switch => Field::Check(CheckField {
            name: setting.id,
            label,
            on: value == "true",
            hint,
        }),
        SettingKind::Number { min, max, unit } => {
            let hint = format!("{min} to {max}. {hint}");
            Field::Text(TextField {
                name: setting.id,
                label,
                value: value.to_owned(),
                kind: "number",
                hint,
                error,
                unit,
                required: true,
                max: 9,
                ..TextField::default()
            })
        }
        SettingKind::Text { max } => Field::Text(TextField {
            name: setting.id,
            label,
            value: value.to_owned(),
            kind: "text",
            hint,
            error,
            required: false,
            max,
            ..TextField::default()
        }),
        SettingKind::Choice(choices) => {
            let pairs: Vec<_> = choices.iter().map(|choice| (choice.value, choice.label)).collect();
            Field::Select(SelectField {
                name: setting.id,
                label,
                choices: Choice::list(&pairs, value),
                hint,
                error,
                required: false,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(changes: &[(&str, &str)]) -> BTreeMap<String, String> {
        let policy = Policy::default();
        let mut given: BTreeMap<String, String> = reference()
            .iter()
            .map(|setting| (setting.id, setting.value(&policy)))
            .filter(|(_, value)| value != "false")
            .map(|(id, value)| (id.to_owned(), value))
            .collect();
        given.extend(
            changes
                .iter()
                .map(|(id, value)| ((*id).to_owned(), (*value).to_owned())),
        );
        given
    }

    #[test]
    fn an_unchanged_form_makes_the_same_policy() {
        let policy = Policy::default();
        let values = values(&filled(&[]));
        assert_eq!(read(&policy, &values), Ok(policy.clone()));
        assert_eq!(changes(&policy, &values), "");
    }

    #[test]
    fn every_fault_is_named_at_once_and_nothing_is_taken() {
        let given = filled(&[
            ("os.min_pin_length", "3"),
            ("client.check_interval_minutes", "soon"),
            ("os.encryption", "perhaps"),
        ]);
        let faults = read(&Policy::default(), &values(&given)).expect_err("three faults");
        assert_eq!(
            faults.keys().map(String::as_str).collect::<Vec<_>>(),
            ["client.check_interval_minutes", "os.encryption", "os.min_pin_length"]
        );
    }

    #[test]
    fn a_switch_that_is_absent_is_off() {
        let mut given = filled(&[]);
        given.remove("client.management_services");
        let policy = read(&Policy::default(), &values(&given)).expect("a policy");
        assert!(!policy.client.escrow);
    }

    #[test]
    fn the_audit_says_what_was_changed() {
        let values = values(&filled(&[("os.encryption", "require")]));
        assert_eq!(
            changes(&Policy::default(), &values),
            "os.encryption require (before: not_configured)"
        );
    }
}
