//! The dashboard's counts, which triggers keep.

use async_trait::async_trait;
use rusqlite::Connection;
use serde_json::Value;

use super::values::count;
use super::{SqliteStore, key_records};
use crate::model::Summary;
use crate::traits::Dashboard;
use crate::{Result, StoreError};

#[async_trait]
impl Dashboard for SqliteStore {
    async fn summary(&self) -> Result<Summary> {
        self.read(summary).await
    }
}

fn summary(sql: &Connection) -> Result<Summary> {
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
