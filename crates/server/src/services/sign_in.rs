//! Signing in and out, and changing one's own password.
//!
//! After five failures each further one locks the name for a growing time: half a minute, doubled each time, at most 15
//! minutes. Names without an account are locked in the same way and checked in the same time, so that neither answers
//! nor their timing tell which accounts exist.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderValue;
use domain::access::Role;
use domain::time::Timestamp;
use store::model::{Account, AccountChange, LockRule, NewSession, account_key};
use zeroize::Zeroizing;

use crate::error::{AppError, Result};
use crate::services::passwords;
use crate::session::{ABSOLUTE, COOKIE, CurrentUser, Token};
use crate::state::AppState;

const FREE_FAILURES: u32 = 5;
const FIRST_LOCK: Duration = Duration::from_secs(30);
const LONGEST_LOCK: Duration = Duration::from_secs(15 * 60);
const MAX_NAME: usize = 256;
const MAX_UNKNOWN_NAMES: usize = 10_000;

/// Somebody signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// The `Set-Cookie` value of the new session.
    pub cookie: HeaderValue,
    /// Role: decides the page that opens.
    pub role: Role,
    /// The password must be changed first.
    pub must_change_password: bool,
}

/// Nobody signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Name or password is wrong, or the account is disabled; which of them is not said.
    #[error("the user name or the password is wrong")]
    Refused,
    /// Too many failures.
    #[error("too many failed attempts; try again in {minutes} minutes")]
    LockedOut {
        /// Minutes until the next try, rounded up.
        minutes: u64,
    },
    /// The server failed.
    #[error(transparent)]
    Failed(#[from] AppError),
}

impl From<store::StoreError> for SignInError {
    fn from(error: store::StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Signs in with name and password.
///
/// # Errors
/// [`SignInError`].
pub async fn sign_in(
    state: &AppState,
    name: &str,
    password: Zeroizing<String>,
    user_agent: &str,
) -> Result<SignedIn, SignInError> {
    if name.len() > MAX_NAME || password.len() > passwords::MAX_BYTES {
        return Err(SignInError::Refused);
    }
    let turn = state.passwords.turn().await?;
    let now = state.now();
    let account = state.store.account(name).await?;
    let locked_until = match &account {
        Some(account) => account.locked_until,
        None => state.unknown_names.locked_until(name),
    };
    if let Some(until) = locked_until.filter(|until| *until > now) {
        return Err(locked_out(now, until));
    }
    let hash = account.as_ref().map(|account| &account.password);
    let fits = turn.fits(password, hash).await?;
    match account {
        Some(account) if fits && !account.disabled => accept(state, &account, user_agent).await,
        Some(account) => Err(refuse(state, &account).await?),
        None => {
            let event = state.event("system", "sign_in.failed", "", "no such account");
            state.store.append_audit(vec![event]).await?;
            Err(match state.unknown_names.failed(name, now) {
                Some(until) => locked_out(now, until),
                None => SignInError::Refused,
            })
        }
    }
}

async fn accept(state: &AppState, account: &Account, user_agent: &str) -> Result<SignedIn, SignInError> {
    let token = Token::new(state.random());
    let now = state.now();
    let session = NewSession {
        hash: token.hash(),
        account: account.name.clone(),
        created_at: now,
        expires_at: now.after(ABSOLUTE),
        user_agent: user_agent.chars().filter(|c| !c.is_control()).take(200).collect(),
    };
    let event = state.event(actor(&account.name), "sign_in.succeeded", subject(&account.name), "");
    let session = state.store.sign_in(session, vec![event]).await?;
    Ok(SignedIn {
        cookie: token.set_cookie(COOKIE),
        role: session.account.grant.role,
        must_change_password: session.account.must_change_password,
    })
}

async fn refuse(state: &AppState, account: &Account) -> Result<SignInError, AppError> {
    let now = state.now();
    let reason = if account.disabled {
        "account disabled"
    } else {
        "wrong password"
    };
    let event = state.event(actor(&account.name), "sign_in.failed", subject(&account.name), reason);
    let rule = LockRule {
        failures: FREE_FAILURES,
        lasts: lock_time(account.failed_count.saturating_add(1)),
    };
    let account = state
        .store
        .sign_in_failed(&account.name, now, rule, vec![event])
        .await?;
    Ok(match account.locked_until.filter(|until| *until > now) {
        Some(until) => locked_out(now, until),
        None => SignInError::Refused,
    })
}

/// Ends the session.
///
/// # Errors
/// When the store fails.
pub async fn sign_out(state: &AppState, user: &CurrentUser) -> Result<()> {
    let event = state.event(user.actor(), "sign_in.ended", subject(&user.name), "");
    Ok(state.store.end_session(user.session, vec![event]).await?)
}

/// Changes one's own password; all other sessions of the account end.
///
/// # Errors
/// 403 `wrong_password`; 422 `weak_password`; 429 `locked_out` after too many wrong guesses.
pub async fn change_password(
    state: &AppState,
    user: &CurrentUser,
    current: Zeroizing<String>,
    new: Zeroizing<String>,
) -> Result<()> {
    passwords::check_rule(&user.name, &new)?;
    let turn = state.passwords.turn().await?;
    let account = state
        .store
        .account(&user.name)
        .await?
        .ok_or_else(AppError::sign_in_needed)?;
    let now = state.now();
    if let Some(until) = account.locked_until.filter(|until| *until > now) {
        return Err(too_many(now, until));
    }
    let same = *current == *new;
    if !turn.fits(current, Some(&account.password)).await? {
        return Err(match refuse(state, &account).await? {
            SignInError::LockedOut { .. } => too_many(now, now.after(lock_time(account.failed_count + 1))),
            _ => AppError::forbidden("wrong_password", "The current password is wrong."),
        });
    }
    if same {
        return Err(AppError::invalid(
            "weak_password",
            "The new password must differ from the current one.",
        ));
    }
    let change = AccountChange {
        password: Some(turn.hash(state, new).await?),
        keep_session: Some(user.session),
        must_change_password: Some(false),
        unlock: true,
        ..AccountChange::default()
    };
    let event = state.event(user.actor(), "account.password_changed", subject(&user.name), "");
    state.store.change_account(&user.name, change, vec![event]).await?;
    Ok(())
}

/// Names without an account that were tried, as far as memory allows.
#[derive(Default)]
pub(crate) struct UnknownNames(Mutex<HashMap<String, (u32, Option<Timestamp>)>>);

impl UnknownNames {
    fn locked_until(&self, name: &str) -> Option<Timestamp> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&account_key(name))?.1
    }

    fn failed(&self, name: &str, now: Timestamp) -> Option<Timestamp> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MAX_UNKNOWN_NAMES {
            names.retain(|_, (_, until)| until.is_some_and(|until| until > now));
        }
        if names.len() >= MAX_UNKNOWN_NAMES {
            names.clear();
        }
        let (count, until) = names.entry(account_key(name)).or_default();
        *count = count.saturating_add(1);
        *until = (*count >= FREE_FAILURES).then(|| now.after(lock_time(*count)));
        *until
    }
}

/// For how long the failure with this number locks.
fn lock_time(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(FREE_FAILURES).min(16);
    FIRST_LOCK.saturating_mul(1 << doublings).min(LONGEST_LOCK)
}

fn locked_out(now: Timestamp, until: Timestamp) -> SignInError {
    SignInError::LockedOut {
        minutes: until.since(now).as_secs().div_ceil(60).max(1),
    }
}

fn too_many(now: Timestamp, until: Timestamp) -> AppError {
    let seconds = u32::try_from(until.since(now).as_secs().max(1)).unwrap_or(u32::MAX);
    AppError::later(seconds).because("too many wrong passwords")
}

fn actor(name: &str) -> String {
    format!("user:{name}")
}

pub(crate) fn subject(name: &str) -> String {
    format!("account:{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_grows_from_half_a_minute_to_fifteen() {
        assert_eq!(lock_time(5), Duration::from_secs(30));
        assert_eq!(lock_time(6), Duration::from_secs(60));
        assert_eq!(lock_time(9), Duration::from_secs(480));
        assert_eq!(lock_time(u32::MAX), LONGEST_LOCK);
    }

    #[test]
    fn a_name_without_account_is_locked_like_one_with_an_account() {
        let names = UnknownNames::default();
        let now = Timestamp(0);
        for _ in 1..FREE_FAILURES {
            assert_eq!(names.failed("nobody", now), None);
        }
        assert_eq!(names.failed("NOBODY", now), Some(now.after(FIRST_LOCK)));
        assert_eq!(names.locked_until("Nobody"), Some(now.after(FIRST_LOCK)));
    }
}
