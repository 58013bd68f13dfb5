//! Exemptions of persons.

use domain::access::person_key;
use domain::audit::AuditEvent;
use domain::exemption::{Decision, Exemption};
use domain::ids::DeviceId;
use domain::time::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Params, Row, params, params_from_iter};

use super::audit::limits;
use super::inventory;
use super::values::{Id, count, id as row_id, json, signed, time};
use super::within;
use super::writer::Tx;
use crate::model::{DecisionRecord, ExemptionId, ExemptionQuery, ExemptionRecord, NewExemption, Page};
use crate::{Result, StoreError, What};

/// Stores a wish.
pub(super) fn request(
    tx: &mut Tx<'_>,
    wish: &NewExemption,
    audit: Vec<AuditEvent>,
) -> Result<(ExemptionId, Vec<DeviceId>)> {
    let key = person_key(&wish.user).ok_or(StoreError::Invalid {
        field: "user",
        allowed: "a name as devices report it: anna, CORP\\anna or anna@corp.example",
    })?;
    let taken = tx
        .sql
        .prepare_cached(
            "SELECT 1 FROM exemptions WHERE user_key = ?1
             AND (state = 'pending' OR (state = 'approved' AND (until IS NULL OR until > ?2)))",
        )?
        .exists(params![key, wish.at.0])?;
    if taken {
        return Err(StoreError::Exists(What::Exemption));
    }
    tx.sql
        .prepare_cached(
            "INSERT INTO exemptions (user_key, user, requested_at, requested_by, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![key, wish.user.trim(), wish.at.0, wish.by, wish.reason])?;
    let id = ExemptionId(u64::try_from(tx.sql.last_insert_rowid()).unwrap_or(0));
    tx.append(audit)?;
    Ok((id, evaluate_devices(tx, &key, wish.at)?))
}

/// Stores a decision.
pub(super) fn decide(
    tx: &mut Tx<'_>,
    id: ExemptionId,
    record: &DecisionRecord,
    audit: Vec<AuditEvent>,
) -> Result<Vec<DeviceId>> {
    let key: String = tx
        .sql
        .prepare_cached("SELECT user_key FROM exemptions WHERE id = ?1")?
        .query_map([signed(id.0)], |row| row.get(0))?
        .next()
        .transpose()?
        .ok_or(StoreError::NotFound(What::Exemption))?;
    let (now, next) = (latest(tx.sql, id)?, record.decision);
    if !now.may_become(next) {
        return Err(StoreError::Rejected(format!(
            "a request that is {} cannot become {}",
            now.word(),
            next.word()
        )));
    }
    let until = match next {
        Decision::Approved { until, .. } => until,
        _ => None,
    };
    tx.sql
        .prepare_cached(
            "INSERT INTO exemption_decisions (exemption, number, decision, at, by, note)
             VALUES (?1, 1 + (SELECT count(*) FROM exemption_decisions WHERE exemption = ?1), ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            signed(id.0),
            serde_json::to_string(&record.decision)?,
            record.at.0,
            record.by,
            record.note
        ])?;
    tx.sql
        .prepare_cached("UPDATE exemptions SET state = ?2, until = ?3 WHERE id = ?1")?
        .execute(params![signed(id.0), next.word(), until.map(|until| until.0)])?;
    tx.append(audit)?;
    evaluate_devices(tx, &key, record.at)
}

/// Evaluates the devices of those whose exemption ended since.
pub(super) fn ended(tx: &mut Tx<'_>, since: Timestamp, now: Timestamp) -> Result<Vec<DeviceId>> {
    let keys: Vec<String> = tx
        .sql
        .prepare_cached("SELECT user_key FROM exemptions WHERE state = 'approved' AND until > ?1 AND until <= ?2")?
        .query_map([since.0, now.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut devices = Vec::new();
    for key in keys {
        devices.extend(evaluate_devices(tx, &key, now)?);
    }
    Ok(devices)
}

fn evaluate_devices(tx: &mut Tx<'_>, key: &str, now: Timestamp) -> Result<Vec<DeviceId>> {
    let devices: Vec<DeviceId> = tx
        .sql
        .prepare_cached("SELECT device FROM device_users WHERE user_key = ?1")?
        .query_and_then([key], |row| row_id(row, "device"))?
        .collect::<Result<_>>()?;
    for device in &devices {
        inventory::reevaluate_one(tx, *device, now)?;
    }
    Ok(devices)
}

/// Exemptions by condition, the newest first.
pub(super) fn search(sql: &Connection, query: &ExemptionQuery) -> Result<Page<ExemptionRecord>> {
    let mut values: Vec<Value> = vec![query.pending.into(), query.holding.map(|at| at.0).into()];
    let mut condition = "(?1 = 0 OR state = 'pending')
         AND (?2 IS NULL OR (state = 'approved' AND (until IS NULL OR until > ?2)))"
        .to_owned();
    if !query.within.is_everything() {
        let (seen, more) = within::single(&query.within, "u.device")?;
        condition.push_str(&format!(
            " AND EXISTS (SELECT 1 FROM device_users u WHERE u.user_key = exemptions.user_key AND {seen})"
        ));
        values.extend(more);
    }
    let total = sql
        .prepare_cached(&format!("SELECT count(*) AS total FROM exemptions WHERE {condition}"))?
        .query_row(params_from_iter(&values), |row| Ok(count(row, "total")))??;
    values.extend(limits(query.paging));
    let items = select(
        sql,
        &format!("{condition} ORDER BY state = 'pending' DESC, id DESC LIMIT ? OFFSET ?"),
        params_from_iter(&values),
    )?;
    Ok(Page { items, total })
}

/// One exemption.
pub(super) fn get(sql: &Connection, id: ExemptionId) -> Result<Option<ExemptionRecord>> {
    Ok(select(sql, "id = ?1", [signed(id.0)])?.pop())
}

/// Exemptions of all users of a device, the newest first.
pub(super) fn of_device(sql: &Connection, device: DeviceId) -> Result<Vec<ExemptionRecord>> {
    select(
        sql,
        "user_key IN (SELECT user_key FROM device_users WHERE device = ?1) ORDER BY id DESC",
        [device.blob()],
    )
}

/// Exemptions of a person, by the key of the name.
pub(super) fn of_person(sql: &Connection, key: &str) -> Result<Vec<ExemptionRecord>> {
    select(sql, "user_key = ?1 ORDER BY id DESC", [key])
}

/// The same as plain values, for evaluation.
pub(super) fn plain(sql: &Connection, device: DeviceId) -> Result<Vec<Exemption>> {
    Ok(of_device(sql, device)?
        .into_iter()
        .map(|record| record.exemption)
        .collect())
}

fn select(sql: &Connection, condition: &str, values: impl Params) -> Result<Vec<ExemptionRecord>> {
    sql.prepare_cached(&format!("SELECT * FROM exemptions WHERE {condition}"))?
        .query_and_then(values, |row| from_row(sql, row))?
        .collect()
}

/// How it stands.
fn latest(sql: &Connection, id: ExemptionId) -> Result<Decision> {
    Ok(decisions(sql, id)?.last().map(|last| last.decision).unwrap_or_default())
}

/// All decisions on a request, the first one first.
fn decisions(sql: &Connection, id: ExemptionId) -> Result<Vec<DecisionRecord>> {
    sql.prepare_cached("SELECT * FROM exemption_decisions WHERE exemption = ?1 ORDER BY number")?
        .query_and_then([signed(id.0)], |row| {
            Ok(DecisionRecord {
                decision: json(row, "decision")?,
                at: time(row, "at")?,
                by: row.get("by")?,
                note: row.get("note")?,
            })
        })?
        .collect()
}

fn from_row(sql: &Connection, row: &Row<'_>) -> Result<ExemptionRecord> {
    let id = ExemptionId(count(row, "id")?);
    let decisions = decisions(sql, id)?;
    Ok(ExemptionRecord {
        id,
        exemption: Exemption {
            user: row.get("user")?,
            requested: time(row, "requested_at")?,
            decision: decisions.last().map(|last| last.decision).unwrap_or_default(),
        },
        requested_by: row.get("requested_by")?,
        reason: row.get("reason")?,
        decisions,
    })
}
