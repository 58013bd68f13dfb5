//! The numbers of this device's check-ins, by which the server tells a message that was under way for long from a newer
//! one. They only go up, whatever the clock does and however often the agent starts.
//!
//! The file holds a number below which all may have been used; it is written ahead, once for many check-ins. A file that
//! is lost, damaged, or came from a copy of an older state costs one round trip: the server says how far it is.

use std::path::{Path, PathBuf};

use protocol::limits::MAX_SEQUENCE;
use serde::{Deserialize, Serialize};

use crate::files;

/// How many numbers one write of the file is good for.
const AHEAD: u64 = 64;

/// Counts.
pub(crate) struct Sequence {
    file: PathBuf,
    last: u64,
    reserved: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    /// No number above it was used.
    reserved: u64,
}

impl Sequence {
    /// Goes on where an agent with this state directory may have stopped.
    pub(crate) fn load(state_dir: &Path) -> Self {
        let file = state_dir.join("sequence.json");
        let reserved = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice::<Stored>(&bytes).map_err(|error| error.to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Stored { reserved: 0 }),
            Err(error) => Err(error.to_string()),
        };
        let reserved = reserved.map_or_else(
            |error| {
                tracing::warn!(error, "the count of check-ins is lost; the server knows it");
                0
            },
            |stored| stored.reserved.min(MAX_SEQUENCE),
        );
        Self {
            file,
            last: reserved,
            reserved,
        }
    }

    /// The next number. That the file cannot be written keeps no device from reporting.
    pub(crate) fn next(&mut self) -> u64 {
        self.last = self.last.saturating_add(1).min(MAX_SEQUENCE);
        if self.last > self.reserved {
            let reserved = self.last.saturating_add(AHEAD - 1).min(MAX_SEQUENCE);
            match self.write(reserved) {
                Ok(()) => self.reserved = reserved,
                Err(error) => tracing::warn!(%error, "the count of check-ins could not be written"),
            }
        }
        self.last
    }

    /// The server has taken numbers up to this one: goes on above it. Whether that is higher than the last one used.
    pub(crate) fn raise(&mut self, taken: u64) -> bool {
        let taken = taken.min(MAX_SEQUENCE);
        let higher = taken > self.last;
        self.last = self.last.max(taken);
        higher
    }

    fn write(&self, reserved: u64) -> std::io::Result<()> {
        let json = serde_json::to_vec(&Stored { reserved })?;
        files::replace(&self.file, &json, files::PRIVATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_used_twice_however_often_the_agent_starts() {
        let dir = tempfile::tempdir().unwrap();
        let mut last = 0;
        for used in [1, 0, 63, 64, 65, 200] {
            let mut sequence = Sequence::load(dir.path());
            for _ in 0..used {
                let next = sequence.next();
                assert!(next > last, "{next} after {last}");
                last = next;
            }
        }
    }

    #[test]
    fn a_count_that_is_lost_damaged_or_old_goes_on_above_what_the_server_says() {
        for content in [
            "",
            "{\"reserved\": -1}",
            "{\"reserved\": 7}",
            "{\"reserved\": 18446744073709551615}",
        ] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("sequence.json"), content).unwrap();
            let mut sequence = Sequence::load(dir.path());
            let first = sequence.next();
            assert!((1..=MAX_SEQUENCE).contains(&first), "{content}: {first}");
            assert_eq!(sequence.raise(5000), first < 5000, "{content}");
            let next = sequence.next();
            assert_eq!(next, first.max(5000).saturating_add(1).min(MAX_SEQUENCE), "{content}");
            assert!(!sequence.raise(next));
            assert!(Sequence::load(dir.path()).next() >= next, "{content}");
        }
    }

    #[test]
    fn a_state_directory_that_cannot_be_written_does_not_stop_the_count() {
        let mut sequence = Sequence::load(Path::new("/nowhere/at/all"));
        assert_eq!((sequence.next(), sequence.next()), (1, 2));
    }
}
