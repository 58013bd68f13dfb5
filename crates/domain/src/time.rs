//! Moments, as milliseconds of Unix time.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

pub use text::NoMoment;

pub(crate) mod moment;

mod text;

/// A moment: milliseconds since 1970-01-01T00:00:00Z. Never read from a clock here; callers bring it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The moment `duration` later; saturates at the end of time.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// Its day in UTC, as `2026-11-25`.
    #[must_use]
    pub fn date(self) -> String {
        let (year, month, day) = moment::date_from_days(self.0.div_euclid(moment::DAY));
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// As RFC 3339 writes it, in UTC and with milliseconds: `2026-11-25T09:30:00.000Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let of_day = self.0.rem_euclid(moment::DAY);
        let (seconds, millis) = (of_day / 1000, of_day % 1000);
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z", self.date())
    }

    /// Its minute in UTC, as `2026-11-25 22:00`.
    #[must_use]
    pub fn minute(self) -> String {
        let minute = self.0.rem_euclid(moment::DAY) / moment::MINUTE;
        format!("{} {:02}:{:02}", self.date(), minute / 60, minute % 60)
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// Where the present comes from. Shipped programs bring the system's clock, tests a clock that they set.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}
