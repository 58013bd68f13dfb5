//! What lies beside an unfinished output and says whose beginning it is.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use fve::VolumeInfo;
use serde::{Deserialize, Serialize};

/// The export that an unfinished output belongs to: the same volume in the same state, read from the same source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Binding {
    volume: String,
    /// Grows with every change of the metadata.
    changes: u64,
    source_size: u64,
    /// When the source was last written, where the system knows it: nanoseconds since 1970.
    source_modified: Option<u128>,
    /// Bytes of the output.
    size: u64,
}

impl Binding {
    pub(super) fn new(info: &VolumeInfo, source_size: u64, modified: Option<SystemTime>) -> Self {
        let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self {
            volume: info.volume.to_string(),
            changes: info.next_nonce.into(),
            source_size,
            source_modified: modified.map(|since| since.as_nanos()),
            size: source_size - source_size % u64::from(info.sector_size),
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

/// The note.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) of: Binding,
    /// Everything before this byte was handed to the system.
    pub(super) written: u64,
    /// Everything before this byte was on the disk.
    pub(super) durable: u64,
    /// The run of the system in which this holds: after another start, what was only handed over may be lost.
    pub(super) boot: Option<String>,
}

impl Note {
    /// The note at `path`, if it is one.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let note: Self = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (note.durable <= note.written && note.written <= note.of.size).then_some(note)
    }

    /// Replaces the note at `path`. It is small: it is there whole or not at all.
    pub(super) fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        let new = path.with_extension("note-new");
        fs::write(&new, text)?;
        fs::rename(new, path)
    }

    /// What can be relied upon without looking.
    pub(super) fn trusted(&self) -> u64 {
        match boot() {
            Some(boot) if self.boot.as_ref() == Some(&boot) => self.written,
            _ => self.durable,
        }
    }
}

/// Which run of the system this is.
pub(super) fn boot() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}
