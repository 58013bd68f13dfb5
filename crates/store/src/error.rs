//! Why an operation failed. Nothing was changed whenever one of these comes back.

use std::fmt;

/// The errors of a store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no such thing.
    #[error("{0} not found")]
    NotFound(What),
    /// It is there already.
    #[error("{0} exists already")]
    Exists(What),
    /// Another version came in between.
    #[error("{0} was changed by somebody else in between")]
    Outdated(What),
    /// It does not fit with what is there; says why.
    #[error("{0}")]
    Rejected(String),
    /// A rule of the store says no.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// A value is not acceptable; says which and what is allowed.
    #[error("{field}: {allowed}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is allowed.
        allowed: &'static str,
    },
    /// No space left on the storage device.
    #[error("no space left for the database")]
    Full,
    /// The storage device failed to read or write.
    #[error("the database's storage failed: {0}")]
    Io(String),
    /// Another process holds the database for longer than is reasonable.
    #[error("the database is held by another process")]
    Busy,
    /// The database was written by a newer program.
    #[error(
        "the database has schema version {found}, and this program knows versions up to {known}: use a newer program"
    )]
    SchemaTooNew {
        /// Version of the file.
        found: u32,
        /// Newest version that this program knows.
        known: u32,
    },
    /// The file is not a database of ours, or is damaged.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A defect: a statement or a stored value is not as this program expects.
    #[error("internal error of the store: {0}")]
    Internal(String),
}

/// What was looked for or was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A device.
    Device,
    /// An escrowed key.
    Key,
    /// A request to a device.
    Request,
    /// An enrolment token.
    Token,
    /// An account.
    Account,
    /// A session.
    Session,
    /// A setting.
    Setting,
    /// A policy document.
    Document,
    /// A collection.
    Collection,
    /// A deployment.
    Deployment,
    /// An exemption.
    Exemption,
    /// A file.
    File,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "device",
            Self::Key => "key",
            Self::Request => "request",
            Self::Token => "enrolment token",
            Self::Account => "account",
            Self::Session => "session",
            Self::Setting => "setting",
            Self::Document => "policy",
            Self::Collection => "collection",
            Self::Deployment => "deployment",
            Self::Exemption => "exemption",
            Self::File => "file",
        })
    }
}

/// Rules that a store enforces because they must hold within the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The enrolment token is not known.
    #[error("the enrolment token is not known")]
    TokenUnknown,
    /// The enrolment token was revoked.
    #[error("the enrolment token was revoked")]
    TokenRevoked,
    /// The enrolment token has expired.
    #[error("the enrolment token has expired")]
    TokenExpired,
    /// The enrolment token has no uses left.
    #[error("the enrolment token has no uses left")]
    TokenUsedUp,
    /// The change would leave no administrator who can sign in.
    #[error("no administrator would be left who can sign in")]
    LastAdministrator,
    /// The device is retired and may not write.
    #[error("the device is retired")]
    DeviceRetired,
}
