//! Enrolment tokens, accounts, sessions.

use async_trait::async_trait;
use domain::audit::AuditEvent;
use domain::time::Timestamp;

use crate::Result;
use crate::model::{
    Account, AccountChange, ApiToken, ApiTokenId, LockRule, NewAccount, NewApiToken, NewSession, NewToken, SecretHash,
    Session, Token, TokenId,
};

/// Enrolment tokens.
#[async_trait]
pub trait Tokens {
    /// Stores a token's hash.
    ///
    /// # Errors
    /// `Exists` when the same token is there.
    async fn add_token(&self, token: NewToken, audit: Vec<AuditEvent>) -> Result<TokenId>;

    /// All tokens, newest first.
    async fn tokens(&self) -> Result<Vec<Token>>;

    /// Revokes a token; one that is revoked stays as it is.
    ///
    /// # Errors
    /// `NotFound`.
    async fn revoke_token(&self, id: TokenId, at: Timestamp, audit: Vec<AuditEvent>) -> Result<()>;
}

/// API tokens. Only the hash of each is kept.
#[async_trait]
pub trait ApiTokens {
    /// Stores a token's hash.
    ///
    /// # Errors
    /// `Exists` when the same token is there.
    async fn add_api_token(&self, token: NewApiToken, audit: Vec<AuditEvent>) -> Result<ApiTokenId>;

    /// All tokens, newest first; those that ended too.
    async fn api_tokens(&self) -> Result<Vec<ApiToken>>;

    /// The token of a hash; none when it is unknown, revoked, or has expired.
    async fn api_token(&self, hash: SecretHash, now: Timestamp) -> Result<Option<ApiToken>>;

    /// Notes that a token was used; gathered like [`Devices::seen`](super::Devices::seen).
    fn api_token_used(&self, hash: SecretHash, at: Timestamp);

    /// Revokes a token; one that is revoked stays as it is.
    ///
    /// # Errors
    /// `NotFound`.
    async fn revoke_api_token(&self, id: ApiTokenId, at: Timestamp, audit: Vec<AuditEvent>) -> Result<()>;
}

/// Local accounts. Names are compared without regard to case.
#[async_trait]
pub trait Accounts {
    /// Makes an account.
    ///
    /// # Errors
    /// `Exists`; `Invalid` for an empty name.
    async fn add_account(&self, account: NewAccount, audit: Vec<AuditEvent>) -> Result<()>;

    /// Makes the account only if there is no account at all (the first administrator). False: there are some.
    async fn add_first_account(&self, account: NewAccount, audit: Vec<AuditEvent>) -> Result<bool>;

    /// An account.
    async fn account(&self, name: &str) -> Result<Option<Account>>;

    /// All accounts by name.
    async fn accounts(&self) -> Result<Vec<Account>>;

    /// Changes an account.
    ///
    /// # Errors
    /// `NotFound`; `Refused` when no administrator for everything who can sign in would be left.
    async fn change_account(&self, name: &str, change: AccountChange, audit: Vec<AuditEvent>) -> Result<Account>;

    /// Counts a failed sign-in, and locks the account by the rule.
    ///
    /// # Errors
    /// `NotFound`.
    async fn sign_in_failed(
        &self,
        name: &str,
        at: Timestamp,
        rule: LockRule,
        audit: Vec<AuditEvent>,
    ) -> Result<Account>;

    /// Stores the session of a good sign-in and forgets the failed ones.
    ///
    /// # Errors
    /// `NotFound` when the account is missing or disabled.
    async fn sign_in(&self, session: NewSession, audit: Vec<AuditEvent>) -> Result<Session>;
}

/// Sessions of signed-in people.
#[async_trait]
pub trait Sessions {
    /// The session of a token; none when it is unknown or has expired, or its account is disabled. Idle time is the
    /// caller's to judge by `last_used`.
    async fn session(&self, hash: SecretHash, now: Timestamp) -> Result<Option<Session>>;

    /// Notes that a session was used; gathered like [`Devices::seen`](super::Devices::seen).
    fn session_used(&self, hash: SecretHash, at: Timestamp);

    /// Ends a session (signing out). One that is not there is ended already.
    async fn end_session(&self, hash: SecretHash, audit: Vec<AuditEvent>) -> Result<()>;

    /// Sessions of an account that have not expired, newest first.
    async fn sessions_of(&self, account: &str, now: Timestamp) -> Result<Vec<Session>>;

    /// Removes sessions that have expired, or were last used before `idle_since`. Returns how many.
    async fn remove_stale_sessions(&self, now: Timestamp, idle_since: Timestamp) -> Result<u64>;
}
