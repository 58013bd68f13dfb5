//! What one document says otherwise than another.

use std::fmt;

use super::Document;
use crate::policy::{reference, setting};

/// One difference; a value that is not there is not configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The setting's id, `name` or `description`.
    pub what: &'static str,
    /// In the first document.
    pub before: Option<String>,
    /// In the second.
    pub after: Option<String>,
}

/// The differences, in the reference's order.
#[must_use]
pub fn diff(before: &Document, after: &Document) -> Vec<Change> {
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    let heads = [
        ("name", text(&before.name), text(&after.name)),
        ("description", text(&before.description), text(&after.description)),
    ];
    let of = |document: &Document, id| document.assignments.get(id).map(str::to_owned);
    let settings = reference().iter().map(|s| (s.id, of(before, s.id), of(after, s.id)));
    heads
        .into_iter()
        .chain(settings)
        .filter(|(_, before, after)| before != after)
        .map(|(what, before, after)| Change { what, before, after })
        .collect()
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |value: &Option<String>| match (value, setting(self.what)) {
            (Some(value), Some(setting)) if !value.is_empty() => setting.label(value),
            (Some(value), _) => format!("\"{}\"", value.escape_debug()),
            (None, Some(setting)) => {
                let default = setting.default_value();
                if setting.says_nothing(&default) {
                    "not configured".to_owned()
                } else {
                    format!("not configured ({})", setting.label(&default))
                }
            }
            (None, None) => "none".to_owned(),
        };
        write!(f, "{}: {} -> {}", self.what, side(&self.before), side(&self.after))
    }
}
