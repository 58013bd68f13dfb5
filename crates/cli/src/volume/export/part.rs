//! An output on its way: `FILE.part` with a note beside it, until it is whole and gets its name.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use fve::io::ReadAt;
use zeroize::Zeroizing;

use super::note::{Binding, Note, boot};

/// How much is written between two notes.
const NOTE_EVERY: u64 = 64 << 20;
/// How much is written before the disk is made to hold it: what a power cut costs at most.
const SYNC_EVERY: u64 = 16 << 30;
/// What is compared at each place before an old beginning is trusted.
const SAMPLE: usize = 64 << 10;
const SAMPLES: u64 = 64;

/// The output on its way. Nobody else writes it meanwhile.
pub(super) struct Part {
    output: PathBuf,
    path: PathBuf,
    note_path: PathBuf,
    file: Arc<File>,
    note: Note,
    /// What an earlier run wrote and can be relied upon, and what it wrote besides.
    trusted: u64,
    unsure: u64,
}

impl Part {
    /// Begins, or takes up what an earlier run of the same export left.
    ///
    /// # Errors
    /// When it cannot be made, or what is there is another's.
    pub(super) fn open(output: &Path, binding: &Binding) -> Result<Self> {
        let creating = || format!("creating {}", output.display());
        let Some(name) = output.file_name() else {
            bail!("{} names no file", output.display());
        };
        let beside = |suffix: &str| {
            let mut name = OsString::from(name);
            name.push(suffix);
            output.with_file_name(name)
        };
        let (path, note_path) = (beside(".part"), beside(".part.note"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600).custom_flags(NO_FOLLOW);
        let (file, new) = match options.clone().create_new(true).open(&path) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => (
                options
                    .open(&path)
                    .with_context(|| format!("opening {}", path.display()))?,
                false,
            ),
            Err(error) => return Err(error).with_context(creating),
        };
        if file.try_lock().is_err() || !is_at(&file, &path) {
            bail!("{} is being written by another program", path.display());
        }
        let mut part = Self {
            output: output.to_owned(),
            path,
            note_path,
            file: Arc::new(file),
            note: Note {
                of: binding.clone(),
                written: 0,
                durable: 0,
                boot: boot(),
            },
            trusted: 0,
            unsure: 0,
        };
        if new || part.file.metadata().with_context(creating)?.len() == 0 {
            part.note.write(&part.note_path).with_context(creating)?;
        } else {
            part.take_up(binding)?;
        }
        // Nothing is left behind what an earlier run reported: from there on the file is a hole. A new file is left alone: once
        // cut to nothing, ext4 would write it out at its close, at the speed of the disk.
        if part.file.metadata().with_context(creating)?.len() != part.unsure {
            part.file.set_len(part.unsure).with_context(creating)?;
        }
        Ok(part)
    }

    /// Believes the note of an earlier run.
    fn take_up(&mut self, binding: &Binding) -> Result<()> {
        let found = Note::read(&self.note_path).filter(|note| note.of == *binding);
        let Some(found) = found else {
            bail!(
                "{} lies there and is not the beginning of this export (another volume, or this one was changed since): \
                 remove it, or choose another output",
                self.path.display()
            );
        };
        self.trusted = found.trusted();
        self.unsure = found.written;
        self.note.written = found.written;
        self.note.durable = found.durable;
        Ok(())
    }

    pub(super) fn file(&self) -> Arc<File> {
        self.file.clone()
    }

    /// Bytes from the start on that are written.
    pub(super) fn done(&self) -> u64 {
        self.note.written
    }

    /// What has to be compared, and what has to be written.
    pub(super) fn todo(&self) -> (Range<u64>, Range<u64>) {
        (self.trusted..self.unsure, self.unsure..self.note.of.size())
    }

    /// Compares places of what an earlier run wrote with the volume, its end among them.
    ///
    /// # Errors
    /// When the source fails, or what is there is not this volume's plain text.
    pub(super) fn check(&self, volume: &dyn ReadAt) -> Result<()> {
        if self.trusted == 0 {
            return Ok(());
        }
        let len = SAMPLE as u64;
        let last = self.trusted.saturating_sub(len);
        let places = (0..SAMPLES).map(|i| last / SAMPLES * i).chain([last]);
        let (mut there, mut wanted) = (Zeroizing::new(vec![0; SAMPLE]), Zeroizing::new(vec![0; SAMPLE]));
        for offset in places {
            let len = usize::try_from(len.min(self.trusted - offset)).unwrap_or(SAMPLE);
            let reading = || format!("reading {} at byte {offset}", self.path.display());
            self.file
                .read_exact_at(&mut there[..len], offset)
                .with_context(reading)?;
            let read = volume.read_at(offset, &mut wanted[..len]);
            read.with_context(|| format!("reading at byte {offset}"))?;
            if there[..len] != wanted[..len] {
                bail!(
                    "{} does not hold at byte {offset} what the volume holds: remove it and begin anew",
                    self.path.display()
                );
            }
        }
        Ok(())
    }

    /// Notes from time to time how far the output has come.
    pub(super) fn advance(&mut self, written: u64) {
        let noted = self.note.written / NOTE_EVERY;
        self.note.written = written;
        if written - self.note.durable >= SYNC_EVERY && self.file.sync_data().is_ok() {
            self.note.durable = written;
        }
        if written / NOTE_EVERY > noted {
            self.note_progress();
        }
    }

    /// Notes how far the output has come.
    pub(super) fn note_progress(&self) {
        // Without it the next run begins earlier.
        let _ = self.note.write(&self.note_path);
    }

    /// In words: what is left behind.
    pub(super) fn kept(&self) -> String {
        format!(
            "{} of {} bytes are written and kept in {}: the same command goes on from there (to give up, remove it)",
            self.note.written,
            self.note.of.size(),
            self.path.display()
        )
    }

    /// The whole output gets its name, unless something has that name by now.
    ///
    /// # Errors
    /// When it does not get it; nothing is left behind then.
    pub(super) fn finish(self, sync: bool) -> Result<()> {
        let result = self.publish(sync);
        if result.is_err() {
            self.discard();
        } else {
            self.remove_note();
        }
        result
    }

    fn publish(&self, sync: bool) -> Result<()> {
        let writing = || format!("writing {}", self.output.display());
        // Zeros at its end were left out.
        self.file.set_len(self.note.of.size()).with_context(writing)?;
        if sync {
            self.file.sync_all().with_context(writing)?;
        }
        rename_new(&self.path, &self.output).with_context(|| format!("creating {}", self.output.display()))?;
        if sync {
            // The name, too; not every file system can.
            let folder = self.output.parent().filter(|folder| !folder.as_os_str().is_empty());
            let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }

    /// Leaves nothing behind.
    pub(super) fn discard(&self) {
        let _ = fs::remove_file(&self.path);
        self.remove_note();
    }

    fn remove_note(&self) {
        let _ = fs::remove_file(&self.note_path);
    }
}

#[expect(clippy::cast_possible_wrap, reason = "a flag, not a number")]
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits() as i32;

/// Whether the path still leads to this file.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |m: &fs::Metadata| (m.dev(), m.ino());
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(open), Ok(named)) => identity(&open) == identity(&named),
        _ => false,
    }
}

/// Renames without replacing anything.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Not every file system can; a second name does not replace anything either.
        Err(Errno::INVAL | Errno::NOSYS) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        result => Ok(result?),
    }
}

/// Writes a piece where it differs from what is there.
pub(super) fn write_changed(file: &File, offset: u64, piece: &[u8]) -> io::Result<()> {
    let mut there = Zeroizing::new(vec![0; piece.len()]);
    file.read_exact_at(&mut there, offset)?;
    if *there != piece {
        file.write_all_at(piece, offset)?;
    }
    Ok(())
}
