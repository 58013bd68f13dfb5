//! Versions of documents, collections and deployments.

use domain::audit::AuditEvent;
use domain::policy::resolve::{PolicySource, Targeting};
use domain::policy::targeting::{CollectionId, Collections, Deployment, DeploymentId, PolicyId};
use rusqlite::{Connection, Row, params};

use super::resolved;
use super::values::{json, name, named, time};
use super::writer::Tx;
use crate::model::{BUILT_IN, Content, Item, ItemKind, NewItem};
use crate::{Result, StoreError, What};

const NEWEST: &str = "SELECT i.* FROM newest_items n JOIN items i USING (kind, id, version)";

/// Stores a version; `digest` is kept for the built-in document.
pub(super) fn put(tx: &mut Tx<'_>, item: &NewItem, digest: Option<&str>, audit: Vec<AuditEvent>) -> Result<u32> {
    let (kind, id) = (item.content.kind(), item.content.id());
    let last = newest(tx.sql, kind, id)?.map_or(0, |last| last.version);
    if last != item.base {
        let what = what(kind);
        return Err(match item.base {
            0 => StoreError::Exists(what),
            _ if last == 0 => StoreError::NotFound(what),
            _ => StoreError::Outdated(what),
        });
    }
    let version = last.saturating_add(1);
    let content = match &item.content {
        Content::Document(document) => serde_json::to_string(document)?,
        Content::Collection(collection) => serde_json::to_string(collection)?,
        Content::Deployment(deployment) => serde_json::to_string(deployment)?,
    };
    built_in_stays(item)?;
    tx.sql
        .prepare_cached(
            "INSERT INTO items (kind, id, version, content, text, digest, retired, at, by, note)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            name(&kind)?,
            id,
            version,
            content,
            item.text,
            digest,
            item.retired,
            item.at.0,
            item.by,
            item.note
        ])?;
    // Looked at as a whole, so that no order of changes leaves something that does not fit.
    resolver(tx.sql)?;
    resolved::everybody_is_stale(tx.sql)?;
    tx.append(audit)?;
    Ok(version)
}

fn built_in_stays(item: &NewItem) -> Result<()> {
    let reject = |text: &str| Err(StoreError::Rejected(text.to_owned()));
    match &item.content {
        Content::Document(document) if document.id.as_str() == BUILT_IN && item.retired => {
            reject("the built-in policy cannot be retired")
        }
        Content::Deployment(deployment) if deployment.id.as_str() == BUILT_IN => {
            reject("\"default\" is the built-in deployment to all devices")
        }
        Content::Deployment(deployment) if deployment.priority == u32::MAX => {
            reject("priority: 4294967295 is that of the built-in deployment; a lower number is allowed")
        }
        Content::Collection(collection) if collection.id == CollectionId::all_devices() => {
            reject("\"all-devices\" is the built-in collection")
        }
        _ => Ok(()),
    }
}

/// The newest version of each, by short name.
pub(super) fn all(sql: &Connection, kind: ItemKind) -> Result<Vec<Item>> {
    sql.prepare_cached(&format!("{NEWEST} WHERE n.kind = ?1 ORDER BY n.id"))?
        .query_and_then([name(&kind)?], from_row)?
        .collect()
}

/// The newest version of one.
pub(super) fn newest(sql: &Connection, kind: ItemKind, id: &str) -> Result<Option<Item>> {
    sql.prepare_cached(&format!("{NEWEST} WHERE n.kind = ?1 AND n.id = ?2"))?
        .query_and_then(params![name(&kind)?, id], from_row)?
        .next()
        .transpose()
}

/// All versions, newest first.
pub(super) fn history(sql: &Connection, kind: ItemKind, id: &str) -> Result<Vec<Item>> {
    sql.prepare_cached("SELECT * FROM items WHERE kind = ?1 AND id = ?2 ORDER BY version DESC")?
        .query_and_then(params![name(&kind)?, id], from_row)?
        .collect()
}

/// The digest of the whole policy that was stored with a version.
pub(super) fn digest(sql: &Connection, kind: ItemKind, id: &str, version: u32) -> Result<Option<String>> {
    Ok(sql
        .prepare_cached("SELECT digest FROM items WHERE kind = ?1 AND id = ?2 AND version = ?3")?
        .query_row(params![name(&kind)?, id, version], |row| row.get(0))?)
}

/// Everything in use, checked.
pub(super) fn resolver(sql: &Connection) -> Result<Targeting> {
    let in_use = |kind| -> Result<Vec<Content>> {
        let items = all(sql, kind)?.into_iter();
        Ok(items.filter(|item| !item.retired).map(|item| item.content).collect())
    };
    let collections = in_use(ItemKind::Collection)?
        .into_iter()
        .filter_map(|content| match content {
            Content::Collection(collection) => Some(collection),
            _ => None,
        });
    let policies: Vec<PolicySource> = in_use(ItemKind::Document)?
        .iter()
        .filter_map(Content::document)
        .map(|document| PolicySource {
            id: document.id.clone(),
            name: document.name.clone(),
            assignments: document.assignments.clone(),
        })
        .collect();
    let mut deployments: Vec<Deployment> = in_use(ItemKind::Deployment)?
        .iter()
        .filter_map(Content::deployment)
        .cloned()
        .collect();
    if policies.iter().any(|policy| policy.id.as_str() == BUILT_IN) {
        deployments.push(built_in()?);
    }
    let collections = Collections::new(collections.collect()).map_err(|errors| rejected(&errors))?;
    Targeting::new(collections, policies, deployments).map_err(|errors| rejected(&errors))
}

/// The deployment of the built-in document, which every other one beats.
fn built_in() -> Result<Deployment> {
    let wrong = |error: domain::policy::targeting::NameError| StoreError::Internal(error.to_string());
    Ok(Deployment {
        id: DeploymentId::new(BUILT_IN).map_err(wrong)?,
        policy: PolicyId::new(BUILT_IN).map_err(wrong)?,
        collection: CollectionId::all_devices(),
        priority: u32::MAX,
        not_before: None,
        windows: Vec::new(),
        outside_window_allowed: true,
    })
}

fn rejected<E: ToString>(errors: &[E]) -> StoreError {
    StoreError::Rejected(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn what(kind: ItemKind) -> What {
    match kind {
        ItemKind::Document => What::Document,
        ItemKind::Collection => What::Collection,
        ItemKind::Deployment => What::Deployment,
    }
}

fn from_row(row: &Row<'_>) -> Result<Item> {
    Ok(Item {
        content: match named(row, "kind")? {
            ItemKind::Document => Content::Document(json(row, "content")?),
            ItemKind::Collection => Content::Collection(json(row, "content")?),
            ItemKind::Deployment => Content::Deployment(json(row, "content")?),
        },
        text: row.get("text")?,
        version: row.get("version")?,
        retired: row.get("retired")?,
        at: time(row, "at")?,
        by: row.get("by")?,
        note: row.get("note")?,
    })
}
