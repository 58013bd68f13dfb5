//! Deployments of a policy: part of the policy's page.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use domain::policy::targeting::{Collection, CollectionId, Deployment};
use domain::time::Timestamp;
use store::model::{Content, Item, ItemKind};

use crate::{
    csrf::CsrfForm,
    error::{AppError, Result},
    services::targeting,
    session::CurrentUser,
    state::AppState,
    web::{
        format::{day, machine, moment_or},
        frame::{Frame, go, page_with},
        view::{
            form::{CheckField, Choice, Field, SelectField, TextField},
            sheet::{AreaField, Block, Body, Button, Cell, Form, Table},
        },
        words::by_whom,
    },
};

use super::policies;

/// What stands in the form of a deployment, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Filled {
    /// The version that it was made of; 0: a deployment that is not there yet.
    pub(super) revision: u32,
    name: String,
    collection: String,
    priority: String,
    begin: String,
    windows: String,
    outside: bool,
    faults: BTreeMap<&'static str, String>,
}

impl Filled {
    /// The deployment's short name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// As a deployment stands.
    fn of(item: &Item, deployment: &Deployment) -> Self {
        Self {
            revision: item.version,
            name: deployment.id.to_string(),
            collection: deployment.collection.to_string(),
            priority: deployment.priority.to_string(),
            begin: deployment.not_before.map(Timestamp::date).unwrap_or_default(),
            windows: targeting::windows_text(&deployment.windows),
            outside: deployment.outside_window_allowed,
            faults: BTreeMap::new(),
        }
    }

    /// As it was sent.
    fn given(given: &BTreeMap<String, String>) -> Self {
        let field = |name: &str| given.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        Self {
            revision: field("revision").parse().unwrap_or(0),
            name: field("deployment"),
            collection: field("collection"),
            priority: field("priority"),
            begin: field("begin"),
            windows: field("windows"),
            outside: !field("outside").is_empty(),
            faults: BTreeMap::new(),
        }
    }

    /// The deployment, or what is wrong with each field. `before`: as it is, of which an unchanged beginning keeps its time
    /// of day.
    fn read(&self, policy: &str, before: Option<&Deployment>) -> Result<Deployment, BTreeMap<&'static str, String>> {
        let mut faults = BTreeMap::new();
        let mut wrong = |field, why: String| {
            faults.insert(field, why);
        };
        let begins = before.and_then(|before| before.not_before);
        let not_before = match self.begin.as_str() {
            "" => None,
            text if begins.is_some_and(|begin| begin.date() == text) => begins,
            text => {
                let day = day(text);
                if day.is_none() {
                    wrong("begin", "A day as 2026-12-01 is allowed.".to_owned());
                }
                day.map(|(from, _)| from)
            }
        };
        let id = self
            .name
            .parse()
            .map_err(|error| wrong("deployment", format!("{error}")));
        let policy = policy.parse().map_err(|error| wrong("deployment", format!("{error}")));
        let collection = CollectionId::new(&self.collection).map_err(|error| wrong("collection", error.to_string()));
        let priority = self
            .priority
            .parse()
            .map_err(|_| wrong("priority", "priority: 0 to 4294967294 is allowed.".to_owned()));
        let windows = targeting::read_windows(&self.windows).map_err(|error| wrong("windows", error));
        match (id, policy, collection, priority, windows) {
            (Ok(id), Ok(policy), Ok(collection), Ok(priority), Ok(windows)) if faults.is_empty() => Ok(Deployment {
                id,
                policy,
                collection,
                priority,
                not_before,
                windows,
                outside_window_allowed: self.outside,
            }),
            _ => Err(faults),
        }
    }
}

/// The deployment that a form asks for, and what is there of it.
pub(super) struct Wanted {
    pub(super) deployment: Deployment,
    before: Option<Item>,
}

/// Reads a form. What is wrong comes back with it, to be shown again.
///
/// # Errors
/// 403; when the store fails.
pub(super) async fn wanted(
    state: &AppState,
    user: &CurrentUser,
    policy: &str,
    given: &BTreeMap<String, String>,
) -> Result<std::result::Result<Wanted, Filled>> {
    let mut filled = Filled::given(given);
    let items = targeting::items(state, user, ItemKind::Deployment).await?;
    let before = items.into_iter().find(|item| item.content.id() == filled.name);
    let there = before.as_ref().and_then(|item| item.content.deployment());
    let read = filled.read(policy, there);
    let running = before.as_ref().is_some_and(|item| !item.retired);
    let elsewhere = there.filter(|d| d.policy.as_str() != policy);
    filled.faults = match (read, elsewhere) {
        (Err(faults), _) => faults,
        (Ok(_), Some(other)) => {
            // Nothing of this policy's is changed then: the name is asked for.
            filled.revision = 0;
            let why = format!("This name belongs to a deployment of the policy {}.", other.policy);
            BTreeMap::from([("deployment", why)])
        }
        (Ok(_), None) if running && filled.revision == 0 => {
            let why = "There is a deployment of this name already: change it there, or choose another name.".to_owned();
            BTreeMap::from([("deployment", why)])
        }
        (Ok(deployment), None) => return Ok(Ok(Wanted { deployment, before })),
    };
    Ok(Err(filled))
}

/// The card with a policy's deployments, and the form for another or, when `filled` is one that is there, to change it.
pub(super) fn block(
    running: &[&Item],
    collections: &[Item],
    policy: &str,
    may_change: bool,
    filled: Option<&Filled>,
) -> Block {
    let mut bodies = Vec::new();
    let found: Vec<&Deployment> = running.iter().filter_map(|item| item.content.deployment()).collect();
    if found.is_empty() {
        bodies.push(Body::Calm("It is not deployed: it reaches nobody.".to_owned()));
    } else {
        bodies.push(Body::Table(Table {
            caption: "Deployments".to_owned(),
            columns: vec!["Deployment", "Collection", "Priority", "Begins", "Windows"],
            rows: found
                .iter()
                .map(|deployment| row(policy, deployment, may_change))
                .collect(),
        }));
    }
    if may_change && filled.is_none_or(|filled| filled.revision == 0) {
        let next = Filled {
            name: free_name(policy, &found),
            priority: "100".to_owned(),
            ..Filled::default()
        };
        bodies.push(Body::Heading("Deploy to a collection".to_owned()));
        bodies.push(Body::Form(form(policy, filled.unwrap_or(&next), collections)));
    }
    Block::new(
        "Deployments",
        "To whom it goes. The lower priority number wins, setting by setting.",
        bodies,
    )
}

/// The card that changes one deployment, and what became of it so far.
pub(super) fn change(policy: &str, filled: &Filled, collections: &[Item], history: &[Item], now: Timestamp) -> Block {
    Block::new(
        format!("Change deployment {}", filled.name),
        "Devices learn of it at their next contact.",
        vec![
            Body::Form(form(policy, filled, collections)),
            Body::Heading("History".to_owned()),
            Body::Table(versions(history, now)),
        ],
    )
}

/// The deployment of a policy that is called so and in use, as its form shows it.
pub(super) fn filled(running: &[&Item], name: &str) -> Option<Filled> {
    let item = running.iter().find(|item| item.content.id() == name)?;
    Some(Filled::of(item, item.content.deployment()?))
}

fn versions(history: &[Item], now: Timestamp) -> Table {
    let row = |(at, item): (usize, &Item)| {
        let before = history.get(at + 1);
        vec![
            Cell::Text(item.version.to_string()),
            Cell::Moment(moment_or(Some(item.at), now, "")),
            Cell::Text(by_whom(&item.by).to_owned()),
            Cell::Text(changes(before, item)),
        ]
    };
    Table {
        caption: "Versions of the deployment".to_owned(),
        columns: vec!["Version", "When", "By", "What changed"],
        rows: history.iter().enumerate().map(row).collect(),
    }
}

/// What a version says otherwise than the one before.
fn changes(before: Option<&Item>, after: &Item) -> String {
    let Some(new) = after.content.deployment() else {
        return String::new();
    };
    if after.retired {
        return "ended".to_owned();
    }
    let before = before
        .filter(|item| !item.retired)
        .and_then(|item| item.content.deployment());
    let Some(old) = before else {
        return format!("deployed to {} with priority {}", new.collection, new.priority);
    };
    difference(old, new)
}

fn difference(old: &Deployment, new: &Deployment) -> String {
    let told = |deployment: &Deployment| {
        [
            ("collection", deployment.collection.to_string()),
            ("priority", deployment.priority.to_string()),
            ("begins", begins(deployment)),
            ("windows", windows(deployment)),
        ]
    };
    let changed: Vec<String> = told(old)
        .into_iter()
        .zip(told(new))
        .filter(|((_, old), (_, new))| old != new)
        .map(|((what, old), (_, new))| format!("{what}: {old} → {new}"))
        .collect();
    if changed.is_empty() {
        "Nothing".to_owned()
    } else {
        changed.join("; ")
    }
}

fn row(policy: &str, deployment: &Deployment, may_change: bool) -> Vec<Cell> {
    vec![
        if may_change {
            Cell::Link {
                href: format!("/admin/policies/{policy}?deployment={}", deployment.id),
                text: deployment.id.to_string(),
            }
        } else {
            Cell::Text(deployment.id.to_string())
        },
        Cell::Link {
            href: format!("/admin/collections/{}", deployment.collection),
            text: deployment.collection.to_string(),
        },
        Cell::Text(deployment.priority.to_string()),
        Cell::Quiet(begins(deployment)),
        Cell::Text(windows(deployment)),
    ]
}

fn begins(deployment: &Deployment) -> String {
    deployment.not_before.map_or_else(|| "At once".to_owned(), machine)
}

fn windows(deployment: &Deployment) -> String {
    let shown: Vec<String> = deployment.windows.iter().map(ToString::to_string).collect();
    let shown = shown.join(", ");
    match (deployment.windows.is_empty(), deployment.outside_window_allowed) {
        (true, false) => "At any time".to_owned(),
        (true, true) => "At any time; work outside the windows of others is allowed".to_owned(),
        (false, true) => format!("{shown}; work outside them is allowed"),
        (false, false) => shown,
    }
}

/// A name that none of them has.
fn free_name(policy: &str, found: &[&Deployment]) -> String {
    let taken = |name: &str| found.iter().any(|d| d.id.as_str() == name);
    let numbered = (2..).map(|number: u32| format!("{policy}-{number}"));
    std::iter::once(policy.to_owned())
        .chain(numbered)
        .find(|name| !taken(name))
        .unwrap_or_default()
}

fn form(policy: &str, filled: &Filled, collections: &[Item]) -> Form {
    let there = filled.revision > 0;
    let fault = |field: &str| filled.faults.get(field).cloned();
    let mut pairs = vec![("all-devices", "All devices")];
    let in_use = |item: &&Item| !item.retired || item.content.id() == filled.collection;
    pairs.extend(
        collections
            .iter()
            .filter(in_use)
            .filter_map(|item| item.content.collection())
            .map(|collection: &Collection| (collection.id.as_str(), collection.name.as_str())),
    );
    let mut hidden = vec![("revision", filled.revision.to_string())];
    let mut fields = Vec::new();
    if there {
        hidden.push(("deployment", filled.name.clone()));
    } else {
        fields.push(Field::Text(TextField {
            name: "deployment",
            label: "Short name".to_owned(),
            value: filled.name.clone(),
            hint: "1 to 64 lower-case letters, digits, - _ or . ; it stays.".to_owned(),
            error: fault("deployment"),
            max: 64,
            ..TextField::default()
        }));
    }
    fields.extend([
        Field::Select(SelectField {
            name: "collection",
            label: "Collection".to_owned(),
            choices: Choice::list(&pairs, &filled.collection),
            error: fault("collection"),
            ..SelectField::default()
        }),
        Field::Text(TextField {
            name: "priority",
            label: "Priority".to_owned(),
            value: filled.priority.clone(),
            hint: "0 to 4294967294; the lower number wins.".to_owned(),
            error: fault("priority"),
            max: 10,
            ..TextField::default()
        }),
        Field::Text(TextField {
            name: "begin",
            label: "Not before".to_owned(),
            value: filled.begin.clone(),
            kind: "date",
            hint: "At 00:00 UTC; empty: at once.".to_owned(),
            error: fault("begin"),
            ..TextField::default()
        }),
        Field::Area(AreaField {
            name: "windows",
            label: "Maintenance windows".to_owned(),
            value: filled.windows.clone(),
            hint:
                "TOML; empty: at any time. windows = [{ days = [\"sat\", \"sun\"], start = \"22:00\", minutes = 360 }]"
                    .to_owned(),
            errors: fault("windows").into_iter().collect(),
            rows: 3,
        }),
        Field::Check(CheckField {
            name: "outside",
            label: "Work outside the windows is allowed".to_owned(),
            on: filled.outside,
            hint: String::new(),
        }),
    ]);
    let mut buttons = vec![
        Button {
            to: format!("/admin/policies/{policy}/deploy/preview"),
            main: false,
            ..Button::main("Preview")
        },
        Button::main(if there { "Save deployment" } else { "Deploy" }),
    ];
    if there {
        let end = Button {
            to: format!("/admin/policies/{policy}/deploy/end"),
            adds: ("ended", filled.name.clone()),
            main: false,
            ..Button::main("End deployment")
        };
        buttons.insert(0, end);
    }
    Form {
        action: format!("/admin/policies/{policy}/deploy"),
        hidden,
        fields,
        buttons,
    }
}

/// `POST /admin/policies/{id}/deploy`.
pub(crate) async fn save(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Path(id): Path<String>,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let Wanted { deployment, before } = match wanted(&state, &user, &id, &given).await? {
        Ok(wanted) => wanted,
        Err(filled) => {
            let again = policies::sheet(&state, &frame, &user, &id, Some(filled)).await?;
            return page_with(StatusCode::UNPROCESSABLE_ENTITY, &again);
        }
    };
    let revision = Filled::given(&given).revision;
    // One that was ended begins anew; one that is changed must still be as it was shown.
    let base = match &before {
        Some(item) if item.retired && revision == 0 => item.version,
        _ => revision,
    };
    let running = before.as_ref().filter(|item| !item.retired);
    let unchanged = running.and_then(|item| item.content.deployment()) == Some(&deployment);
    if unchanged && base == running.map_or(0, |item| item.version) {
        return Ok(go(&format!("/admin/policies/{id}?done=policy-same")));
    }
    let note = match running.and_then(|item| item.content.deployment()) {
        Some(old) => difference(old, &deployment),
        None => format!("to {} with priority {}", deployment.collection, deployment.priority),
    };
    let note: String = note.chars().take(900).collect();
    let content = Content::Deployment(deployment);
    targeting::put(&state, &user, content, String::new(), base, false, &note).await?;
    Ok(go(&format!("/admin/policies/{id}?done=deployment")))
}

/// `POST /admin/policies/{id}/deploy/end`.
pub(crate) async fn end(
    State(state): State<AppState>,
    user: CurrentUser,
    Path(id): Path<String>,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let name = given.get("ended").map(String::as_str).unwrap_or_default();
    let items = targeting::items(&state, &user, ItemKind::Deployment).await?;
    let item = items
        .into_iter()
        .filter(|item| !item.retired && item.content.deployment().is_some_and(|d| d.policy.as_str() == id))
        .find(|item| item.content.id() == name)
        .ok_or_else(|| AppError::not_found("There is no such deployment."))?;
    targeting::put(&state, &user, item.content, item.text, item.version, true, "ended").await?;
    Ok(go(&format!("/admin/policies/{id}?done=retired")))
}
