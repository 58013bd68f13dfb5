//! Policies from and to other programs' formats.
//!
//! Whatever goes in comes out again, or is named: an import lists what it did not understand, an export what its format cannot
//! express. Everything here works on bytes and text alone.

use std::fmt;

use super::document::Document;

pub mod cmdlets;
pub mod csp;
pub mod reg;
pub mod registry;
pub mod registry_pol;

/// A larger file is refused, in bytes.
pub const MAX_LEN: usize = 16 << 20;

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// What was understood.
    pub document: Document,
    /// What was not, in the file's order.
    pub unknown: Vec<Unknown>,
}

/// Something that no setting stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// It, as it was written.
    pub what: String,
    /// Why it is not in the document.
    pub why: String,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported<T> {
    /// The file's content.
    pub output: T,
    /// What it does not say, in the reference's order.
    pub inexpressible: Vec<Inexpressible>,
}

/// Something that a format has no place for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inexpressible {
    /// The setting's id, `name` or `description`.
    pub setting: &'static str,
    /// A sentence.
    pub why: String,
}

impl Imported {
    fn unknown(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.unknown.push(Unknown {
            what: what.into(),
            why: why.into(),
        });
    }

    /// Sets a setting, or keeps what was written as unknown.
    fn set(&mut self, setting: &'static str, value: &str, what: impl FnOnce() -> String) {
        if let Err(error) = self.document.assignments.set(setting, value) {
            self.unknown(what(), error.to_string());
        }
    }

    /// The document as TOML, with what was not understood as comments at its end.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = self.document.to_toml();
        if !self.unknown.is_empty() {
            text.push_str("\n# Not understood, and not part of this policy:\n");
        }
        for unknown in &self.unknown {
            text.push_str(&format!("#   {unknown}\n"));
        }
        text
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The file decides what stands here; a terminal and a comment get one line without control characters.
        let one_line = |text: &str| -> String {
            let shown = text.chars().take(400);
            shown.map(|c| if c.is_control() { ' ' } else { c }).collect()
        };
        write!(f, "{}: {}", one_line(&self.what), one_line(&self.why))
    }
}

impl fmt::Display for Inexpressible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.why)
    }
}

/// The document's name and description, for formats without a place for them.
fn nameless(document: &Document) -> Vec<Inexpressible> {
    let texts = [("name", &document.name), ("description", &document.description)];
    texts
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(setting, _)| Inexpressible {
            setting,
            why: "The format has no place for it.".to_owned(),
        })
        .collect()
}
