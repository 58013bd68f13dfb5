//! `POST /agent/v1/escrow`: a sealed recovery password is stored, and acknowledged when it is durable (P3).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::limits::METADATA_LEN;
use protocol::messages::{EscrowRequest, EscrowResponse};
use store::StoreError;
use store::model::{KeyName, NewEscrow, SealedBytes};
use uuid::Uuid;

use super::device::{Device, unknown};
use super::message::Message;
use crate::error::{AppError, Result};
use crate::services::recovery::subject_of;
use crate::state::AppState;

pub(super) async fn escrow(
    State(state): State<AppState>,
    device: Device,
    Message(request): Message<EscrowRequest>,
) -> Result<Json<EscrowResponse>> {
    let name = KeyName {
        device: device.id,
        volume: request.volume,
        protector: request.protector,
    };
    let key_version = request.sealed_password.key_version;
    if !state.keys.has_version(key_version) {
        return Err(AppError::invalid(
            "recovery_key",
            format!(
                "sealed_password.key_version: {} is in use",
                state.keys.recovery_key().version
            ),
        ));
    }
    let evidence = evidence(&request)?;
    let sealed = SealedBytes {
        key_version,
        bytes: serde_json::to_vec(&request.sealed_password).map_err(AppError::internal)?,
    };
    let new = NewEscrow {
        name,
        sealed,
        evidence,
        at: state.now(),
    };
    let event = state.event(device.actor(), "key.escrowed", subject_of(name), "");
    let escrowed = state
        .store
        .escrow(new, vec![event])
        .await
        .map_err(|error| match error {
            StoreError::NotFound(_) => unknown(),
            error => error.into(),
        })?;
    state.store.seen(device.id, state.now());
    if escrowed.new {
        state.proof_work.notify_one();
    }
    Ok(Json(EscrowResponse {
        protector: request.protector,
        escrowed_at: escrowed.escrowed_at,
    }))
}

/// The metadata copy, once it is seen to be sound and to be of that volume with that recovery password.
fn evidence(request: &EscrowRequest) -> Result<Vec<u8>> {
    let refuse = |reason: String| AppError::refused(StatusCode::UNPROCESSABLE_ENTITY, "metadata", reason);
    let bytes = STANDARD
        .decode(&request.metadata)
        .map_err(|_| refuse("metadata: must be base64".to_owned()))?;
    if bytes.len() != METADATA_LEN {
        return Err(refuse(format!(
            "metadata: must be one copy of {METADATA_LEN} bytes, not {}",
            bytes.len()
        )));
    }
    let contents = fve::evidence_contents(&bytes).map_err(|error| refuse(format!("metadata: {error}")))?;
    if as_uuid(contents.volume) != request.volume.0 {
        return Err(refuse("metadata: is of another volume than the one named".to_owned()));
    }
    let named = |id: &fve::Guid| as_uuid(*id) == request.protector.0;
    if !contents.recovery_passwords.iter().any(named) {
        return Err(refuse(
            "metadata: has no recovery password with the protector named".to_owned(),
        ));
    }
    Ok(bytes)
}

/// The volume's format and the protocol write the same GUID in different byte orders.
pub(crate) fn as_uuid(guid: fve::Guid) -> Uuid {
    Uuid::from_bytes_le(*guid.as_bytes())
}
