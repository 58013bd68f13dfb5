//! People's accounts and their sessions.

use std::fmt;
use std::time::Duration;

use domain::access::Grant;
use domain::time::Timestamp;
use sha2::{Digest, Sha256};

use crate::{Result, StoreError};

/// Under which name an account is found: neither case nor surrounding space matters.
#[must_use]
pub fn account_key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Whether two spellings name the same account.
#[must_use]
pub fn same_account(one: &str, other: &str) -> bool {
    account_key(one) == account_key(other)
}

/// SHA-256 of a random secret (enrolment token, session token). The secret itself has no way into the store.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub(crate) [u8; 32]);

impl SecretHash {
    /// Hashes a secret. It must be random with 128 bits or more: a plain hash does not protect a guessable one.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// The hash.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash([redacted])")
    }
}

/// A password's Argon2 hash in PHC form (`$argon2id$…`).
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes a PHC string.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when it is not an Argon2 hash, so that a plain password cannot slip in.
    pub fn new(phc: String) -> Result<Self> {
        if phc.starts_with("$argon2") && phc.matches('$').count() >= 4 {
            Ok(Self(phc))
        } else {
            Err(StoreError::Invalid {
                field: "password_hash",
                allowed: "must be an Argon2 hash in PHC form",
            })
        }
    }

    /// The PHC string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([redacted])")
    }
}

/// An account to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// Name to sign in with; unique whatever the case.
    pub name: String,
    /// Hash of the password.
    pub password: PasswordHash,
    /// Role and scope.
    pub grant: Grant,
    /// The password must be changed at the next sign-in.
    pub must_change_password: bool,
    /// When.
    pub at: Timestamp,
}

/// A local account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Name as it was made.
    pub name: String,
    /// Hash of the password.
    pub password: PasswordHash,
    /// Role and scope.
    pub grant: Grant,
    /// The password must be changed at the next sign-in.
    pub must_change_password: bool,
    /// May not sign in.
    pub disabled: bool,
    /// Failed sign-ins since the last good one.
    pub failed_count: u32,
    /// May not sign in before this moment.
    pub locked_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Last good sign-in.
    pub last_sign_in: Option<Timestamp>,
}

/// Changes of an account; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// New password. Ends all sessions of the account but `keep_session`.
    pub password: Option<PasswordHash>,
    /// Session that survives a new password: the one in which it was changed.
    pub keep_session: Option<SecretHash>,
    /// New role and scope. Ends all sessions of the account, when they differ.
    pub grant: Option<Grant>,
    /// Whether the password must be changed at the next sign-in.
    pub must_change_password: Option<bool>,
    /// Whether it may not sign in. Disabling ends all sessions of the account.
    pub disabled: Option<bool>,
    /// Forget failed sign-ins and the lock.
    pub unlock: bool,
}

/// When failed sign-ins lock an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockRule {
    /// From this many failures on.
    pub failures: u32,
    /// For how long, from each failure.
    pub lasts: Duration,
}

/// A session to be stored: only the token's hash is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Hash of its token.
    pub hash: SecretHash,
    /// Whose.
    pub account: String,
    /// When it began.
    pub created_at: Timestamp,
    /// From then on it is refused, whatever happens.
    pub expires_at: Timestamp,
    /// Browser, in short.
    pub user_agent: String,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Hash of its token.
    pub hash: SecretHash,
    /// Whose: always an account that is not disabled.
    pub account: Account,
    /// When it began.
    pub created_at: Timestamp,
    /// Last request; may lag by the time for which last uses are gathered.
    pub last_used: Timestamp,
    /// From then on it is refused.
    pub expires_at: Timestamp,
    /// Browser, in short.
    pub user_agent: String,
}
