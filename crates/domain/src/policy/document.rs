//! Policies as documents: TOML for people and version control, JSON for programs, of one shape.
//!
//! ```toml
//! name = "Laptops"
//!
//! [os]
//! encryption = "require"
//! min_pin_length = 6   # comments stay when a value is edited
//! ```
//!
//! A document names what it configures and nothing else. `"not_configured"` is the same as not naming a setting. All faults
//! are told at once, each with its place and with what is allowed there.

use std::collections::BTreeMap;
use std::fmt;

use super::{Assignments, FieldError};

pub use diff::{Change, diff};
pub use edit::edit;
pub(super) use meaning::is_list;

mod diff;
mod edit;
mod json;
mod meaning;
mod toml;
mod write;

/// A longer document is refused.
pub const MAX_LEN: usize = 1 << 20;

/// A named set of settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// One line; empty: none.
    pub name: String,
    /// For whom and why; empty: none.
    pub description: String,
    /// What it configures.
    pub assignments: Assignments,
}

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// With comments.
    Toml,
    /// An object of objects.
    Json,
}

/// Something wrong, or odd, at a place in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The setting that it is about, as it was written.
    pub setting: Option<String>,
    /// A sentence that says what is allowed.
    pub message: String,
}

/// A document, and where its settings stand.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The document.
    pub document: Document,
    places: BTreeMap<&'static str, Place>,
}

/// Line and column.
type Place = (usize, usize);

impl Format {
    /// What a text looks like: JSON begins with a brace.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if without_mark(text).trim_start().starts_with('{') {
            Self::Json
        } else {
            Self::Toml
        }
    }
}

impl Document {
    /// Reads a document of either format. Rules between settings are [`Parsed::faults`].
    ///
    /// # Errors
    /// All faults: of syntax, settings that do not exist, values that are not allowed.
    pub fn parse(text: &str) -> Result<Parsed, Vec<Fault>> {
        if text.len() > MAX_LEN {
            let message = format!("The document has {} bytes; at most {MAX_LEN} are read.", text.len());
            return Err(vec![Fault::at((1, 1), None, message)]);
        }
        let text = without_mark(text);
        let entries = match Format::of(text) {
            Format::Toml => toml::entries(text)?,
            Format::Json => json::entries(text)?,
        };
        meaning::of(text, entries)
    }

    /// Gives it a name; blanks around it go.
    ///
    /// # Errors
    /// When it is not one line or too long: what is allowed.
    pub fn rename(&mut self, name: &str) -> Result<(), String> {
        self.name = meaning::name(name.trim())?;
        Ok(())
    }

    /// Describes it.
    ///
    /// # Errors
    /// When the text is too long or holds control characters: what is allowed.
    pub fn describe(&mut self, description: &str) -> Result<(), String> {
        self.description = meaning::description(description)?;
        Ok(())
    }

    /// Reads a document, and holds it against the rules between settings too.
    ///
    /// # Errors
    /// As [`Document::parse`], and settings that need others.
    pub fn read(text: &str) -> Result<Self, Vec<Fault>> {
        let parsed = Self::parse(text)?;
        let faults = parsed.faults();
        if faults.is_empty() {
            Ok(parsed.document)
        } else {
            Err(faults)
        }
    }
}

impl Parsed {
    /// Line and column of a setting that is named.
    #[must_use]
    pub fn place(&self, id: &str) -> Option<(usize, usize)> {
        self.places.get(id).copied()
    }

    /// Settings that need others, or exclude them.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let errors = self.document.assignments.policy().validate().err();
        self.placed(errors.unwrap_or_default())
    }

    /// What is allowed and yet hardly meant. Only what this document configures is judged.
    #[must_use]
    pub fn warnings(&self) -> Vec<Fault> {
        let named = |warning: &FieldError| self.document.assignments.get(&warning.field).is_some();
        let warnings = self.document.assignments.policy().warnings();
        self.placed(warnings.into_iter().filter(named).collect())
    }

    /// A rule's sentence stands at its setting; at one that the sentence names, where that itself is missing.
    fn placed(&self, errors: Vec<FieldError>) -> Vec<Fault> {
        let place = |error: &FieldError| {
            let named = || self.places.iter().find(|(id, _)| error.message.contains(*id));
            self.place(&error.field)
                .or_else(|| named().map(|(_, place)| *place))
                .unwrap_or((1, 1))
        };
        let fault = |error: FieldError| Fault::at(place(&error), Some(error.field), error.message);
        errors.into_iter().map(fault).collect()
    }
}

impl Fault {
    fn at((line, column): Place, setting: Option<String>, message: String) -> Self {
        Self {
            line,
            column,
            setting,
            message,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if let Some(setting) = &self.setting {
            write!(f, "{}: ", setting.escape_debug())?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// Editors of Windows write a byte order mark.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Line and column of a byte.
pub fn place(text: &str, at: usize) -> Place {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let line = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
}

/// A key with its value, of either format.
struct Entry {
    key: String,
    /// Bytes from the beginning of the text.
    at: usize,
    value: Value,
}

/// A value of either format.
enum Value {
    Switch(bool),
    /// Its digits.
    Number(String),
    Text(String),
    List(Vec<String>),
    Table(Vec<Entry>),
    /// Nothing that any setting takes.
    Other,
}
