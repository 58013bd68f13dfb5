//! `POST /agent/v1/wait`: held until there is something to say, so that the server reaches a device within a second.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use domain::ledger::{KeyState, LedgerEntry, ProofState};
use protocol::messages::{WaitRequest, WaitResponse};
use store::model::CheckInView;

use super::device::{Device, unknown};
use super::message::Message;
use super::{below, come_back};
use crate::error::{AppError, Result, device_retired};
use crate::state::AppState;
use crate::wake::{Held, Woken};

/// A changed policy calls devices back over this time, not all in the same instant.
const SPREAD_MS: u32 = 2000;

pub(super) async fn wait(
    State(state): State<AppState>,
    device: Device,
    Message(request): Message<WaitRequest>,
) -> Result<Json<WaitResponse>> {
    let Ok(_slot) = Arc::clone(&state.held_slots).try_acquire_owned() else {
        return Err(AppError::later(come_back(&state)));
    };
    let first = !state.hub.knows(device.id);
    let mut held = state.hub.hold(device.id);
    let view = state.store.check_in_view(device.id).await?.ok_or_else(unknown)?;
    if view.retired {
        return Err(device_retired());
    }
    state.store.seen(device.id, state.now());
    // After a restart nobody remembers what the device was told.
    let news = first && has_news(&view);
    if news || request.policy_digest.as_ref() != Some(&state.policy.get().digest) {
        return Ok(Json(WaitResponse { check_in_now: true }));
    }
    let time = Duration::from_secs(request.seconds.into());
    let woken = tokio::time::timeout(time, woken_or_stopped(&mut held, &state)).await;
    let check_in_now = match woken {
        Ok(Some(Woken::Device)) => true,
        Ok(Some(Woken::Everybody)) => {
            let pause = Duration::from_millis(state.with_rng(|rng| below(rng, SPREAD_MS)).into());
            let _ = tokio::time::timeout(pause, woken_or_stopped(&mut held, &state)).await;
            true
        }
        Ok(Some(Woken::Replaced) | None) | Err(_) => false,
    };
    Ok(Json(WaitResponse { check_in_now }))
}

/// Whether there is something for the device to do: a request, or a key that was told or does not open its volume.
fn has_news(view: &CheckInView) -> bool {
    let to_replace = |entry: &LedgerEntry| {
        entry.state == KeyState::Disclosed || (entry.state == KeyState::Live && entry.proof == ProofState::Failed)
    };
    !view.requests.is_empty() || view.ledger.0.iter().any(to_replace)
}

/// None: the server stops.
async fn woken_or_stopped(held: &mut Held, state: &AppState) -> Option<Woken> {
    let mut stop = state.stop.clone();
    tokio::select! {
        woken = held.woken() => Some(woken),
        _ = stop.wait_for(|stop| *stop) => None,
    }
}
