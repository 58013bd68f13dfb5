//! A few connections for reading. Each read sees one moment and never waits for the writer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use crate::{Result, StoreError};

pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, most: usize) -> Self {
        Self {
            path,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(most.max(1))),
        }
    }

    /// Reads within one snapshot, on a thread that may block.
    pub(super) async fn read<T, F>(self: &Arc<Self>, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let readers = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let connection = readers.idle_or_new()?;
            let result = in_snapshot(&connection, work);
            if connection.is_autocommit() {
                readers.lock().push(connection);
            }
            result
        })
        .await
        .map_err(|_| StoreError::Internal("a read ended by a defect".into()))?
    }

    fn idle_or_new(&self) -> Result<Connection> {
        if let Some(connection) = self.lock().pop() {
            return Ok(connection);
        }
        open_to_read(&self.path)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a connection that cannot write.
pub(super) fn open_to_read(path: &std::path::Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(128);
    connection.busy_timeout(super::BUSY)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn in_snapshot<T>(connection: &Connection, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let transaction = connection.unchecked_transaction()?;
    let result = work(&transaction);
    transaction.finish()?;
    result
}
