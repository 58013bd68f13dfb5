//! Signing in and out.

use axum::{
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{
    csrf::{CsrfForm, SessionlessForm},
    error::Result,
    services::sign_in::{self, SignInError},
    session::{CurrentUser, forget_cookie, user_of},
    state::AppState,
    web::{
        frame::{Frame, go, local, page_with, secret, with_cookie},
        view::{
            chrome::home_of,
            login::{Login, LoginProblem},
        },
    },
};

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    next: String,
}

/// The form's fields.
#[derive(Deserialize)]
pub(crate) struct Fields {
    name: String,
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
    #[serde(default)]
    next: String,
}

/// No fields.
#[derive(Debug, Deserialize)]
pub(crate) struct Nothing {}

/// `GET /login`.
pub(crate) async fn form(
    State(state): State<AppState>,
    frame: Frame,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response> {
    let next = asked.next;
    if let Some(user) = user_of(&headers, &state).await? {
        return Ok(go(local(&next).unwrap_or(home_of(user.grant.role))));
    }
    answer(&state, &frame, &headers, StatusCode::OK, String::new(), &next, None)
}

/// `POST /login`.
pub(crate) async fn sign_in(
    State(state): State<AppState>,
    frame: Frame,
    headers: HeaderMap,
    SessionlessForm(fields): SessionlessForm<Fields>,
) -> Result<Response> {
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let name = fields.name.trim().to_owned();
    match sign_in::sign_in(&state, &name, fields.password, agent).await {
        Ok(signed) => {
            let home = if signed.must_change_password {
                "/account/password"
            } else {
                home_of(signed.role)
            };
            let next = local(&fields.next).filter(|next| !signed.must_change_password && *next != "/");
            Ok(with_cookie(go(next.unwrap_or(home)), Some(signed.cookie)))
        }
        Err(SignInError::Failed(error)) => Err(error),
        Err(error) => {
            let (status, problem) = match error {
                SignInError::LockedOut { minutes } => (StatusCode::TOO_MANY_REQUESTS, LoginProblem::LockedOut(minutes)),
                _ => (StatusCode::UNPROCESSABLE_ENTITY, LoginProblem::Refused),
            };
            answer(&state, &frame, &headers, status, name, &fields.next, Some(problem))
        }
    }
}

/// `POST /logout`.
pub(crate) async fn sign_out(
    State(state): State<AppState>,
    user: CurrentUser,
    _: CsrfForm<Nothing>,
) -> Result<Response> {
    sign_in::sign_out(&state, &user).await?;
    // The browser forgets what it still shows of earlier pages.
    let clear = [(
        header::HeaderName::from_static("clear-site-data"),
        HeaderValue::from_static("\"cache\""),
    )];
    Ok(with_cookie(
        (clear, go("/login")).into_response(),
        Some(forget_cookie()),
    ))
}

fn answer(
    state: &AppState,
    frame: &Frame,
    headers: &HeaderMap,
    status: StatusCode,
    name: String,
    next: &str,
    problem: Option<LoginProblem>,
) -> Result<Response> {
    let (chrome, cookie) = frame.chrome_for_nobody(state, headers);
    let next = local(next).unwrap_or_default().to_owned();
    Ok(with_cookie(
        page_with(
            status,
            &Login {
                chrome,
                name,
                next,
                problem,
            },
        )?,
        cookie,
    ))
}
