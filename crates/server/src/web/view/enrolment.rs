//! Enrolment tokens.

use askama::Template;
use zeroize::Zeroizing;

use super::{
    chrome::Chrome,
    form::{SelectField, TextField},
    part::{Empty, Moment, Tag},
};
use crate::web::icons;

/// One token; its secret is not known any more.
#[derive(Debug, Clone)]
pub struct TokenRow {
    /// Id in forms.
    pub id: String,
    /// What it is for.
    pub label: String,
    /// Active, used up, expired or revoked.
    pub state: Tag,
    /// Used, and how often it may be.
    pub uses: String,
    /// Until when.
    pub expires: Moment,
    /// Who made it.
    pub by: String,
    /// Can still be revoked.
    pub active: bool,
}

/// A token that was just made, shown once.
pub struct FreshToken {
    /// The secret.
    pub token: Zeroizing<String>,
    /// What it is for.
    pub label: String,
}

/// `/admin/enrolment`.
#[derive(Template)]
#[template(path = "enrolment.html")]
pub struct Enrolment {
    /// Shared parts.
    pub chrome: Chrome,
    /// Just made; only in the answer to the form.
    pub fresh: Option<FreshToken>,
    /// What it is for.
    pub label: TextField,
    /// How many devices may use it.
    pub uses: TextField,
    /// How long it is good for.
    pub lifetime: SelectField,
    /// Newest first.
    pub rows: Vec<TokenRow>,
}

impl Enrolment {
    fn empty(&self) -> Empty {
        Empty {
            icon: icons::TICKET,
            title: "No token yet".to_owned(),
            text: "A token lets the agent on a device enrol once, within a time you choose.".to_owned(),
            action: None,
        }
    }
}
