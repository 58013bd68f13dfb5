//! `GET /policies`, `GET /policies/{id}`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use store::model::{Item, ItemKind};
use utoipa::ToSchema;

use super::input::Named;
use crate::error::Result;
use crate::services::targeting;
use crate::session::CurrentUser;
use crate::state::AppState;

/// A policy document in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PolicyItem {
    /// Short name.
    id: String,
    /// Name for people.
    name: String,
    /// The newest version; 0 before anybody wrote one.
    version: u32,
    /// Out of use.
    retired: bool,
    /// When this version was stored.
    #[schema(format = DateTime)]
    at: String,
    /// Who wrote it, as the audit names them.
    by: String,
}

/// A policy document.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PolicyText {
    /// What the list says.
    #[serde(flatten)]
    policy: PolicyItem,
    /// The newest version as a document in TOML, with its comments.
    toml: String,
}

/// The newest version of each policy document.
#[utoipa::path(get, path = "/api/v1/policies", tag = "policies", responses(
    (status = 200, body = Vec<PolicyItem>),
    (status = "4XX", body = super::document::ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn list(State(state): State<AppState>, user: CurrentUser) -> Result<Json<Vec<PolicyItem>>> {
    let items = targeting::items(&state, &user, ItemKind::Document).await?;
    Ok(Json(items.iter().map(item).collect()))
}

/// A policy document.
#[utoipa::path(get, path = "/api/v1/policies/{id}", tag = "policies", params(("id" = String, Path)), responses(
    (status = 200, body = PolicyText),
    (status = "4XX", body = super::document::ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn get(
    State(state): State<AppState>,
    user: CurrentUser,
    Named(id): Named<String>,
) -> Result<Json<PolicyText>> {
    let (found, _) = targeting::document(&state, &user, &id).await?;
    Ok(Json(PolicyText {
        policy: item(&found),
        toml: targeting::text_of(&found),
    }))
}

fn item(item: &Item) -> PolicyItem {
    PolicyItem {
        id: item.content.id().to_owned(),
        name: item
            .content
            .document()
            .map(|document| document.name.clone())
            .unwrap_or_default(),
        version: item.version,
        retired: item.retired,
        at: item.at.rfc3339(),
        by: item.by.clone(),
    }
}
