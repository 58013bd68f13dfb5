//! `/healthz`: the process answers. `/readyz`: it can do its work.

use axum::extract::State;
use axum::http::StatusCode;

use crate::routes::{Access, Routes};
use crate::state::AppState;

pub(crate) fn routes(state: &AppState) -> Routes {
    Routes::new(state)
        .get("/healthz", Access::Anybody, async || "ok\n")
        .get("/readyz", Access::Anybody, ready)
}

async fn ready(State(state): State<AppState>) -> (StatusCode, &'static str) {
    if *state.stop.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match state.store.audit_head().await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::error!(%error, "the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n")
        }
    }
}
