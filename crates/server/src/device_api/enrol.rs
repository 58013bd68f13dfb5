//! `POST /agent/v1/enrol`: a token becomes an identity.

use axum::Json;
use axum::extract::State;
use domain::ids::DeviceId;
use protocol::messages::{EnrolRequest, EnrolResponse};
use store::model::{NewDevice, subject};
use zeroize::Zeroizing;

use super::message::Message;
use crate::authority::{CsrError, IssuedCertificate};
use crate::error::{AppError, Result};
use crate::services::enrolment;
use crate::state::{AppState, Shared};

pub(super) async fn enrol(
    State(state): State<AppState>,
    Message(request): Message<EnrolRequest>,
) -> Result<Json<EnrolResponse>> {
    let token = Zeroizing::new(request.token);
    let id = DeviceId(state.random_id());
    // Before the token is used: a request that cannot be certified must not cost a use.
    let issued = certify(&state, &request.certificate_request, id)?;
    let device = NewDevice {
        id,
        hostname: request.hostname.clone(),
        hardware_id: request.hardware_id,
        enrolled_at: state.now(),
    };
    let actor = format!("device:{id}");
    let event = state.event(&actor, "device.enrolled", subject(id, None, None), request.hostname);
    let enrolled = state
        .store
        .enrol(device, enrolment::hash(&token), vec![event])
        .await
        .inspect_err(|error| tracing::warn!(%error, "enrolment refused"))?;
    if enrolled.duplicate_hardware {
        let event = state.event(
            "system",
            "device.hardware_id_clash",
            subject(id, None, None),
            "another device has this hardware id; both records are kept",
        );
        state.store.append_audit(vec![event]).await?;
    }
    Ok(Json(answer(&state, id, issued)))
}

pub(super) fn certify(state: &Shared, request_pem: &str, id: DeviceId) -> Result<IssuedCertificate> {
    state
        .with_rng(|rng| state.authority.issue_device(request_pem, id, state.now(), rng))
        .map_err(|error| match error {
            CsrError::Authority(error) => AppError::internal(error),
            refused => AppError::invalid("certificate_request", refused.to_string()),
        })
}

pub(super) fn answer(state: &Shared, id: DeviceId, issued: IssuedCertificate) -> EnrolResponse {
    EnrolResponse {
        device: id,
        certificate: issued.chain_pem,
        renew_after: issued.renew_after,
        recovery_key: state.keys.recovery_key().clone(),
    }
}
