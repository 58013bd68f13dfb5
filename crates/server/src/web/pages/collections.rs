//! Collections: the list, one collection with who is in it, and its text.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use domain::policy::targeting::{Collection, CollectionId};
use serde::Deserialize;
use store::model::{Content, Item, ItemKind};

use crate::{
    csrf::CsrfForm,
    error::{AppError, Result},
    services::targeting,
    session::CurrentUser,
    state::AppState,
    web::{
        format::{counted, moment_or},
        frame::{Frame, go, page as answer, page_with},
        view::{
            chrome::Place,
            form::{CheckField, Field, TextField},
            part::Tone,
            sheet::{AreaField, Block, Body, Button, Cell, Form, Sheet, Table},
        },
        words::by_whom,
    },
};

use super::devices::pager;
use super::policy_text::{refused, written};

const EXAMPLE: &str =
    "name = \"Laptops in Berlin\"\n\n[[rules]]\nall = [{ name = \"BER-*\" }, { chassis = \"portable\" }]\n";
const ON_A_PAGE: usize = 50;

/// Which part of the members.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    page: String,
}

/// `GET /admin/collections`.
pub(crate) async fn list(State(state): State<AppState>, frame: Frame, user: CurrentUser) -> Result<Response> {
    answer(&listed(&state, frame, &user, "", EXAMPLE.to_owned(), Vec::new()).await?)
}

async fn listed(
    state: &AppState,
    frame: Frame,
    user: &CurrentUser,
    id: &str,
    text: String,
    faults: Vec<String>,
) -> Result<Sheet> {
    let items = targeting::items(state, user, ItemKind::Collection).await?;
    let all = Collection::all_devices();
    let mut rows = vec![vec![
        Cell::Link {
            href: format!("/admin/collections/{}", all.id),
            text: all.name.clone(),
        },
        Cell::Text("Every device".to_owned()),
        Cell::Quiet("built in".to_owned()),
    ]];
    rows.extend(items.iter().filter_map(|item| {
        let collection = item.content.collection()?;
        Some(vec![
            Cell::Link {
                href: format!("/admin/collections/{}", collection.id),
                text: collection.name.clone(),
            },
            Cell::Text(if item.retired {
                "Retired".to_owned()
            } else {
                in_words(collection)
            }),
            Cell::Moment(moment_or(Some(item.at), state.now(), "")),
        ])
    }));
    let chrome = frame.chrome(user, Place::Collections);
    let mut blocks = vec![Block::new(
        "Collections",
        "",
        vec![Body::Table(Table {
            caption: "Collections".to_owned(),
            columns: vec!["Collection", "Who is in it", "Changed"],
            rows,
        })],
    )];
    let notes = refused(&faults);
    if chrome.may_manage_policy() {
        let form = form(id, 0, text, faults, true);
        blocks.push(Block::new("New collection", "", vec![Body::Form(form)]));
    }
    Ok(Sheet {
        chrome,
        title: "Collections".to_owned(),
        sub: "Sets of devices that policies are deployed to".to_owned(),
        crumbs: Vec::new(),
        actions: Vec::new(),
        notes,
        blocks,
    })
}

fn in_words(collection: &Collection) -> String {
    let mut parts: Vec<String> = collection.rules.iter().map(ToString::to_string).collect();
    if !collection.members.is_empty() {
        parts.insert(0, format!("{} named devices", collection.members.len()));
    }
    parts.extend(collection.include.iter().map(|id| format!("all of {id}")));
    let mut text = if parts.is_empty() {
        "Nobody".to_owned()
    } else {
        parts.join(", or ")
    };
    for id in &collection.exclude {
        text.push_str(&format!(", but nobody of {id}"));
    }
    text
}

fn form(id: &str, revision: u32, text: String, errors: Vec<String>, new: bool) -> Form {
    let mut fields = Vec::new();
    let mut hidden = vec![("revision", revision.to_string())];
    if new {
        fields.push(Field::Text(TextField {
            name: "id",
            label: "Short name".to_owned(),
            value: id.to_owned(),
            hint: "1 to 64 lower-case letters, digits, - _ or . ; it stays.".to_owned(),
            required: true,
            mono: true,
            max: 64,
            ..TextField::default()
        }));
    } else {
        hidden.push(("id", id.to_owned()));
    }
    fields.push(Field::Area(AreaField {
        name: "text",
        label: "Text".to_owned(),
        value: text,
        hint: "TOML: name, description, members (device IDs), rules (name, os, os_version, kind, join, domain, manufacturer, \
               model, ou, group, tag, chassis, tpm, virtual, co_managed, all, any, not), include, exclude."
            .to_owned(),
        errors,
        rows: 10,
    }));
    if !new {
        fields.push(Field::Check(CheckField {
            name: "retired",
            label: "Out of use".to_owned(),
            on: false,
            hint: "Its history is kept. Nothing may be deployed to it or include it.".to_owned(),
        }));
    }
    Form {
        action: "/admin/collections".to_owned(),
        hidden,
        fields,
        buttons: vec![Button::main("Save collection")],
    }
}

/// `GET /admin/collections/{id}`.
pub(crate) async fn page(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let number = asked.page.parse().unwrap_or(1_u64).max(1);
    answer(&one(&state, frame, &user, &id, number, None).await?)
}

async fn one(
    state: &AppState,
    frame: Frame,
    user: &CurrentUser,
    id: &str,
    number: u64,
    refused_text: Option<(String, Vec<String>)>,
) -> Result<Sheet> {
    let missing = || AppError::not_found("There is no such collection.");
    let name = CollectionId::new(id).map_err(|_| missing())?;
    let built_in = name == CollectionId::all_devices();
    let history = if built_in {
        Vec::new()
    } else {
        targeting::history(state, user, ItemKind::Collection, id).await?
    };
    let all = Collection::all_devices();
    let newest = history.first();
    let collection = match newest {
        Some(item) => item.content.collection().ok_or_else(missing)?,
        None => &all,
    };
    let offset = (number - 1).saturating_mul(ON_A_PAGE as u64);
    let (count, found) = targeting::members(state, user, &name, offset, ON_A_PAGE).await?;
    let chrome = frame.chrome(user, Place::Collections);
    let mut blocks = vec![members(id, count, number, &found)];
    let notes = match (&refused_text, newest) {
        (Some((_, faults)), _) => refused(faults),
        (None, Some(item)) if item.retired => vec![(Tone::Warn, "This collection is out of use.".to_owned())],
        _ => Vec::new(),
    };
    if let Some(item) = newest {
        let (text, faults) = refused_text.unwrap_or_else(|| (item.text.clone(), Vec::new()));
        if chrome.may_manage_policy() {
            blocks.push(Block::new(
                "Change",
                "",
                vec![Body::Form(form(id, item.version, text, faults, false))],
            ));
        } else {
            blocks.push(Block::new("As text", "", vec![Body::Text(text)]));
        }
        blocks.push(versions(&history, state));
    }
    Ok(Sheet {
        chrome,
        title: collection.name.clone(),
        sub: in_words(collection),
        crumbs: vec![("Collections".to_owned(), "/admin/collections".to_owned())],
        actions: Vec::new(),
        notes,
        blocks,
    })
}

fn members(id: &str, count: u64, number: u64, found: &[domain::preview::StoredDevice]) -> Block {
    let rows = found.iter().map(|device| {
        let tags: Vec<&str> = device.tags.iter().map(String::as_str).collect();
        vec![
            Cell::Link {
                href: format!("/admin/devices/{}", device.id),
                text: device.inventory.hostname.clone(),
            },
            Cell::Text(format!("{} {}", device.inventory.manufacturer, device.inventory.model)),
            Cell::Quiet(device.inventory.os.clone()),
            Cell::Text(tags.join(", ")),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let mut bodies = Vec::new();
    if rows.is_empty() {
        bodies.push(Body::Calm("No device that has reported is in it.".to_owned()));
    } else {
        let here = rows.len();
        bodies.push(Body::Table(Table {
            caption: "Devices".to_owned(),
            columns: vec!["Device", "Model", "System", "Tags"],
            rows,
        }));
        bodies.push(Body::Pager(pager(number, here, count, |page| {
            format!("/admin/collections/{id}?page={page}")
        })));
    }
    Block::new("Devices", counted(count, "device"), bodies)
}

fn versions(history: &[Item], state: &AppState) -> Block {
    let rows = history
        .iter()
        .map(|item| {
            let by = by_whom(&item.by);
            vec![
                Cell::Text(item.version.to_string()),
                Cell::Moment(moment_or(Some(item.at), state.now(), "")),
                Cell::Text(by.to_owned()),
                Cell::Text(match item.content.collection() {
                    Some(_) if item.retired => "Out of use".to_owned(),
                    Some(collection) => in_words(collection),
                    None => String::new(),
                }),
            ]
        })
        .collect();
    let table = Table {
        caption: "Versions".to_owned(),
        columns: vec!["Revision", "When", "By", "Who was in it"],
        rows,
    };
    Block::new("History", "", vec![Body::Table(table)])
}

/// `POST /admin/collections`: a new one, or a change.
pub(crate) async fn save(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let field = |name: &str| given.get(name).map(|text| text.trim()).unwrap_or_default();
    let (id, text) = (
        field("id").to_owned(),
        written(&given.get("text").cloned().unwrap_or_default()),
    );
    let base: u32 = field("revision").parse().unwrap_or(0);
    let stored = match targeting::read_collection(&id, &text) {
        Ok(collection) => {
            let content = Content::Collection(collection);
            let retired = !field("retired").is_empty();
            match targeting::put(&state, &user, content, text.clone(), base, retired, "").await {
                Ok(_) => return Ok(go(&format!("/admin/collections/{id}?done=collection"))),
                Err(error) if error.status() == StatusCode::UNPROCESSABLE_ENTITY => vec![error.detail().to_owned()],
                Err(error) => return Err(error),
            }
        }
        Err(faults) => faults,
    };
    let view = if base == 0 {
        listed(&state, frame, &user, &id, text, stored).await?
    } else {
        one(&state, frame, &user, &id, 1, Some((text, stored))).await?
    };
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &view)
}
