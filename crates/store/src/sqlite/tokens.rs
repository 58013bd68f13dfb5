//! Enrolment tokens.

use async_trait::async_trait;
use domain::audit::AuditEvent;
use domain::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::SqliteStore;
use super::values::{time, time_option};
use super::writer::Tx;
use crate::model::{NewToken, SecretHash, Token, TokenId};
use crate::traits::Tokens;
use crate::{Refusal, Result, StoreError, What};

#[async_trait]
impl Tokens for SqliteStore {
    async fn add_token(&self, token: NewToken, audit: Vec<AuditEvent>) -> Result<TokenId> {
        self.write(move |tx| {
            let inserted = tx
                .sql
                .prepare_cached(
                    "INSERT INTO tokens (hash, note, created_at, created_by, expires_at, uses_left)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (hash) DO NOTHING",
                )?
                .execute(params![
                    token.hash.0,
                    token.note,
                    token.created_at.0,
                    token.created_by,
                    token.expires_at.map(|at| at.0),
                    token.uses
                ])?;
            if inserted == 0 {
                return Err(StoreError::Exists(What::Token));
            }
            let id = TokenId(tx.sql.last_insert_rowid());
            tx.append(audit)?;
            Ok(id)
        })
        .await
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        self.read(|sql| {
            sql.prepare_cached("SELECT * FROM tokens ORDER BY id DESC")?
                .query_and_then([], from_row)?
                .collect()
        })
        .await
    }

    async fn revoke_token(&self, id: TokenId, at: Timestamp, audit: Vec<AuditEvent>) -> Result<()> {
        self.write(move |tx| revoke(tx, "tokens", id.0, at, audit)).await
    }
}

/// Revokes a token of either kind, once; a second time changes nothing and leaves no trace.
pub(super) fn revoke(tx: &mut Tx<'_>, table: &str, id: i64, at: Timestamp, audit: Vec<AuditEvent>) -> Result<()> {
    let revoked = tx
        .sql
        .prepare_cached(&format!(
            "UPDATE {table} SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL"
        ))?
        .execute(params![id, at.0])?;
    if revoked == 1 {
        return tx.append(audit);
    }
    let known = tx
        .sql
        .prepare_cached(&format!("SELECT 1 FROM {table} WHERE id = ?1"))?
        .exists([id])?;
    if known {
        Ok(())
    } else {
        Err(StoreError::NotFound(What::Token))
    }
}

/// Takes one use of a token, or says why not.
pub(super) fn use_once(sql: &Connection, hash: SecretHash, now: Timestamp) -> Result<()> {
    let token = sql
        .prepare_cached("SELECT * FROM tokens WHERE hash = ?1")?
        .query_and_then([hash.0], from_row)?
        .next()
        .transpose()?
        .ok_or(StoreError::Refused(Refusal::TokenUnknown))?;
    if token.revoked_at.is_some() {
        return Err(StoreError::Refused(Refusal::TokenRevoked));
    }
    if token.expires_at.is_some_and(|expires| now >= expires) {
        return Err(StoreError::Refused(Refusal::TokenExpired));
    }
    if token.uses_left == Some(0) {
        return Err(StoreError::Refused(Refusal::TokenUsedUp));
    }
    sql.prepare_cached("UPDATE tokens SET uses_left = uses_left - 1, used = used + 1 WHERE id = ?1")?
        .execute([token.id.0])?;
    Ok(())
}

fn from_row(row: &Row<'_>) -> Result<Token> {
    Ok(Token {
        id: TokenId(row.get("id")?),
        note: row.get("note")?,
        created_at: time(row, "created_at")?,
        created_by: row.get("created_by")?,
        expires_at: time_option(row, "expires_at")?,
        uses_left: row.get("uses_left")?,
        used: row.get("used")?,
        revoked_at: time_option(row, "revoked_at")?,
    })
}
