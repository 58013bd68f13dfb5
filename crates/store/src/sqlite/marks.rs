//! What administrators say of single devices.

use domain::ids::DeviceId;
use domain::time::Timestamp;
use rusqlite::{Connection, params};

use super::values::{Id, json, json_option};
use crate::model::Marks;
use crate::{Result, StoreError};

/// Tags and own settings of a device.
pub(super) fn of(sql: &Connection, device: DeviceId) -> Result<Marks> {
    let newest = sql
        .prepare_cached("SELECT tags, profile FROM marks WHERE device = ?1 ORDER BY version DESC LIMIT 1")?
        .query_and_then([device.blob()], |row| {
            Ok::<_, StoreError>(Marks {
                tags: json(row, "tags")?,
                profile: json_option(row, "profile")?,
            })
        })?
        .next()
        .transpose()?;
    Ok(newest.unwrap_or_default())
}

/// Stores the next version.
pub(super) fn put(sql: &Connection, device: DeviceId, marks: &Marks, at: Timestamp, by: &str) -> Result<()> {
    let profile = marks.profile.as_ref().map(serde_json::to_string).transpose()?;
    sql.prepare_cached(
        "INSERT INTO marks (device, version, tags, profile, at, by)
         VALUES (?1, 1 + (SELECT coalesce(max(version), 0) FROM marks WHERE device = ?1), ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        device.blob(),
        serde_json::to_string(&marks.tags)?,
        profile,
        at.0,
        by
    ])?;
    Ok(())
}
