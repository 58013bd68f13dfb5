//! The audit of a database that no server has open, or of a backup: for verifying it on another machine.

use std::path::Path;

use domain::audit::{AuditEntry, ChainHead, Checkpoint};
use rusqlite::Connection;

use super::{audit, migrate, readers};
use crate::{Result, StoreError};

/// A database opened for reading its audit; nothing is changed, not even the schema's version.
#[derive(Debug)]
pub struct OfflineAudit {
    connection: Connection,
}

impl OfflineAudit {
    /// Opens a database file.
    ///
    /// # Errors
    /// [`StoreError::SchemaTooNew`]; [`StoreError::Damaged`] when it is not a database of ours.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        let connection = readers::open_to_read(path)?;
        if migrate::check_version(&connection)? == 0 {
            return Err(StoreError::Damaged("it holds no schema of this program".into()));
        }
        Ok(Self { connection })
    }

    /// Up to `limit` entries in order of their sequence, beginning with `from`.
    ///
    /// # Errors
    /// Those of reading.
    pub fn entries(&self, from: u64, limit: u32) -> Result<Vec<AuditEntry>> {
        audit::entries(&self.connection, from, limit)
    }

    /// The end of the chain.
    ///
    /// # Errors
    /// Those of reading.
    pub fn head(&self) -> Result<ChainHead> {
        audit::head(&self.connection)
    }

    /// All checkpoints by sequence.
    ///
    /// # Errors
    /// Those of reading.
    pub fn checkpoints(&self) -> Result<Vec<Checkpoint>> {
        audit::checkpoints(&self.connection)
    }
}
