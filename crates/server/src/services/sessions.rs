//! One's own sessions.

use store::model::Session;

use crate::error::{AppError, Result};
use crate::services::sign_in::subject;
use crate::session::CurrentUser;
use crate::state::AppState;

/// The sessions of one's own account that have not ended, newest first.
///
/// # Errors
/// When the store fails.
pub async fn list(state: &AppState, user: &CurrentUser) -> Result<Vec<Session>> {
    Ok(state.store.sessions_of(&user.name, state.now()).await?)
}

/// Ends one of one's own sessions, named by the hash of its token in hexadecimal. True: it was the present one.
///
/// # Errors
/// 404 when one's own account has no such session: those of others are as if they were not there.
pub async fn end(state: &AppState, user: &CurrentUser, hash: &str) -> Result<bool> {
    let own = list(state, user).await?;
    let session = own
        .iter()
        .find(|session| hex::encode(session.hash.as_bytes()).eq_ignore_ascii_case(hash))
        .ok_or_else(|| AppError::not_found("There is no such session; it may have ended already."))?;
    let event = state.event(user.actor(), "account.session_ended", subject(&user.name), "");
    state.store.end_session(session.hash, vec![event]).await?;
    Ok(session.hash == user.session)
}
