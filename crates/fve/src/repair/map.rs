//! Which parts of a device have been copied, in the text form of GNU ddrescue's map files, which technicians know
//! and whose tools can read it.

use std::fmt;
use std::ops::Range;

/// What is known of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockStatus {
    /// `?`: not tried yet.
    NonTried,
    /// `*`: reading it in large pieces failed; its edges have not been looked for.
    NonTrimmed,
    /// `/`: between two bad edges; its sectors have not been tried one by one.
    NonScraped,
    /// `-`: cannot be read.
    BadSector,
    /// `+`: copied.
    Finished,
}

impl BlockStatus {
    const ALL: [(char, Self); 5] = [
        ('?', Self::NonTried),
        ('*', Self::NonTrimmed),
        ('/', Self::NonScraped),
        ('-', Self::BadSector),
        ('+', Self::Finished),
    ];

    fn sign(self) -> char {
        Self::ALL
            .into_iter()
            .find_map(|(sign, status)| (status == self).then_some(sign))
            .unwrap_or('?')
    }
}

/// The state of a copy: blocks that lie back to back from 0 to the size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Start of each block, ascending, the first at 0; neighbours differ in status.
    blocks: Vec<(u64, BlockStatus)>,
    size: u64,
    /// Where the copy is at work.
    pub(super) position: u64,
    /// The sign of the phase it is in.
    pub(super) phase: char,
}

/// Why a text is not a map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// A line that cannot be read.
    #[error("line {line} of the map cannot be read")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// Blocks must lie back to back from 0 on.
    #[error("line {line} of the map leaves a gap or overlaps")]
    Gap {
        /// Counted from 1.
        line: usize,
    },
    /// It belongs to another device.
    #[error("the map is for {map} bytes, the source has {source_size}")]
    Size {
        /// Bytes that the map describes.
        map: u64,
        /// Bytes of the source.
        source_size: u64,
    },
}

impl Map {
    /// Nothing has been tried yet.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self {
            blocks: if size == 0 {
                Vec::new()
            } else {
                vec![(0, BlockStatus::NonTried)]
            },
            size,
            position: 0,
            phase: '?',
        }
    }

    /// Reads a map file.
    ///
    /// # Errors
    /// [`MapError`] names the line.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        let mut map = Self::new(0);
        let mut status_line = true;
        for (index, line) in text.lines().enumerate() {
            let bad = MapError::Line { line: index + 1 };
            let line_text = line.split('#').next().unwrap_or_default();
            let mut words = line_text.split_whitespace();
            let Some(first) = words.next() else { continue };
            if std::mem::take(&mut status_line) {
                map.position = number(first).ok_or(bad.clone())?;
                map.phase = words.next().and_then(|word| word.chars().next()).ok_or(bad)?;
                continue;
            }
            let (start, len) = (number(first), words.next().and_then(number));
            let sign = words.next().and_then(|word| word.chars().next());
            let status = BlockStatus::ALL
                .into_iter()
                .find_map(|(known, status)| (Some(known) == sign).then_some(status));
            let (Some(start), Some(len), Some(status)) = (start, len, status) else {
                return Err(bad);
            };
            let end = start.checked_add(len).ok_or(bad)?;
            if start != map.size {
                return Err(MapError::Gap { line: index + 1 });
            }
            if len > 0 && map.blocks.last().is_none_or(|&(_, last)| last != status) {
                map.blocks.push((start, status));
            }
            map.size = end;
        }
        Ok(map)
    }

    /// Bytes that it describes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The blocks of one status, ascending.
    #[must_use]
    pub fn ranges(&self, status: BlockStatus) -> Vec<Range<u64>> {
        self.iter()
            .filter(|(_, found)| *found == status)
            .map(|(range, _)| range)
            .collect()
    }

    /// How many bytes have a status.
    #[must_use]
    pub fn bytes(&self, status: BlockStatus) -> u64 {
        self.iter()
            .filter(|(_, found)| *found == status)
            .map(|(range, _)| range.end - range.start)
            .sum()
    }

    /// Everything that is not copied: what the target does not hold rightly.
    #[must_use]
    pub fn missing(&self) -> Vec<Range<u64>> {
        let mut missing: Vec<Range<u64>> = Vec::new();
        for (range, _) in self.iter().filter(|(_, status)| *status != BlockStatus::Finished) {
            match missing.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => missing.push(range),
            }
        }
        missing
    }

    fn iter(&self) -> impl Iterator<Item = (Range<u64>, BlockStatus)> + '_ {
        let ends = self.blocks.iter().skip(1).map(|&(start, _)| start).chain([self.size]);
        self.blocks
            .iter()
            .zip(ends)
            .map(|(&(start, status), end)| (start..end, status))
    }

    /// Gives a range another status.
    pub(super) fn set(&mut self, range: Range<u64>, status: BlockStatus) {
        let range = range.start..range.end.min(self.size);
        if range.start >= range.end {
            return;
        }
        let first = self.blocks.partition_point(|&(start, _)| start < range.start);
        let last = self.blocks.partition_point(|&(start, _)| start <= range.end);
        let before = first.checked_sub(1).map(|index| self.blocks[index].1);
        // The block that goes on behind the range.
        let after = last.checked_sub(1).map(|index| self.blocks[index].1);
        let mut new = Vec::with_capacity(2);
        if before != Some(status) {
            new.push((range.start, status));
        }
        if let Some(after) = after.filter(|&after| range.end < self.size && after != status) {
            new.push((range.end, after));
        }
        self.blocks.splice(first..last, new);
    }
}

impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Mapfile. Created by claviger, in the format of GNU ddrescue")?;
        writeln!(f, "# current_pos  current_status  current_pass")?;
        writeln!(f, "0x{:08X}     {}               1", self.position, self.phase)?;
        writeln!(f, "#      pos        size  status")?;
        for (range, status) in self.iter() {
            writeln!(
                f,
                "0x{:08X}  0x{:08X}  {}",
                range.start,
                range.end - range.start,
                status.sign()
            )?;
        }
        Ok(())
    }
}

/// Decimal, or hexadecimal with `0x`.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_map_of_ddrescue_reads_and_writes_back() {
        let text = "# Mapfile. Created by GNU ddrescue version 1.27\n# Command line: ddrescue a b c\n# current_pos  current_status  current_pass\n0x00000200     +               1\n#      pos        size  status\n0x00000000  0x00000200  +\n0x00000200  0x00000200  -\n0x00000400  0x00000C00  +\n";
        let map = Map::parse(text).unwrap();
        assert_eq!(map.size(), 0x1000);
        assert_eq!(map.bytes(BlockStatus::BadSector), 0x200);
        assert_eq!(map.missing().first(), Some(&(0x200..0x400)));
        assert_eq!(Map::parse(&map.to_string()), Ok(map));
    }

    #[test]
    fn gaps_overlaps_and_nonsense_are_refused_by_line() {
        let head = "0x0 ? 1\n";
        assert_eq!(
            Map::parse(&format!("{head}0 10 +\n11 5 -\n")),
            Err(MapError::Gap { line: 3 })
        );
        assert_eq!(
            Map::parse(&format!("{head}0 10 +\n9 5 -\n")),
            Err(MapError::Gap { line: 3 })
        );
        assert_eq!(Map::parse(&format!("{head}0 10 x\n")), Err(MapError::Line { line: 2 }));
        assert_eq!(
            Map::parse(&format!("{head}0 10 +\n10 0xFFFFFFFFFFFFFFFF -\n")),
            Err(MapError::Line { line: 3 })
        );
    }

    proptest! {
        #[test]
        fn setting_ranges_is_like_painting_an_array(strokes in prop::collection::vec((0..40_u64, 0..40_u64, 0..5_usize), 0..30)) {
            let mut map = Map::new(40);
            let mut array = [BlockStatus::NonTried; 40];
            for (a, b, status) in strokes {
                let status = BlockStatus::ALL[status].1;
                let range = a.min(b)..a.max(b);
                map.set(range.clone(), status);
                array[range.start as usize..range.end as usize].fill(status);
            }
            for (range, status) in map.iter() {
                prop_assert!(array[range.start as usize..range.end as usize].iter().all(|&found| found == status));
            }
            prop_assert_eq!(map.iter().map(|(range, _)| range.end - range.start).sum::<u64>(), 40);
            prop_assert!(map.blocks.windows(2).all(|pair| pair[0].1 != pair[1].1 && pair[0].0 < pair[1].0));
            prop_assert_eq!(Map::parse(&map.to_string()), Ok(map));
        }
    }
}
