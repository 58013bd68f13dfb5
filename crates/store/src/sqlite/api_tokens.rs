//! API tokens.

use async_trait::async_trait;
use domain::audit::AuditEvent;
use domain::time::Timestamp;
use rusqlite::{Row, params};

use super::values::{name, time, time_option};
use super::{SqliteStore, tokens, within};
use crate::model::{ApiToken, ApiTokenId, NewApiToken, SecretHash};
use crate::traits::ApiTokens;
use crate::{Result, StoreError, What};

#[async_trait]
impl ApiTokens for SqliteStore {
    async fn add_api_token(&self, token: NewApiToken, audit: Vec<AuditEvent>) -> Result<ApiTokenId> {
        self.write(move |tx| {
            let inserted = tx
                .sql
                .prepare_cached(
                    "INSERT INTO api_tokens (hash, note, role, scope, created_at, created_by, expires_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (hash) DO NOTHING",
                )?
                .execute(params![
                    token.hash.0,
                    token.note,
                    name(&token.grant.role)?,
                    within::written(&token.grant.scope)?,
                    token.created_at.0,
                    token.created_by,
                    token.expires_at.0
                ])?;
            if inserted == 0 {
                return Err(StoreError::Exists(What::Token));
            }
            let id = ApiTokenId(tx.sql.last_insert_rowid());
            tx.append(audit)?;
            Ok(id)
        })
        .await
    }

    async fn api_tokens(&self) -> Result<Vec<ApiToken>> {
        self.read(|sql| {
            sql.prepare_cached("SELECT * FROM api_tokens ORDER BY id DESC")?
                .query_and_then([], from_row)?
                .collect()
        })
        .await
    }

    async fn api_token(&self, hash: SecretHash, now: Timestamp) -> Result<Option<ApiToken>> {
        self.read(move |sql| {
            sql.prepare_cached("SELECT * FROM api_tokens WHERE hash = ?1 AND revoked_at IS NULL AND expires_at > ?2")?
                .query_and_then(params![hash.0, now.0], from_row)?
                .next()
                .transpose()
        })
        .await
    }

    fn api_token_used(&self, hash: SecretHash, at: Timestamp) {
        self.shared.gathered.api_token(hash, at);
    }

    async fn revoke_api_token(&self, id: ApiTokenId, at: Timestamp, audit: Vec<AuditEvent>) -> Result<()> {
        self.write(move |tx| tokens::revoke(tx, "api_tokens", id.0, at, audit))
            .await
    }
}

fn from_row(row: &Row<'_>) -> Result<ApiToken> {
    Ok(ApiToken {
        id: ApiTokenId(row.get("id")?),
        note: row.get("note")?,
        grant: within::grant(row)?,
        created_at: time(row, "created_at")?,
        created_by: row.get("created_by")?,
        expires_at: time(row, "expires_at")?,
        last_used: time_option(row, "last_used")?,
        revoked_at: time_option(row, "revoked_at")?,
    })
}
