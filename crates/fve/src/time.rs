//! The clock of the format: 100 ns ticks since 1601-01-01 UTC.

/// A Windows FILETIME: 100-nanosecond ticks since 1601-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct FileTime(pub u64);

/// Milliseconds between 1601-01-01 and 1970-01-01.
const UNIX_EPOCH_MILLIS: i64 = 11_644_473_600_000;
const TICKS_PER_MILLI: u64 = 10_000;

impl FileTime {
    /// From milliseconds since 1970; instants before 1601 become zero.
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Self {
        let since_1601 = millis.saturating_add(UNIX_EPOCH_MILLIS).max(0).unsigned_abs();
        Self(since_1601.saturating_mul(TICKS_PER_MILLI))
    }

    /// Milliseconds since 1970, rounded down; negative before 1970.
    #[must_use]
    pub fn unix_millis(self) -> i64 {
        // A u64 divided by 10 000 always fits.
        (self.0 / TICKS_PER_MILLI).cast_signed() - UNIX_EPOCH_MILLIS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unix_epoch_is_the_known_filetime() {
        assert_eq!(FileTime::from_unix_millis(0).0, 116_444_736_000_000_000);
        assert_eq!(FileTime(116_444_736_000_000_000).unix_millis(), 0);
    }
}
