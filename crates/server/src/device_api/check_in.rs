//! `POST /agent/v1/check-in`: what changed, in one round trip.
//!
//! An unchanged device costs no write beyond a last contact that is gathered with others. A message that was overtaken by
//! a newer one of the same device is answered, and nothing of it is stored.

use axum::Json;
use axum::extract::State;
use domain::exemption::may_ask;
use domain::inventory::Inventory;
use domain::policy::Policy;
use protocol::messages::{CheckInRequest, CheckInResponse, ExemptionWish, Request, RequestKind};
use store::StoreError;
use store::model::{CheckInView, DeviceRequest, Report};

use super::below;
use super::device::{Device, unknown};
use super::message::Message;
use crate::error::{Result, device_retired};
use crate::services::targeting::store_wish;
use crate::state::{AppState, Shared};

pub(super) async fn check_in(
    State(state): State<AppState>,
    device: Device,
    Message(request): Message<CheckInRequest>,
) -> Result<Json<CheckInResponse>> {
    // First of all: what happens from here on wakes the device again.
    state.hub.comes_in(device.id);
    let mut view = look(&state, device).await?;
    let sequence = request.sequence;
    state.store.checked_in(device.id, sequence, state.now());
    let overtaken = is_overtaken(sequence, &view);
    let send_inventory =
        !overtaken && request.inventory.is_none() && view.inventory_digest.as_ref() != Some(&request.inventory_digest);
    let has_policy = |digest: &String| request.policy_digest.as_ref() == Some(digest);
    if overtaken {
        tracing::info!(device = %device.id, sequence, newest = view.sequence, "a check-in came late and is not stored");
    } else {
        let mut changed = false;
        if let Some(inventory) = request.inventory {
            let digest = request.inventory_digest;
            changed |= keep_inventory(&state, device, sequence, inventory, digest, &view).await?;
        }
        let report = Report {
            blocked: request.blocked,
            last_error: request.last_error,
            done: request.done,
        };
        changed |= keep_report(&state, device, sequence, report, &view).await?;
        changed |= keep_wishes(&state, device, request.exemption_wishes, &view).await?;
        if changed {
            view = look(&state, device).await?;
        }
    }
    let policy_digest = view.policy_digest.clone().unwrap_or_default();
    let policy = state.policies.get(&*state.store, &policy_digest).await?;
    Ok(Json(CheckInResponse {
        sequence: view.sequence.max(sequence),
        send_inventory,
        policy: (!has_policy(&policy_digest)).then(|| Policy::clone(&policy)),
        policy_digest,
        ledger: view.ledger,
        requests: view.requests.into_iter().map(as_told).collect(),
        now: Some(state.now()),
        exemptions: view.exemptions,
        detected: view.detected,
        maintenance: view.maintenance,
        recovery_key: state.keys.recovery_key().clone(),
        next_check_in_seconds: next_check_in(&state, policy.client.check_interval_minutes),
    }))
}

/// What is known of the device, under the policy that holds for it now: only after a change of policies does this write.
pub(super) async fn look(state: &Shared, device: Device) -> Result<CheckInView> {
    let mut view = state.store.check_in_view(device.id).await?.ok_or_else(unknown)?;
    if view.retired {
        return Err(device_retired());
    }
    if view.stale {
        state.store.refresh(device.id, state.now()).await?;
        view = state.store.check_in_view(device.id).await?.ok_or_else(unknown)?;
    }
    Ok(view)
}

/// Whether a newer check-in of the device was taken before this one.
fn is_overtaken(sequence: u64, view: &CheckInView) -> bool {
    sequence > 0 && sequence < view.sequence
}

/// Stores an inventory that the server does not have. Its digest was checked with the message. Whether it has to be looked
/// again what is known of the device.
async fn keep_inventory(
    state: &Shared,
    device: Device,
    sequence: u64,
    inventory: Inventory,
    digest: String,
    view: &CheckInView,
) -> Result<bool> {
    if view.inventory_digest.as_ref() == Some(&digest) {
        return Ok(false);
    }
    let outcome = state
        .store
        .record_inventory(device.id, sequence, inventory, digest, state.now(), Vec::new())
        .await?;
    // None: overtaken at the last moment.
    if let Some(outcome) = outcome
        && outcome.verdict_before != outcome.compliance.verdict
    {
        tracing::debug!(device = %device.id, verdict = ?outcome.compliance.verdict, "verdict changed");
    }
    Ok(true)
}

/// Stores what the device could not do and which requests are done, when that is news.
async fn keep_report(
    state: &Shared,
    device: Device,
    sequence: u64,
    report: Report,
    view: &CheckInView,
) -> Result<bool> {
    let pending_done = report
        .done
        .iter()
        .any(|done| view.requests.iter().any(|request| request.id == *done));
    if !pending_done && report.blocked == view.blocked && report.last_error == view.last_error {
        return Ok(false);
    }
    state
        .store
        .record_report(device.id, sequence, report, state.now(), Vec::new())
        .await?;
    Ok(true)
}

/// Stores the wishes of the device's users to be exempt, where policy lets them ask.
async fn keep_wishes(state: &Shared, device: Device, wishes: Vec<ExemptionWish>, view: &CheckInView) -> Result<bool> {
    if wishes.is_empty() {
        return Ok(false);
    }
    let policy_digest = view.policy_digest.clone().unwrap_or_default();
    let policy = state.policies.get(&*state.store, &policy_digest).await?;
    let users = state.store.device(device.id).await?.and_then(|device| device.inventory);
    let users = users.map(|inventory| inventory.users).unwrap_or_default();
    let mut changed = false;
    for wish in wishes {
        if !may_ask(&policy, &users, &wish.user) {
            tracing::info!(device = %device.id, "a wish to be exempt is passed over");
            continue;
        }
        match store_wish(state, device.actor(), &wish.user, &wish.reason).await {
            Ok(devices) => {
                changed = true;
                devices
                    .into_iter()
                    .filter(|d| *d != device.id)
                    .for_each(|d| state.hub.wake(d));
            }
            Err(StoreError::Exists(_) | StoreError::Invalid { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(changed)
}

fn as_told(request: DeviceRequest) -> Request {
    Request {
        id: request.id,
        kind: match request.kind {
            store::model::RequestKind::Rotate(rotate) => RequestKind::Rotate(rotate),
            store::model::RequestKind::Report => RequestKind::Report,
        },
    }
}

/// The policy's interval, ten percent more or less, so that devices which start together do not stay together.
fn next_check_in(state: &Shared, minutes: u32) -> u32 {
    let seconds = minutes.saturating_mul(60).max(10);
    let spread = seconds / 10;
    state.with_rng(|rng| seconds - spread + below(rng, 2 * spread + 1))
}
