//! The schema's versions: numbered SQL files, each applied once, in its own transaction. `user_version` is the number of
//! the last one applied.

use rusqlite::{Connection, TransactionBehavior};

use crate::{Result, StoreError};

const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_start.sql"),
    include_str!("migrations/0002_drive_counts.sql"),
    include_str!("migrations/0003_audit_head.sql"),
];

/// Newest schema version that this program knows.
pub(super) const KNOWN: u32 = MIGRATIONS.len() as u32;

/// Brings the schema up to [`KNOWN`].
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    while check_version(connection)? < KNOWN {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Looked up again: another process may have been faster.
        let version = check_version(&transaction)?;
        if let Some(sql) = MIGRATIONS.get(version as usize) {
            transaction.execute_batch(sql)?;
            transaction.pragma_update(None, "user_version", version + 1)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// The file's schema version.
///
/// # Errors
/// [`StoreError::SchemaTooNew`].
pub(super) fn check_version(connection: &Connection) -> Result<u32> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > KNOWN {
        return Err(StoreError::SchemaTooNew { found, known: KNOWN });
    }
    Ok(found)
}
