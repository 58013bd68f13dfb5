//! The policy: list, one policy, and the form that changes it.
//!
//! The form is made from the settings reference, so a setting that is added there appears here.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use domain::access::Permission;
use domain::policy::targeting::Deployment;
use domain::policy::{Assignments, Section, Setting, SettingKind, document, reference};
use serde::Deserialize;
use store::model::{BUILT_IN, Content, Document, Item, ItemKind};

use crate::{
    csrf::CsrfForm,
    error::{AppError, Result},
    services::targeting,
    session::CurrentUser,
    state::AppState,
    web::{
        format::moment_or,
        frame::{Frame, go, page as answer, page_with},
        view::{
            chrome::Place,
            form::{Choice, Field, SelectField, TextField},
            part::{Fact, Tone},
            policy::{FormSection, PolicyForm, PolicyList, PolicyRow},
            sheet::{Block, Body, Button, Cell, Form, Sheet, Table},
        },
        words::by_whom,
    },
};

use super::deployments::{self, Filled};

/// Most changes that are shown of one version.
const MOST_CHANGES: usize = 12;

/// `GET /admin/policies`.
pub(crate) async fn list(State(state): State<AppState>, frame: Frame, user: CurrentUser) -> Result<Response> {
    let documents = targeting::items(&state, &user, ItemKind::Document).await?;
    let deployments = targeting::items(&state, &user, ItemKind::Deployment).await?;
    let now = state.now();
    answer(&PolicyList {
        chrome: frame.chrome(&user, Place::Policies),
        rows: documents
            .iter()
            .filter_map(|item| Some((item, item.content.document()?)))
            .map(|(item, document)| PolicyRow {
                href: format!("/admin/policies/{}", document.id),
                name: document.name.clone(),
                summary: summary(&document.assignments),
                reaches: reaches(document.id.as_str(), item.retired, &deployments),
                revision: u64::from(item.version),
                changed: moment_or((item.version > 0).then_some(item.at), now, "never"),
            })
            .collect(),
    })
}

/// To whom a document is deployed, in words.
fn reaches(id: &str, retired: bool, deployments: &[Item]) -> String {
    if retired {
        return "Retired".to_owned();
    }
    if id == BUILT_IN {
        return "All devices, beaten by every other".to_owned();
    }
    let names: Vec<&str> = of_policy(id, deployments)
        .map(|deployment| deployment.collection.as_str())
        .collect();
    match names.as_slice() {
        [] => "Nobody: not deployed".to_owned(),
        names => names.join(", "),
    }
}

/// Deployments of a document that are in use.
fn of_policy<'a>(id: &'a str, deployments: &'a [Item]) -> impl Iterator<Item = &'a Deployment> {
    deployments
        .iter()
        .filter(|item| !item.retired)
        .filter_map(|item| item.content.deployment())
        .filter(move |deployment| deployment.policy.as_str() == id)
}

/// Which deployment is to be changed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    deployment: String,
}

/// `GET /admin/policies/{id}`.
pub(crate) async fn page(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let filled = if asked.deployment.is_empty() {
        None
    } else {
        user.demand(Permission::ManagePolicy)?;
        let deployments = targeting::items(&state, &user, ItemKind::Deployment).await?;
        let found = deployments::filled(&running(&id, &deployments), &asked.deployment);
        Some(found.ok_or_else(|| AppError::not_found("There is no such deployment."))?)
    };
    answer(&sheet(&state, &frame, &user, &id, filled).await?)
}

/// Deployments of a document that are in use, with their versions.
fn running<'a>(id: &str, deployments: &'a [Item]) -> Vec<&'a Item> {
    let of_it = |item: &&Item| !item.retired && item.content.deployment().is_some_and(|d| d.policy.as_str() == id);
    deployments.iter().filter(of_it).collect()
}

/// A policy's page. `filled`: the form of a deployment, to change it, or to make another that was refused.
pub(super) async fn sheet(
    state: &AppState,
    frame: &Frame,
    user: &CurrentUser,
    id: &str,
    filled: Option<Filled>,
) -> Result<Sheet> {
    let history = targeting::history(state, user, ItemKind::Document, id).await?;
    let (item, document) = newest(&history)?;
    let deployments = targeting::items(state, user, ItemKind::Deployment).await?;
    let collections = targeting::items(state, user, ItemKind::Collection).await?;
    let chrome = frame.chrome(user, Place::Policies);
    let may_change = chrome.may_manage_policy();
    let mut blocks: Vec<Block> = Section::ALL
        .into_iter()
        .filter_map(|section| configured(section, &document.assignments))
        .collect();
    if blocks.is_empty() {
        blocks.push(Block::new(
            "Settings",
            "",
            vec![Body::Calm("This policy configures nothing yet.".to_owned())],
        ));
    }
    if id != BUILT_IN {
        let running = running(id, &deployments);
        let may_deploy = may_change && !item.retired;
        let block = deployments::block(&running, &collections, id, may_deploy, filled.as_ref());
        blocks.insert(0, block);
        if let Some(filled) = filled.filter(|filled| filled.revision > 0) {
            let past = targeting::history(state, user, ItemKind::Deployment, filled.name()).await?;
            let change = deployments::change(id, &filled, &collections, &past, state.now());
            blocks.insert(0, change);
        }
    }
    blocks.push(versions(&history, state));
    blocks.push(
        Block::new(
            "As text",
            "For git, and for claviger policy",
            vec![Body::Text(targeting::text_of(item))],
        )
        .folded(),
    );
    let mut actions = Vec::new();
    if may_change {
        actions.push(("Copy".to_owned(), format!("/admin/policies/new?from={id}")));
        actions.push(("Edit as text".to_owned(), format!("/admin/policies/{id}/text")));
        actions.push(("Change".to_owned(), format!("/admin/policies/{id}/edit")));
        if id != BUILT_IN && !item.retired {
            let form = Form {
                action: format!("/admin/policies/{id}/retire"),
                hidden: vec![("revision", item.version.to_string())],
                fields: Vec::new(),
                buttons: vec![Button {
                    main: false,
                    ..Button::main("Retire policy")
                }],
            };
            let about = "Out of use from then on; its history is kept. End its deployments first.";
            blocks.push(Block::new("Retire", about, vec![Body::Form(form)]).folded());
        }
    }
    let by = by_whom(&item.by);
    let changed = match item.version {
        0 => "never changed".to_owned(),
        version => format!(
            "revision {version}, {} by {by}",
            moment_or(Some(item.at), state.now(), "").words
        ),
    };
    let reach = reaches(id, item.retired, &deployments).to_lowercase();
    Ok(Sheet {
        chrome,
        title: document.name.clone(),
        sub: format!("{} settings · {changed} · reaches {reach}", document.assignments.len()),
        crumbs: vec![("Policies".to_owned(), "/admin/policies".to_owned())],
        actions,
        notes: notes(item.retired, &document.description),
        blocks,
    })
}

fn notes(retired: bool, description: &str) -> Vec<(Tone, String)> {
    let mut notes = Vec::new();
    if retired {
        notes.push((
            Tone::Warn,
            "This policy is retired. Saving it again brings it back.".to_owned(),
        ));
    }
    if !description.is_empty() {
        notes.push((Tone::Calm, description.to_owned()));
    }
    notes
}

/// The newest version of a document.
fn newest(history: &[Item]) -> Result<(&Item, &Document)> {
    let item = history.first();
    item.and_then(|item| Some((item, item.content.document()?)))
        .ok_or_else(|| AppError::not_found("There is no such policy."))
}

/// What a document configures of a section.
fn configured(section: Section, assignments: &Assignments) -> Option<Block> {
    let facts: Vec<Fact> = of(section)
        .filter_map(|setting| Some(Fact::new(setting.title, setting.label(assignments.get(setting.id)?))))
        .collect();
    let all = of(section).count();
    let about = format!("{} of {all} settings", facts.len());
    (!facts.is_empty()).then(|| Block::new(section.title(), about, vec![Body::Facts(facts)]))
}

/// All versions, each with what it changed.
fn versions(history: &[Item], state: &AppState) -> Block {
    let rows = history
        .iter()
        .enumerate()
        .filter(|(_, item)| item.version > 0)
        .map(|(at, item)| {
            let document = |item: &Item| item.content.document().map(targeting::as_text).unwrap_or_default();
            let before = history.get(at + 1).map(document).unwrap_or_default();
            let mut changes: Vec<String> = document::diff(&before, &document(item))
                .iter()
                .map(|change| change.to_string().replace(" -> ", " → "))
                .collect();
            if item.retired {
                changes.insert(0, "retired".to_owned());
            }
            let by = by_whom(&item.by);
            let more = changes.len().saturating_sub(MOST_CHANGES);
            changes.truncate(MOST_CHANGES);
            if more > 0 {
                changes.push(format!("and {more} more"));
            }
            vec![
                Cell::Text(item.version.to_string()),
                Cell::Moment(moment_or(Some(item.at), state.now(), "")),
                Cell::Text(by.to_owned()),
                Cell::Text(if changes.is_empty() {
                    "Nothing".to_owned()
                } else {
                    changes.join("; ")
                }),
            ]
        });
    let rows: Vec<_> = rows.collect();
    let body = if rows.is_empty() {
        Body::Calm("Nobody has changed it yet.".to_owned())
    } else {
        Body::Table(Table {
            caption: "Versions".to_owned(),
            columns: vec!["Revision", "When", "By", "What changed"],
            rows,
        })
    };
    Block::new("History", "", vec![body])
}

/// `GET /admin/policies/{id}/edit`.
pub(crate) async fn edit(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Path(id): Path<String>,
) -> Result<Response> {
    let (item, document) = targeting::document(&state, &user, &id).await?;
    let values = document
        .assignments
        .iter()
        .map(|(id, value)| (id, value.to_owned()))
        .collect();
    answer(&PolicyForm {
        chrome: frame.chrome(&user, Place::Policies),
        id,
        name: document.name.clone(),
        revision: u64::from(item.version),
        sections: sections(&values, &BTreeMap::new()),
        faults: Vec::new(),
    })
}

/// `POST /admin/policies/{id}/edit`.
pub(crate) async fn save(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Path(id): Path<String>,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let (item, document) = targeting::document(&state, &user, &id).await?;
    same_revision(&given, item.version)?;
    let values = values(&given);
    let text = match edited(&item, &document, &values) {
        Ok(text) => text,
        Err(faults) => return again(&frame, &user, &id, &item, &document, &values, &faults),
    };
    let new = targeting::read_document(&id, &text).map_err(|faults| AppError::invalid("policy", faults.join("; ")))?;
    if new.assignments == document.assignments && !item.retired {
        return Ok(go(&format!("/admin/policies/{id}?done=policy-same")));
    }
    let note = changes(&document, &new);
    targeting::put(&state, &user, Content::Document(new), text, item.version, false, &note).await?;
    Ok(go(&format!("/admin/policies/{id}?done=policy")))
}

/// Refuses a form that was made of another revision.
pub(super) fn same_revision(given: &BTreeMap<String, String>, revision: u32) -> Result<()> {
    if given.get("revision").and_then(|text| text.parse().ok()) == Some(revision) {
        return Ok(());
    }
    Err(AppError::conflict(
        "policy_changed",
        "The policy was changed by somebody else while you were editing; your changes were not saved.",
    ))
}

/// The form again, with its faults.
pub(super) fn again(
    frame: &Frame,
    user: &CurrentUser,
    id: &str,
    item: &Item,
    document: &Document,
    values: &BTreeMap<&'static str, String>,
    faults: &BTreeMap<String, String>,
) -> Result<Response> {
    let view = PolicyForm {
        chrome: frame.chrome(user, Place::Policies),
        id: id.to_owned(),
        name: document.name.clone(),
        revision: u64::from(item.version),
        sections: sections(values, faults),
        faults: reference()
            .iter()
            .filter_map(|setting| {
                let fault = faults.get(setting.id)?;
                Some((setting.id.to_owned(), format!("{}: {fault}", setting.title)))
            })
            .collect(),
    };
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &view)
}

/// What the form says of each setting; empty: left to others.
pub(super) fn values(given: &BTreeMap<String, String>) -> BTreeMap<&'static str, String> {
    reference()
        .iter()
        .filter_map(|setting| {
            let value = given.get(setting.id)?.trim();
            (!value.is_empty()).then(|| (setting.id, value.to_owned()))
        })
        .collect()
}

/// The document's text with these values, comments kept; or what is wrong with each setting.
pub(super) fn edited(
    item: &Item,
    document: &Document,
    values: &BTreeMap<&'static str, String>,
) -> Result<String, BTreeMap<String, String>> {
    let mut wanted = Assignments::default();
    let mut faults = BTreeMap::new();
    for (id, value) in values {
        if let Err(error) = wanted.set(id, value) {
            faults.insert(error.field, error.message);
        }
    }
    if faults.is_empty()
        && let Err(errors) = wanted.policy().validate()
    {
        faults.extend(errors.into_iter().map(|error| (error.field, error.message)));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut text = targeting::text_of(item);
    for setting in reference() {
        let (old, new) = (document.assignments.get(setting.id), wanted.get(setting.id));
        if old != new {
            text = document::edit(&text, setting.id, new).map_err(|faults| {
                let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
                BTreeMap::from([(setting.id.to_owned(), said.join("; "))])
            })?;
        }
    }
    Ok(text)
}

/// What was changed, for the audit.
pub(super) fn changes(before: &Document, after: &Document) -> String {
    let changes = document::diff(&targeting::as_text(before), &targeting::as_text(after));
    let said: Vec<String> = changes.iter().map(ToString::to_string).collect();
    said.join("; ").chars().take(900).collect()
}

fn summary(assignments: &Assignments) -> String {
    let ids = [
        ("OS", "os.encryption", "setup.encryption_method_os"),
        ("fixed", "fixed.encryption", "setup.encryption_method_fixed"),
        ("removable", "removable.encryption", "setup.encryption_method_removable"),
    ];
    let policy = assignments.policy();
    let said = |id| {
        domain::policy::setting(id)
            .map(|setting| setting.label(&setting.value(&policy)))
            .unwrap_or_default()
    };
    let parts: Vec<String> = ids
        .iter()
        .filter_map(|(name, encryption, method)| match assignments.get(encryption)? {
            "require" => Some(format!("{name}: {}", said(method))),
            _ => Some(format!("{name}: {}", said(encryption).to_lowercase())),
        })
        .collect();
    let others = assignments.len().saturating_sub(parts.len());
    match (parts.is_empty(), others) {
        (true, 0) => "Nothing yet".to_owned(),
        (true, _) => format!("{others} settings"),
        (false, 0) => parts.join(" · "),
        (false, _) => format!("{} · {others} more settings", parts.join(" · ")),
    }
}

fn of(section: Section) -> impl Iterator<Item = &'static Setting> {
    reference().iter().filter(move |setting| setting.section == section)
}

fn sections(values: &BTreeMap<&'static str, String>, faults: &BTreeMap<String, String>) -> Vec<FormSection> {
    let one = |section: Section| {
        let in_view = |setting: &&Setting| values.contains_key(setting.id) || faults.contains_key(setting.id);
        let (set, left): (Vec<_>, Vec<_>) = of(section).partition(in_view);
        let fields = |settings: Vec<&'static Setting>| {
            let value = |id| values.get(id).map(String::as_str).unwrap_or_default();
            let field = |setting: &'static Setting| field(setting, value(setting.id), faults.get(setting.id));
            settings.into_iter().map(field).collect()
        };
        FormSection {
            id: section_id(section),
            title: section.title(),
            about: about_section(section),
            set: fields(set),
            left: fields(left),
        }
    };
    Section::ALL.into_iter().map(one).collect()
}

/// Not the id of a field.
fn section_id(section: Section) -> &'static str {
    match section {
        Section::Setup => "section-setup",
        Section::OsDrive => "section-os",
        Section::FixedDrive => "section-fixed",
        Section::RemovableDrive => "section-removable",
        Section::Client => "section-client",
    }
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

/// A setting as a field. Empty leaves it to others; the hint says what holds then, and what is suggested.
fn field(setting: &'static Setting, value: &str, fault: Option<&String>) -> Field {
    let default = setting.default_value();
    let standard = setting.label(&default);
    let suggestion = setting
        .suggested
        .map(|value| format!(" Suggested: {}.", setting.label(value)))
        .unwrap_or_default();
    let (label, error) = (setting.title.to_owned(), fault.cloned());
    let select = |choices: Vec<Choice>| {
        Field::Select(SelectField {
            name: setting.id,
            label: label.clone(),
            choices,
            hint: format!("{}{suggestion}", setting.help),
            error: error.clone(),
            required: false,
        })
    };
    match setting.kind {
        SettingKind::Switch => {
            let left = format!("Left to others (default: {standard})");
            select(Choice::list(&[("", &left), ("true", "On"), ("false", "Off")], value))
        }
        SettingKind::Choice(choices) => {
            let left = if setting.says_nothing(&default) {
                "Not configured".to_owned()
            } else {
                format!("Left to others (default: {standard})")
            };
            let mut pairs = vec![("", left.as_str())];
            pairs.extend(
                choices
                    .iter()
                    .filter(|choice| !setting.says_nothing(choice.value))
                    .map(|choice| (choice.value, choice.label)),
            );
            let mut choices = Choice::list(&pairs, value);
            // What is not among them came from a person: it is shown as it was written.
            if !choices.iter().any(|choice| choice.chosen) {
                choices.push(Choice {
                    value: value.to_owned(),
                    label: value.to_owned(),
                    chosen: true,
                });
            }
            select(choices)
        }
        SettingKind::Number { min, max, unit } => Field::Text(TextField {
            name: setting.id,
            label,
            value: value.to_owned(),
            kind: "number",
            hint: format!(
                "{min} to {max}; empty: left to others (default: {default}). {}{suggestion}",
                setting.help
            ),
            error,
            unit,
            max: 9,
            ..TextField::default()
        }),
        SettingKind::Text { max } => Field::Text(TextField {
            name: setting.id,
            label,
            value: value.to_owned(),
            kind: "text",
            hint: format!("Empty: left to others. {}{suggestion}", setting.help),
            error,
            max,
            ..TextField::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::policy::targeting::PolicyId;
    use domain::time::Timestamp;

    fn stored(text: &str) -> (Item, Document) {
        let document = targeting::read_document("pin", text).expect("a document");
        let item = Item {
            content: Content::Document(document.clone()),
            text: text.to_owned(),
            version: 1,
            retired: false,
            at: Timestamp(0),
            by: "user:anna".to_owned(),
            note: String::new(),
        };
        (item, document)
    }

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<&'static str, String> {
        let all = pairs
            .iter()
            .map(|(id, value)| ((*id).to_owned(), (*value).to_owned()))
            .collect();
        values(&all)
    }

    const TEXT: &str = "# ours\n[os]\nencryption = \"require\" # since May\nmin_pin_length = 6\n";

    #[test]
    fn an_unchanged_form_leaves_the_text_as_it_was_written() {
        let (item, document) = stored(TEXT);
        let values = given(&[("os.encryption", "require"), ("os.min_pin_length", "6")]);
        assert_eq!(edited(&item, &document, &values), Ok(TEXT.to_owned()));
    }

    #[test]
    fn a_change_keeps_comments_and_an_empty_field_leaves_the_setting_to_others() {
        let (item, document) = stored(TEXT);
        let values = given(&[("os.encryption", "forbid"), ("os.min_pin_length", " ")]);
        let text = edited(&item, &document, &values).expect("a text");
        assert!(
            text.contains("# ours") && text.contains("\"forbid\" # since May"),
            "{text}"
        );
        assert!(!text.contains("min_pin_length"), "{text}");
        let after = targeting::read_document("pin", &text).expect("a document");
        let said = changes(&document, &after);
        assert!(said.contains("os.encryption: Must be encrypted -> "), "{said}");
    }

    #[test]
    fn every_fault_is_named_at_once_and_nothing_is_taken() {
        let (item, document) = stored(TEXT);
        let values = given(&[
            ("os.min_pin_length", "3"),
            ("client.check_interval_minutes", "soon"),
            ("os.encryption", "perhaps"),
        ]);
        let faults = edited(&item, &document, &values).expect_err("three faults");
        assert_eq!(
            faults.keys().map(String::as_str).collect::<Vec<_>>(),
            ["client.check_interval_minutes", "os.encryption", "os.min_pin_length"]
        );
    }

    #[test]
    fn a_policy_says_whom_it_reaches() {
        assert_eq!(reaches(BUILT_IN, false, &[]), "All devices, beaten by every other");
        assert_eq!(reaches("pin", false, &[]), "Nobody: not deployed");
        assert!(PolicyId::new("pin").is_ok());
    }
}
