//! Local accounts.

use async_trait::async_trait;
use domain::access::{Grant, Role};
use domain::audit::AuditEvent;
use domain::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::values::{name, time, time_option};
use super::writer::Tx;
use super::{SqliteStore, sessions, within};
use crate::model::{Account, AccountChange, LockRule, NewAccount, NewSession, PasswordHash, Session, account_key};
use crate::traits::Accounts;
use crate::{Refusal, Result, StoreError, What};

#[async_trait]
impl Accounts for SqliteStore {
    async fn add_account(&self, account: NewAccount, audit: Vec<AuditEvent>) -> Result<()> {
        self.write(move |tx| add(tx, &account, audit)).await
    }

    async fn add_first_account(&self, account: NewAccount, audit: Vec<AuditEvent>) -> Result<bool> {
        self.write(move |tx| {
            if tx.sql.prepare_cached("SELECT 1 FROM accounts")?.exists([])? {
                return Ok(false);
            }
            add(tx, &account, audit)?;
            Ok(true)
        })
        .await
    }

    async fn account(&self, name: &str) -> Result<Option<Account>> {
        let key = account_key(name);
        self.read(move |sql| get(sql, &key)).await
    }

    async fn accounts(&self) -> Result<Vec<Account>> {
        self.read(|sql| {
            sql.prepare_cached("SELECT * FROM accounts ORDER BY name_key")?
                .query_and_then([], from_row)?
                .collect()
        })
        .await
    }

    async fn change_account(&self, name: &str, change: AccountChange, audit: Vec<AuditEvent>) -> Result<Account> {
        let key = account_key(name);
        self.write(move |tx| self::change(tx, &key, change, audit)).await
    }

    async fn sign_in_failed(
        &self,
        name: &str,
        at: Timestamp,
        rule: LockRule,
        audit: Vec<AuditEvent>,
    ) -> Result<Account> {
        let key = account_key(name);
        self.write(move |tx| {
            let mut account = existing(tx.sql, &key)?;
            account.failed_count = account.failed_count.saturating_add(1);
            if account.failed_count >= rule.failures {
                account.locked_until = Some(at.after(rule.lasts));
            }
            tx.sql
                .prepare_cached("UPDATE accounts SET failed_count = ?2, locked_until = ?3 WHERE name_key = ?1")?
                .execute(params![
                    key,
                    account.failed_count,
                    account.locked_until.map(|until| until.0)
                ])?;
            tx.append(audit)?;
            Ok(account)
        })
        .await
    }

    async fn sign_in(&self, session: NewSession, audit: Vec<AuditEvent>) -> Result<Session> {
        let key = account_key(&session.account);
        self.write(move |tx| {
            if existing(tx.sql, &key)?.disabled {
                return Err(StoreError::NotFound(What::Account));
            }
            tx.sql
                .prepare_cached(
                    "UPDATE accounts SET failed_count = 0, locked_until = NULL, last_sign_in = ?2 WHERE name_key = ?1",
                )?
                .execute(params![key, session.created_at.0])?;
            let session = sessions::begin(tx.sql, &key, &session)?;
            tx.append(audit)?;
            Ok(session)
        })
        .await
    }
}

/// The account of a key that [`account_key`] made.
pub(super) fn get(sql: &Connection, key: &str) -> Result<Option<Account>> {
    sql.prepare_cached("SELECT * FROM accounts WHERE name_key = ?1")?
        .query_and_then([key], from_row)?
        .next()
        .transpose()
}

fn existing(sql: &Connection, key: &str) -> Result<Account> {
    get(sql, key)?.ok_or(StoreError::NotFound(What::Account))
}

fn add(tx: &mut Tx<'_>, account: &NewAccount, audit: Vec<AuditEvent>) -> Result<()> {
    let key = account_key(&account.name);
    if key.is_empty() {
        return Err(StoreError::Invalid {
            field: "name",
            allowed: "must not be empty",
        });
    }
    let inserted = tx
        .sql
        .prepare_cached(
            "INSERT INTO accounts (name_key, name, password, role, must_change_password, created_at, scope)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (name_key) DO NOTHING",
        )?
        .execute(params![
            key,
            account.name.trim(),
            account.password.as_str(),
            name(&account.grant.role)?,
            account.must_change_password,
            account.at.0,
            within::written(&account.grant.scope)?
        ])?;
    if inserted == 0 {
        return Err(StoreError::Exists(What::Account));
    }
    tx.append(audit)
}

fn change(tx: &mut Tx<'_>, key: &str, change: AccountChange, audit: Vec<AuditEvent>) -> Result<Account> {
    let mut account = existing(tx.sql, key)?;
    let was_administrator = is_administrator(&account);
    let new_grant = change.grant.as_ref().is_some_and(|grant| *grant != account.grant);
    if change.password.is_some() {
        sessions::end_all_but(tx.sql, key, change.keep_session)?;
    }
    if new_grant || change.disabled == Some(true) {
        sessions::end_all_but(tx.sql, key, None)?;
    }
    account.password = change.password.unwrap_or(account.password);
    account.grant = change.grant.unwrap_or(account.grant);
    account.must_change_password = change.must_change_password.unwrap_or(account.must_change_password);
    account.disabled = change.disabled.unwrap_or(account.disabled);
    if change.unlock {
        account.failed_count = 0;
        account.locked_until = None;
    }
    tx.sql
        .prepare_cached(
            "UPDATE accounts SET password = ?2, role = ?3, must_change_password = ?4, disabled = ?5, failed_count = ?6,
                 locked_until = ?7, scope = ?8
             WHERE name_key = ?1",
        )?
        .execute(params![
            key,
            account.password.as_str(),
            name(&account.grant.role)?,
            account.must_change_password,
            account.disabled,
            account.failed_count,
            account.locked_until.map(|until| until.0),
            within::written(&account.grant.scope)?
        ])?;
    if was_administrator && !is_administrator(&account) {
        some_administrator_left(tx.sql)?;
    }
    tx.append(audit)?;
    Ok(account)
}

fn is_administrator(account: &Account) -> bool {
    account.grant == Grant::everywhere(Role::Administrator) && !account.disabled
}

fn some_administrator_left(sql: &Connection) -> Result<()> {
    let left = sql
        .prepare_cached("SELECT 1 FROM accounts WHERE role = ?1 AND scope IS NULL AND NOT disabled")?
        .exists([name(&Role::Administrator)?])?;
    if left {
        Ok(())
    } else {
        Err(StoreError::Refused(Refusal::LastAdministrator))
    }
}

fn from_row(row: &Row<'_>) -> Result<Account> {
    Ok(Account {
        name: row.get("name")?,
        password: PasswordHash::new(row.get("password")?)?,
        grant: within::grant(row)?,
        must_change_password: row.get("must_change_password")?,
        disabled: row.get("disabled")?,
        failed_count: row.get("failed_count")?,
        locked_until: time_option(row, "locked_until")?,
        created_at: time(row, "created_at")?,
        last_sign_in: time_option(row, "last_sign_in")?,
    })
}
