//! The dashboard's counts, which triggers keep.

use async_trait::async_trait;
use rusqlite::{Connection, params_from_iter};
use serde_json::Value;

use super::values::{count, named};
use super::{SqliteStore, key_records, within};
use crate::model::{Summary, Within};
use crate::traits::Dashboard;
use crate::{Result, StoreError};

#[async_trait]
impl Dashboard for SqliteStore {
    async fn summary(&self, within: &Within) -> Result<Summary> {
        let within = within.clone();
        self.read(move |sql| {
            if within.is_everything() {
                kept(sql)
            } else {
                counted(sql, &within)
            }
        })
        .await
    }
}

/// Counts a part of the fleet.
fn counted(sql: &Connection, within: &Within) -> Result<Summary> {
    let mut summary = Summary::default();
    let (seen, values) = within::listed(within, "id")?;
    let mut devices = sql.prepare_cached(&format!(
        "SELECT verdict, retired_at IS NOT NULL AS retired, duplicate_hardware AS duplicate, count(*) AS count
         FROM devices WHERE {seen} GROUP BY 1, 2, 3"
    ))?;
    let mut rows = devices.query(params_from_iter(&values))?;
    while let Some(row) = rows.next()? {
        let number = count(row, "count")?;
        if row.get("retired")? {
            summary.retired += number;
            continue;
        }
        *summary.devices.entry(named(row, "verdict")?).or_default() += number;
        if row.get("duplicate")? {
            summary.duplicate_hardware += number;
        }
    }
    let (seen, values) = within::listed(within, "devices.id")?;
    let mut drives = sql.prepare_cached(&format!(
        "SELECT drive.value ->> 'kind' AS kind, drive.value ->> 'verdict' AS verdict, count(*) AS count
         FROM devices, json_each(coalesce(compliance, '{{}}'), '$.volumes') AS drive
         WHERE retired_at IS NULL AND {seen} GROUP BY 1, 2"
    ))?;
    let mut rows = drives.query(params_from_iter(&values))?;
    while let Some(row) = rows.next()? {
        let drive = (named(row, "kind")?, named(row, "verdict")?);
        summary.drives.insert(drive, count(row, "count")?);
    }
    let (seen, values) = within::listed(within, "device")?;
    let mut keys = sql.prepare_cached(&format!(
        "SELECT state, proof, count(*) AS count FROM keys WHERE {seen} GROUP BY 1, 2"
    ))?;
    let mut rows = keys.query(params_from_iter(&values))?;
    while let Some(row) = rows.next()? {
        let (state, number): (String, u64) = (row.get("state")?, count(row, "count")?);
        key_records::add(&mut summary.keys, "key", &state, number);
        if state != "superseded" {
            key_records::add(&mut summary.keys, "proof", &row.get::<_, String>("proof")?, number);
        }
    }
    let mut requests = sql.prepare_cached(&format!(
        "SELECT count(*) AS count FROM requests WHERE done_at IS NULL AND {seen}"
    ))?;
    summary.pending_requests = requests.query_row(params_from_iter(&values), |row| Ok(count(row, "count")))??;
    Ok(summary)
}

/// The counts of everything, which triggers keep.
fn kept(sql: &Connection) -> Result<Summary> {
    let mut summary = Summary::default();
    let mut statement = sql.prepare_cached("SELECT name, value FROM counters WHERE value <> 0")?;
    let counters = statement.query_and_then([], |row| {
        Ok::<_, StoreError>((row.get::<_, String>("name")?, count(row, "value")?))
    })?;
    for counter in counters {
        let (name, value) = counter?;
        match name.split_once('.') {
            Some(("device", verdict)) => {
                let verdict = serde_json::from_value(Value::String(verdict.to_owned()))?;
                summary.devices.insert(verdict, value);
            }
            Some(("drive", drive)) => {
                if let Some((kind, verdict)) = drive.split_once('.') {
                    let kind = serde_json::from_value(Value::String(kind.to_owned()))?;
                    let verdict = serde_json::from_value(Value::String(verdict.to_owned()))?;
                    summary.drives.insert((kind, verdict), value);
                }
            }
            Some((kind, name)) => key_records::add(&mut summary.keys, kind, name, value),
            None => match name.as_str() {
                "retired" => summary.retired = value,
                "duplicate" => summary.duplicate_hardware = value,
                "requests" => summary.pending_requests = value,
                _ => {}
            },
        }
    }
    Ok(summary)
}
