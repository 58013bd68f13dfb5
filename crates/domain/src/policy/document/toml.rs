//! TOML as entries with places.

use toml_edit::{Item, TableLike};

use super::{Entry, Fault, Value, place};

pub(super) fn entries(text: &str) -> Result<Vec<Entry>, Vec<Fault>> {
    let document = toml_edit::Document::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        vec![Fault::at(
            place(text, at),
            None,
            format!("Not TOML: {}.", error.message().replace('\n', ", ")),
        )]
    })?;
    Ok(table(document.as_table()))
}

fn table(table: &dyn TableLike) -> Vec<Entry> {
    let entry = |(name, item): (&str, &Item)| Entry {
        key: name.to_owned(),
        at: table
            .key(name)
            .and_then(toml_edit::Key::span)
            .or_else(|| item.span())
            .map_or(0, |span| span.start),
        value: value(item),
    };
    table.iter().map(entry).collect()
}

fn value(item: &Item) -> Value {
    match item {
        Item::Table(inner) => Value::Table(table(inner)),
        Item::Value(toml_edit::Value::InlineTable(inner)) => Value::Table(table(inner)),
        Item::Value(toml_edit::Value::Boolean(on)) => Value::Switch(*on.value()),
        Item::Value(toml_edit::Value::Integer(number)) => Value::Number(number.value().to_string()),
        Item::Value(toml_edit::Value::String(text)) => Value::Text(text.value().clone()),
        Item::Value(toml_edit::Value::Array(array)) => {
            let texts: Option<Vec<_>> = array.iter().map(|v| v.as_str().map(str::to_owned)).collect();
            texts.map_or(Value::Other, Value::List)
        }
        _ => Value::Other,
    }
}
