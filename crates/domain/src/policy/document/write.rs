//! The one way to write a document.

use std::fmt::Write;

use toml_edit::{DocumentMut, Item, Table, value};

use super::Document;
use crate::policy::{Section, Setting, SettingKind, setting};

impl Document {
    /// As TOML, in the reference's order.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut toml = DocumentMut::new();
        for (key, text) in [("name", &self.name), ("description", &self.description)] {
            if !text.is_empty() {
                toml[key] = value(text.as_str());
            }
        }
        for section in Section::ALL {
            let mut table = Table::new();
            for (setting, text) in self.of(section) {
                table.insert(setting.path().1, toml_value(setting, text));
            }
            if !table.is_empty() {
                toml.insert(section.name(), Item::Table(table));
            }
        }
        toml.to_string()
    }

    /// As JSON, in the reference's order.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut parts = Vec::new();
        for (key, text) in [("name", &self.name), ("description", &self.description)] {
            if !text.is_empty() {
                parts.push(format!("  \"{key}\": {}", quoted(text)));
            }
        }
        for section in Section::ALL {
            let lines: Vec<_> = self
                .of(section)
                .map(|(setting, text)| format!("    \"{}\": {}", setting.path().1, json_value(setting, text)))
                .collect();
            if !lines.is_empty() {
                let mut part = String::new();
                // Writing to a string does not fail.
                let _ = write!(part, "  \"{}\": {{\n{}\n  }}", section.name(), lines.join(",\n"));
                parts.push(part);
            }
        }
        if parts.is_empty() {
            "{}\n".to_owned()
        } else {
            format!("{{\n{}\n}}\n", parts.join(",\n"))
        }
    }

    /// A setting belongs to the section that its id names.
    fn of(&self, section: Section) -> impl Iterator<Item = (&'static Setting, &str)> {
        self.assignments
            .iter()
            .filter_map(|(id, text)| Some((setting(id)?, text)))
            .filter(move |(setting, _)| setting.path().0 == section.name())
    }
}

/// A setting's value in TOML.
pub(super) fn toml_value(setting: &Setting, text: &str) -> Item {
    match (setting.kind, text.parse::<i64>()) {
        (SettingKind::Switch, _) => value(text == "true"),
        (SettingKind::Number { .. }, Ok(number)) => value(number),
        _ => value(text),
    }
}

fn json_value(setting: &Setting, text: &str) -> String {
    match setting.kind {
        SettingKind::Switch | SettingKind::Number { .. } => text.to_owned(),
        SettingKind::Choice(_) | SettingKind::Text { .. } => quoted(text),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}
