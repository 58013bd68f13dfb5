//! A policy as text: a new one, a copy, a change, and its retirement.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use store::model::Content;

use crate::{
    csrf::CsrfForm,
    error::Result,
    services::targeting,
    session::CurrentUser,
    state::AppState,
    web::{
        frame::{Frame, go, page as answer, page_with},
        view::{
            chrome::Place,
            form::{Field, TextField},
            part::Tone,
            sheet::{AreaField, Block, Body, Button, Form, Sheet},
        },
    },
};

use super::policies::{changes, same_revision};

const EMPTY: &str = "name = \"\"\ndescription = \"\"\n\n[os]\nencryption = \"require\"\n";

/// Which policy to copy.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    from: String,
}

/// `GET /admin/policies/new`.
pub(crate) async fn new(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let text = if asked.from.is_empty() {
        EMPTY.to_owned()
    } else {
        targeting::text_of(&targeting::document(&state, &user, &asked.from).await?.0)
    };
    let id = if asked.from.is_empty() {
        String::new()
    } else {
        format!("{}-copy", asked.from)
    };
    answer(&new_form(&frame, &user, &id, text, Vec::new()))
}

/// `POST /admin/policies`.
pub(crate) async fn create(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let field = |name: &str| given.get(name).cloned().unwrap_or_default();
    let (id, text) = (field("id").trim().to_owned(), written(&field("text")));
    match targeting::read_document(&id, &text) {
        Ok(document) => {
            let note = "new".to_owned();
            targeting::put(&state, &user, Content::Document(document), text, 0, false, &note).await?;
            Ok(go(&format!("/admin/policies/{id}?done=policy")))
        }
        Err(faults) => page_with(
            StatusCode::UNPROCESSABLE_ENTITY,
            &new_form(&frame, &user, &id, text, faults),
        ),
    }
}

fn new_form(frame: &Frame, user: &CurrentUser, id: &str, text: String, faults: Vec<String>) -> Sheet {
    let notes = refused(&faults);
    let fields = vec![
        Field::Text(TextField {
            name: "id",
            label: "Short name".to_owned(),
            value: id.to_owned(),
            hint: "1 to 64 lower-case letters, digits, - _ or . ; it stays.".to_owned(),
            required: true,
            mono: true,
            max: 64,
            ..TextField::default()
        }),
        area(text, faults, 18),
    ];
    let form = Form {
        action: "/admin/policies".to_owned(),
        hidden: Vec::new(),
        fields,
        buttons: vec![Button::main("Make policy")],
    };
    Sheet {
        chrome: frame.chrome(user, Place::Policies),
        title: "New policy".to_owned(),
        sub: "It reaches nobody until it is deployed to a collection.".to_owned(),
        crumbs: vec![("Policies".to_owned(), "/admin/policies".to_owned())],
        actions: Vec::new(),
        notes,
        blocks: vec![Block::new("Policy", "", vec![Body::Form(form)])],
    }
}

/// `GET /admin/policies/{id}/text`.
pub(crate) async fn edit(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Path(id): Path<String>,
) -> Result<Response> {
    let (item, document) = targeting::document(&state, &user, &id).await?;
    let text = targeting::text_of(&item);
    answer(&text_form(
        &frame,
        &user,
        &id,
        &document.name,
        item.version,
        text,
        Vec::new(),
    ))
}

/// `POST /admin/policies/{id}/text`.
pub(crate) async fn save(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Path(id): Path<String>,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let (item, before) = targeting::document(&state, &user, &id).await?;
    same_revision(&given, item.version)?;
    let text = written(given.get("text").map(String::as_str).unwrap_or_default());
    match targeting::read_document(&id, &text) {
        Ok(_) if text == targeting::text_of(&item) && !item.retired => {
            Ok(go(&format!("/admin/policies/{id}?done=policy-same")))
        }
        Ok(document) => {
            let note = changes(&before, &document);
            targeting::put(
                &state,
                &user,
                Content::Document(document),
                text,
                item.version,
                false,
                &note,
            )
            .await?;
            Ok(go(&format!("/admin/policies/{id}?done=policy")))
        }
        Err(faults) => page_with(
            StatusCode::UNPROCESSABLE_ENTITY,
            &text_form(&frame, &user, &id, &before.name, item.version, text, faults),
        ),
    }
}

pub(super) fn text_form(
    frame: &Frame,
    user: &CurrentUser,
    id: &str,
    name: &str,
    revision: u32,
    text: String,
    faults: Vec<String>,
) -> Sheet {
    let notes = refused(&faults);
    let form = Form {
        action: format!("/admin/policies/{id}/text"),
        hidden: vec![("revision", revision.to_string())],
        fields: vec![area(text, faults, 26)],
        buttons: vec![
            Button {
                to: format!("/admin/policies/{id}/preview"),
                main: false,
                ..Button::main("Preview")
            },
            Button::main("Save policy"),
        ],
    };
    Sheet {
        chrome: frame.chrome(user, Place::Policies),
        title: format!("{name} as text"),
        sub: "TOML; comments are kept, also when the form changes a value.".to_owned(),
        crumbs: vec![
            ("Policies".to_owned(), "/admin/policies".to_owned()),
            (name.to_owned(), format!("/admin/policies/{id}")),
        ],
        actions: Vec::new(),
        notes,
        blocks: vec![Block::new("Text", "", vec![Body::Form(form)])],
    }
}

/// `POST /admin/policies/{id}/retire`.
pub(crate) async fn retire(
    State(state): State<AppState>,
    user: CurrentUser,
    Path(id): Path<String>,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let (item, document) = targeting::document(&state, &user, &id).await?;
    same_revision(&given, item.version)?;
    let content = Content::Document(document);
    targeting::put(&state, &user, content, item.text, item.version, true, "retired").await?;
    Ok(go(&format!("/admin/policies/{id}?done=retired")))
}

pub(super) fn area(value: String, errors: Vec<String>, rows: u8) -> Field {
    Field::Area(AreaField {
        name: "text",
        label: "Text".to_owned(),
        value,
        hint: "Settings that are not named are left to other policies. The settings reference lists all of them."
            .to_owned(),
        errors,
        rows,
    })
}

pub(super) fn refused(faults: &[String]) -> Vec<(Tone, String)> {
    match faults.len() {
        0 => Vec::new(),
        1 => vec![(
            Tone::Bad,
            "Nothing was saved: the text has a fault, named below it.".to_owned(),
        )],
        many => vec![(
            Tone::Bad,
            format!("Nothing was saved: the text has {many} faults, named below it."),
        )],
    }
}

/// Browsers send lines with carriage returns.
pub(super) fn written(text: &str) -> String {
    text.replace("\r\n", "\n")
}
