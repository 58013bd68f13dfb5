//! Keys: what is known about them, and the one way to a secret.

#![expect(unused_qualifications, reason = "written by the macro of the description")]

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use domain::ids::{DeviceId, ProtectorId, VolumeId};
use serde::{Deserialize, Serialize};
use store::model::{FoundKey, KeyName, KeyRecord};
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use super::input::{Asked, Named, Sent};
use crate::error::{AppError, Result};
use crate::services::devices;
use crate::services::recovery::{self, Why};
use crate::session::CurrentUser;
use crate::state::AppState;

/// Room for the answer, so that a secret is never copied to a larger place while it is written.
const ROOM: usize = 1024;

/// Which keys.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct Search {
    /// The first eight digits of the recovery key ID, or the whole ID.
    key_id: String,
    /// The person who needs it, as devices name people. A help-desk user must name one; then only keys of devices which
    /// that person uses are found.
    #[serde(default)]
    user: String,
}

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeyItem {
    /// The device.
    device: String,
    /// The volume.
    volume: String,
    /// The protector: the recovery key ID.
    protector: String,
    /// `live`, `disclosed` or `superseded`.
    state: String,
    /// `not_proven`, `proven` or `failed`.
    proof: String,
    /// When its newest version was stored.
    #[schema(format = DateTime)]
    escrowed_at: String,
    /// When it was last told.
    #[schema(format = DateTime)]
    disclosed_at: Option<String>,
    /// When it was seen to be replaced.
    #[schema(format = DateTime)]
    superseded_at: Option<String>,
}

/// A key that was found, and where it belongs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FoundItem {
    /// The key.
    #[serde(flatten)]
    key: KeyItem,
    /// The device's name.
    hostname: String,
    /// Whether the device is retired.
    retired: bool,
    /// Drive letter or mount point.
    letter: Option<String>,
    /// Label of the file system.
    label: Option<String>,
}

/// Which key is wanted, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// The device.
    #[schema(value_type = String)]
    device: DeviceId,
    /// The volume.
    #[schema(value_type = String)]
    volume: VolumeId,
    /// The protector: the recovery key ID.
    #[schema(value_type = String)]
    protector: ProtectorId,
    /// Why; it is recorded before the key is told.
    #[schema(min_length = 1, max_length = 1024)]
    reason: String,
    /// A remark, a ticket number say.
    #[serde(default)]
    #[schema(max_length = 1024)]
    remark: String,
    /// For whom, as devices name people. A help-desk user must say it.
    #[serde(default)]
    #[schema(max_length = 1024)]
    user: String,
}

/// A key, told. It counts as exposed from now on, and the device replaces it at its next contact.
#[derive(Serialize, ToSchema)]
pub(super) struct ToldKey<'a> {
    /// The protector: the recovery key ID.
    protector: String,
    /// The 48 digits, in eight groups of six.
    recovery_password: &'a str,
    /// State after telling it: `disclosed` or `superseded`.
    state: String,
    /// `not_proven`, `proven` or `failed`.
    proof: String,
}

/// A device's keys with their history, without secrets.
#[utoipa::path(get, path = "/api/v1/devices/{id}/keys", tag = "keys", params(("id" = String, Path)), responses(
    (status = 200, body = Vec<KeyItem>),
    (status = "4XX", body = super::document::ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn of_device(
    State(state): State<AppState>,
    user: CurrentUser,
    Named(id): Named<DeviceId>,
) -> Result<Json<Vec<KeyItem>>> {
    let found = devices::get(&state, &user, id).await?;
    Ok(Json(found.keys.iter().map(item).collect()))
}

/// Keys by recovery key ID, without secrets.
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys", params(Search), responses(
    (status = 200, body = Vec<FoundItem>),
    (status = "4XX", body = super::document::ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn search(
    State(state): State<AppState>,
    user: CurrentUser,
    Asked(search): Asked<Search>,
) -> Result<Json<Vec<FoundItem>>> {
    let found = recovery::search(&state, &user, &search.key_id, &search.user).await?;
    Ok(Json(found.into_iter().map(place).collect()))
}

/// Tells a key. The record of it is durable before the answer.
#[utoipa::path(post, path = "/api/v1/keys/disclose", tag = "keys", request_body = Wanted, responses(
    (status = 200, body = ToldKey),
    (status = "4XX", body = super::document::ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn disclose(
    State(state): State<AppState>,
    user: CurrentUser,
    Sent(wanted): Sent<Wanted>,
) -> Result<Response> {
    let name = KeyName {
        device: wanted.device,
        volume: wanted.volume,
        protector: wanted.protector,
    };
    let why = Why {
        reason: wanted.reason,
        remark: wanted.remark,
        on_behalf_of: wanted.user,
    };
    let told = recovery::disclose(&state, &user, name, &why).await?;
    let answer = ToldKey {
        protector: told.name.protector.to_string(),
        recovery_password: &told.password,
        state: written(&told.state),
        proof: written(&told.proof),
    };
    let mut body = Zeroizing::new(Vec::with_capacity(ROOM));
    serde_json::to_writer(&mut *body, &answer).map_err(AppError::internal)?;
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    // The body wipes itself when it was sent.
    Ok((json, Body::from(Bytes::from_owner(body))).into_response())
}

fn item(key: &KeyRecord) -> KeyItem {
    KeyItem {
        device: key.name.device.to_string(),
        volume: key.name.volume.to_string(),
        protector: key.name.protector.to_string(),
        state: written(&key.state),
        proof: written(&key.proof),
        escrowed_at: key.escrowed_at.rfc3339(),
        disclosed_at: key.disclosed_at.map(|at| at.rfc3339()),
        superseded_at: key.superseded_at.map(|at| at.rfc3339()),
    }
}

fn place(found: FoundKey) -> FoundItem {
    FoundItem {
        key: item(&found.key),
        hostname: found.hostname,
        retired: found.retired,
        letter: found.letter,
        label: found.label,
    }
}

/// An enumeration by the name that it has in JSON.
fn written(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}
