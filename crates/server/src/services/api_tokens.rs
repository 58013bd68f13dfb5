//! API tokens: made, listed, revoked. Each is shown once; the store has only its hash.

use std::time::Duration;

use domain::access::{Grant, Permission, Role};
use domain::time::Timestamp;
use store::Store;
use store::model::{ApiToken, ApiTokenId, NewApiToken, SecretHash};
use zeroize::Zeroizing;

use crate::error::{AppError, Result};
use crate::services::accounts::checked_scope;
use crate::services::random_text;
use crate::session::CurrentUser;
use crate::state::{AppState, event_at};

const MAX_NOTE: usize = 256;
const MAX_LIFE: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// What every token begins with, so that people and scanners of leaked secrets know one when they see it.
const PREFIX: &str = "claviger-";

/// A token, shown once. `Debug` does not show it.
pub struct CreatedApiToken {
    /// Names it.
    pub id: ApiTokenId,
    /// The token.
    pub token: Zeroizing<String>,
}

impl std::fmt::Debug for CreatedApiToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CreatedApiToken {{ id: {:?}, token: [redacted] }}", self.id)
    }
}

/// Makes a token. `lasts`: at most 366 days. Needs [`Permission::ManageAccounts`].
///
/// # Errors
/// 403; 422 for `note`, `lasts`, `role` or `scope`.
pub async fn create(
    state: &AppState,
    user: &CurrentUser,
    note: &str,
    grant: Grant,
    lasts: Duration,
) -> Result<CreatedApiToken> {
    user.demand(Permission::ManageAccounts)?;
    let signs = random_text::signs::<40>(state);
    create_as(&*state.store, state.now(), user.actor(), (note, grant, lasts), &signs).await
}

/// The same by somebody who was let in elsewhere. `signs`: random text of 200 bits.
pub(crate) async fn create_as(
    store: &dyn Store,
    at: Timestamp,
    actor: String,
    (note, grant, lasts): (&str, Grant, Duration),
    signs: &str,
) -> Result<CreatedApiToken> {
    let note = note.trim();
    if note.is_empty() || note.len() > MAX_NOTE {
        return Err(AppError::invalid(
            "note",
            "note: say in 1 to 256 bytes what the token is for",
        ));
    }
    if lasts.is_zero() || lasts > MAX_LIFE {
        return Err(AppError::invalid("lasts", "expiry: from now on, at most 366 days"));
    }
    if grant.role == Role::SelfService {
        return Err(AppError::invalid("role", "role: a program has no own devices"));
    }
    checked_scope(store, &grant.scope).await?;
    let mut token = Zeroizing::new(String::with_capacity(64));
    token.push_str(PREFIX);
    token.push_str(signs);
    let event = event_at(
        at,
        actor.clone(),
        "api_token.created",
        "",
        format!("{note}; {}", grant.words()),
    );
    let new = NewApiToken {
        hash: hash(&token),
        note: note.to_owned(),
        grant,
        created_at: at,
        created_by: actor,
        expires_at: at.after(lasts),
    };
    let id = store.add_api_token(new, vec![event]).await?;
    Ok(CreatedApiToken { id, token })
}

/// All tokens, newest first.
///
/// # Errors
/// 403; when the store fails.
pub async fn list(state: &AppState, user: &CurrentUser) -> Result<Vec<ApiToken>> {
    user.demand(Permission::ManageAccounts)?;
    Ok(state.store.api_tokens().await?)
}

/// Revokes a token.
///
/// # Errors
/// 403; 404.
pub async fn revoke(state: &AppState, user: &CurrentUser, id: ApiTokenId) -> Result<()> {
    user.demand(Permission::ManageAccounts)?;
    revoke_as(&*state.store, state.now(), user.actor(), id).await
}

/// The same by somebody who was let in elsewhere.
pub(crate) async fn revoke_as(store: &dyn Store, at: Timestamp, actor: String, id: ApiTokenId) -> Result<()> {
    let event = event_at(at, actor, "api_token.revoked", format!("api-token:{}", id.0), "");
    Ok(store.revoke_api_token(id, at, vec![event]).await?)
}

/// Hash of a token as a program sends it.
pub(crate) fn hash(token: &str) -> SecretHash {
    SecretHash::of(token.trim().as_bytes())
}
