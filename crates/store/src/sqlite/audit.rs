//! The audit chain.

use async_trait::async_trait;
use domain::audit::{AuditEntry, AuditEvent, ChainHead, Checkpoint};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::values::{Id, count, hash, signed, time, unsigned};
use super::{SqliteStore, within};
use crate::model::{AuditQuery, Direction, Page, Paging, device_of};
use crate::traits::AuditLog;
use crate::{Result, StoreError};

#[async_trait]
impl AuditLog for SqliteStore {
    async fn append_audit(&self, events: Vec<AuditEvent>) -> Result<ChainHead> {
        self.write(move |tx| {
            tx.append(events)?;
            Ok(tx.head())
        })
        .await
    }

    async fn audit_head(&self) -> Result<ChainHead> {
        self.read(head).await
    }

    async fn audit_entries(&self, from: u64, limit: u32) -> Result<Vec<AuditEntry>> {
        self.read(move |sql| entries(sql, from, limit)).await
    }

    async fn search_audit(&self, query: AuditQuery) -> Result<Page<AuditEntry>> {
        self.read(move |sql| search(sql, &query)).await
    }

    async fn add_checkpoint(&self, checkpoint: Checkpoint) -> Result<()> {
        self.write(move |tx| {
            let known: Option<[u8; 32]> = tx
                .sql
                .prepare_cached("SELECT hash FROM audit WHERE sequence = ?1")?
                .query_row([signed(checkpoint.head.sequence)], |row| row.get(0))
                .optional()?;
            if known != Some(checkpoint.head.hash) {
                return Err(StoreError::Invalid {
                    field: "checkpoint",
                    allowed: "must name an entry of the chain by its sequence and hash",
                });
            }
            tx.sql
                .prepare_cached("INSERT INTO checkpoints (sequence, hash, at, signature) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![
                    signed(checkpoint.head.sequence),
                    checkpoint.head.hash,
                    checkpoint.at.0,
                    checkpoint.signature
                ])?;
            Ok(())
        })
        .await
    }

    async fn checkpoints(&self) -> Result<Vec<Checkpoint>> {
        self.read(checkpoints).await
    }

    async fn signed_up_to(&self) -> Result<u64> {
        self.read(|sql| {
            let mut last = sql.prepare_cached("SELECT coalesce(max(sequence), 0) AS sequence FROM checkpoints")?;
            last.query_row([], |row| Ok(count(row, "sequence")))?
        })
        .await
    }
}

/// The end of the chain as it was recorded, also when entries at the end are gone.
pub(super) fn head(sql: &Connection) -> Result<ChainHead> {
    let last = sql
        .prepare_cached("SELECT sequence, hash FROM audit_head")?
        .query_and_then([], |row| {
            Ok::<_, StoreError>(ChainHead {
                sequence: count(row, "sequence")?,
                hash: hash(row, "hash")?,
            })
        })?
        .next()
        .transpose()?;
    Ok(last.unwrap_or_default())
}

/// Stores an entry. The triggers refuse it unless it is the next one.
pub(super) fn insert(sql: &Connection, entry: &AuditEntry) -> Result<()> {
    let device = device_of(&entry.event);
    sql.prepare_cached(
        "INSERT INTO audit (sequence, at, actor, action, subject, detail, previous, hash, device)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        signed(entry.sequence),
        entry.event.at.0,
        entry.event.actor,
        entry.event.action,
        entry.event.subject,
        entry.event.detail,
        entry.previous,
        entry.hash,
        device.as_ref().map(Id::blob)
    ])?;
    Ok(())
}

/// Entries in order.
pub(super) fn entries(sql: &Connection, from: u64, limit: u32) -> Result<Vec<AuditEntry>> {
    sql.prepare_cached("SELECT * FROM audit WHERE sequence >= ?1 ORDER BY sequence LIMIT ?2")?
        .query_and_then(params![signed(from), limit], entry)?
        .collect()
}

/// All checkpoints.
pub(super) fn checkpoints(sql: &Connection) -> Result<Vec<Checkpoint>> {
    sql.prepare_cached("SELECT * FROM checkpoints ORDER BY sequence, id")?
        .query_and_then([], |row| {
            Ok(Checkpoint {
                head: ChainHead {
                    sequence: count(row, "sequence")?,
                    hash: hash(row, "hash")?,
                },
                at: time(row, "at")?,
                signature: row.get("signature")?,
            })
        })?
        .collect()
}

fn entry(row: &Row<'_>) -> Result<AuditEntry> {
    Ok(AuditEntry {
        sequence: count(row, "sequence")?,
        event: AuditEvent {
            at: time(row, "at")?,
            actor: row.get("actor")?,
            action: row.get("action")?,
            subject: row.get("subject")?,
            detail: row.get("detail")?,
        },
        previous: hash(row, "previous")?,
        hash: hash(row, "hash")?,
    })
}

fn search(sql: &Connection, query: &AuditQuery) -> Result<Page<AuditEntry>> {
    let (seen, mut values) = within::listed(&query.within, "device")?;
    let mut conditions = vec![seen.as_str()];
    if let Some(actor) = &query.actor {
        conditions.push("actor = ?");
        values.push(actor.clone().into());
    }
    if let Some(prefix) = &query.action_prefix {
        conditions.push("action >= ? AND action < ?");
        values.push(prefix.clone().into());
        values.push(format!("{prefix}\u{10FFFF}").into());
    }
    if let Some(subject) = &query.subject {
        conditions.push("instr(lower(subject), lower(?)) > 0");
        values.push(subject.clone().into());
    }
    if let Some(device) = &query.device {
        conditions.push("device = ?");
        values.push(device.blob().to_vec().into());
    }
    if let Some(from) = query.from {
        conditions.push("at >= ?");
        values.push(from.0.into());
    }
    if let Some(until) = query.until {
        conditions.push("at < ?");
        values.push(until.0.into());
    }
    let conditions = conditions.join(" AND ");

    let total: i64 = sql
        .prepare_cached(&format!("SELECT count(*) FROM audit WHERE {conditions}"))?
        .query_row(params_from_iter(&values), |row| row.get(0))?;
    let order = match query.direction {
        Direction::Ascending => "ASC",
        Direction::Descending => "DESC",
    };
    values.extend(limits(query.paging));
    let items = sql
        .prepare_cached(&format!(
            "SELECT * FROM audit WHERE {conditions} ORDER BY sequence {order} LIMIT ? OFFSET ?"
        ))?
        .query_and_then(params_from_iter(&values), entry)?
        .collect::<Result<_>>()?;
    Ok(Page {
        items,
        total: unsigned(total),
    })
}

/// Values of `LIMIT ? OFFSET ?`.
pub(super) fn limits(paging: Paging) -> [Value; 2] {
    [
        i64::from(paging.limit.min(Paging::MAX)).into(),
        signed(paging.offset).into(),
    ]
}
