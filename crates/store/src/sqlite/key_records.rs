//! Reading keys, and the changes of their states.

use domain::ids::DeviceId;
use domain::ledger::{KeyState, Ledger, LedgerEntry};
use domain::time::Timestamp;
use rusqlite::{Connection, Params, Row, params};

use super::values::{Id, count, id, name, named, time, time_option};
use crate::model::{KeyName, KeyRecord, KeyTally, KeyVersion};
use crate::{Result, StoreError};

/// Keys in use first, then the newest first.
pub(super) const ORDER: &str = "ORDER BY k.state = 'superseded', v.escrowed_at DESC, k.id DESC";

/// Keys that match a condition over `k` (the key) and `v` (its newest version).
pub(super) fn select(sql: &Connection, condition: &str, values: impl Params) -> Result<Vec<KeyRecord>> {
    sql.prepare_cached(&format!(
        "SELECT k.*, v.escrowed_at, v.proof_reason, v.proof_at
         FROM keys k JOIN key_versions v ON v.key = k.id AND v.version = k.version WHERE {condition} {ORDER}"
    ))?
    .query_and_then(values, |row| from_row(sql, row))?
    .collect()
}

/// The server's view of a device's keys.
pub(super) fn ledger(sql: &Connection, device: DeviceId) -> Result<Ledger> {
    let records = for_ledger(sql, device)?;
    Ok(Ledger(records.into_iter().map(|record| record.entry).collect()))
}

/// The same with what the server remembers besides.
pub(super) fn for_ledger(sql: &Connection, device: DeviceId) -> Result<Vec<domain::ledger::KeyRecord>> {
    sql.prepare_cached(
        "SELECT k.volume, k.protector, k.state, k.proof, k.disclosed_at IS NOT NULL AS ever_disclosed, v.escrowed_at
         FROM keys k JOIN key_versions v ON v.key = k.id AND v.version = k.version WHERE k.device = ?1 ORDER BY k.id",
    )?
    .query_and_then([device.blob()], |row| {
        Ok(domain::ledger::KeyRecord {
            entry: LedgerEntry {
                volume: id(row, "volume")?,
                protector: id(row, "protector")?,
                state: named(row, "state")?,
                proof: named(row, "proof")?,
                escrowed_at: time(row, "escrowed_at")?,
            },
            ever_disclosed: row.get("ever_disclosed")?,
        })
    })?
    .collect()
}

/// Counts of a device's keys.
pub(super) fn tally_of(sql: &Connection, device: DeviceId) -> Result<KeyTally> {
    let mut tally = KeyTally::default();
    let mut statement =
        sql.prepare_cached("SELECT state, proof, count(*) AS count FROM keys WHERE device = ?1 GROUP BY state, proof")?;
    let groups = statement.query_and_then([device.blob()], |row| {
        Ok::<_, StoreError>((
            row.get::<_, String>("state")?,
            row.get::<_, String>("proof")?,
            count(row, "count")?,
        ))
    })?;
    for group in groups {
        let (state, proof, number) = group?;
        add(&mut tally, "key", &state, number);
        if state != "superseded" {
            add(&mut tally, "proof", &proof, number);
        }
    }
    Ok(tally)
}

/// Adds to the count of a state (`key`) or of an outcome (`proof`).
pub(super) fn add(tally: &mut KeyTally, kind: &str, which: &str, number: u64) {
    match (kind, which) {
        ("key", "live") => tally.live += number,
        ("key", "disclosed") => tally.disclosed += number,
        ("key", "superseded") => tally.superseded += number,
        ("proof", "not_proven") => tally.not_proven += number,
        ("proof", "proven") => tally.proven += number,
        ("proof", "failed") => tally.failed += number,
        _ => {}
    }
}

/// Moves a key to a state.
pub(super) fn set_state(sql: &Connection, key: &KeyName, state: KeyState, at: Timestamp) -> Result<()> {
    let superseded_at = (state == KeyState::Superseded).then_some(at.0);
    sql.prepare_cached(
        "UPDATE keys SET state = ?4, superseded_at = ?5 WHERE device = ?1 AND volume = ?2 AND protector = ?3",
    )?
    .execute(params![
        key.device.blob(),
        key.volume.blob(),
        key.protector.blob(),
        name(&state)?,
        superseded_at
    ])?;
    Ok(())
}

fn from_row(sql: &Connection, row: &Row<'_>) -> Result<KeyRecord> {
    Ok(KeyRecord {
        name: KeyName {
            device: id(row, "device")?,
            volume: id(row, "volume")?,
            protector: id(row, "protector")?,
        },
        state: named(row, "state")?,
        proof: named(row, "proof")?,
        proof_reason: row.get("proof_reason")?,
        proof_at: time_option(row, "proof_at")?,
        first_escrowed_at: time(row, "first_escrowed_at")?,
        escrowed_at: time(row, "escrowed_at")?,
        disclosed_at: time_option(row, "disclosed_at")?,
        superseded_at: time_option(row, "superseded_at")?,
        versions: versions(sql, row.get("id")?)?,
    })
}

fn versions(sql: &Connection, key: i64) -> Result<Vec<KeyVersion>> {
    sql.prepare_cached(
        "SELECT version, key_version, escrowed_at, proof, proof_reason, proof_at FROM key_versions
         WHERE key = ?1 ORDER BY version DESC",
    )?
    .query_and_then([key], |row| {
        Ok(KeyVersion {
            version: row.get("version")?,
            key_version: row.get("key_version")?,
            escrowed_at: time(row, "escrowed_at")?,
            proof: named(row, "proof")?,
            proof_reason: row.get("proof_reason")?,
            proof_at: time_option(row, "proof_at")?,
        })
    })?
    .collect()
}
