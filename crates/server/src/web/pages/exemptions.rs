//! Exemptions: what people ask for, what was decided, and the page on which a person asks.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::{
    extract::{Query, State},
    response::Response,
};
use domain::exemption::Decision;
use domain::time::Timestamp;
use serde::Deserialize;
use store::model::{ExemptionQuery, ExemptionRecord};

use crate::{
    csrf::CsrfForm,
    error::{AppError, Result},
    services::targeting::{self, Verb},
    session::CurrentUser,
    state::AppState,
    web::{
        format::{exact, moment_or},
        frame::{Frame, go, page as answer},
        view::{
            chrome::Place,
            form::{Choice, Field, SelectField, TextField},
            part::{Tag, Tone},
            sheet::{Block, Body, Button, Cell, Form, Sheet, Table},
        },
        words::by_whom,
    },
};

use super::devices::{pager, paging};

/// Which part of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    page: String,
}

/// `GET /admin/exemptions`.
pub(crate) async fn list(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let now = state.now();
    let number = asked.page.parse().unwrap_or(1_u64).max(1);
    let query = ExemptionQuery {
        paging: paging(number),
        ..ExemptionQuery::default()
    };
    let found = targeting::exemptions(&state, &user, query).await?;
    let chrome = frame.chrome(&user, Place::Exemptions);
    let mut blocks = Vec::new();
    let open: Vec<&ExemptionRecord> = found.items.iter().filter(|one| can_change(one, now)).collect();
    if chrome.may_manage_policy() && !open.is_empty() {
        blocks.push(Block::new("Decide", "", vec![Body::Form(decision_form(&open))]));
    }
    let mut bodies = Vec::new();
    if found.items.is_empty() {
        bodies.push(Body::Calm("Nobody has asked to be exempt.".to_owned()));
    } else {
        bodies.push(table(&found.items, now));
        bodies.push(Body::Pager(pager(number, found.items.len(), found.total, |page| {
            format!("/admin/exemptions?page={page}")
        })));
    }
    let about = "A device is exempt while all of its users are, and its policy allows exemptions.";
    blocks.push(Block::new("Requests", about, bodies));
    if chrome.may_manage_policy() {
        blocks.push(Block::new(
            "Ask for somebody",
            "",
            vec![Body::Form(request_form("/admin/exemptions", true))],
        ));
    }
    answer(&Sheet {
        chrome,
        title: "Exemptions".to_owned(),
        sub: "People whose devices need not be encrypted, for a time or for good".to_owned(),
        crumbs: Vec::new(),
        actions: Vec::new(),
        notes: Vec::new(),
        blocks,
    })
}

fn can_change(record: &ExemptionRecord, now: Timestamp) -> bool {
    record.exemption.decision == Decision::Pending || record.exemption.holds(now)
}

fn table(records: &[ExemptionRecord], now: Timestamp) -> Body {
    let rows = records.iter().map(|record| {
        let last = record.decisions.last();
        let by = last.map_or(String::new(), |last| {
            let by = by_whom(&last.by);
            if last.note.is_empty() {
                by.to_owned()
            } else {
                format!("{by}: {}", last.note)
            }
        });
        vec![
            Cell::Text(record.exemption.user.clone()),
            Cell::Moment(moment_or(Some(record.exemption.requested), now, "")),
            Cell::Text(record.reason.clone()),
            Cell::Tag(state_of(record, now)),
            Cell::Text(until(record)),
            Cell::Text(by),
        ]
    });
    Body::Table(Table {
        caption: "Exemptions".to_owned(),
        columns: vec!["Person", "Asked", "Why", "State", "Until", "Decided by"],
        rows: rows.collect(),
    })
}

fn state_of(record: &ExemptionRecord, now: Timestamp) -> Tag {
    match record.exemption.decision {
        Decision::Pending => Tag::new(Tone::Info, "Waits for a decision"),
        Decision::Approved { .. } if record.exemption.holds(now) => Tag::new(Tone::Warn, "Exempt"),
        Decision::Approved { .. } => Tag::new(Tone::Calm, "Ended"),
        Decision::Denied { .. } => Tag::new(Tone::Calm, "Refused"),
        Decision::Revoked { .. } => Tag::new(Tone::Calm, "Taken back"),
    }
}

fn until(record: &ExemptionRecord) -> String {
    match record.exemption.decision {
        Decision::Approved { until: Some(until), .. } => format!("{} UTC", exact(until)),
        Decision::Approved { until: None, .. } => "For good".to_owned(),
        _ => "–".to_owned(),
    }
}

fn decision_form(open: &[&ExemptionRecord]) -> Form {
    let choices = open.iter().map(|record| Choice {
        value: record.id.0.to_string(),
        label: format!("{} ({})", record.exemption.user, record.reason),
        chosen: false,
    });
    let select = |name, label: &str, choices| {
        Field::Select(SelectField {
            name,
            label: label.to_owned(),
            choices,
            ..SelectField::default()
        })
    };
    let days = [
        ("7", "7 days"),
        ("30", "30 days"),
        ("90", "90 days"),
        ("365", "a year"),
        ("", "for good"),
    ];
    let button = |label: &str, verb: &str, main| Button {
        label: label.to_owned(),
        to: String::new(),
        adds: ("verb", verb.to_owned()),
        main,
    };
    Form {
        action: "/admin/exemptions/decide".to_owned(),
        hidden: Vec::new(),
        fields: vec![
            select("id", "Request", choices.collect()),
            select("days", "If granted, for", Choice::list(&days, "30")),
            Field::Text(TextField {
                name: "note",
                label: "Note".to_owned(),
                hint: "Kept in the audit.".to_owned(),
                max: 1000,
                ..TextField::default()
            }),
        ],
        buttons: vec![
            button("Grant", "approve", true),
            button("Refuse", "deny", false),
            button("Take back", "revoke", false),
        ],
    }
}

fn request_form(action: &str, with_person: bool) -> Form {
    let field = |name, label: &str, hint: &str| {
        Field::Text(TextField {
            name,
            label: label.to_owned(),
            hint: hint.to_owned(),
            required: true,
            max: 1000,
            ..TextField::default()
        })
    };
    let mut fields = Vec::new();
    if with_person {
        let hint = "As devices report it: anna, CORP\\anna or anna@corp.example.";
        fields.push(field("user", "Person", hint));
    }
    fields.push(field("reason", "Why", "Whoever decides reads it."));
    Form {
        action: action.to_owned(),
        hidden: Vec::new(),
        fields,
        buttons: vec![Button::main("Ask")],
    }
}

/// `POST /admin/exemptions`.
pub(crate) async fn request(
    State(state): State<AppState>,
    user: CurrentUser,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let field = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
    targeting::request_exemption(&state, &user, field("user"), field("reason")).await?;
    Ok(go("/admin/exemptions?done=exemption"))
}

/// `POST /admin/exemptions/decide`.
pub(crate) async fn decide(
    State(state): State<AppState>,
    user: CurrentUser,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let field = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
    let id = field("id")
        .parse()
        .map_err(|_| AppError::not_found("There is no such exemption."))?;
    let verb = match field("verb") {
        "deny" => Verb::Deny,
        "revoke" => Verb::Revoke,
        "approve" => Verb::Approve(match field("days") {
            "" => None,
            days => {
                let days: u16 = days
                    .parse()
                    .ok()
                    .filter(|days| (1..=3650).contains(days))
                    .ok_or_else(|| AppError::invalid("days", "days: 1 to 3650, or empty for good"))?;
                Some(state.now().after(Duration::from_secs(u64::from(days) * 86_400)))
            }
        }),
        _ => return Err(AppError::invalid("verb", "verb: approve, deny or revoke")),
    };
    targeting::decide(&state, &user, id, verb, field("note")).await?;
    Ok(go("/admin/exemptions?done=exemption"))
}

/// How it stands with a person's exemption: the state of what they asked for, and a sentence. None for those who never asked
/// and cannot.
pub(super) async fn standing(state: &AppState, user: &CurrentUser) -> Result<Option<(Tag, String)>> {
    let now = state.now();
    let found = targeting::own_exemptions(state, user).await?;
    let Some(newest) = found.iter().find(|one| can_change(one, now)).or(found.first()) else {
        let ask = (
            Tag::new(Tone::Calm, "Not asked for"),
            "Your computer is encrypted. If that cannot be, you may ask to be exempt.".to_owned(),
        );
        return Ok(targeting::may_ask(state, user).await?.then_some(ask));
    };
    let asked = newest.exemption.requested.date();
    let said = match newest.exemption.decision {
        Decision::Pending => {
            format!("You asked on {asked}, and nobody has decided yet. Until then your computer is encrypted.")
        }
        Decision::Approved { until: Some(until), .. } if newest.exemption.holds(now) => {
            format!("You are exempt until {} UTC.", exact(until))
        }
        Decision::Approved { .. } if newest.exemption.holds(now) => "You are exempt for good.".to_owned(),
        Decision::Approved { .. } => "Your exemption has ended. You may ask again.".to_owned(),
        Decision::Denied { .. } => format!("What you asked for on {asked} was refused. You may ask again."),
        Decision::Revoked { .. } => "Your exemption was taken back. You may ask again.".to_owned(),
    };
    Ok(Some((state_of(newest, now), said)))
}

/// `GET /selfservice/exemption`: a person's own.
pub(crate) async fn own(State(state): State<AppState>, frame: Frame, user: CurrentUser) -> Result<Response> {
    let now = state.now();
    let found = targeting::own_exemptions(&state, &user).await?;
    let about = "Your computer is encrypted unless you, and everybody else who uses it, are exempt.";
    let mut blocks = Vec::new();
    let waits = found.iter().any(|record| can_change(record, now));
    if !waits {
        let form = request_form("/selfservice/exemption", false);
        blocks.push(Block::new("Ask to be exempt", about, vec![Body::Form(form)]));
    }
    if !found.is_empty() {
        blocks.push(Block::new(
            "Your requests",
            if waits { about } else { "" },
            vec![table(&found, now)],
        ));
    }
    answer(&Sheet {
        chrome: frame.chrome(&user, Place::SelfService),
        title: "Exemption from encryption".to_owned(),
        sub: String::new(),
        crumbs: vec![("Self-service".to_owned(), "/selfservice".to_owned())],
        actions: Vec::new(),
        notes: Vec::new(),
        blocks: blocks.into_iter().collect(),
    })
}

/// `POST /selfservice/exemption`.
pub(crate) async fn request_own(
    State(state): State<AppState>,
    user: CurrentUser,
    CsrfForm(given): CsrfForm<BTreeMap<String, String>>,
) -> Result<Response> {
    let reason = given.get("reason").map(String::as_str).unwrap_or_default();
    let name = user.name.clone();
    targeting::request_exemption(&state, &user, &name, reason).await?;
    Ok(go("/selfservice/exemption?done=exemption"))
}
