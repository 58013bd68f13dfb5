//! Local accounts.

use domain::access::{Grant, Permission, Role, Scope};
use domain::time::Timestamp;
use store::Store;
use store::model::{Account, AccountChange, NewAccount, PasswordHash};
use zeroize::Zeroizing;

use crate::config::FirstAdministrator;
use crate::error::{AppError, Result};
use crate::services::passwords;
use crate::services::sign_in::subject;
use crate::session::CurrentUser;
use crate::state::{AppState, event_at};

const MAX_NAME: usize = 64;

/// All accounts by name. Needs [`Permission::ManageAccounts`].
///
/// # Errors
/// 403; when the store fails.
pub async fn list(state: &AppState, user: &CurrentUser) -> Result<Vec<Account>> {
    user.demand(Permission::ManageAccounts)?;
    Ok(state.store.accounts().await?)
}

/// Makes an account. Returns its generated password, to be shown once; it must be changed at the first sign-in.
///
/// # Errors
/// 403; 422 for the name, and for a scope with collections that are not there; 409 when it exists.
pub async fn create(
    state: &AppState,
    user: &CurrentUser,
    name: &str,
    grant: impl Into<Grant>,
) -> Result<Zeroizing<String>> {
    user.demand(Permission::ManageAccounts)?;
    let (name, grant) = (checked_name(name)?, grant.into());
    checked_scope(&*state.store, &grant.scope).await?;
    let password = passwords::generate(state);
    let account = NewAccount {
        name: name.to_owned(),
        password: hashed(state, &password).await?,
        grant: grant.clone(),
        must_change_password: true,
        at: state.now(),
    };
    let event = state.event(user.actor(), "account.created", subject(name), grant.words());
    state.store.add_account(account, vec![event]).await?;
    Ok(password)
}

/// Gives another role and scope; the account's sessions end.
///
/// # Errors
/// 403; 404; 409 `last_administrator`; 422 for a scope with collections that are not there.
pub async fn set_grant(state: &AppState, user: &CurrentUser, name: &str, grant: impl Into<Grant>) -> Result<()> {
    user.demand(Permission::ManageAccounts)?;
    grant_as(&*state.store, state.now(), user.actor(), name, grant.into()).await
}

/// The same by somebody who was let in elsewhere.
pub(crate) async fn grant_as(store: &dyn Store, at: Timestamp, actor: String, name: &str, grant: Grant) -> Result<()> {
    checked_scope(store, &grant.scope).await?;
    let event = event_at(at, actor, "account.role_changed", subject(name), grant.words());
    let change = AccountChange {
        grant: Some(grant),
        ..AccountChange::default()
    };
    store.change_account(name, change, vec![event]).await?;
    Ok(())
}

/// Disables an account (its sessions end), or enables it again.
///
/// # Errors
/// 403; 404; 409 `last_administrator`.
pub async fn set_disabled(state: &AppState, user: &CurrentUser, name: &str, disabled: bool) -> Result<()> {
    user.demand(Permission::ManageAccounts)?;
    let change = AccountChange {
        disabled: Some(disabled),
        unlock: !disabled,
        ..AccountChange::default()
    };
    let action = if disabled {
        "account.disabled"
    } else {
        "account.enabled"
    };
    let event = state.event(user.actor(), action, subject(name), "");
    state.store.change_account(name, change, vec![event]).await?;
    Ok(())
}

/// Gives a generated password, to be shown once and changed at the next sign-in; ends the account's sessions and its
/// lock.
///
/// # Errors
/// 403; 404.
pub async fn reset_password(state: &AppState, user: &CurrentUser, name: &str) -> Result<Zeroizing<String>> {
    user.demand(Permission::ManageAccounts)?;
    let password = passwords::generate(state);
    let change = AccountChange {
        password: Some(hashed(state, &password).await?),
        must_change_password: Some(true),
        unlock: true,
        ..AccountChange::default()
    };
    let event = state.event(user.actor(), "account.password_reset", subject(name), "");
    state.store.change_account(name, change, vec![event]).await?;
    Ok(password)
}

/// Makes the first administrator when there is no account at all. Returns the generated password, if one was made.
pub(crate) async fn ensure_first(
    state: &AppState,
    given: Option<FirstAdministrator>,
) -> Result<Option<(String, Zeroizing<String>)>> {
    if !state.store.accounts().await?.is_empty() {
        return Ok(None);
    }
    let (name, password, generated) = match given {
        Some(given) => {
            passwords::check_rule(&given.name, &given.password)?;
            (given.name, given.password, false)
        }
        None => ("admin".to_owned(), passwords::generate(state), true),
    };
    let name = checked_name(&name)?.to_owned();
    let account = NewAccount {
        name: name.clone(),
        password: hashed(state, &password).await?,
        grant: Role::Administrator.into(),
        must_change_password: generated,
        at: state.now(),
    };
    let event = state.event("system", "account.created", subject(&name), "first administrator");
    let made = state.store.add_first_account(account, vec![event]).await?;
    Ok((made && generated).then_some((name, password)))
}

/// A scope may name only collections that are there.
pub(crate) async fn checked_scope(store: &dyn Store, scope: &Scope) -> Result<()> {
    let Some(wanted) = scope.collections().filter(|wanted| !wanted.is_empty()) else {
        return Ok(());
    };
    let resolver = store.resolver().await?;
    match wanted.iter().find(|id| resolver.collections().get(id).is_none()) {
        Some(unknown) => Err(AppError::invalid(
            "scope",
            format!("scope: there is no collection \"{unknown}\""),
        )),
        None => Ok(()),
    }
}

pub(crate) async fn hashed(state: &AppState, password: &Zeroizing<String>) -> Result<PasswordHash> {
    state.passwords.turn().await?.hash(state, password.clone()).await
}

pub(crate) fn checked_name(name: &str) -> Result<&str> {
    let name = name.trim();
    let sign_fits = |sign: char| sign.is_alphanumeric() || matches!(sign, '.' | '-' | '_' | '@' | '\\' | ' ');
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(sign_fits) {
        return Err(AppError::invalid(
            "name",
            "name: 1 to 64 bytes of letters, digits, spaces and . - _ @ \\",
        ));
    }
    Ok(name)
}
