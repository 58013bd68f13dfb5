//! What devices call. The messages are those of [`protocol::messages`]; one file per endpoint.
//!
//! A device is who its client certificate says, and nothing in a message can say otherwise: a device has no way to name
//! another one.

mod check_in;
mod device;
mod enrol;
mod escrow;
mod message;
mod renew;
mod wait;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use protocol::limits::MAX_BODY;
use rand_core::CryptoRng;

use crate::error::AppError;
use crate::headers;
use crate::routes::{Access, Routes};
use crate::state::{AppState, Shared};

pub use device::Device;
pub(crate) use escrow::as_uuid;

/// Path under which all of it lies.
pub const PREFIX: &str = "/agent/v1";

pub(crate) fn routes(state: &AppState) -> Routes {
    let worked_on = Routes::new(state)
        .post("/enrol", Access::EnrolmentToken, enrol::enrol)
        .post("/renew", Access::Device, renew::renew)
        .post("/check-in", Access::Device, check_in::check_in)
        .post("/escrow", Access::Device, escrow::escrow)
        .with(|router| {
            router
                .layer(from_fn_with_state(state.clone(), headers::in_time))
                .layer(from_fn_with_state(state.clone(), in_turn))
        });
    worked_on.post("/wait", Access::Device, wait::wait).with(|router| {
        router
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .fallback(nothing_here)
            .method_not_allowed_fallback(nothing_here)
    })
}

/// Middleware: what the server cannot work on now is sent away with a time to come back.
async fn in_turn(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let Ok(_slot) = Arc::clone(&state.device_slots).try_acquire_owned() else {
        return AppError::later(come_back(&state)).into_response();
    };
    next.run(request).await
}

async fn nothing_here() -> AppError {
    AppError::not_found("There is no such endpoint. The API of this server is /agent/v1; all requests are POST.")
}

/// Seconds until a device that was sent away may come back: 10 to 40, so that not all come at once.
fn come_back(state: &Shared) -> u32 {
    state.with_rng(|rng| 10 + below(rng, 31))
}

/// A number below `bound`, which is small: the bias of the remainder does not matter.
fn below(rng: &mut dyn CryptoRng, bound: u32) -> u32 {
    rng.next_u32() % bound.max(1)
}
