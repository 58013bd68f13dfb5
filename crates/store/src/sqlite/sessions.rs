//! Sessions of signed-in people.

use async_trait::async_trait;
use domain::audit::AuditEvent;
use domain::time::Timestamp;
use rusqlite::{Connection, params};

use super::values::{hash, time};
use super::{SqliteStore, accounts};
use crate::model::{Account, NewSession, SecretHash, Session, account_key};
use crate::traits::Sessions;
use crate::{Result, StoreError, What};

#[async_trait]
impl Sessions for SqliteStore {
    async fn session(&self, hash: SecretHash, now: Timestamp) -> Result<Option<Session>> {
        self.read(move |sql| {
            let session = get(sql, hash)?;
            Ok(session.filter(|session| now < session.expires_at && !session.account.disabled))
        })
        .await
    }

    fn session_used(&self, hash: SecretHash, at: Timestamp) {
        self.shared.gathered.session(hash, at);
    }

    async fn end_session(&self, hash: SecretHash, audit: Vec<AuditEvent>) -> Result<()> {
        self.write(move |tx| {
            let ended = tx
                .sql
                .prepare_cached("DELETE FROM sessions WHERE hash = ?1")?
                .execute([hash.0])?;
            if ended == 1 { tx.append(audit) } else { Ok(()) }
        })
        .await
    }

    async fn sessions_of(&self, account: &str, now: Timestamp) -> Result<Vec<Session>> {
        let key = account_key(account);
        self.read(move |sql| {
            let Some(account) = accounts::get(sql, &key)? else {
                return Ok(Vec::new());
            };
            sql.prepare_cached(
                "SELECT * FROM sessions WHERE account = ?1 AND expires_at > ?2 ORDER BY created_at DESC, rowid DESC",
            )?
            .query_and_then(params![key, now.0], |row| from_row(row, account.clone()))?
            .collect()
        })
        .await
    }

    async fn remove_stale_sessions(&self, now: Timestamp, idle_since: Timestamp) -> Result<u64> {
        self.write(move |tx| {
            let removed = tx
                .sql
                .prepare_cached("DELETE FROM sessions WHERE expires_at <= ?1 OR last_used < ?2")?
                .execute([now.0, idle_since.0])?;
            Ok(removed as u64)
        })
        .await
    }
}

/// Stores a new session of the account with this key.
pub(super) fn begin(sql: &Connection, account: &str, session: &NewSession) -> Result<Session> {
    let inserted = sql
        .prepare_cached(
            "INSERT INTO sessions (hash, account, created_at, last_used, expires_at, user_agent)
             VALUES (?1, ?2, ?3, ?3, ?4, ?5) ON CONFLICT (hash) DO NOTHING",
        )?
        .execute(params![
            session.hash.0,
            account,
            session.created_at.0,
            session.expires_at.0,
            session.user_agent
        ])?;
    if inserted == 0 {
        return Err(StoreError::Exists(What::Session));
    }
    get(sql, session.hash)?.ok_or(StoreError::NotFound(What::Session))
}

/// Ends the sessions of the account with this key.
pub(super) fn end_all_but(sql: &Connection, account: &str, keep: Option<SecretHash>) -> Result<()> {
    sql.prepare_cached("DELETE FROM sessions WHERE account = ?1 AND hash IS NOT ?2")?
        .execute(params![account, keep.map(|hash| hash.0)])?;
    Ok(())
}

fn get(sql: &Connection, hash: SecretHash) -> Result<Option<Session>> {
    sql.prepare_cached("SELECT * FROM sessions WHERE hash = ?1")?
        .query_and_then([hash.0], |row| {
            let account = accounts::get(sql, &row.get::<_, String>("account")?)?;
            from_row(row, account.ok_or(StoreError::NotFound(What::Account))?)
        })?
        .next()
        .transpose()
}

fn from_row(row: &rusqlite::Row<'_>, account: Account) -> Result<Session> {
    Ok(Session {
        hash: SecretHash(hash(row, "hash")?),
        account,
        created_at: time(row, "created_at")?,
        last_used: time(row, "last_used")?,
        expires_at: time(row, "expires_at")?,
        user_agent: row.get("user_agent")?,
    })
}
