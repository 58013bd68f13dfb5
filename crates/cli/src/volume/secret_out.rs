//! Secrets that a command makes: written to new files that only their owner reads, and durable before anything relies
//! on them.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::terminal::say;

/// A place for a secret, made sure of before anything is changed.
pub(super) enum Place {
    /// Standard output, as it was asked for by `-`.
    Stdout,
    /// A file that does not exist yet. Its content grows under another name beside it.
    File { path: PathBuf, file: NamedTempFile },
    /// A plan only.
    Nowhere(PathBuf),
}

impl Place {
    /// Makes sure that a file can be made; `-` is standard output.
    ///
    /// # Errors
    /// When it exists already, or its folder takes no files.
    pub(super) fn reserve(path: &Path, plan: bool) -> Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(if plan { Self::Nowhere(path.into()) } else { Self::Stdout });
        }
        if path.symlink_metadata().is_ok() {
            bail!("{} exists already; nothing was changed", path.display());
        }
        let Some(name) = path.file_name() else {
            bail!("{} names no file", path.display());
        };
        if !folder(path).is_dir() {
            bail!(
                "creating {}: there is no folder {}",
                path.display(),
                folder(path).display()
            );
        }
        if plan {
            return Ok(Self::Nowhere(path.into()));
        }
        let mut prefix = OsString::from(".");
        prefix.push(name);
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(".part")
            .tempfile_in(folder(path))
            .with_context(|| format!("creating {}", path.display()))?;
        Ok(Self::File {
            path: path.into(),
            file,
        })
    }

    /// Makes sure that a folder takes a file, whose name [`named`](Self::named) gives later.
    ///
    /// # Errors
    /// When it is no folder that takes files.
    pub(super) fn reserve_in(folder: &Path, plan: bool) -> Result<Self> {
        if !folder.is_dir() {
            bail!("{} is not a folder", folder.display());
        }
        Self::reserve(&folder.join("GUID.BEK"), plan)
    }

    /// The same place under another name.
    pub(super) fn named(self, name: &str) -> Self {
        match self {
            Self::File { path, file } => Self::File {
                path: path.with_file_name(name),
                file,
            },
            Self::Nowhere(_) | Self::Stdout => self,
        }
    }

    /// Tells the file that would be made.
    pub(super) fn tell(&self) {
        if let Self::Nowhere(path) | Self::File { path, .. } = self {
            say(&format!("would create {} (mode 0600)", path.display()));
        }
    }

    /// Writes bytes that are no text, to a file only.
    ///
    /// # Errors
    /// As [`write`](Self::write), and for standard output.
    pub(super) fn write_bytes(self, bytes: &[u8]) -> Result<()> {
        if matches!(self, Self::Stdout) {
            bail!("this goes to a file, not to standard output");
        }
        self.write(bytes)
    }

    /// Writes the secret; once this returns it is durable. A file has mode 0600 and replaces nothing.
    ///
    /// # Errors
    /// When it cannot be written, or the file has appeared meanwhile.
    pub(super) fn write(self, secret: &[u8]) -> Result<()> {
        match self {
            Self::Nowhere(_) => {
                self.tell();
                Ok(())
            }
            Self::Stdout => {
                let text = Zeroizing::new(String::from_utf8_lossy(secret).into_owned());
                say(text.trim_end());
                Ok(())
            }
            Self::File { path, mut file } => {
                let writing = || format!("writing {}", path.display());
                file.write_all(secret).with_context(writing)?;
                file.as_file().sync_all().with_context(writing)?;
                file.persist_noclobber(&path)
                    .map_err(|failed| failed.error)
                    .with_context(|| format!("creating {}", path.display()))?;
                let folder = File::open(folder(&path)).with_context(writing)?;
                folder.sync_all().with_context(writing)
            }
        }
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
