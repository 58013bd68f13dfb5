//! Enrolment tokens.

use std::time::Duration;

use axum::{extract::State, http::StatusCode, response::Response};
use domain::time::Timestamp;
use serde::Deserialize;
use store::model::{Token, TokenId};

use crate::{
    csrf::CsrfForm,
    error::{AppError, Result},
    services::enrolment,
    session::CurrentUser,
    state::AppState,
    web::{
        format::moment_or,
        frame::{Frame, go, page_with},
        view::{
            chrome::Place,
            enrolment::{Enrolment, FreshToken, TokenRow},
            form::{Choice, SelectField, TextField},
            part::{Tag, Tone},
        },
        words::by_whom,
    },
};

const HOUR: u64 = 3600;
const LIFETIMES: [(&str, &str); 5] = [
    ("1", "1 hour"),
    ("24", "1 day"),
    ("168", "7 days"),
    ("720", "30 days"),
    ("2160", "90 days"),
];
const MOST_USES: u32 = 100_000;

/// The form's fields.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Fields {
    label: String,
    uses: String,
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
    label: Option<String>,
    uses: Option<String>,
    lifetime: Option<String>,
}

/// `GET /admin/enrolment`.
pub(crate) async fn page(State(state): State<AppState>, frame: Frame, user: CurrentUser) -> Result<Response> {
    let fields = Fields {
        label: String::new(),
        uses: "1".to_owned(),
        lifetime: "24".to_owned(),
    };
    show(&state, &frame, &user, StatusCode::OK, None, &fields, Faults::default()).await
}

/// `POST /admin/enrolment`: the token is shown in the answer, once.
pub(crate) async fn create(
    State(state): State<AppState>,
    frame: Frame,
    user: CurrentUser,
    CsrfForm(fields): CsrfForm<Fields>,
) -> Result<Response> {
    let mut faults = Faults::default();
    let label = fields.label.trim();
    if label.is_empty() || label.len() > 200 {
        faults.label = Some("Say in 1 to 200 characters what the token is for.".to_owned());
    }
    let uses = fields
        .uses
        .trim()
        .parse()
        .ok()
        .filter(|uses| (1..=MOST_USES).contains(uses));
    if uses.is_none() {
        faults.uses = Some("A number from 1 to 100 000.".to_owned());
    }
    let hours: Option<u64> = LIFETIMES
        .iter()
        .find(|(value, _)| *value == fields.lifetime)
        .and_then(|(value, _)| value.parse().ok());
    if hours.is_none() {
        faults.lifetime = Some("Choose one of these.".to_owned());
    }
    let (None, Some(uses), Some(hours)) = (&faults.label, uses, hours) else {
        return show(
            &state,
            &frame,
            &user,
            StatusCode::UNPROCESSABLE_ENTITY,
            None,
            &fields,
            faults,
        )
        .await;
    };
    let created = enrolment::create(&state, &user, label, Duration::from_secs(hours * HOUR), Some(uses)).await?;
    let fresh = FreshToken {
        token: created.token,
        label: label.to_owned(),
    };
    let again = Fields {
        label: String::new(),
        uses: "1".to_owned(),
        lifetime: "24".to_owned(),
    };
    show(
        &state,
        &frame,
        &user,
        StatusCode::OK,
        Some(fresh),
        &again,
        Faults::default(),
    )
    .await
}

/// `POST /admin/enrolment/revoke`.
pub(crate) async fn revoke(
    State(state): State<AppState>,
    user: CurrentUser,
    CsrfForm(chosen): CsrfForm<Chosen>,
) -> Result<Response> {
    enrolment::revoke(&state, &user, TokenId(chosen.id)).await?;
    Ok(go("/admin/enrolment?done=revoked"))
}

async fn show(
    state: &AppState,
    frame: &Frame,
    user: &CurrentUser,
    status: StatusCode,
    fresh: Option<FreshToken>,
    fields: &Fields,
    faults: Faults,
) -> Result<Response, AppError> {
    let now = state.now();
    let tokens = enrolment::list(state, user).await?;
    let view = Enrolment {
        chrome: frame.chrome(user, Place::Enrolment),
        fresh,
        label: TextField {
            name: "label",
            label: "For".to_owned(),
            value: fields.label.clone(),
            hint: "Such as a delivery or a site.".to_owned(),
            error: faults.label,
            required: true,
            max: 200,
            ..TextField::default()
        },
        uses: TextField {
            name: "uses",
            label: "Devices".to_owned(),
            value: fields.uses.clone(),
            kind: "number",
            hint: "How many may enrol with it, 1 to 100 000.".to_owned(),
            error: faults.uses,
            required: true,
            max: 6,
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

fn line(token: &Token, now: Timestamp) -> TokenRow {
    let expired = token.expires_at.is_some_and(|at| at <= now);
    let state = match (token.revoked_at, expired, token.uses_left) {
        (Some(_), _, _) => Tag::new(Tone::Bad, "Revoked"),
        (None, _, Some(0)) => Tag::new(Tone::Calm, "Used up"),
        (None, true, _) => Tag::new(Tone::Calm, "Expired"),
        (None, false, _) => Tag::new(Tone::Good, "Active"),
    };
    TokenRow {
        id: token.id.0.to_string(),
        label: if token.note.is_empty() {
            "–".to_owned()
        } else {
            token.note.clone()
        },
        active: state.tone == Tone::Good,
        state,
        uses: match token.uses_left {
            Some(left) => format!("{} of {}", token.used, u64::from(token.used) + u64::from(left)),
            None => format!("{} of any number", token.used),
        },
        expires: moment_or(token.expires_at, now, "for ever"),
        by: by_whom(&token.created_by).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(uses_left: Option<u32>, expires_at: i64, revoked: bool) -> Token {
        Token {
            id: TokenId(1),
            note: "x".to_owned(),
            created_at: Timestamp(0),
            created_by: "user:admin".to_owned(),
            expires_at: Some(Timestamp(expires_at)),
            uses_left,
            used: 2,
            revoked_at: revoked.then_some(Timestamp(5)),
        }
    }

    #[test]
    fn only_a_token_that_still_works_can_be_revoked() {
        let now = Timestamp(10);
        let said = |token: &Token| (line(token, now).state.text, line(token, now).active);
        assert_eq!(said(&token(Some(3), 20, false)), ("Active".to_owned(), true));
        assert_eq!(said(&token(Some(0), 20, false)), ("Used up".to_owned(), false));
        assert_eq!(said(&token(Some(3), 10, false)), ("Expired".to_owned(), false));
        assert_eq!(said(&token(Some(3), 20, true)), ("Revoked".to_owned(), false));
        assert_eq!(line(&token(Some(3), 20, false), now).uses, "2 of 5");
    }
}
