//! API tokens: what programs call the API with.

use domain::access::Grant;
use domain::time::Timestamp;

use super::account::SecretHash;

/// Names an API token without revealing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiTokenId(pub i64);

/// A token to be stored: only its hash is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiToken {
    /// Hash of the token.
    pub hash: SecretHash,
    /// What it is for, in the administrator's words.
    pub note: String,
    /// Role and scope.
    pub grant: Grant,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom: as in the audit.
    pub created_by: String,
    /// From then on it is refused.
    pub expires_at: Timestamp,
}

/// A stored token. Never deleted, for the audit names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id.
    pub id: ApiTokenId,
    /// What it is for.
    pub note: String,
    /// Role and scope.
    pub grant: Grant,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// From then on it is refused.
    pub expires_at: Timestamp,
    /// Last request with it; may lag by the time for which last uses are gathered.
    pub last_used: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}
