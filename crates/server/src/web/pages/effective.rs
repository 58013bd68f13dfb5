//! The policy that holds for one device: every setting's value, who says so, and what it beat; tags and own settings.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use domain::ids::DeviceId;
use domain::plan::Maintenance;
use domain::policy::document::Document as Text;
use domain::policy::resolve::{Explained, Origin, Resolved};
use domain::policy::targeting::Profile;
use domain::policy::{Section, setting};
use store::model::Marks;

use crate::{
    csrf::CsrfForm,
    error::{AppError, Result},
    services::targeting::{self, Effective},
    session::CurrentUser,
    state::AppState,
    web::{
        format::exact,
        frame::{Frame, go, page as answer, page_with},
        view::{
            chrome::Place,
            form::{Field, TextField},
            part::Tone,
            sheet::{AreaField, Block, Body, Button, Cell, Form, Sheet, Table},
        },
    },
};

use super::policy_text::{refused, written};

const MOST_TAGS: usize = 64;

fn named(id: &str) -> Result<DeviceId> {
    id.parse().map_err(|_| AppError::not_found("There is no such device."))
}

/// `GET /admin/devices/{id}/policy`.
pub(crate) async fn page(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Path(id): Path<String>,
) -> Result<Response> {
    let id = named(&id)?;
    let found = targeting::effective(&state, &user, id).await?;
    let marks = &found.marks;
    let own = marks.profile.as_ref().map(|profile| Text {
        assignments: profile.assignments.clone(),
        ..Text::default()
    });
    let written = Written {
        tags: marks.tags.iter().cloned().collect::<Vec<_>>().join(", "),
        text: own.map(|own| own.to_toml()).unwrap_or_default(),
        reason: marks
            .profile
            .as_ref()
            .map(|profile| profile.reason.clone())
            .unwrap_or_default(),
    };
    answer(&sheet(&frame, &user, id, &found, written, Vec::new()))
}

/// What stands in the form.
struct Written {
    tags: String,
    text: String,
    reason: String,
}

fn sheet(
    frame: &Frame,
    user: &CurrentUser,
    id: DeviceId,
    found: &Effective,
    written: Written,
    faults: Vec<String>,
) -> Sheet {
    let Effective { hostname, resolved, .. } = found;
    let chrome = frame.chrome(user, Place::Devices);
    let mut blocks = vec![deployments(resolved)];
    blocks.extend(
        Section::ALL
            .into_iter()
            .filter_map(|section| configured(section, resolved)),
    );
    blocks.push(defaults(resolved));
    let mut notes = refused(&faults);
    notes.extend(
        resolved
            .faults
            .iter()
            .map(|fault| (Tone::Bad, format!("{}: {}", fault.setting, fault.message))),
    );
    notes.extend(outside_windows(found));
    notes.extend(resolved.conflicts.iter().map(|c| (Tone::Warn, c.sentence.clone())));
    if chrome.may_manage_policy() {
        let about = "Tags are for rules of collections. Own settings beat every deployment.";
        blocks.push(Block::new(
            "This device only",
            about,
            vec![Body::Form(form(id, written, faults))],
        ));
    }
    Sheet {
        chrome,
        title: format!("Effective policy of {hostname}"),
        sub: "What holds for this device, who says so, and what was overruled".to_owned(),
        crumbs: vec![
            ("Devices".to_owned(), "/admin/devices".to_owned()),
            (hostname.clone(), format!("/admin/devices/{id}")),
        ],
        actions: Vec::new(),
        notes,
        blocks,
    }
}

/// That no conversion begins now, and when one may.
fn outside_windows(found: &Effective) -> Option<(Tone, String)> {
    let Maintenance::Closed { opens } = found.maintenance else {
        return None;
    };
    Some((
        Tone::Info,
        opens.map_or_else(
            || "It is outside its maintenance windows, and none is to come: no conversion begins.".to_owned(),
            |opens| {
                format!(
                    "It is outside its maintenance windows: conversions may begin from {} UTC on.",
                    exact(opens)
                )
            },
        ),
    ))
}

fn deployments(resolved: &Resolved) -> Block {
    let rows: Vec<Vec<Cell>> = resolved
        .deployments
        .iter()
        .map(|applied| {
            vec![
                Cell::Link {
                    href: format!("/admin/policies/{}", applied.policy),
                    text: applied.policy_name.clone(),
                },
                Cell::Link {
                    href: format!("/admin/collections/{}", applied.collection),
                    text: applied.collection_name.clone(),
                },
                Cell::Text(match applied.priority {
                    u32::MAX => "last".to_owned(),
                    number => number.to_string(),
                }),
                Cell::Text(applied.why()),
            ]
        })
        .collect();
    let body = if rows.is_empty() {
        Body::Calm("No policy reaches this device: nothing is enforced.".to_owned())
    } else {
        Body::Table(Table {
            caption: "Policies that reach this device".to_owned(),
            columns: vec!["Policy", "Collection", "Priority", "Why"],
            rows,
        })
    };
    Block::new(
        "Policies that reach it",
        format!(
            "The first one wins, setting by setting. {}",
            resolved.maintenance.sentence()
        ),
        vec![body],
    )
}

/// What somebody configures of a section.
fn configured(section: Section, resolved: &Resolved) -> Option<Block> {
    let (said, left): (Vec<&Explained>, Vec<&Explained>) =
        of(section, resolved).partition(|explained| explained.origin != Origin::Default);
    let about = format!("{} configured, {} by default", said.len(), left.len());
    (!said.is_empty()).then(|| {
        let table = Table {
            caption: section.title().to_owned(),
            columns: vec!["Setting", "Value", "Who says so", "What it beat"],
            rows: said.into_iter().map(row).collect(),
        };
        Block::new(section.title(), about, vec![Body::Table(table)])
    })
}

/// What nobody configures.
fn defaults(resolved: &Resolved) -> Block {
    let mut bodies = Vec::new();
    let mut count = 0;
    for section in Section::ALL {
        let left = of(section, resolved).filter(|explained| explained.origin == Origin::Default);
        let rows: Vec<Vec<Cell>> = left
            .map(|explained| vec![Cell::Text(explained.title().to_owned()), Cell::Quiet(explained.label())])
            .collect();
        if rows.is_empty() {
            continue;
        }
        count += rows.len();
        bodies.push(Body::Heading(section.title().to_owned()));
        bodies.push(Body::Table(Table {
            caption: format!("{}: defaults", section.title()),
            columns: vec!["Setting", "Value"],
            rows,
        }));
    }
    Block::new("Defaults", format!("{count} settings that nobody configures"), bodies).folded()
}

fn of(section: Section, resolved: &Resolved) -> impl Iterator<Item = &Explained> {
    let of_section = move |explained: &&Explained| setting(explained.setting).is_some_and(|s| s.section == section);
    resolved.settings.iter().filter(of_section)
}

fn row(explained: &Explained) -> Vec<Cell> {
    vec![
        Cell::Text(explained.title().to_owned()),
        Cell::Text(explained.label()),
        match &explained.origin {
            Origin::Default => Cell::Quiet("Default".to_owned()),
            origin => Cell::Text(origin.to_string()),
        },
        Cell::Quiet(explained.overruled().join("; ")),
    ]
}

fn form(id: DeviceId, written: Written, errors: Vec<String>) -> Form {
    let text = |name, label: &str, value: String, hint: &str| {
        Field::Text(TextField {
            name,
            label: label.to_owned(),
            value,
            hint: hint.to_owned(),
            max: 1000,
            ..TextField::default()
        })
    };
    Form {
        action: format!("/admin/devices/{id}/policy"),
        hidden: Vec::new(),
        fields: vec![
            text("tags", "Tags", written.tags, "Separated by commas."),
            text(
                "reason",
                "Why it is special",
                written.reason,
                "Shown with every own setting.",
            ),
            Field::Area(AreaField {
                name: "text",
                label: "Own settings".to_owned(),
                value: written.text,
                hint: "TOML as in a policy; empty: none.".to_owned(),
                errors,
                rows: 6,
            }),
        ],
        buttons: vec![Button::main("Save")],
    }
}

/// `POST /admin/devices/{id}/policy`.
pub(crate) async fn save(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Path(id): Path<String>,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let id = named(&id)?;
    let field = |name: &str| given.get(name).map(|text| text.trim()).unwrap_or_default();
    let text = written(field("text"));
    let tags: BTreeSet<String> = field("tags")
        .split(',')
        .map(|tag| tag.trim().to_owned())
        .filter(|tag| !tag.is_empty())
        .collect();
    let mut faults = Vec::new();
    if tags.len() > MOST_TAGS {
        faults.push(format!("tags: at most {MOST_TAGS}"));
    }
    // Rules between settings are checked where they take effect: what is missing here may come from a policy.
    let profile = match Text::parse(&text) {
        Ok(parsed) if parsed.document.assignments.is_empty() => None,
        Ok(_) if field("reason").is_empty() => {
            faults.push("Say why this device is special.".to_owned());
            None
        }
        Ok(parsed) => Some(Profile {
            assignments: parsed.document.assignments,
            reason: field("reason").to_owned(),
        }),
        Err(found) => {
            faults.extend(found.iter().map(ToString::to_string));
            None
        }
    };
    if faults.is_empty() {
        targeting::mark(&state, &user, id, Marks { tags, profile }).await?;
        return Ok(go(&format!("/admin/devices/{id}/policy?done=marked")));
    }
    let found = targeting::effective(&state, &user, id).await?;
    let again = Written {
        tags: field("tags").to_owned(),
        text,
        reason: field("reason").to_owned(),
    };
    let view = sheet(&frame, &user, id, &found, again, faults);
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &view)
}
