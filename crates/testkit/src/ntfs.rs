//! NTFS images as a user sees them: mounted by ntfs-3g.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// A mounted volume; unmounted when dropped.
#[derive(Debug)]
pub struct Mounted {
    directory: tempfile::TempDir,
}

impl Mounted {
    /// Mounts an image of plain NTFS.
    ///
    /// # Errors
    /// When it is not NTFS, is not clean, or FUSE is missing.
    pub fn new(image: &Path, writable: bool) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let output = Command::new("ntfs-3g")
            .args(["-o", if writable { "rw" } else { "ro" }])
            .arg(image)
            .arg(directory.path())
            .stdin(Stdio::null())
            .output()
            .context("starting ntfs-3g")?;
        if !output.status.success() {
            bail!(
                "ntfs-3g does not mount {}: {}",
                image.display(),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(Self { directory })
    }

    /// Where.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Unmounts and says whether that worked; data is on the image then.
    ///
    /// # Errors
    /// When somebody still uses it.
    pub fn unmount(self) -> Result<()> {
        unmount(self.path())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Already unmounted after `unmount`; otherwise nobody is left to tell.
        let _ = unmount(self.directory.path());
    }
}

/// A program that another thread is starting holds our open files for a moment: then it is tried again.
const ATTEMPTS: u32 = 200;

fn unmount(path: &Path) -> Result<()> {
    let mut said = String::new();
    for _ in 0..ATTEMPTS {
        let output = Command::new("umount").arg(path).output().context("starting umount")?;
        if output.status.success() {
            return Ok(());
        }
        said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !said.contains("busy") {
            break;
        }
    }
    bail!("umount: {said}");
}

/// SHA-256 of every file by its path; without Windows' own `System Volume Information`.
pub type Snapshot = BTreeMap<PathBuf, [u8; 32]>;

/// Hashes all files of a plain NTFS image.
///
/// # Errors
/// When it does not mount or a file cannot be read.
pub fn snapshot(image: &Path) -> Result<Snapshot> {
    let mounted = Mounted::new(image, false)?;
    let mut found = Snapshot::new();
    walk(mounted.path(), mounted.path(), &mut found)?;
    mounted.unmount()?;
    Ok(found)
}

fn walk(root: &Path, directory: &Path, found: &mut Snapshot) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name() == "System Volume Information" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            walk(root, &path, found)?;
        } else {
            found.insert(path.strip_prefix(root)?.to_owned(), sha256_file(&path)?);
        }
    }
    Ok(())
}

/// SHA-256 of a file.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_file(path: &Path) -> Result<[u8; 32]> {
    let mut file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(&buffer[..read]);
    }
}
