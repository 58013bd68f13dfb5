//! `POST /agent/v1/wait`: held until there is something to say, so that the server reaches a device within a second.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use domain::ledger::{KeyState, LedgerEntry, ProofState};
use protocol::messages::{WaitRequest, WaitResponse};
use store::model::CheckInView;

use super::check_in::look;
use super::device::Device;
use super::message::Message;
use super::{below, come_back};
use crate::error::{AppError, Result};
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
    let view = look(&state, device).await?;
    state.store.seen(device.id, state.now());
    // After a restart nobody remembers what the device was told.
    let news = first && has_news(&view);
    if news || request.policy_digest != view.policy_digest {
        return Ok(Json(WaitResponse { check_in_now: true }));
    }
    let time = Duration::from_secs(request.seconds.into());
    let waited = tokio::time::timeout(time, until_concerned(&mut held, &state, device, request.policy_digest));
    let check_in_now = match waited.await {
        Ok(answer) => answer?,
        Err(_) => false,
    };
    Ok(Json(WaitResponse { check_in_now }))
}

/// Waits until there is something for this very device; false when a newer request or the server's end comes first.
async fn until_concerned(
    held: &mut Held,
    state: &AppState,
    device: Device,
    policy_digest: Option<String>,
) -> Result<bool> {
    loop {
        match woken_or_stopped(held, state).await {
            Some(Woken::Device) => return Ok(true),
            Some(Woken::Replaced) | None => return Ok(false),
            Some(Woken::Everybody) => {
                let pause = Duration::from_millis(state.with_rng(|rng| below(rng, SPREAD_MS)).into());
                if let Ok(Some(Woken::Device)) = tokio::time::timeout(pause, woken_or_stopped(held, state)).await {
                    return Ok(true);
                }
                if look(state, device).await?.policy_digest != policy_digest {
                    return Ok(true);
                }
            }
        }
    }
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
