//! All routes.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tower::ServiceBuilder;

use crate::routes::{Declared, Routes};
use crate::state::AppState;
use crate::{api, device_api, headers, health, web};

/// Largest form that a page sends.
const MAX_FORM: usize = 256 * 1024;

/// Everything that the server answers, and who may ask for it.
pub(crate) fn all(state: &AppState) -> (Router, Vec<Declared>) {
    let in_time = from_fn_with_state(state.clone(), headers::in_time);
    let pages = web::routes(state).with(|pages| pages.layer(DefaultBodyLimit::max(MAX_FORM)).layer(in_time));
    Routes::new(state)
        .merge(health::routes(state))
        .nest(api::PREFIX, api::routes(state))
        .nest(device_api::PREFIX, device_api::routes(state))
        .merge(pages)
        .with(|all| all.layer(ServiceBuilder::new().layer(from_fn(headers::secure))))
        .finish()
}
