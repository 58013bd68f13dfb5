//! Local accounts.

use domain::access::{Permission, Role};
use store::model::{Account, AccountChange, NewAccount, PasswordHash};
use zeroize::Zeroizing;

use crate::config::FirstAdministrator;
use crate::error::{AppError, Result};
use crate::services::passwords;
use crate::services::sign_in::subject;
use crate::session::CurrentUser;
use crate::state::AppState;

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
/// 403; 422 for the name; 409 when it exists.
pub async fn create(state: &AppState, user: &CurrentUser, name: &str, role: Role) -> Result<Zeroizing<String>> {
    user.demand(Permission::ManageAccounts)?;
    let name = checked_name(name)?;
    let password = passwords::generate(state);
    let account = NewAccount {
        name: name.to_owned(),
        password: hashed(state, &password).await?,
        role,
        must_change_password: true,
        at: state.now(),
    };
    let event = state.event(
        user.actor(),
        "account.created",
        subject(name),
        format!("role {}", role_name(role)),
    );
    state.store.add_account(account, vec![event]).await?;
    Ok(password)
}

/// Gives another role; the account's sessions end.
///
/// # Errors
/// 403; 404; 409 `last_administrator`.
pub async fn set_role(state: &AppState, user: &CurrentUser, name: &str, role: Role) -> Result<()> {
    user.demand(Permission::ManageAccounts)?;
    let change = AccountChange {
        role: Some(role),
        ..AccountChange::default()
    };
    let event = state.event(
        user.actor(),
        "account.role_changed",
        subject(name),
        format!("role {}", role_name(role)),
    );
    state.store.change_account(name, change, vec![event]).await?;
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
        role: Role::Administrator,
        must_change_password: generated,
        at: state.now(),
    };
    let event = state.event("system", "account.created", subject(&name), "first administrator");
    let made = state.store.add_first_account(account, vec![event]).await?;
    Ok((made && generated).then_some((name, password)))
}

/// A role as the audit and forms write it.
#[must_use]
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Administrator => "administrator",
        Role::HelpDeskAdministrator => "help_desk",
        Role::Auditor => "auditor",
        Role::SelfService => "user",
    }
}

/// A role by its written name.
#[must_use]
pub fn role_from_name(name: &str) -> Option<Role> {
    [Role::Administrator, Role::HelpDeskAdministrator, Role::Auditor, Role::SelfService]
        .into_iter()
        .find(|role| role_name(*role) == name)
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
