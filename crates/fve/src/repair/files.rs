//! Which files of the inner NTFS the unreadable parts belong to.

use std::ops::Range;

use crate::Error;
use crate::io::ReadAt;

/// A file that lost something.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AffectedFile {
    /// Its path, with backslashes, from the root.
    pub path: String,
    /// The lost bytes, counted from the volume's start.
    pub lost: Vec<Range<u64>>,
}

/// Names the files of an NTFS that lie in `bad`. Records that cannot be read are passed over.
///
/// # Errors
/// [`Error::Ntfs`] when there is no NTFS.
pub fn affected_files(volume: &dyn ReadAt, bad: &[Range<u64>]) -> Result<Vec<AffectedFile>, Error> {
    Ok(crate::ntfs::files_in(volume, bad)?
        .into_iter()
        .map(|(path, lost)| AffectedFile { path, lost })
        .collect())
}
