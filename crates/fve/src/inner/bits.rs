//! Bitmaps: of clusters, of NTFS records and index blocks.

/// A bitmap, least significant bit first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits(pub(crate) Vec<u8>);

impl Bits {
    /// A bitmap of `count` clear bits.
    pub(crate) fn clear(count: u64) -> Self {
        Self(vec![0; usize::try_from(count.div_ceil(8)).unwrap_or(0)])
    }

    /// How many bits are stored.
    pub(crate) fn count(&self) -> u64 {
        self.0.len() as u64 * 8
    }

    /// Bits beyond the end read as clear.
    pub(crate) fn get(&self, bit: u64) -> bool {
        usize::try_from(bit / 8)
            .ok()
            .and_then(|byte| self.0.get(byte))
            .is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
    }

    /// Bits beyond the end are not stored.
    pub(crate) fn set(&mut self, bit: u64, value: bool) {
        if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|byte| self.0.get_mut(byte)) {
            let mask = 1 << (bit % 8);
            *byte = if value { *byte | mask } else { *byte & !mask };
        }
    }

    pub(crate) fn set_run(&mut self, start: u64, len: u64, value: bool) {
        for bit in start..start.saturating_add(len).min(self.count()) {
            self.set(bit, value);
        }
    }

    /// The first `len` clear bits in a row that begin at `from` or later and end
    /// before `limit`.
    pub(crate) fn find_clear(&self, from: u64, limit: u64, len: u64) -> Option<u64> {
        self.clear_runs(from, limit).find(|run| run.1 >= len).map(|run| run.0)
    }

    /// All runs of clear bits in `from..limit`, as (start, length).
    pub(crate) fn clear_runs(&self, from: u64, limit: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut at = from;
        std::iter::from_fn(move || {
            at = self.next(at, limit, false)?;
            let start = at;
            at = self.next(at, limit, true).unwrap_or(limit);
            Some((start, at - start))
        })
    }

    pub(crate) fn longest_clear(&self, limit: u64) -> u64 {
        self.clear_runs(0, limit).map(|run| run.1).max().unwrap_or(0)
    }

    /// The first bit of value `value` in `from..limit`, whole bytes at a time.
    pub(crate) fn next(&self, from: u64, limit: u64, value: bool) -> Option<u64> {
        let skip = if value { 0 } else { 0xFF };
        let mut at = from;
        while at < limit {
            if at.is_multiple_of(8) && usize::try_from(at / 8).ok().and_then(|byte| self.0.get(byte)) == Some(&skip) {
                at += 8;
            } else if self.get(at) == value {
                return Some(at);
            } else {
                at += 1;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_runs_are_found_across_bytes() {
        let mut bits = Bits::clear(64);
        bits.set_run(0, 5, true);
        bits.set_run(20, 12, true);
        assert_eq!(bits.clear_runs(0, 64).collect::<Vec<_>>(), [(5, 15), (32, 32)]);
        assert_eq!(bits.find_clear(0, 64, 16), Some(32));
        assert_eq!(bits.find_clear(0, 40, 16), None);
    }
}
