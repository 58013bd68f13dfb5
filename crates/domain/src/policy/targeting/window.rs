//! Maintenance windows: when a device may begin what disturbs its user.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
use crate::time::moment::{self, DAY, MINUTE};

/// A span of time that comes once, every day, or on some days of the week.
///
/// ```toml
/// windows = [
///   { start = "22:00", minutes = 360 },                                       # every night, in the device's time
///   { days = ["sat", "sun"], start = "00:00", minutes = 1440, clock = "utc" },
///   { date = "2026-12-24", start = "18:00", minutes = 600 },
/// ]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Window {
    /// On which days it begins.
    pub days: WindowDays,
    /// When it begins.
    pub start: TimeOfDay,
    /// How long it lasts, in minutes: 1 to 10 080 (a week). It may last past midnight.
    pub minutes: u32,
    /// Whose time `days` and `start` are in.
    pub clock: WindowClock,
}

/// On which days a window begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowDays {
    /// Every day.
    Every,
    /// On these days of the week.
    Week(Vec<Weekday>),
    /// On this day only.
    Once(Date),
}

/// Whose time a window is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowClock {
    /// The device's own time, by its present offset from UTC.
    #[default]
    Device,
    /// UTC.
    Utc,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the days of the week explain themselves")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A time of day to the minute, `22:30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(u16);

/// A day, `2026-12-24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i64);

/// How far a clock is ahead of UTC, in minutes: 60 in Berlin in winter, -300 in New York in winter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct UtcOffset(pub i16);

/// Longest window, in minutes.
const WEEK: u32 = 7 * 24 * 60;

/// Whether a device whose clock is `offset` ahead of UTC may begin now. Without any window it always may.
#[must_use]
pub fn is_open(windows: &[Window], now: Timestamp, offset: UtcOffset) -> bool {
    windows.is_empty() || windows.iter().any(|window| window.is_open(now, offset))
}

/// When such a device may begin: now, when a window is open or there is none; else when the next one opens. None when no
/// window will ever open again.
#[must_use]
pub fn next_opening(windows: &[Window], now: Timestamp, offset: UtcOffset) -> Option<Timestamp> {
    if is_open(windows, now, offset) {
        return Some(now);
    }
    windows.iter().filter_map(|window| window.next_start(now, offset)).min()
}

impl Window {
    fn is_open(&self, now: Timestamp, offset: UtcOffset) -> bool {
        let now = self.local(now, offset);
        let lasts = i64::from(self.minutes) * MINUTE;
        let today = now.div_euclid(DAY);
        let reach = lasts.div_euclid(DAY) + 1;
        (today.saturating_sub(reach)..=today)
            .filter(|day| self.begins_on(*day))
            .any(|day| (0..lasts).contains(&(now - self.start_on(day))))
    }

    fn next_start(&self, now: Timestamp, offset: UtcOffset) -> Option<Timestamp> {
        let local = self.local(now, offset);
        let today = local.div_euclid(DAY);
        let ahead = match &self.days {
            WindowDays::Every | WindowDays::Week(_) => today..=today.saturating_add(7),
            WindowDays::Once(date) => date.0..=date.0,
        };
        ahead
            .filter(|day| self.begins_on(*day))
            .map(|day| self.start_on(day))
            .find(|start| *start > local)
            .map(|start| Timestamp(now.0.saturating_add(start - local)))
    }

    fn begins_on(&self, day: i64) -> bool {
        match &self.days {
            WindowDays::Every => true,
            WindowDays::Week(days) => days.contains(&Weekday::of(day)),
            WindowDays::Once(date) => date.0 == day,
        }
    }

    /// Milliseconds of the window's own clock since 1970.
    fn local(&self, now: Timestamp, offset: UtcOffset) -> i64 {
        // Kept far from the ends of time, so that the sums below cannot overflow.
        let now = now.0.clamp(i64::MIN / 4, i64::MAX / 4);
        match self.clock {
            WindowClock::Utc => now,
            WindowClock::Device => now + i64::from(offset.0) * MINUTE,
        }
    }

    fn start_on(&self, day: i64) -> i64 {
        day * DAY + i64::from(self.start.0) * MINUTE
    }
}

impl Weekday {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Mon,
        Self::Tue,
        Self::Wed,
        Self::Thu,
        Self::Fri,
        Self::Sat,
        Self::Sun,
    ];

    /// The day of the week of a day since 1970-01-01, which was a Thursday.
    fn of(day: i64) -> Self {
        match (day + 3).rem_euclid(7) {
            0 => Self::Mon,
            1 => Self::Tue,
            2 => Self::Wed,
            3 => Self::Thu,
            4 => Self::Fri,
            5 => Self::Sat,
            _ => Self::Sun,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
            Self::Sat => "sat",
            Self::Sun => "sun",
        }
    }
}

/// A window as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    days: Option<Vec<Weekday>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    start: String,
    minutes: u32,
    #[serde(default)]
    clock: WindowClock,
}

impl TryFrom<Written> for Window {
    type Error = String;
    fn try_from(written: Written) -> Result<Self, String> {
        let days = match (written.days, written.date) {
            (Some(_), Some(_)) => return Err("a window has either \"days\" or a \"date\"".to_owned()),
            (Some(days), None) if days.is_empty() => return Err("\"days\" names at least one of mon to sun".to_owned()),
            (Some(days), None) => WindowDays::Week(days),
            (None, Some(date)) => WindowDays::Once(date.parse()?),
            (None, None) => WindowDays::Every,
        };
        if !(1..=WEEK).contains(&written.minutes) {
            return Err(format!("\"minutes\" is a whole number from 1 to {WEEK}"));
        }
        Ok(Self {
            days,
            start: written.start.parse()?,
            minutes: written.minutes,
            clock: written.clock,
        })
    }
}

impl From<Window> for Written {
    fn from(window: Window) -> Self {
        let (days, date) = match window.days {
            WindowDays::Every => (None, None),
            WindowDays::Week(days) => (Some(days), None),
            WindowDays::Once(date) => (None, Some(date.to_string())),
        };
        Self {
            days,
            date,
            start: window.start.to_string(),
            minutes: window.minutes,
            clock: window.clock,
        }
    }
}

impl std::str::FromStr for TimeOfDay {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        moment::parse_time_of_day(text)
            .and_then(|minutes| u16::try_from(minutes).ok())
            .map(Self)
            .ok_or_else(|| format!("\"{text}\" is not a time of day: hours and minutes are allowed, like 22:30"))
    }
}

impl std::str::FromStr for Date {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        moment::parse_date(text)
            .map(Self)
            .ok_or_else(|| format!("\"{text}\" is not a date: year, month and day are allowed, like 2026-12-24"))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = moment::date_from_days(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.days {
            WindowDays::Every => f.write_str("every day")?,
            WindowDays::Week(days) => {
                let words: Vec<&str> = days.iter().map(|d| d.word()).collect();
                write!(f, "every {}", words.join(", "))?;
            }
            WindowDays::Once(date) => write!(f, "on {date}")?,
        }
        let clock = match self.clock {
            WindowClock::Device => "the device's time",
            WindowClock::Utc => "UTC",
        };
        write!(f, " from {} for {} minutes, {clock}", self.start, self.minutes)
    }
}
