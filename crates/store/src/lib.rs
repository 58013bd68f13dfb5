//! Where the server keeps things: devices, escrowed keys, policy, accounts, audit.
//!
//! [`Store`] is what a server needs of a store, split into one small trait for each subject ([`traits`]). Every change
//! carries the audit events that record it, and both become durable in one transaction; the answer comes after the
//! commit (promises P3 and P4). [`SqliteStore`] is the embedded implementation.
//!
//! Recovery data is never deleted (P6) and holds only what was sealed elsewhere (P7): this crate has no key that opens it.

mod error;
pub mod model;
mod sqlite;
pub mod traits;

pub use error::{Refusal, StoreError, What};
pub use sqlite::{OfflineAudit, OfflineFleet, SqliteOptions, SqliteStore, WriterStats};
pub use traits::{
    Accounts, ApiTokens, AuditLog, Dashboard, Devices, Keys, Maintenance, Policies, Requests, Sessions, Settings,
    Store, Targeting, Tokens,
};

/// Result of every operation here.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
