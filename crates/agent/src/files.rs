//! Files of the state directory: private, and replaced as a whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::AgentError;

/// Only the owner may read: identity.
pub(crate) const PRIVATE: u32 = 0o600;
/// Everybody who may enter the directory may read: status.
pub(crate) const PUBLIC: u32 = 0o644;

/// Makes the state directory (0700) when it is missing, and takes the lock that keeps a second agent out of it.
/// The lock goes when the file is dropped or the process ends in whatever way.
pub(crate) fn lock_state_dir(dir: &Path) -> Result<File, AgentError> {
    let state_error = |path: &Path, source| AgentError::State {
        path: path.to_owned(),
        source,
    };
    make_dir(dir).map_err(|e| state_error(dir, e))?;
    let path = dir.join("agent.lock");
    let file = open_new_or_old(&path).map_err(|e| state_error(&path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(AgentError::AlreadyRunning(dir.to_owned())),
        Err(fs::TryLockError::Error(e)) => Err(state_error(&path, e)),
    }
}

/// Writes a file so that after any crash either the old or the new content is there.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let temporary = temporary_name(path);
    match fs::remove_file(&temporary) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = create_with_mode(&temporary, mode)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

#[cfg(unix)]
fn make_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn make_dir(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

#[cfg(unix)]
fn create_with_mode(path: &Path, mode: u32) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

#[cfg(not(unix))]
fn create_with_mode(path: &Path, _mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

fn open_new_or_old(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}
