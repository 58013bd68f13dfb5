//! The embedded store: one SQLite file in WAL mode, synced at each commit.

mod accounts;
mod api_tokens;
mod audit;
mod backup;
mod device_list;
mod devices;
mod error;
mod exemptions;
mod file;
mod fleet;
mod gathered;
mod inventory;
mod items;
mod key_records;
mod keys;
mod marks;
mod migrate;
mod offline;
mod policies;
mod readers;
mod requests;
mod resolved;
mod sessions;
mod settings;
mod summary;
mod targeting;
mod tokens;
mod values;
mod within;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

pub use self::fleet::OfflineFleet;
use self::gathered::Gathered;
pub use self::offline::OfflineAudit;
use self::readers::Readers;
pub use self::writer::WriterStats;
use self::writer::{Tx, Writer};
use crate::Result;

/// How long another process may hold the database before we give up.
const BUSY: Duration = Duration::from_secs(10);

/// How a database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Most reads at the same time.
    pub readers: usize,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { readers: 4 }
    }
}

/// The embedded store. Cheap to clone; the last clone that is dropped carries out what is queued and closes the file.
#[derive(Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    // Dropped first: the writer's last transaction may still want what was gathered.
    writer: Writer,
    readers: Arc<Readers>,
    gathered: Arc<Gathered>,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.shared.path).finish()
    }
}

impl SqliteStore {
    /// Opens a database, makes it when it is missing (mode 0600), and brings its schema up to date. Blocks while it
    /// does so.
    ///
    /// # Errors
    /// [`SchemaTooNew`](crate::StoreError::SchemaTooNew), [`Damaged`](crate::StoreError::Damaged), and the storage's own.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, SqliteOptions::default())
    }

    /// Opens a database with options.
    ///
    /// # Errors
    /// Those of [`SqliteStore::open`].
    pub fn open_with(path: &Path, options: SqliteOptions) -> Result<Self> {
        file::make_private(path)?;
        let mut connection = open_to_write(path)?;
        migrate::migrate(&mut connection)?;
        // After a kill between a commit's write and its sync, the log may hold rows that are not on the disk yet. An
        // escrow sent again would find such a row and be acknowledged, so the log is synced before the first answer.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        file::sync_folder_of(path)?;

        let gathered = Arc::new(Gathered::default());
        Ok(Self {
            shared: Arc::new(Shared {
                path: path.to_owned(),
                writer: Writer::start(connection, Arc::clone(&gathered))?,
                readers: Arc::new(Readers::new(path.to_owned(), options.readers)),
                gathered,
            }),
        })
    }

    /// How much the writer did since the store was opened.
    #[must_use]
    pub fn writer_stats(&self) -> WriterStats {
        self.shared.writer.stats()
    }

    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.shared.writer.write(work).await
    }

    async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.shared.readers.read(work).await
    }
}

fn open_to_write(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(128);
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "recursive_triggers", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    Ok(connection)
}
