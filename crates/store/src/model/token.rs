//! Enrolment tokens.

use domain::time::Timestamp;

use super::account::SecretHash;

/// Names a token without revealing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub i64);

/// A token to be stored: only its hash is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// Hash of the token.
    pub hash: SecretHash,
    /// What it is for, in the administrator's words.
    pub note: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom: as in the audit.
    pub created_by: String,
    /// From then on it is refused.
    pub expires_at: Option<Timestamp>,
    /// How many devices may enrol with it; none: any number.
    pub uses: Option<u32>,
}

/// A stored token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub note: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// From then on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Uses left; none: any number.
    pub uses_left: Option<u32>,
    /// How many devices enrolled with it.
    pub used: u32,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}
