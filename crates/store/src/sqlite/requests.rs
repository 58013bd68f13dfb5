//! Wishes of the server to devices.

use async_trait::async_trait;
use domain::audit::AuditEvent;
use domain::ids::{DeviceId, RequestId};
use domain::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::values::{Id, id, json, time, time_option};
use super::{SqliteStore, devices};
use crate::model::{DeviceRequest, NewRequest};
use crate::traits::Requests;
use crate::{Result, StoreError, What};

#[async_trait]
impl Requests for SqliteStore {
    async fn add_request(&self, request: NewRequest, audit: Vec<AuditEvent>) -> Result<()> {
        self.write(move |tx| {
            devices::may_write(tx.sql, request.device)?;
            let inserted = tx
                .sql
                .prepare_cached(
                    "INSERT INTO requests (id, device, kind, at, by) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                )?
                .execute(params![
                    request.id.blob(),
                    request.device.blob(),
                    serde_json::to_string(&request.kind)?,
                    request.at.0,
                    request.by
                ])?;
            if inserted == 0 {
                return Err(StoreError::Exists(What::Request));
            }
            tx.append(audit)
        })
        .await
    }

    async fn pending_requests(&self, device: DeviceId) -> Result<Vec<DeviceRequest>> {
        self.read(move |sql| pending(sql, device)).await
    }

    async fn requests(&self, device: DeviceId) -> Result<Vec<DeviceRequest>> {
        self.read(move |sql| {
            sql.prepare_cached("SELECT * FROM requests WHERE device = ?1 ORDER BY at DESC, rowid DESC")?
                .query_and_then([device.blob()], from_row)?
                .collect()
        })
        .await
    }
}

/// Requests that are not done, oldest first.
pub(super) fn pending(sql: &Connection, device: DeviceId) -> Result<Vec<DeviceRequest>> {
    sql.prepare_cached("SELECT * FROM requests WHERE device = ?1 AND done_at IS NULL ORDER BY at, rowid")?
        .query_and_then([device.blob()], from_row)?
        .collect()
}

/// Marks a device's requests as done; returns those that were not.
pub(super) fn complete(
    sql: &Connection,
    device: DeviceId,
    requests: &[RequestId],
    at: Timestamp,
) -> Result<Vec<RequestId>> {
    let mut update =
        sql.prepare_cached("UPDATE requests SET done_at = ?3 WHERE id = ?1 AND device = ?2 AND done_at IS NULL")?;
    let mut done = Vec::new();
    for request in requests {
        if update.execute(params![request.blob(), device.blob(), at.0])? == 1 {
            done.push(*request);
        }
    }
    Ok(done)
}

fn from_row(row: &Row<'_>) -> Result<DeviceRequest> {
    Ok(DeviceRequest {
        id: id(row, "id")?,
        device: id(row, "device")?,
        kind: json(row, "kind")?,
        at: time(row, "at")?,
        by: row.get("by")?,
        done_at: time_option(row, "done_at")?,
    })
}
