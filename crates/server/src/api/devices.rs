//! `GET /devices`, `GET /devices/{id}`.

#![expect(unused_qualifications, reason = "written by the macro of the description")]

use axum::Json;
use axum::extract::State;
use domain::ids::DeviceId;
use serde::{Deserialize, Serialize};
use store::model::{DeviceQuery, DeviceRow, KeyTally, VolumeRecord};
use utoipa::{IntoParams, ToSchema};

use super::input::{Asked, Listed, Named, Part};
use crate::error::{AppError, Result};
use crate::services::devices;
use crate::session::CurrentUser;
use crate::state::AppState;
use crate::web::{VERDICTS, verdict_name};

/// Which devices.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub(super) struct Filter {
    /// Part of computer name, user, maker, model or hardware ID, or the first four or more digits of a recovery key ID.
    q: Option<String>,
    /// `compliant`, `non_compliant`, `not_enforced`, `not_applicable` or `unknown`.
    verdict: Option<String>,
    /// Only devices with an exposed key.
    exposed: bool,
    /// Only devices with a key in use that is not proven.
    unproven: bool,
    /// Retired devices too.
    retired: bool,
    /// Page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<u64>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    per_page: Option<u32>,
}

/// A device in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeviceItem {
    /// Its id.
    id: String,
    /// Computer name.
    hostname: String,
    /// Operating system, in words.
    os: String,
    /// Maker of the machine.
    manufacturer: String,
    /// Model.
    model: String,
    /// Local users.
    users: Vec<String>,
    /// The verdict.
    verdict: &'static str,
    /// When it enrolled.
    #[schema(format = DateTime)]
    enrolled_at: String,
    /// Last contact.
    #[schema(format = DateTime)]
    last_seen: Option<String>,
    /// When it was retired.
    #[schema(format = DateTime)]
    retired_at: Option<String>,
    /// Another device has the same hardware ID.
    duplicate_hardware: bool,
    /// It reports something that it could not do.
    has_problems: bool,
    /// Its keys, counted.
    keys: KeyCounts,
}

/// Counts of keys.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeyCounts {
    /// Stored, never told.
    live: u64,
    /// Told and not replaced yet: exposed.
    disclosed: u64,
    /// Replaced.
    superseded: u64,
    /// In use and not tried yet.
    not_proven: u64,
    /// In use and opens the volume.
    proven: u64,
    /// In use and does not open the volume.
    failed: u64,
}

/// A device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeviceDetail {
    /// Its id.
    id: String,
    /// Computer name.
    hostname: String,
    /// Serial number or SMBIOS UUID.
    hardware_id: String,
    /// Local users, as of the last inventory.
    users: Vec<String>,
    /// The verdict.
    verdict: &'static str,
    /// When it enrolled.
    #[schema(format = DateTime)]
    enrolled_at: String,
    /// Last contact.
    #[schema(format = DateTime)]
    last_seen: Option<String>,
    /// When the last inventory came.
    #[schema(format = DateTime)]
    inventory_at: Option<String>,
    /// When it was retired.
    #[schema(format = DateTime)]
    retired_at: Option<String>,
    /// Another device has the same hardware ID.
    duplicate_hardware: bool,
    /// The last failure that it reported.
    last_error: Option<String>,
    /// Its volumes, those in the last inventory first.
    volumes: Vec<VolumeItem>,
}

/// A volume of a device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VolumeItem {
    /// Its id.
    id: String,
    /// Whether the last inventory lists it.
    present: bool,
    /// Drive letter or mount point.
    letter: Option<String>,
    /// Label of the file system.
    label: Option<String>,
    /// Bytes.
    size: Option<u64>,
    /// Encrypted, in hundredths of a per cent.
    encrypted_basis_points: Option<u16>,
}

/// Devices in the token's scope.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(Filter), responses(
    (status = 200, body = Listed<DeviceItem>),
    (status = "4XX", body = super::document::ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
    Asked(filter): Asked<Filter>,
) -> Result<Json<Listed<DeviceItem>>> {
    let part = Part::new(filter.page, filter.per_page);
    let verdict = match filter.verdict.as_deref() {
        None | Some("") => None,
        Some(name) => Some(
            VERDICTS
                .into_iter()
                .find(|verdict| verdict_name(*verdict) == name)
                .ok_or_else(|| {
                    AppError::invalid("verdict", format!("verdict: {}", VERDICTS.map(verdict_name).join(", ")))
                })?,
        ),
    };
    let query = DeviceQuery {
        search: filter.q,
        verdict,
        exposed: filter.exposed,
        unproven: filter.unproven,
        include_retired: filter.retired,
        paging: part.paging()?,
        ..DeviceQuery::default()
    };
    Ok(Json(part.of(devices::list(&state, &user, query).await?, item)))
}

/// A device in the token's scope.
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = String, Path)), responses(
    (status = 200, body = DeviceDetail),
    (status = "4XX", body = super::document::ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn get(
    State(state): State<AppState>,
    user: CurrentUser,
    Named(id): Named<DeviceId>,
) -> Result<Json<DeviceDetail>> {
    let found = devices::get(&state, &user, id).await?;
    let device = found.device;
    Ok(Json(DeviceDetail {
        id: device.id.to_string(),
        hostname: device.hostname,
        hardware_id: device.hardware_id,
        users: device.inventory.map(|inventory| inventory.users).unwrap_or_default(),
        verdict: verdict_name(device.verdict),
        enrolled_at: device.enrolled_at.rfc3339(),
        last_seen: device.last_seen.map(|at| at.rfc3339()),
        inventory_at: device.inventory_at.map(|at| at.rfc3339()),
        retired_at: device.retired_at.map(|at| at.rfc3339()),
        duplicate_hardware: device.duplicate_hardware,
        last_error: device.last_error,
        volumes: found.volumes.into_iter().map(volume).collect(),
    }))
}

fn item(row: DeviceRow) -> DeviceItem {
    DeviceItem {
        id: row.id.to_string(),
        hostname: row.hostname,
        os: row.os,
        manufacturer: row.manufacturer,
        model: row.model,
        users: row.users,
        verdict: verdict_name(row.verdict),
        enrolled_at: row.enrolled_at.rfc3339(),
        last_seen: row.last_seen.map(|at| at.rfc3339()),
        retired_at: row.retired_at.map(|at| at.rfc3339()),
        duplicate_hardware: row.duplicate_hardware,
        has_problems: row.has_problems,
        keys: counts(row.keys),
    }
}

fn counts(keys: KeyTally) -> KeyCounts {
    KeyCounts {
        live: keys.live,
        disclosed: keys.disclosed,
        superseded: keys.superseded,
        not_proven: keys.not_proven,
        proven: keys.proven,
        failed: keys.failed,
    }
}

fn volume(record: VolumeRecord) -> VolumeItem {
    let report = record.report;
    VolumeItem {
        id: record.volume.to_string(),
        present: record.present,
        size: report.as_ref().map(|report| report.size),
        encrypted_basis_points: report.as_ref().map(|report| report.encrypted_basis_points),
        label: report.as_ref().map(|report| report.label.clone()),
        letter: report.and_then(|report| report.letter),
    }
}
