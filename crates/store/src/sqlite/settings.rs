//! The server's own settings.

use async_trait::async_trait;
use domain::audit::AuditEvent;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use crate::Result;
use crate::traits::Settings;

#[async_trait]
impl Settings for SqliteStore {
    async fn setting(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let name = name.to_owned();
        self.read(move |sql| get(sql, &name)).await
    }

    async fn settings(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let prefix = prefix.to_owned();
        self.read(move |sql| {
            let mut statement = sql.prepare_cached(
                "SELECT name, value FROM settings WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name",
            )?;
            let found = statement.query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn set_setting(&self, name: &str, value: Vec<u8>, audit: Vec<AuditEvent>) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| {
            tx.sql
                .prepare_cached(
                    "INSERT INTO settings VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                )?
                .execute(params![name, value])?;
            tx.append(audit)
        })
        .await
    }

    async fn set_setting_once(&self, name: &str, value: Vec<u8>, audit: Vec<AuditEvent>) -> Result<Vec<u8>> {
        let name = name.to_owned();
        self.write(move |tx| {
            if let Some(there) = get(tx.sql, &name)? {
                return Ok(there);
            }
            tx.sql
                .prepare_cached("INSERT INTO settings VALUES (?1, ?2)")?
                .execute(params![name, value])?;
            tx.append(audit)?;
            Ok(value)
        })
        .await
    }
}

fn get(sql: &Connection, name: &str) -> Result<Option<Vec<u8>>> {
    Ok(sql
        .prepare_cached("SELECT value FROM settings WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?)
}
