//! `POST /agent/v1/renew`: a new client certificate before the old one ends.

use axum::Json;
use axum::extract::State;
use protocol::messages::{EnrolResponse, RenewRequest};
use store::model::subject;

use super::device::{Device, unknown};
use super::enrol::{answer, certify};
use super::message::Message;
use crate::error::{Result, device_retired};
use crate::state::AppState;

pub(super) async fn renew(
    State(state): State<AppState>,
    device: Device,
    Message(request): Message<RenewRequest>,
) -> Result<Json<EnrolResponse>> {
    let view = state.store.check_in_view(device.id).await?.ok_or_else(unknown)?;
    if view.retired {
        return Err(device_retired());
    }
    let issued = certify(&state, &request.certificate_request, device.id)?;
    let detail = format!("certificate SHA-256 {}", hex::encode(issued.fingerprint));
    let event = state.event(device.actor(), "device.renewed", subject(device.id, None, None), detail);
    state.store.append_audit(vec![event]).await?;
    Ok(Json(answer(&state, device.id, issued)))
}
