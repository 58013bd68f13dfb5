//! Account passwords: the rule, and argon2id in bounded parallel.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash as Parsed, PasswordHasher as _, PasswordVerifier as _, SaltString};
use store::model::PasswordHash;
use tokio::sync::{Semaphore, SemaphorePermit};
use zeroize::Zeroizing;

use crate::error::{AppError, Result};
use crate::sealing::KdfCost;
use crate::services::random_text;
use crate::state::Shared;

/// Fewest characters.
pub const MIN_CHARACTERS: usize = 12;
/// Most bytes.
pub const MAX_BYTES: usize = 1024;
const MIN_DIFFERENT: usize = 5;
/// Each takes the memory of one argon2id run.
const AT_ONCE: usize = 4;

/// Hashes and checks passwords.
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    /// Hash of nobody's password, checked when there is no such account, so that both take the same time.
    decoy: PasswordHash,
    slots: Semaphore,
}

impl Passwords {
    /// None when the cost is out of range.
    pub(crate) fn new(cost: KdfCost, salt: &[u8; 16], nobody: &[u8; 32]) -> Option<Self> {
        let argon2 = cost.argon2()?;
        let decoy = hash_now(&argon2, nobody, salt)?;
        Some(Self {
            argon2,
            decoy,
            slots: Semaphore::new(AT_ONCE),
        })
    }

    /// Waits for a turn. Who holds it from looking at the account until a failure is counted cannot be overtaken by many
    /// other guesses at the same time.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>> {
        let slot = self.slots.acquire().await.map_err(AppError::internal)?;
        Ok(Turn {
            passwords: self,
            _slot: slot,
        })
    }
}

/// The right to check or hash one password at a time.
pub(crate) struct Turn<'a> {
    passwords: &'a Passwords,
    _slot: SemaphorePermit<'a>,
}

impl Turn<'_> {
    /// Whether the password fits; with no hash, the same work and false.
    pub(crate) async fn fits(&self, password: Zeroizing<String>, hash: Option<&PasswordHash>) -> Result<bool> {
        let known = hash.is_some();
        let phc = hash.unwrap_or(&self.passwords.decoy).as_str().to_owned();
        let argon2 = self.passwords.argon2.clone();
        let fits = tokio::task::spawn_blocking(move || {
            Parsed::new(&phc).is_ok_and(|parsed| argon2.verify_password(password.as_bytes(), &parsed).is_ok())
        })
        .await
        .map_err(AppError::internal)?;
        Ok(fits && known)
    }

    /// Hashes a new password.
    pub(crate) async fn hash(&self, state: &Shared, password: Zeroizing<String>) -> Result<PasswordHash> {
        let argon2 = self.passwords.argon2.clone();
        let salt = state.random::<16>();
        tokio::task::spawn_blocking(move || hash_now(&argon2, password.as_bytes(), &salt))
            .await
            .map_err(AppError::internal)?
            .ok_or_else(|| AppError::internal("argon2 failed"))
    }
}

fn hash_now(argon2: &Argon2<'_>, password: &[u8], salt: &[u8; 16]) -> Option<PasswordHash> {
    let salt = SaltString::encode_b64(salt).ok()?;
    let phc = argon2.hash_password(password, &salt).ok()?.to_string();
    PasswordHash::new(phc).ok()
}

/// Whether a person may choose this password.
///
/// # Errors
/// 422 `weak_password` with the rule that it breaks.
pub fn check_rule(account: &str, password: &str) -> Result<()> {
    let weak = |rule: String| Err(AppError::invalid("weak_password", rule));
    if password.chars().count() < MIN_CHARACTERS {
        return weak(format!(
            "The new password must have at least {MIN_CHARACTERS} characters."
        ));
    }
    if password.len() > MAX_BYTES {
        return weak(format!("The new password may have at most {MAX_BYTES} bytes."));
    }
    let different: std::collections::BTreeSet<char> = password.chars().collect();
    if different.len() < MIN_DIFFERENT {
        return weak(format!(
            "The new password must have at least {MIN_DIFFERENT} different characters."
        ));
    }
    if password.to_lowercase() == account.to_lowercase() {
        return weak("The new password must not be the user name.".to_owned());
    }
    Ok(())
}

/// A password for a new or reset account: 100 random bits.
pub(crate) fn generate(state: &Shared) -> Zeroizing<String> {
    random_text::signs::<20>(state)
}
