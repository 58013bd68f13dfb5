//! The audit chain and the dashboard's counts.

use async_trait::async_trait;
use domain::audit::{AuditEntry, AuditEvent, ChainHead, Checkpoint};

use crate::Result;
use crate::model::{AuditQuery, Page, Summary, Within};

/// The audit chain. Entries are never changed and never removed.
#[async_trait]
pub trait AuditLog {
    /// Appends events that record no change of the store (a refused sign-in). Returns the end of the chain.
    async fn append_audit(&self, events: Vec<AuditEvent>) -> Result<ChainHead>;

    /// The end of the chain.
    async fn audit_head(&self) -> Result<ChainHead>;

    /// Up to `limit` entries in order of their sequence, beginning with `from`; for verifying and exporting.
    async fn audit_entries(&self, from: u64, limit: u32) -> Result<Vec<AuditEntry>>;

    /// Entries by condition.
    async fn search_audit(&self, query: AuditQuery) -> Result<Page<AuditEntry>>;

    /// Stores a checkpoint.
    ///
    /// # Errors
    /// `Invalid` when the chain has no such entry with that hash.
    async fn add_checkpoint(&self, checkpoint: Checkpoint) -> Result<()>;

    /// All checkpoints by sequence.
    async fn checkpoints(&self) -> Result<Vec<Checkpoint>>;

    /// The last signed entry; 0 when nothing was signed yet.
    async fn signed_up_to(&self) -> Result<u64>;
}

/// Counts for the dashboard.
#[async_trait]
pub trait Dashboard {
    /// All counts of these devices, from one moment. Those of everything are kept; those of a part are counted, in a time
    /// that grows with the part.
    async fn summary(&self, within: &Within) -> Result<Summary>;
}
