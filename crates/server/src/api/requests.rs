//! `/devices/{id}/requests`: wishes to a device.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::ids::{DeviceId, VolumeId};
use serde::{Deserialize, Serialize};
use store::model::{DeviceRequest, RequestKind};
use utoipa::ToSchema;

use super::input::{Named, Sent};
use crate::error::Result;
use crate::services::{devices, requests};
use crate::session::CurrentUser;
use crate::state::AppState;

/// A wish to a device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RequestItem {
    /// Its id.
    id: String,
    /// `rotate` or `report`.
    kind: &'static str,
    /// When it was asked.
    #[schema(format = DateTime)]
    at: String,
    /// Who asked, as the audit names them.
    by: String,
    /// When the device said that it is done.
    #[schema(format = DateTime)]
    done_at: Option<String>,
}

/// What is wished.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Wish {
    /// Replace the recovery passwords that the server holds now.
    Rotate {
        /// Of this volume; of all without it.
        #[serde(default)]
        #[schema(value_type = Option<String>)]
        volume: Option<VolumeId>,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// Report the inventory afresh.
    Report,
}

/// A wish that was taken down. The device obeys at once when it is online, else at its next contact.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accepted {
    /// Its id.
    id: String,
}

/// Wishes to a device, newest first.
#[utoipa::path(get, path = "/api/v1/devices/{id}/requests", tag = "requests", params(("id" = String, Path)), responses(
    (status = 200, body = Vec<RequestItem>),
    (status = "4XX", body = super::document::ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
    Named(id): Named<DeviceId>,
) -> Result<Json<Vec<RequestItem>>> {
    let found = devices::get(&state, &user, id).await?;
    Ok(Json(found.requests.into_iter().map(item).collect()))
}

/// Asks a device for something.
#[utoipa::path(post, path = "/api/v1/devices/{id}/requests", tag = "requests", request_body = Wish,
    params(("id" = String, Path)), responses(
    (status = 202, body = Accepted),
    (status = "4XX", body = super::document::ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    user: CurrentUser,
    Named(device): Named<DeviceId>,
    Sent(wish): Sent<Wish>,
) -> Result<(StatusCode, Json<Accepted>)> {
    let id = match wish {
        Wish::Rotate { volume, reason } => requests::rotate(&state, &user, device, volume, &reason).await?,
        Wish::Report => requests::report(&state, &user, device).await?,
    };
    Ok((StatusCode::ACCEPTED, Json(Accepted { id: id.0.to_string() })))
}

fn item(request: DeviceRequest) -> RequestItem {
    RequestItem {
        id: request.id.0.to_string(),
        kind: match request.kind {
            RequestKind::Rotate(_) => "rotate",
            RequestKind::Report => "report",
        },
        at: request.at.rfc3339(),
        by: request.by,
        done_at: request.done_at.map(|at| at.rfc3339()),
    }
}
