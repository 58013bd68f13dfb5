//! The database's files: only their owner may read them.

use std::fs::{File, OpenOptions};
use std::path::Path;

use crate::Result;

/// Makes the file when it is missing, and takes it from all but its owner. SQLite gives its log the same mode.
pub(super) fn make_private(path: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.sync_all()?;
    Ok(())
}

/// Makes a file's name durable.
pub(super) fn sync_folder_of(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Makes a file's contents durable.
pub(super) fn sync(path: &Path) -> Result<()> {
    Ok(File::open(path)?.sync_all()?)
}
