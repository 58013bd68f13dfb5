//! The start, and addresses that do not exist.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};

use crate::{
    error::{AppError, Result},
    session::user_of,
    state::AppState,
    web::{frame::go, view::chrome::home_of},
};

/// `/`: the page that the role begins with.
pub(crate) async fn start(State(state): State<AppState>, headers: HeaderMap) -> Result<Response> {
    let user = user_of(&headers, &state).await?;
    Ok(go(user.map_or("/login", |user| home_of(user.grant.role))))
}

/// Any address that does not exist.
pub(crate) async fn missing() -> AppError {
    AppError::not_found("There is no such page.")
}

/// An address that exists, used in a way that it does not know.
pub(crate) async fn wrong_method() -> AppError {
    AppError::refused(
        StatusCode::METHOD_NOT_ALLOWED,
        "method",
        "This page cannot be used in this way.",
    )
}
