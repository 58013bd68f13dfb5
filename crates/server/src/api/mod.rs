//! `/api/v1`: what programs call, over the same services as the pages.
//!
//! A program is who its API token says. Its role and scope decide as they do for people; refusals are problems
//! (`application/problem+json`) with a stable code. The description is `docs/openapi.json`, written from this module.

mod audit;
mod devices;
mod document;
mod input;
mod keys;
mod policies;
mod requests;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use domain::access::Permission::{ManageDevices, ReadAudit, ReadDevices, ReadPolicy, RecoverNamedDrive};

use crate::error::AppError;
use crate::headers;
use crate::routes::Access::{Anybody, Api};
use crate::routes::Routes;
use crate::state::AppState;

pub use document::document;

/// Path under which all of it lies.
pub const PREFIX: &str = "/api/v1";
const MAX_BODY: usize = 64 * 1024;

pub(crate) fn routes(state: &AppState) -> Routes {
    let in_time = from_fn_with_state(state.clone(), headers::in_time);
    Routes::new(state)
        .get("/openapi.json", Anybody, document::answer)
        .get("/devices", Api(ReadDevices), devices::list)
        .get("/devices/{id}", Api(ReadDevices), devices::get)
        .get("/devices/{id}/keys", Api(ReadDevices), keys::of_device)
        .get("/devices/{id}/requests", Api(ReadDevices), requests::list)
        .post("/devices/{id}/requests", Api(ManageDevices), requests::create)
        .get("/keys", Api(RecoverNamedDrive), keys::search)
        .post("/keys/disclose", Api(RecoverNamedDrive), keys::disclose)
        .get("/policies", Api(ReadPolicy), policies::list)
        .get("/policies/{id}", Api(ReadPolicy), policies::get)
        .get("/audit", Api(ReadAudit), audit::list)
        .with(|router| {
            router
                .fallback(nothing_here)
                .method_not_allowed_fallback(nothing_here)
                .layer(DefaultBodyLimit::max(MAX_BODY))
                .layer(in_time)
        })
}

async fn nothing_here() -> AppError {
    AppError::not_found("There is no such endpoint. GET /api/v1/openapi.json describes what there is.")
}
