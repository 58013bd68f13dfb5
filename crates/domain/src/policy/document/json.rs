//! JSON as entries with places.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Entry, Fault, Value};

/// Keys and values as they stand in the text, doubled keys too.
struct Object<'a>(Vec<(&'a RawValue, &'a RawValue)>);

pub(super) fn entries(text: &str) -> Result<Vec<Entry>, Vec<Fault>> {
    object(text, text).map_err(|error| {
        let at = (error.line().max(1), error.column().max(1));
        let said = error.to_string();
        let said = said.split(" at line ").next().unwrap_or_default();
        vec![Fault::at(at, None, format!("Not JSON: {said}."))]
    })
}

fn object(text: &str, part: &str) -> serde_json::Result<Vec<Entry>> {
    let Object(pairs) = serde_json::from_str(part)?;
    let entry = |(key, value): (&RawValue, &RawValue)| {
        Ok(Entry {
            key: serde_json::from_str(key.get())?,
            at: offset(text, key.get()),
            value: read(text, value.get())?,
        })
    };
    pairs.into_iter().map(entry).collect()
}

fn read(text: &str, part: &str) -> serde_json::Result<Value> {
    if part.starts_with('{') {
        return object(text, part).map(Value::Table);
    }
    Ok(match serde_json::from_str(part)? {
        serde_json::Value::Bool(on) => Value::Switch(on),
        serde_json::Value::Number(number) => Value::Number(number.to_string()),
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(items) => {
            let texts: Option<Vec<_>> = items.iter().map(|v| v.as_str().map(str::to_owned)).collect();
            texts.map_or(Value::Other, Value::List)
        }
        _ => Value::Other,
    })
}

/// Where `part`, which was borrowed from `text`, begins in it.
fn offset(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Object(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::super::place;
    use super::*;

    #[test]
    fn keys_are_found_where_they_stand() {
        let text = "{\n  \"os\": {\"encryption\": \"require\",\n \"a\\u0062\": 3}}";
        let entries = entries(text).unwrap_or_default();
        let [os] = &entries[..] else { panic!("one section") };
        let Value::Table(inner) = &os.value else {
            panic!("a table")
        };
        let places: Vec<_> = inner.iter().map(|e| (e.key.as_str(), place(text, e.at))).collect();
        assert_eq!(places, [("encryption", (2, 10)), ("ab", (3, 2))]);
    }
}
