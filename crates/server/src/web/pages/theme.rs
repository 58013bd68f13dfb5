//! Light, dark, or as the system prefers: kept in a cookie.

use axum::{
    extract::{FromRequest, Request, State},
    http::HeaderValue,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use crate::{
    csrf::{CsrfForm, SessionlessForm},
    session::user_of,
    state::AppState,
    web::{
        frame::{THEME_COOKIE, go, local, with_cookie},
        view::chrome::Theme,
    },
};

/// A year.
const KEPT_SECONDS: u32 = 31_536_000;

/// The choice.
#[derive(Debug, Deserialize)]
pub(crate) struct Fields {
    theme: String,
    #[serde(default)]
    back: String,
}

/// `POST /theme`, from any page, with or without a session.
pub(crate) async fn choose(State(state): State<AppState>, request: Request) -> Result<Response, Response> {
    let user = user_of(request.headers(), &state)
        .await
        .map_err(IntoResponse::into_response)?;
    let fields = match user {
        Some(_) => CsrfForm::<Fields>::from_request(request, &state).await?.0,
        None => SessionlessForm::<Fields>::from_request(request, &state).await?.0,
    };
    let theme = Theme::from_name(&fields.theme).name();
    let cookie = HeaderValue::from_str(&format!(
        "{THEME_COOKIE}={theme}; Path=/; Max-Age={KEPT_SECONDS}; Secure; HttpOnly; SameSite=Lax"
    ));
    Ok(with_cookie(go(local(&fields.back).unwrap_or("/")), cookie.ok()))
}
