//! Messages as bodies: JSON in, within the limits, with an exact answer when something is wrong.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use protocol::validate::Validate;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::error::AppError;
use crate::state::AppState;

/// A message that was read and keeps the protocol's limits.
pub(super) struct Message<T>(pub(super) T);

impl<T: DeserializeOwned + Validate> FromRequest<AppState> for Message<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, AppError> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.split(';').next().unwrap_or("").trim() == "application/json");
        if !is_json {
            return Err(AppError::refused(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content_type",
                "The body must be application/json.",
            ));
        }
        let slow = || {
            AppError::refused(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                "The body took too long to arrive.",
            )
        };
        let arriving = timeout(state.limits.request_timeout, Bytes::from_request(request, state));
        let body = arriving.await.map_err(|_| slow())?.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                let most = protocol::limits::MAX_BODY;
                return AppError::refused(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "too_large",
                    format!("The body may have at most {most} bytes."),
                );
            }
            AppError::refused(StatusCode::BAD_REQUEST, "incomplete", "The body did not arrive whole.")
        })?;
        protocol::validate::read(&body)
            .map(Self)
            .map_err(|error| AppError::invalid("invalid_message", error.to_string()))
    }
}
