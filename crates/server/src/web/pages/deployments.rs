//! Deployments of a policy: part of the policy's page.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    response::Response,
};
use domain::policy::targeting::{CollectionId, Deployment};
use domain::time::Timestamp;
use store::model::{Content, Item, ItemKind};

use crate::{
    csrf::CsrfForm,
    error::{AppError, Result},
    services::targeting,
    session::{Require, may},
    state::AppState,
    web::{
        format::{day, machine},
        frame::{Frame, go},
        view::{
            form::{CheckField, Choice, Field, SelectField, TextField},
            sheet::{AreaField, Block, Body, Button, Cell, Form, Table},
        },
    },
};

/// The card with a policy's deployments, and the form for another.
pub(super) fn block(running: &[&Item], collections: &[Item], policy: &str, may_change: bool) -> Block {
    let mut bodies = Vec::new();
    let found: Vec<&Deployment> = running.iter().filter_map(|item| item.content.deployment()).collect();
    if found.is_empty() {
        bodies.push(Body::Calm("It is not deployed: it reaches nobody.".to_owned()));
    } else {
        bodies.push(Body::Table(Table {
            caption: "Deployments".to_owned(),
            columns: vec!["Deployment", "Collection", "Priority", "Begins", "Windows"],
            rows: found.iter().map(|deployment| row(deployment)).collect(),
        }));
    }
    if may_change {
        bodies.push(Body::Heading("Deploy, or change a deployment".to_owned()));
        bodies.push(Body::Form(form(policy, &found, collections)));
        if !found.is_empty() {
            bodies.push(Body::Heading("End a deployment".to_owned()));
            let choices: Vec<(&str, &str)> = found.iter().map(|d| (d.id.as_str(), d.id.as_str())).collect();
            bodies.push(Body::Form(Form {
                action: format!("/admin/policies/{policy}/deploy/end"),
                hidden: Vec::new(),
                fields: vec![Field::Select(SelectField {
                    name: "ended",
                    label: "Deployment".to_owned(),
                    choices: Choice::list(&choices, ""),
                    ..SelectField::default()
                })],
                buttons: vec![Button {
                    main: false,
                    ..Button::main("End deployment")
                }],
            }));
        }
    }
    Block::new(
        "Deployments",
        "To whom it goes. The lower priority number wins, setting by setting.",
        bodies,
    )
}

fn row(deployment: &Deployment) -> Vec<Cell> {
    let windows = match (deployment.windows.len(), deployment.outside_window_allowed) {
        (0, _) => "At any time".to_owned(),
        (_, true) => format!("{}; work outside them is allowed", shown(deployment)),
        (_, false) => shown(deployment),
    };
    vec![
        Cell::Text(deployment.id.to_string()),
        Cell::Link {
            href: format!("/admin/collections/{}", deployment.collection),
            text: deployment.collection.to_string(),
        },
        Cell::Text(deployment.priority.to_string()),
        Cell::Quiet(deployment.not_before.map_or_else(|| "At once".to_owned(), machine)),
        Cell::Text(windows),
    ]
}

fn shown(deployment: &Deployment) -> String {
    let windows: Vec<String> = deployment.windows.iter().map(ToString::to_string).collect();
    windows.join(", ")
}

fn form(policy: &str, found: &[&Deployment], collections: &[Item]) -> Form {
    let mut pairs = vec![("all-devices", "All devices")];
    pairs.extend(
        collections
            .iter()
            .filter(|item| !item.retired)
            .filter_map(|item| item.content.collection())
            .map(|collection| (collection.id.as_str(), collection.name.as_str())),
    );
    let number = |label: &str, name, value: &str, hint: &str| {
        Field::Text(TextField {
            name,
            label: label.to_owned(),
            value: value.to_owned(),
            hint: hint.to_owned(),
            max: 64,
            ..TextField::default()
        })
    };
    let next = if found.is_empty() {
        policy.to_owned()
    } else {
        format!("{policy}-{}", found.len() + 1)
    };
    Form {
        action: format!("/admin/policies/{policy}/deploy"),
        hidden: Vec::new(),
        fields: vec![
            number("Short name", "deployment", &next, "A name that is there already changes that deployment."),
            Field::Select(SelectField {
                name: "collection",
                label: "Collection".to_owned(),
                choices: Choice::list(&pairs, ""),
                ..SelectField::default()
            }),
            number("Priority", "priority", "100", "0 to 4294967294; the lower number wins."),
            Field::Text(TextField {
                name: "begin",
                label: "Not before".to_owned(),
                kind: "date",
                hint: "At 00:00 UTC; empty: at once.".to_owned(),
                ..TextField::default()
            }),
            Field::Area(AreaField {
                name: "windows",
                label: "Maintenance windows".to_owned(),
                hint: "TOML; empty: at any time. windows = [{ days = [\"sat\", \"sun\"], start = \"22:00\", minutes = 360 }]"
                    .to_owned(),
                rows: 3,
                ..AreaField::default()
            }),
            Field::Check(CheckField {
                name: "outside",
                label: "Work outside the windows is allowed".to_owned(),
                on: false,
                hint: String::new(),
            }),
        ],
        buttons: vec![
            Button {
                to: format!("/admin/policies/{policy}/deploy/preview"),
                main: false,
                ..Button::main("Preview")
            },
            Button::main("Deploy"),
        ],
    }
}

/// The deployment that a form asks for.
pub(super) fn read(policy: &str, given: &BTreeMap<String, String>) -> Result<Deployment> {
    let field = |name: &str| given.get(name).map(|text| text.trim()).unwrap_or_default();
    let invalid = |field: &str, why: String| AppError::invalid("deployment", format!("{field}: {why}"));
    let not_before: Option<Timestamp> = match field("begin") {
        "" => None,
        text => match day(text) {
            Some((from, _)) => Some(from),
            None => return Err(invalid("begin", "a day as 2026-12-01 is allowed".to_owned())),
        },
    };
    Ok(Deployment {
        id: field("deployment")
            .parse()
            .map_err(|error| invalid("short name", format!("{error}")))?,
        policy: policy.parse().map_err(|error| invalid("policy", format!("{error}")))?,
        collection: CollectionId::new(field("collection")).map_err(|error| invalid("collection", error.to_string()))?,
        priority: field("priority")
            .parse()
            .map_err(|_| invalid("priority", "0 to 4294967294 is allowed".to_owned()))?,
        not_before,
        windows: targeting::read_windows(field("windows")).map_err(|error| invalid("windows", error))?,
        outside_window_allowed: !field("outside").is_empty(),
    })
}

/// `POST /admin/policies/{id}/deploy`.
pub(crate) async fn save(
    State(state): State<AppState>,
    _: Frame,
    user: Require<may::ManagePolicy>,
    Path(id): Path<String>,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let deployment = read(&id, &given)?;
    let items = targeting::items(&state, &user.0, ItemKind::Deployment).await?;
    let base = items
        .iter()
        .find(|item| item.content.id() == deployment.id.as_str())
        .map_or(0, |item| item.version);
    let note = format!("to {} with priority {}", deployment.collection, deployment.priority);
    let content = Content::Deployment(deployment);
    targeting::put(&state, &user.0, content, String::new(), base, false, &note).await?;
    Ok(go(&format!("/admin/policies/{id}?done=deployment")))
}

/// `POST /admin/policies/{id}/deploy/end`.
pub(crate) async fn end(
    State(state): State<AppState>,
    user: Require<may::ManagePolicy>,
    Path(id): Path<String>,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let name = given.get("ended").map(String::as_str).unwrap_or_default();
    let items = targeting::items(&state, &user.0, ItemKind::Deployment).await?;
    let item = items
        .into_iter()
        .find(|item| item.content.id() == name)
        .ok_or_else(|| AppError::not_found("There is no such deployment."))?;
    targeting::put(&state, &user.0, item.content, item.text, item.version, true, "ended").await?;
    Ok(go(&format!("/admin/policies/{id}?done=retired")))
}
