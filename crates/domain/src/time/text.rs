//! Moments as people write them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use super::Timestamp;
use super::moment::{DAY, parse_date, parse_moment};

/// A text that names no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be milliseconds since 1970, or a day or moment such as \"2026-11-25\" or \"2026-11-25T09:30:00Z\"")]
pub struct NoMoment;

impl FromStr for Timestamp {
    type Err = NoMoment;

    /// A day (its beginning in UTC) or a moment as RFC 3339 writes it: `2026-11-25`, `2026-11-25T09:30Z`.
    fn from_str(text: &str) -> Result<Self, NoMoment> {
        parse_date(text)
            .map(|days| Self(days * DAY))
            .or_else(|| parse_moment(text))
            .ok_or(NoMoment)
    }
}

struct Moment;

impl Visitor<'_> for Moment {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("milliseconds since 1970, or a day or moment such as \"2026-11-25\" or \"2026-11-25T09:30:00Z\"")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Timestamp, E> {
        Ok(Timestamp(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Timestamp, E> {
        i64::try_from(value)
            .map(Timestamp)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        text.parse()
            .map_err(|NoMoment| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Moment)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        if generator.contract().is_serialize() {
            json_schema!({ "description": "Milliseconds since 1970, UTC.", "type": "integer", "format": "int64" })
        } else {
            json_schema!({
                "description": "Milliseconds since 1970, or a day in UTC, or a moment as RFC 3339 writes it.",
                "anyOf": [
                    { "type": "integer", "format": "int64" },
                    { "type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2})?(Z|[+-]\\d{2}:\\d{2}))?$" },
                ],
            })
        }
    }
}
