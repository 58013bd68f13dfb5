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

/// Settings under a heading, to change.
#[derive(Debug, Clone)]
pub struct FormSection {
    /// The heading.
    pub title: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Its fields.
    pub fields: Vec<Field>,
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
