//! Care of the store: flushing what was gathered, and copies while work goes on.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use rusqlite::Connection;

use super::{SqliteStore, file};
use crate::traits::Maintenance;
use crate::{Result, StoreError, What};

#[async_trait]
impl Maintenance for SqliteStore {
    async fn flush(&self) -> Result<()> {
        self.write(|_| Ok(())).await
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        let from = self.shared.path.clone();
        let to = to.to_owned();
        tokio::task::spawn_blocking(move || copy(&from, &to))
            .await
            .map_err(|_| StoreError::Internal("a backup ended by a defect".into()))?
    }
}

/// The copy gets its name only when it is complete and on the disk.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.try_exists()? {
        return Err(StoreError::Exists(What::File));
    }
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    file::make_private(&partial)?;
    // A connection that cannot write could not write the copy either.
    let source = super::open_to_write(from)?;
    let written = vacuum_into(&source, &partial)
        .and_then(|()| file::sync(&partial))
        .and_then(|()| Ok(std::fs::hard_link(&partial, to)?));
    let removed = std::fs::remove_file(&partial);
    match written {
        Err(StoreError::Io(_)) if to.try_exists()? => return Err(StoreError::Exists(What::File)),
        other => other?,
    }
    removed?;
    file::sync_folder_of(to)
}

/// Copies one snapshot; writers go on meanwhile.
fn vacuum_into(source: &Connection, to: &Path) -> Result<()> {
    let to = to.to_str().ok_or(StoreError::Invalid {
        field: "to",
        allowed: "the path must be valid UTF-8",
    })?;
    source.execute("VACUUM INTO ?1", [to])?;
    Ok(())
}
