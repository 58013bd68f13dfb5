//! Versions of the policy.

use async_trait::async_trait;
use domain::audit::AuditEvent;
use domain::policy::Policy;
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::values::{json, time};
use crate::Result;
use crate::model::{NewPolicy, PolicyVersion};
use crate::traits::Policies;

#[async_trait]
impl Policies for SqliteStore {
    async fn put_policy(&self, policy: NewPolicy, audit: Vec<AuditEvent>) -> Result<u32> {
        self.write(move |tx| {
            let last = newest(tx.sql)?;
            if let Some(last) = &last
                && last.digest == policy.digest
            {
                return Ok(last.version);
            }
            let version = last.map_or(1, |last| last.version.saturating_add(1));
            tx.sql
                .prepare_cached(
                    "INSERT INTO policies (version, policy, digest, at, by, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    version,
                    serde_json::to_string(&policy.policy)?,
                    policy.digest,
                    policy.at.0,
                    policy.by,
                    policy.note
                ])?;
            tx.append(audit)?;
            Ok(version)
        })
        .await
    }

    async fn policy(&self) -> Result<Option<PolicyVersion>> {
        self.read(newest).await
    }

    async fn policy_history(&self) -> Result<Vec<PolicyVersion>> {
        self.read(|sql| {
            sql.prepare_cached("SELECT * FROM policies ORDER BY version DESC")?
                .query_and_then([], from_row)?
                .collect()
        })
        .await
    }
}

/// The policy in force; before the first one, a policy that configures nothing.
pub(super) fn in_force(sql: &Connection) -> Result<Policy> {
    Ok(newest(sql)?.map(|version| version.policy).unwrap_or_default())
}

fn newest(sql: &Connection) -> Result<Option<PolicyVersion>> {
    sql.prepare_cached("SELECT * FROM policies ORDER BY version DESC LIMIT 1")?
        .query_and_then([], from_row)?
        .next()
        .transpose()
}

fn from_row(row: &Row<'_>) -> Result<PolicyVersion> {
    Ok(PolicyVersion {
        version: row.get("version")?,
        policy: json(row, "policy")?,
        digest: row.get("digest")?,
        at: time(row, "at")?,
        by: row.get("by")?,
        note: row.get("note")?,
    })
}
