//! Dates and times of day, without a clock and without time zones: offsets from UTC are arguments.

use crate::time::Timestamp;

pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const DAY: i64 = 24 * 60 * MINUTE;

/// Days since 1970-01-01 of a date in the Gregorian calendar; none when there is no such date.
pub(crate) fn days_from_date(year: i64, month: i64, day: i64) -> Option<i64> {
    let days = days_of_any(year, month, day)?;
    (date_from_days(days) == (year, month, day)).then_some(days)
}

/// Counts in years that begin in March, so that the leap day comes last; 400 years have 146 097 days, and 719 468 days lie
/// between 0000-03-01 and 1970-01-01.
fn days_of_any(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(0..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468)
}

/// Year, month and day of a number of days since 1970-01-01.
pub(crate) fn date_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Reads `2026-11-28`.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let (year, month, day) = (
        digits(parts.next()?, 4)?,
        digits(parts.next()?, 2)?,
        digits(parts.next()?, 2)?,
    );
    parts.next().is_none().then(|| days_from_date(year, month, day))?
}

/// Reads `22:30`, in minutes since midnight.
pub(crate) fn parse_time_of_day(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let (hour, minute) = (digits(hour, 2)?, digits(minute, 2)?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// Reads a moment as RFC 3339 writes it, to the second or the minute: `2026-11-28T22:30:00+01:00`, `2026-11-28T21:30Z`.
pub(crate) fn parse_moment(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let (time, offset) = match rest.strip_suffix(['Z', 'z']) {
        Some(time) => (time, 0),
        None => {
            let at = rest.rfind(['+', '-'])?;
            let minutes = parse_time_of_day(rest.get(at + 1..)?)?;
            let sign = if rest.get(at..=at) == Some("-") { -1 } else { 1 };
            (rest.get(..at)?, sign * minutes)
        }
    };
    let minutes = parse_time_of_day(time.get(..5)?)?;
    let seconds = match time.get(5..)? {
        "" => 0,
        rest => digits(rest.strip_prefix(':')?, 2).filter(|s| *s < 60)?,
    };
    Some(Timestamp(
        parse_date(date)? * DAY + (minutes - offset) * MINUTE + seconds * 1000,
    ))
}

/// Writes a moment as RFC 3339 in UTC, to the second.
pub(crate) fn write_moment(moment: Timestamp) -> String {
    let (days, rest) = (moment.0.div_euclid(DAY), moment.0.rem_euclid(DAY) / 1000);
    let (year, month, day) = date_from_days(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
