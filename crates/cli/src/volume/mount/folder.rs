//! The folder that a volume is mounted at.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount as system_unmount};

/// Says beforehand what would not work.
pub(super) fn check(folder: &Path) -> Result<()> {
    // Looking into it asks the file system there; what is known of the folder itself may be remembered.
    match fs::read_dir(folder) {
        Err(error) if error.raw_os_error() == Some(Errno::NOTCONN.raw_os_error()) => bail!(
            "{0} is what an earlier mount left that was killed: umount {0} first",
            folder.display()
        ),
        Err(error) if error.kind() == ErrorKind::NotADirectory => bail!("{} is not a folder", folder.display()),
        other => other
            .map(drop)
            .with_context(|| format!("looking at {}", folder.display())),
    }
}

/// Lets the kernel ask for more than 128 KiB ahead, which only root can; without it reading is slower, that is all.
pub(super) fn read_ahead(folder: &Path) {
    const KIB: &str = "4096";
    let Ok(metadata) = folder.metadata() else {
        return;
    };
    let (major, minor) = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    let _ = fs::write(format!("/sys/class/bdi/{major}:{minor}/read_ahead_kb"), KIB);
}

/// Unmounts it, unless something uses it.
pub(super) fn unmount(folder: &Path) -> Result<()> {
    match system_unmount(folder, UnmountFlags::NOFOLLOW) {
        // Users other than root go through the set-uid helper.
        Err(Errno::PERM) => helper(folder),
        // Somebody was quicker.
        Err(Errno::INVAL) => Ok(()),
        result => Ok(result?),
    }
}

fn helper(folder: &Path) -> Result<()> {
    let output = Command::new("fusermount3")
        .args(["-u", "--"])
        .arg(folder)
        .stdin(Stdio::null())
        .output()
        .context("starting fusermount3")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
