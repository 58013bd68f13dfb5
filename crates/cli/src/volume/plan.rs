//! `--plan`: the change is carried out on a memory of the device, and what it would have written is told.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fve::VolumeInfo;
use fve::io::{FileDevice, ReadAt, WriteAt};

use crate::terminal::say;

const PAGE: u64 = 4096;
/// Where BitLocker's boot sector and its surroundings lie.
pub(super) const OUTER_HEADER: Range<u64> = 0..8192;

/// A device on which everything written stays in memory.
pub(super) struct Rehearsal {
    device: FileDevice,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Pages that were written to.
    pages: BTreeMap<u64, Vec<u8>>,
    written: Vec<Range<u64>>,
}

impl Rehearsal {
    pub(super) fn new(device: FileDevice) -> Self {
        Self {
            device,
            state: Mutex::default(),
        }
    }

    /// What was written: ascending, apart.
    pub(super) fn written(&self) -> Vec<Range<u64>> {
        merged(self.lock().written.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn page(&self, state: &State, page: u64) -> io::Result<Vec<u8>> {
        if let Some(known) = state.pages.get(&page) {
            return Ok(known.clone());
        }
        let start = page * PAGE;
        let len = PAGE.min(self.device.size().saturating_sub(start));
        let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        self.device.read_at(start, &mut bytes)?;
        Ok(bytes)
    }
}

impl ReadAt for Rehearsal {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.device.read_at(offset, buf)?;
        let end = offset + buf.len() as u64;
        for (page, bytes) in self.lock().pages.range(offset / PAGE..end.div_ceil(PAGE)) {
            let start = page * PAGE;
            let (from, to) = (start.max(offset), (start + bytes.len() as u64).min(end));
            if from < to {
                buf[place(from - offset)..place(to - offset)]
                    .copy_from_slice(&bytes[place(from - start)..place(to - start)]);
            }
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.device.size()
    }
}

impl WriteAt for Rehearsal {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        // The device says what is beyond its end.
        let end = offset.checked_add(data.len() as u64).filter(|&end| end <= self.size());
        let Some(end) = end else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let state = &mut *self.lock();
        for page in offset / PAGE..end.div_ceil(PAGE) {
            let mut bytes = self.page(state, page)?;
            let start = page * PAGE;
            let (from, to) = (start.max(offset), (start + bytes.len() as u64).min(end));
            bytes[place(from - start)..place(to - start)]
                .copy_from_slice(&data[place(from - offset)..place(to - offset)]);
            state.pages.insert(page, bytes);
        }
        state.written.push(offset..end);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

/// An offset within a buffer that is in memory.
fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// Ascending, apart and not empty.
pub(super) fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged = Vec::<Range<u64>>::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// What is where on a volume, in the order of importance.
#[derive(Default)]
pub(super) struct Map(Vec<(Range<u64>, String)>);

impl Map {
    /// The places that the metadata names.
    pub(super) fn of(info: &VolumeInfo) -> Self {
        let mut places = vec![(OUTER_HEADER, "boot sector and outer header".to_owned())];
        for (index, copy) in info.copies.iter().enumerate() {
            places.push((copy.offset..copy.offset + 65536, format!("metadata copy {index}")));
        }
        let header = info.header_offset..info.header_offset + info.header_len;
        places.push((header, "relocated header".to_owned()));
        if let Some(extended) = info.extended.filter(|extended| extended.log_len > 0) {
            let log = extended.log_offset..extended.log_offset + u64::from(extended.log_len);
            places.push((log, "conversion log".to_owned()));
        }
        Self(places)
    }

    /// Tells byte ranges with their names.
    pub(super) fn tell(&self, ranges: &[Range<u64>]) {
        for (range, name) in self.name(ranges) {
            say(&line(&range, name));
        }
        if ranges.is_empty() {
            say("  none");
        }
    }

    /// Cuts ranges where the places meet, and names the pieces.
    fn name(&self, ranges: &[Range<u64>]) -> Vec<(Range<u64>, &str)> {
        let mut cuts: Vec<u64> = self.0.iter().flat_map(|(range, _)| [range.start, range.end]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut pieces = Vec::new();
        for range in ranges {
            let mut start = range.start;
            for &cut in cuts.iter().filter(|&&cut| range.start < cut && cut < range.end) {
                pieces.push(start..cut);
                start = cut;
            }
            pieces.push(start..range.end);
        }
        let name = |piece: &Range<u64>| {
            let place = self.0.iter().find(|(range, _)| range.contains(&piece.start));
            place.map_or("inner file system", |(_, name)| name.as_str())
        };
        pieces.iter().map(|piece| (piece.clone(), name(piece))).collect()
    }
}

/// A byte range on one line.
pub(super) fn line(range: &Range<u64>, name: &str) -> String {
    format!(
        "  {:#012x}..{:#012x} {:>13} bytes  {name}",
        range.start,
        range.end,
        range.end - range.start
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_where_places_meet_and_named() {
        let map = Map(vec![(0..10, "head".to_owned()), (20..30, "copy".to_owned())]);
        let named = map.name(&merged(vec![8..12, 0..2, 1..3, 15..22, 29..29]));
        let expected = [
            (0..3, "head"),
            (8..10, "head"),
            (10..12, "inner file system"),
            (15..20, "inner file system"),
            (20..22, "copy"),
        ];
        assert_eq!(named, expected);
    }

    #[test]
    fn a_rehearsal_reads_what_was_written_and_leaves_the_device_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [7; 10_000]).unwrap();
        let rehearsal = Rehearsal::new(FileDevice::open_read(file.path()).unwrap());
        rehearsal.write_at(4090, &[1; 12]).unwrap();
        rehearsal.write_at(9_999, &[2]).unwrap();
        assert!(rehearsal.write_at(9_999, &[2, 2]).is_err());
        let mut bytes = [0; 10_000];
        rehearsal.read_at(0, &mut bytes).unwrap();
        let mut expected = [7; 10_000];
        expected[4090..4102].fill(1);
        expected[9_999] = 2;
        assert_eq!(bytes, expected);
        assert_eq!(rehearsal.written(), [4090..4102, 9_999..10_000]);
        assert_eq!(std::fs::read(file.path()).unwrap(), [7; 10_000]);
    }
}
