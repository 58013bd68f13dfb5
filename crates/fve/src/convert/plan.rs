//! Which chunk comes next.

use std::ops::Range;

use super::log::Direction;

/// The next chunk and where the watermark is after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// What to convert; empty when only the watermark moves.
    pub(crate) range: Range<u64>,
    /// The new watermark.
    pub(crate) watermark: u64,
}

/// What a conversion has to know about the volume; everything in bytes, on sector boundaries.
pub(crate) struct Terrain<'a> {
    /// End of the outer header: here a decryption ends.
    pub(crate) first: u64,
    pub(crate) size: u64,
    /// Longest chunk.
    pub(crate) chunk: u64,
    /// Sorted ranges that are never converted: metadata, the log's record, the outer header.
    pub(crate) reserved: &'a [Range<u64>],
    /// Sorted ranges worth encrypting; `None` for all.
    pub(crate) used: Option<&'a [Range<u64>]>,
}

impl Terrain<'_> {
    /// The chunk after `watermark`; `None` at the end of the way.
    pub(crate) fn next(&self, watermark: u64, direction: Direction) -> Option<Chunk> {
        match direction {
            Direction::Encrypt | Direction::Reencrypt if watermark >= self.size => None,
            Direction::Encrypt | Direction::Reencrypt => Some(self.forward(watermark)),
            Direction::Decrypt if watermark <= self.first => None,
            Direction::Decrypt => Some(self.backward(watermark)),
        }
    }

    fn forward(&self, watermark: u64) -> Chunk {
        let mut start = watermark;
        // Hops over reserved and unused ranges until neither holds; each hop advances.
        loop {
            let before = start;
            start = containing(self.reserved, start).map_or(start, |range| range.end);
            if let Some(used) = self.used {
                let next = used.partition_point(|range| range.end <= start);
                start = used.get(next).map_or(self.size, |range| range.start.max(start));
            }
            if start >= self.size {
                return Chunk {
                    range: self.size..self.size,
                    watermark: self.size,
                };
            }
            if start == before {
                break;
            }
        }
        let next = self.reserved.partition_point(|range| range.start < start);
        let barrier = self.reserved.get(next);
        let end = start
            .saturating_add(self.chunk)
            .min(self.size)
            .min(barrier.map_or(u64::MAX, |range| range.start));
        let watermark = barrier
            .filter(|range| range.start == end)
            .map_or(end, |range| range.end);
        Chunk {
            range: start..end,
            watermark: watermark.min(self.size),
        }
    }

    fn backward(&self, watermark: u64) -> Chunk {
        let mut end = watermark.min(self.size);
        while let Some(range) = self.reserved.iter().find(|range| range.start < end && end <= range.end) {
            end = range.start;
        }
        let barrier = self.reserved.iter().rev().find(|range| range.end <= end);
        let start = end.saturating_sub(self.chunk).max(barrier.map_or(0, |range| range.end));
        let watermark = barrier
            .filter(|range| range.end == start)
            .map_or(start, |range| range.start);
        Chunk {
            range: start..end,
            watermark,
        }
    }
}

fn containing(ranges: &[Range<u64>], offset: u64) -> Option<&Range<u64>> {
    let next = ranges.partition_point(|range| range.end <= offset);
    ranges.get(next).filter(|range| range.start <= offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESERVED: [Range<u64>; 3] = [0..20, 100..150, 190..200];

    fn walk(used: Option<&[Range<u64>]>, direction: Direction) -> Vec<Range<u64>> {
        let terrain = Terrain {
            first: 20,
            size: 200,
            chunk: 60,
            reserved: &RESERVED,
            used,
        };
        let mut watermark = if direction == Direction::Encrypt { 0 } else { 200 };
        let mut ranges = Vec::new();
        while let Some(chunk) = terrain.next(watermark, direction) {
            assert_ne!(chunk.watermark, watermark, "every step advances");
            watermark = chunk.watermark;
            ranges.push(chunk.range);
        }
        ranges
    }

    #[test]
    fn a_full_conversion_visits_everything_but_the_reserved_ranges() {
        assert_eq!(walk(None, Direction::Encrypt), [20..80, 80..100, 150..190]);
        assert_eq!(walk(None, Direction::Decrypt), [150..190, 40..100, 20..40]);
    }

    #[test]
    fn a_used_space_conversion_hops_to_what_is_used() {
        assert_eq!(
            walk(Some(&[0..30, 90..110, 170..175]), Direction::Encrypt),
            [20..80, 90..100, 170..190]
        );
        let nothing_left = Range { start: 200, end: 200 };
        assert_eq!(walk(Some(&[0..10, 11..12]), Direction::Encrypt), [nothing_left]);
    }
}
