//! Policies: list, one policy, and the form that changes it.

use askama::Template;

use super::{chrome::Chrome, form::Field, part::Moment};
use crate::web::icons;

/// One policy in the list.
#[derive(Debug, Clone)]
pub struct PolicyRow {
    /// Its page.
    pub href: String,
    /// Its name.
    pub name: String,
    /// What it demands, in a few words.
    pub summary: String,
    /// Which devices it reaches.
    pub reaches: String,
    /// Counts up with each change.
    pub revision: u64,
    /// When it was changed last.
    pub changed: Moment,
}

/// `/admin/policies`.
#[derive(Debug, Clone, Template)]
#[template(path = "policies.html")]
pub struct PolicyList {
    /// Shared parts.
    pub chrome: Chrome,
    /// By precedence.
    pub rows: Vec<PolicyRow>,
}

/// Settings under a heading, to change. Folded away unless something in it is configured or wrong.
#[derive(Debug, Clone)]
pub struct FormSection {
    /// In addresses: where the list at the top leads.
    pub id: &'static str,
    /// The heading.
    pub title: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// What this policy configures, and what is wrong: in view.
    pub set: Vec<Field>,
    /// What it leaves to others: folded away once more, unless there is nothing else.
    pub left: Vec<Field>,
}

impl FormSection {
    /// How many fields are set, of how many.
    #[must_use]
    pub fn count(&self) -> String {
        let all = self.set.len() + self.left.len();
        match self.set.len() {
            0 => format!("none of {all} configured"),
            set => format!("{set} of {all} configured"),
        }
    }
}

/// `/admin/policies/{id}/edit`.
#[derive(Debug, Clone, Template)]
#[template(path = "policy_edit.html")]
pub struct PolicyForm {
    /// Shared parts.
    pub chrome: Chrome,
    /// Id in addresses.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The revision that was read, so that a change in between is noticed.
    pub revision: u64,
    /// OS, fixed, removable, client.
    pub sections: Vec<FormSection>,
    /// Name and fault of each field that cannot be used.
    pub faults: Vec<(String, String)>,
}
