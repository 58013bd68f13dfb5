//! The audit.

use askama::Template;

use super::{
    chrome::Chrome,
    form::Choice,
    part::{Empty, Moment, Pager, Tag, Tone},
};
use crate::web::icons;

/// One entry.
#[derive(Debug, Clone)]
pub struct AuditRow {
    /// Its number in the chain.
    pub number: u64,
    /// When.
    pub when: Moment,
    /// Who.
    pub actor: String,
    /// What, as a coloured word.
    pub action: Tag,
    /// On what.
    pub subject: String,
    /// Page of the device, when it has one.
    pub subject_href: Option<String>,
    /// Why, and other facts.
    pub detail: String,
    /// First digits of its hash.
    pub hash: String,
}

/// Whether the chain holds together.
#[derive(Debug, Clone)]
pub struct ChainStatus {
    /// Good, under way, or broken.
    pub tone: Tone,
    /// Such as "Verified up to #1204".
    pub text: String,
    /// First digits of the last hash; may be empty.
    pub head: String,
}

/// `/admin/audit`.
#[derive(Debug, Clone, Template)]
#[template(path = "audit.html")]
pub struct Audit {
    /// Shared parts.
    pub chrome: Chrome,
    /// Whether the chain holds together.
    pub chain: ChainStatus,
    /// Filter: who.
    pub actor: String,
    /// Filter: what.
    pub actions: Vec<Choice>,
    /// Filter: on what.
    pub subject: String,
    /// Filter: from this day, `YYYY-MM-DD`; may be empty.
    pub from: String,
    /// Filter: to this day, `YYYY-MM-DD`; may be empty.
    pub to: String,
    /// Newest first.
    pub rows: Vec<AuditRow>,
    /// Where they lie within the list.
    pub pager: Pager,
    /// Address of the same entries as CSV.
    pub export_href: String,
    /// Whether a filter is on.
    pub filtered: bool,
    /// What is wrong with the filter; may be empty.
    pub problem: String,
}

impl Audit {
    fn empty(&self) -> Empty {
        Empty {
            icon: icons::CLIPBOARD_LIST,
            title: if self.filtered {
                "No entry matches"
            } else {
                "Nothing recorded yet"
            }
            .to_owned(),
            text:
                "Sign-ins, escrows, proofs, disclosures and changes are recorded here, each chained to the one before."
                    .to_owned(),
            action: self
                .filtered
                .then(|| ("Show all entries".to_owned(), "/admin/audit".to_owned())),
        }
    }
}
