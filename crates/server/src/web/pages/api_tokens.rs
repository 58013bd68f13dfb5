//! API tokens.

use std::time::Duration;

use axum::{extract::State, http::StatusCode, response::Response};
use domain::{
    access::{Grant, Role, Scope},
    time::Timestamp,
};
use serde::Deserialize;
use store::model::{ApiToken, ApiTokenId};

use crate::{
    csrf::CsrfForm,
    error::Result,
    services::api_tokens,
    session::CurrentUser,
    state::AppState,
    web::{
        format::moment_or,
        frame::{Frame, go, page_with},
        view::{
            api_tokens::{ApiTokenRow, ApiTokens, FreshApiToken},
            chrome::Place,
            form::{Choice, SelectField, TextField},
            part::{Tag, Tone},
        },
        words::by_whom,
    },
};

const DAY: u64 = 24 * 60 * 60;
const LIFETIMES: [(&str, &str); 5] = [
    ("1", "1 day"),
    ("7", "7 days"),
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "1 year"),
];

/// The form's fields.
#[derive(Debug, Deserialize)]
pub(crate) struct Fields {
    note: String,
    role: String,
    scope: String,
    lifetime: String,
}

/// Which token.
#[derive(Debug, Deserialize)]
pub(crate) struct Chosen {
    id: i64,
}

/// What is wrong with each field.
#[derive(Debug, Default)]
struct Faults {
    note: Option<String>,
    role: Option<String>,
    scope: Option<String>,
    lifetime: Option<String>,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            note: String::new(),
            role: Role::ReportReader.name().to_owned(),
            scope: Scope::Everything.words(),
            lifetime: "90".to_owned(),
        }
    }
}

/// `GET /admin/api-tokens`.
pub(crate) async fn page(State(state): State<AppState>, frame: Frame, user: CurrentUser) -> Result<Response> {
    let (fields, faults) = (Fields::default(), Faults::default());
    show(&state, &frame, &user, StatusCode::OK, None, &fields, faults).await
}

/// `POST /admin/api-tokens`: the token is shown in the answer, once.
pub(crate) async fn create(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    CsrfForm(fields): CsrfForm<Fields>,
) -> Result<Response> {
    let role = Role::from_name(&fields.role);
    let scope = fields.scope.parse::<Scope>();
    let days = LIFETIMES
        .iter()
        .find(|(value, _)| *value == fields.lifetime)
        .and_then(|(value, _)| value.parse::<u64>().ok());
    let mut faults = Faults {
        role: role.is_none().then(|| "Choose one of these.".to_owned()),
        scope: scope.as_ref().err().map(ToString::to_string),
        lifetime: days.is_none().then(|| "Choose one of these.".to_owned()),
        ..Faults::default()
    };
    let unusable = StatusCode::UNPROCESSABLE_ENTITY;
    let (Some(role), Ok(scope), Some(days)) = (role, scope, days) else {
        return show(&state, &frame, &user, unusable, None, &fields, faults).await;
    };
    let lasts = Duration::from_secs(days * DAY);
    match api_tokens::create(&state, &user, &fields.note, Grant { role, scope }, lasts).await {
        Ok(created) => {
            let fresh = FreshApiToken {
                token: created.token,
                note: fields.note.trim().to_owned(),
            };
            let again = Fields::default();
            show(&state, &frame, &user, StatusCode::OK, Some(fresh), &again, faults).await
        }
        Err(error) => {
            let said = Some(error.detail().to_owned());
            match error.code() {
                "note" => faults.note = said,
                "role" => faults.role = said,
                "scope" => faults.scope = said,
                "lasts" => faults.lifetime = said,
                _ => return Err(error),
            }
            show(&state, &frame, &user, unusable, None, &fields, faults).await
        }
    }
}

/// `POST /admin/api-tokens/revoke`.
pub(crate) async fn revoke(
    State(state): State<AppState>,
    user: CurrentUser,
    CsrfForm(chosen): CsrfForm<Chosen>,
) -> Result<Response> {
    api_tokens::revoke(&state, &user, ApiTokenId(chosen.id)).await?;
    Ok(go("/admin/api-tokens?done=api-token-revoked"))
}

async fn show(
    state: &AppState,
    frame: &Frame,
    user: &CurrentUser,
    status: StatusCode,
    fresh: Option<FreshApiToken>,
    fields: &Fields,
    faults: Faults,
) -> Result<Response> {
    let now = state.now();
    let tokens = api_tokens::list(state, user).await?;
    let roles: Vec<_> = Role::ALL
        .into_iter()
        .filter(|role| *role != Role::SelfService)
        .map(|role| (role.name(), role.label()))
        .collect();
    let view = ApiTokens {
        chrome: frame.chrome(user, Place::ApiTokens),
        fresh,
        note: TextField {
            name: "note",
            label: "For".to_owned(),
            value: fields.note.clone(),
            hint: "Which program, on which machine.".to_owned(),
            error: faults.note,
            required: true,
            ..TextField::default()
        },
        role: SelectField {
            name: "role",
            label: "Role".to_owned(),
            choices: Choice::list(&roles, &fields.role),
            error: faults.role,
            ..SelectField::default()
        },
        scope: TextField {
            name: "scope",
            label: "Scope".to_owned(),
            value: fields.scope.clone(),
            hint: "everything, or collections with commas: berlin, paris.".to_owned(),
            error: faults.scope,
            required: true,
            max: 1024,
            ..TextField::default()
        },
        lifetime: SelectField {
            name: "lifetime",
            label: "Good for".to_owned(),
            choices: Choice::list(&LIFETIMES, &fields.lifetime),
            error: faults.lifetime,
            ..SelectField::default()
        },
        rows: tokens.iter().map(|token| line(token, now)).collect(),
    };
    page_with(status, &view)
}

fn line(token: &ApiToken, now: Timestamp) -> ApiTokenRow {
    let state = match (token.revoked_at, token.expires_at <= now) {
        (Some(_), _) => Tag::new(Tone::Bad, "Revoked"),
        (None, true) => Tag::new(Tone::Calm, "Expired"),
        (None, false) => Tag::new(Tone::Good, "Active"),
    };
    ApiTokenRow {
        id: token.id.0.to_string(),
        name: format!("api-token:{}", token.id.0),
        note: token.note.clone(),
        role: token.grant.role.label().to_owned(),
        scope: token.grant.scope.words(),
        active: state.tone == Tone::Good,
        state,
        used: moment_or(token.last_used, now, "never"),
        expires: moment_or(Some(token.expires_at), now, ""),
        by: by_whom(&token.created_by).to_owned(),
    }
}
