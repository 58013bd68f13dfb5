//! What a server needs of a store.
//!
//! Changes take `Vec<AuditEvent>`: they are appended to the chain in the same transaction as the change, and only when
//! something was changed. When an operation fails, neither the change nor the events are kept; to record a refusal, use
//! [`AuditLog::append_audit`]. Reads never wait for writes and see everything that was acknowledged before they began.
//!
//! Every operation can fail with [`StoreError::Full`](crate::StoreError::Full), [`Io`](crate::StoreError::Io),
//! [`Busy`](crate::StoreError::Busy), [`Damaged`](crate::StoreError::Damaged) or [`Closed`](crate::StoreError::Closed);
//! "Errors" below names what it can answer besides.

mod accounts;
mod audit;
mod devices;
mod keys;
mod policies;
mod settings;
mod targeting;

pub use accounts::{Accounts, ApiTokens, Sessions, Tokens};
pub use audit::{AuditLog, Dashboard};
pub use devices::{Devices, Requests};
pub use keys::Keys;
pub use policies::Policies;
pub use settings::{Maintenance, Settings};
pub use targeting::Targeting;

/// Everything that a server needs of a store; use it as `Arc<dyn Store>`.
pub trait Store:
    Devices
    + Keys
    + Requests
    + Policies
    + Targeting
    + Tokens
    + Accounts
    + ApiTokens
    + Sessions
    + AuditLog
    + Dashboard
    + Settings
    + Maintenance
    + Send
    + Sync
{
}

impl<T> Store for T where
    T: Devices
        + Keys
        + Requests
        + Policies
        + Targeting
        + Tokens
        + Accounts
        + ApiTokens
        + Sessions
        + AuditLog
        + Dashboard
        + Settings
        + Maintenance
        + Send
        + Sync
{
}
