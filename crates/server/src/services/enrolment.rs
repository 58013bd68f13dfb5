//! Enrolment tokens.

use std::time::Duration;

use domain::access::Permission;
use store::model::{NewToken, SecretHash, Token, TokenId};
use zeroize::Zeroizing;

use crate::error::{AppError, Result};
use crate::services::random_text;
use crate::session::CurrentUser;
use crate::state::{AppState, Shared};

const MAX_NOTE: usize = 256;
const MAX_LIFE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A token, shown once. `Debug` does not show it.
pub struct CreatedToken {
    /// Names it.
    pub id: TokenId,
    /// The token; the store has only its hash.
    pub token: Zeroizing<String>,
}

impl std::fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CreatedToken {{ id: {:?}, token: [redacted] }}", self.id)
    }
}

/// Makes a token. `lasts`: at most 366 days; `uses`: how many devices, none for any number.
///
/// # Errors
/// 403; 422 for note, life or uses.
pub async fn create(
    state: &AppState,
    user: &CurrentUser,
    note: &str,
    lasts: Duration,
    uses: Option<u32>,
) -> Result<CreatedToken> {
    user.demand(Permission::ManageEnrolment)?;
    create_as(state, &user.actor(), note, lasts, uses).await
}

pub(crate) async fn create_as(
    state: &AppState,
    actor: &str,
    note: &str,
    lasts: Duration,
    uses: Option<u32>,
) -> Result<CreatedToken> {
    if note.len() > MAX_NOTE {
        return Err(AppError::invalid("note", "note: at most 256 bytes"));
    }
    if lasts.is_zero() || lasts > MAX_LIFE {
        return Err(AppError::invalid("lasts", "expiry: from now on, at most 366 days"));
    }
    if uses == Some(0) {
        return Err(AppError::invalid("uses", "uses: at least 1, or empty for any number"));
    }
    let token = generate(state);
    let now = state.now();
    let new = NewToken {
        hash: hash(&token),
        note: note.trim().to_owned(),
        created_at: now,
        created_by: actor.to_owned(),
        expires_at: Some(now.after(lasts)),
        uses,
    };
    let detail = match uses {
        Some(uses) => format!("{} ({uses} uses)", new.note),
        None => format!("{} (any number of uses)", new.note),
    };
    let event = state.event(actor, "enrolment.token_created", "", detail);
    let id = state.store.add_token(new, vec![event]).await?;
    Ok(CreatedToken { id, token })
}

/// All tokens, newest first.
///
/// # Errors
/// 403; when the store fails.
pub async fn list(state: &AppState, user: &CurrentUser) -> Result<Vec<Token>> {
    user.demand(Permission::ManageEnrolment)?;
    Ok(state.store.tokens().await?)
}

/// Revokes a token.
///
/// # Errors
/// 403; 404.
pub async fn revoke(state: &AppState, user: &CurrentUser, id: TokenId) -> Result<()> {
    user.demand(Permission::ManageEnrolment)?;
    let event = state.event(user.actor(), "enrolment.token_revoked", format!("token:{}", id.0), "");
    Ok(state.store.revoke_token(id, state.now(), vec![event]).await?)
}

/// 150 random bits.
fn generate(state: &Shared) -> Zeroizing<String> {
    random_text::signs::<30>(state)
}

/// Hash of a token as people type it: case and surrounding space do not matter.
pub(crate) fn hash(token: &str) -> SecretHash {
    let plain = Zeroizing::new(token.trim().to_ascii_lowercase());
    SecretHash::of(plain.as_bytes())
}
