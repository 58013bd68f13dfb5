//! One value of a document changed, the rest left as it was written.

use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::write::toml_value;
use super::{Document, Fault, Format};
use crate::policy::{Setting, setting, suggestion};

/// The text with a setting, or `name` or `description`, set or taken out. TOML keeps its comments, order and spacing; a comment
/// above a line that is taken out goes with it. JSON is written anew, in the reference's order.
///
/// # Errors
/// When the text has faults, there is no such setting, or the value is not allowed.
pub fn edit(text: &str, id: &str, wanted: Option<&str>) -> Result<String, Vec<Fault>> {
    let mut document = Document::parse(text)?.document;
    let wrong = |message: String| vec![Fault::at((1, 1), Some(id.to_owned()), message)];
    let known = match id {
        "name" | "description" => None,
        _ => Some(setting(id).ok_or_else(|| {
            let meant = suggestion(id).map(|id| format!(" Did you mean {id}?"));
            wrong(format!("There is no such setting.{}", meant.unwrap_or_default()))
        })?),
    };
    let canonical = match (known, wanted) {
        (Some(setting), Some(value)) => {
            let value = setting.canonical(value).map_err(|error| wrong(error.message))?;
            (!setting.says_nothing(&value)).then_some(value)
        }
        (_, wanted) => wanted.filter(|text| !text.is_empty()).map(str::to_owned),
    };
    match Format::of(text) {
        Format::Toml => {
            let mut toml: DocumentMut = super::without_mark(text)
                .parse()
                .map_err(|error: toml_edit::TomlError| wrong(error.message().to_owned()))?;
            change(&mut toml, id, known, canonical.as_deref());
            let edited = toml.to_string();
            // A name that is too long, for one, shows only now.
            Document::parse(&edited).map(|_| edited)
        }
        Format::Json => {
            match (id, &canonical, known) {
                ("name", text, _) => document.name = text.clone().unwrap_or_default(),
                ("description", text, _) => document.description = text.clone().unwrap_or_default(),
                (_, Some(text), _) => document
                    .assignments
                    .set(id, text)
                    .map_err(|error| wrong(error.message))?,
                (_, None, _) => document.assignments.unset(id),
            }
            let edited = document.to_json();
            Document::parse(&edited).map(|_| edited)
        }
    }
}

fn change(toml: &mut DocumentMut, id: &str, known: Option<&Setting>, wanted: Option<&str>) {
    let item = wanted.map(|text| known.map_or_else(|| value(text), |setting| toml_value(setting, text)));
    let Some(setting) = known else {
        return put(toml.as_table_mut(), id, item);
    };
    // Written in one word: "os.encryption" = …
    if toml.contains_key(id) {
        return put(toml.as_table_mut(), id, item);
    }
    let (section, key) = setting.path();
    if item.is_some() && !toml.contains_key(section) {
        toml.insert(section, Item::Table(Table::new()));
    }
    if let Some(table) = toml.get_mut(section).and_then(Item::as_table_like_mut) {
        put(table, key, item);
    }
}

fn put(table: &mut dyn TableLike, key: &str, item: Option<Item>) {
    match (table.get_mut(key), item) {
        (Some(Item::Value(old)), Some(Item::Value(mut new))) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        (_, Some(item)) => {
            table.insert(key, item);
        }
        (_, None) => {
            table.remove(key);
        }
    }
}
