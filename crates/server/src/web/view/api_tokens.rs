//! API tokens.

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
pub struct ApiTokenRow {
    /// Id in forms.
    pub id: String,
    /// As the audit names it.
    pub name: String,
    /// What it is for.
    pub note: String,
    /// The role in words.
    pub role: String,
    /// For which devices.
    pub scope: String,
    /// Active, expired or revoked.
    pub state: Tag,
    /// Last request with it.
    pub used: Moment,
    /// Until when.
    pub expires: Moment,
    /// Who made it.
    pub by: String,
    /// Can still be revoked.
    pub active: bool,
}

/// A token that was just made, shown once.
pub struct FreshApiToken {
    /// The secret.
    pub token: Zeroizing<String>,
    /// What it is for.
    pub note: String,
}

/// `/admin/api-tokens`.
#[derive(Template)]
#[template(path = "api_tokens.html")]
pub struct ApiTokens {
    /// Shared parts.
    pub chrome: Chrome,
    /// Just made; only in the answer to the form.
    pub fresh: Option<FreshApiToken>,
    /// What it is for.
    pub note: TextField,
    /// What it may do.
    pub role: SelectField,
    /// To which devices.
    pub scope: TextField,
    /// How long it is good for.
    pub lifetime: SelectField,
    /// Newest first.
    pub rows: Vec<ApiTokenRow>,
}

impl ApiTokens {
    fn empty(&self) -> Empty {
        Empty {
            icon: icons::KEY,
            title: "No API token yet".to_owned(),
            text: "A token lets a program read and do over the API what its role and scope allow.".to_owned(),
            action: None,
        }
    }
}
