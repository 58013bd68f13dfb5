//! Form fields with their label, hint and fault, so that every form looks and speaks alike.

use askama::{Template, filters::HtmlSafe};

/// A line of text.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "part/text.html")]
pub struct TextField {
    /// Name in the form, and the element's id.
    pub name: &'static str,
    /// What is asked.
    pub label: String,
    /// What stands in it.
    pub value: String,
    /// `text`, `password`, `number`, `search`, `date`, `url`; empty means `text`.
    pub kind: &'static str,
    /// Below the field; may be empty.
    pub hint: String,
    /// What is wrong with the value.
    pub error: Option<String>,
    /// Must be filled.
    pub required: bool,
    /// The `autocomplete` value; empty means `off`.
    pub autocomplete: &'static str,
    /// Takes the cursor when the page opens.
    pub focus: bool,
    /// Shown in monospace.
    pub mono: bool,
    /// Greatest length; 0 means the default of 256.
    pub max: u16,
    /// Unit after the field; may be empty.
    pub unit: &'static str,
}

impl HtmlSafe for TextField {}

impl TextField {
    fn kind(&self) -> &'static str {
        if self.kind.is_empty() { "text" } else { self.kind }
    }

    fn autocomplete(&self) -> &'static str {
        if self.autocomplete.is_empty() {
            "off"
        } else {
            self.autocomplete
        }
    }

    fn max(&self) -> u16 {
        if self.max == 0 { 256 } else { self.max }
    }

    fn described(&self) -> bool {
        self.error.is_some() || !self.hint.is_empty()
    }
}

/// One of several values.
#[derive(Debug, Clone)]
pub struct Choice {
    /// What the form sends.
    pub value: String,
    /// What is shown.
    pub label: String,
    /// Whether it is chosen now.
    pub chosen: bool,
}

impl Choice {
    /// Choices from pairs of value and label, with the one chosen now.
    #[must_use]
    pub fn list(pairs: &[(&str, &str)], chosen: &str) -> Vec<Self> {
        pairs
            .iter()
            .map(|(value, label)| Self {
                value: (*value).to_owned(),
                label: (*label).to_owned(),
                chosen: *value == chosen,
            })
            .collect()
    }
}

/// A drop-down list.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "part/select.html")]
pub struct SelectField {
    /// Name in the form, and the element's id.
    pub name: &'static str,
    /// What is asked.
    pub label: String,
    /// In order.
    pub choices: Vec<Choice>,
    /// Below the field; may be empty.
    pub hint: String,
    /// What is wrong with the value.
    pub error: Option<String>,
    /// Must be chosen.
    pub required: bool,
}

impl HtmlSafe for SelectField {}

impl SelectField {
    fn described(&self) -> bool {
        self.error.is_some() || !self.hint.is_empty()
    }
}

/// Yes or no.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "part/check.html")]
pub struct CheckField {
    /// Name in the form, and the element's id.
    pub name: &'static str,
    /// What is switched.
    pub label: String,
    /// Whether it is on.
    pub on: bool,
    /// Below the label; may be empty.
    pub hint: String,
}

impl HtmlSafe for CheckField {}

/// Any field, for forms that are built from a description.
#[derive(Debug, Clone)]
pub enum Field {
    /// A line of text or a number.
    Text(TextField),
    /// One of several.
    Select(SelectField),
    /// Yes or no.
    Check(CheckField),
    /// Several lines.
    Area(super::sheet::AreaField),
}
