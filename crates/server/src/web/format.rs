//! Moments and sizes as people read them. Times are UTC.

use std::time::Duration;

use domain::time::Timestamp;

use super::view::part::Moment;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// "1 device", "2 devices".
pub(super) fn counted(count: u64, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

/// "4 min ago", with the exact moment on demand.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> Moment {
    let words = if at > now {
        format!("in {}", span(at.since(now)))
    } else {
        ago(now.since(at))
    };
    Moment {
        machine: machine(at),
        exact: format!("{} UTC", exact(at)),
        words,
    }
}

/// The exact moment.
pub(super) fn exact_moment(at: Timestamp) -> Moment {
    Moment {
        machine: machine(at),
        exact: format!("{} UTC", exact(at)),
        words: exact(at),
    }
}

/// A moment that may not have come.
pub(super) fn moment_or(at: Option<Timestamp>, now: Timestamp, otherwise: &str) -> Moment {
    at.map_or_else(
        || Moment {
            machine: String::new(),
            exact: String::new(),
            words: otherwise.to_owned(),
        },
        |at| moment(at, now),
    )
}

/// `2026-11-24 14:03:22`.
pub(super) fn exact(at: Timestamp) -> String {
    written(at, "%Y-%m-%d %H:%M:%S")
}

/// RFC 3339.
pub(super) fn machine(at: Timestamp) -> String {
    written(at, "%Y-%m-%dT%H:%M:%SZ")
}

fn written(at: Timestamp, pattern: &str) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.to_string(), |at| at.strftime(pattern).to_string())
}

/// The first moment of a day written `YYYY-MM-DD`, and of the day after.
pub(super) fn day(text: &str) -> Option<(Timestamp, Timestamp)> {
    let date: jiff::civil::Date = text.parse().ok()?;
    let midnight = |date: jiff::civil::Date| {
        let zoned = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Timestamp(zoned.timestamp().as_millisecond()))
    };
    Some((midnight(date)?, midnight(date.tomorrow().ok()?)?))
}

fn ago(past: Duration) -> String {
    if past.as_secs() < 5 {
        "just now".to_owned()
    } else {
        format!("{} ago", span(past))
    }
}

fn span(length: Duration) -> String {
    let count = |number: u64, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    match length.as_secs() {
        seconds @ 0..MINUTE => format!("{seconds} s"),
        seconds @ MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        seconds @ HOUR..DAY => format!("{} h", seconds / HOUR),
        seconds if seconds < 14 * DAY => count(seconds / DAY, "day", "days"),
        seconds if seconds < 60 * DAY => format!("{} weeks", seconds / (7 * DAY)),
        seconds if seconds < 730 * DAY => format!("{} months", seconds / (30 * DAY)),
        seconds => format!("{} years", seconds / (365 * DAY)),
    }
}

/// `476.3 GiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} bytes")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_764_000_000_000);

    fn before(seconds: i64) -> String {
        moment(Timestamp(NOW.0 - seconds * 1000), NOW).words
    }

    #[test]
    fn the_past_is_told_in_one_unit() {
        assert_eq!(before(2), "just now");
        assert_eq!(before(59), "59 s ago");
        assert_eq!(before(61), "1 min ago");
        assert_eq!(before(2 * 3600), "2 h ago");
        assert_eq!(before(86_400), "1 day ago");
        assert_eq!(before(21 * 86_400), "3 weeks ago");
    }

    #[test]
    fn the_future_is_told_as_such() {
        assert_eq!(moment(Timestamp(NOW.0 + 6 * 86_400_000), NOW).words, "in 6 days");
    }

    #[test]
    fn moments_are_written_in_utc() {
        assert_eq!(exact(Timestamp(0)), "1970-01-01 00:00:00");
        assert_eq!(machine(Timestamp(1_764_000_000_000)), "2025-11-24T16:00:00Z");
    }

    #[test]
    fn a_day_begins_and_ends_at_midnight() {
        assert_eq!(
            day("1970-01-02"),
            Some((Timestamp(86_400_000), Timestamp(2 * 86_400_000)))
        );
        assert_eq!(day("2026-02-30"), None);
        assert_eq!(day("yesterday"), None);
    }

    #[test]
    fn sizes_have_one_decimal() {
        assert_eq!(size(512), "512 bytes");
        assert_eq!(size(64 * 1024 * 1024), "64.0 MiB");
        assert_eq!(size(511_421_976_576), "476.3 GiB");
    }
}
