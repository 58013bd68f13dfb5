//! Who calls.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use domain::ids::DeviceId;

use crate::error::AppError;
use crate::state::AppState;
use crate::tls::PeerIdentity;

/// The device that calls, by its client certificate. Whether it is known and not retired is for the handler to see, in
/// the same read that it does anyway.
#[derive(Clone, Copy, Debug)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
}

impl Device {
    /// As the audit names it.
    pub(super) fn actor(self) -> String {
        format!("device:{}", self.id)
    }
}

impl FromRequestParts<AppState> for Device {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AppError> {
        let Some(peer) = parts.extensions.get::<PeerIdentity>() else {
            return Err(AppError::refused(
                StatusCode::UNAUTHORIZED,
                "certificate_needed",
                "This needs the client certificate that enrolment gives.",
            ));
        };
        if peer.not_after <= state.now() {
            return Err(AppError::refused(
                StatusCode::UNAUTHORIZED,
                "certificate_expired",
                "The client certificate has expired. Enrol again.",
            ));
        }
        Ok(Self { id: peer.device })
    }
}

/// 403: the certificate is ours, but no such device is known (a database from before its enrolment, say).
pub(super) fn unknown() -> AppError {
    AppError::forbidden("device_unknown", "The server does not know this device. Enrol again.")
}
