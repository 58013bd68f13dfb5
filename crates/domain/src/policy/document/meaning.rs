//! What the entries of a document mean.

use std::collections::BTreeMap;

use super::{Document, Entry, Fault, Parsed, Place, Value, place};
use crate::policy::reference::NOT_CONFIGURED;
use crate::policy::{Section, Setting, SettingKind, setting, suggestion};

/// Whether a text is a list, which a document may write as such.
pub(in crate::policy) fn is_list(id: &str) -> bool {
    ["setup.org_allowed_identifiers", "removable.excluded_hardware_ids"].contains(&id)
}

const MAX_NAME: usize = 200;
const MAX_DESCRIPTION: usize = 4000;

struct Reader<'a> {
    text: &'a str,
    document: Document,
    places: BTreeMap<&'static str, Place>,
    faults: Vec<Fault>,
}

pub(super) fn of(text: &str, entries: Vec<Entry>) -> Result<Parsed, Vec<Fault>> {
    let mut reader = Reader {
        text,
        document: Document::default(),
        places: BTreeMap::new(),
        faults: Vec::new(),
    };
    for entry in entries {
        reader.top(entry);
    }
    if reader.faults.is_empty() {
        Ok(Parsed {
            document: reader.document,
            places: reader.places,
        })
    } else {
        reader.faults.sort_by_key(|fault| (fault.line, fault.column));
        Err(reader.faults)
    }
}

impl Reader<'_> {
    fn top(&mut self, entry: Entry) {
        let section = Section::ALL.into_iter().find(|section| section.name() == entry.key);
        match (entry.key.as_str(), section) {
            ("name", _) => self.name(entry),
            ("description", _) => self.description(entry),
            // Tells editors where the schema is.
            ("$schema", _) => {}
            (key, Some(_)) => match entry.value {
                Value::Table(entries) => {
                    for inner in entries {
                        self.setting(&format!("{key}.{}", inner.key), inner.at, &inner.value);
                    }
                }
                _ => self.fault(
                    entry.at,
                    None,
                    format!("\"{key}\" is a section, [{key}], with settings in it."),
                ),
            },
            (key, None) if key.contains('.') => self.setting(key, entry.at, &entry.value),
            (key, None) => {
                let meant = suggestion(key)
                    .map(|id| format!(" Did you mean {id}?"))
                    .unwrap_or_default();
                let sections: Vec<_> = Section::ALL.iter().map(|section| section.name()).collect();
                let message = format!(
                    "There is no section \"{}\"; they are: {}.{meant}",
                    key.escape_debug(),
                    sections.join(", ")
                );
                self.fault(entry.at, None, message);
            }
        }
    }

    fn name(&mut self, entry: Entry) {
        let text = if let Value::Text(text) = entry.value {
            text
        } else {
            "\0".to_owned()
        };
        match name(&text) {
            Ok(name) => self.document.name = name,
            Err(message) => self.fault(entry.at, None, message),
        }
    }

    fn description(&mut self, entry: Entry) {
        let text = if let Value::Text(text) = entry.value {
            text
        } else {
            "\0".to_owned()
        };
        match description(&text) {
            Ok(description) => self.document.description = description,
            Err(message) => self.fault(entry.at, None, message),
        }
    }

    fn setting(&mut self, id: &str, at: usize, value: &Value) {
        let Some(setting) = setting(id) else {
            let meant = suggestion(id).map(|id| format!(" Did you mean {id}?"));
            let message = format!("There is no such setting.{}", meant.unwrap_or_default());
            return self.fault(at, Some(id), message);
        };
        if self.places.insert(setting.id, place(self.text, at)).is_some() {
            return self.fault(at, Some(id), "It is set twice.".to_owned());
        }
        let set = as_text(setting, value).and_then(|text| match text {
            Some(text) => self.document.assignments.set(id, &text).map_err(|error| error.message),
            None => Ok(()),
        });
        if let Err(message) = set {
            self.fault(at, Some(id), message);
        }
    }

    fn fault(&mut self, at: usize, setting: Option<&str>, message: String) {
        let place = place(self.text, at);
        self.faults.push(Fault::at(place, setting.map(str::to_owned), message));
    }
}

pub(super) fn name(text: &str) -> Result<String, String> {
    if text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "\"name\" must be a text of one line, at most {MAX_NAME} characters."
    ))
}

pub(super) fn description(text: &str) -> Result<String, String> {
    let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.chars().count() <= MAX_DESCRIPTION && !text.contains(odd) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "\"description\" must be a text of at most {MAX_DESCRIPTION} characters."
    ))
}

/// The value as the reference takes it; none: the setting is not configured.
fn as_text(setting: &Setting, value: &Value) -> Result<Option<String>, String> {
    let wrong = || Err(setting.kind.allowed());
    match (setting.kind, value) {
        (SettingKind::Text { .. }, Value::List(items)) if is_list(setting.id) => {
            let whole = items.iter().all(|item| !item.contains(','));
            let text = || Ok(Some(items.join(",")));
            if whole {
                text()
            } else {
                Err("An item of the list must not hold a comma.".to_owned())
            }
        }
        (SettingKind::Text { .. }, Value::Text(text)) => Ok(Some(text.clone())),
        (SettingKind::Text { .. }, _) => wrong(),
        (_, Value::Text(text)) if text == NOT_CONFIGURED => Ok(None),
        (SettingKind::Number { .. }, Value::Number(digits)) => Ok(Some(digits.clone())),
        (SettingKind::Number { .. }, Value::Text(text)) if text.parse::<u32>().is_ok() => {
            Err(format!("{} Write it without quotation marks.", setting.kind.allowed()))
        }
        (SettingKind::Switch | SettingKind::Choice(_), Value::Switch(on)) => Ok(Some(on.to_string())),
        (SettingKind::Switch, Value::Text(text)) if ["true", "false"].contains(&text.as_str()) => {
            Err("Must be true or false. Write it without quotation marks.".to_owned())
        }
        (SettingKind::Switch | SettingKind::Choice(_), Value::Text(text)) => Ok(Some(text.clone())),
        _ => wrong(),
    }
}
