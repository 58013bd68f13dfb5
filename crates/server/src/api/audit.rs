//! `GET /audit`.

#![expect(unused_qualifications, reason = "written by the macro of the description")]

use axum::Json;
use axum::extract::State;
use domain::audit::AuditEntry;
use domain::ids::DeviceId;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use store::model::{AuditQuery, Direction};
use utoipa::{IntoParams, ToSchema};

use super::input::{Asked, Listed, Part};
use crate::error::{AppError, Result};
use crate::services::audit;
use crate::session::CurrentUser;
use crate::state::AppState;

/// Which entries. Those that match all given conditions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub(super) struct Filter {
    /// Exactly this actor: `user:NAME`, `device:ID`, `api-token:ID`, `system`.
    actor: Option<String>,
    /// Actions that begin so: `key.` finds `key.disclosed`.
    action: Option<String>,
    /// Only entries about this device.
    #[param(value_type = Option<String>)]
    device: Option<DeviceId>,
    /// At or after this moment, RFC 3339.
    from: Option<String>,
    /// Before this moment, RFC 3339.
    until: Option<String>,
    /// The newest first; without it, in the order of the chain.
    newest_first: bool,
    /// Page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<u64>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    per_page: Option<u32>,
}

/// An entry of the audit chain.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EntryItem {
    /// Its place in the chain, from 1.
    sequence: u64,
    /// When.
    #[schema(format = DateTime)]
    at: String,
    /// Who.
    actor: String,
    /// What.
    action: String,
    /// About what.
    subject: String,
    /// In words.
    detail: String,
    /// Hash of the entry, hexadecimal.
    hash: String,
}

/// Entries of the audit about devices in the token's scope.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(Filter), responses(
    (status = 200, body = Listed<EntryItem>),
    (status = "4XX", body = super::document::ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    user: CurrentUser,
    Asked(filter): Asked<Filter>,
) -> Result<Json<Listed<EntryItem>>> {
    let part = Part::new(filter.page, filter.per_page);
    let query = AuditQuery {
        actor: filter.actor,
        action_prefix: filter.action,
        device: filter.device,
        from: moment("from", filter.from)?,
        until: moment("until", filter.until)?,
        direction: if filter.newest_first {
            Direction::Descending
        } else {
            Direction::Ascending
        },
        paging: part.paging()?,
        ..AuditQuery::default()
    };
    Ok(Json(part.of(audit::search(&state, &user, query).await?, item)))
}

fn moment(field: &'static str, text: Option<String>) -> Result<Option<Timestamp>> {
    text.map(|text| text.parse())
        .transpose()
        .map_err(|_| AppError::invalid(field, format!("{field}: a moment like 2026-11-25T14:00:00Z")))
}

fn item(entry: AuditEntry) -> EntryItem {
    EntryItem {
        sequence: entry.sequence,
        at: entry.event.at.rfc3339(),
        actor: entry.event.actor,
        action: entry.event.action,
        subject: entry.event.subject,
        detail: entry.event.detail,
        hash: hex::encode(entry.hash),
    }
}
