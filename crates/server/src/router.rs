//! All routes.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tower::ServiceBuilder;

use crate::state::AppState;
use crate::{device_api, headers, health, web};

/// Largest form that a page sends.
const MAX_FORM: usize = 256 * 1024;

/// Everything that the server answers.
pub(crate) fn all(state: AppState) -> Router {
    let pages = web::router(&state).layer(DefaultBodyLimit::max(MAX_FORM));
    let pages = pages.layer(from_fn_with_state(state.clone(), headers::in_time));
    Router::new()
        .merge(health::router())
        .nest(device_api::PREFIX, device_api::router(&state))
        .merge(pages)
        .layer(ServiceBuilder::new().layer(from_fn(headers::secure)))
        .with_state(state)
}
