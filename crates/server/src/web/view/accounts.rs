//! Local accounts.

use askama::Template;
use zeroize::Zeroizing;

use super::{
    chrome::Chrome,
    form::{Choice, SelectField, TextField},
    part::{Moment, Tag},
};
use crate::web::icons;

/// One account.
#[derive(Debug, Clone)]
pub struct AccountRow {
    /// Id in forms.
    pub id: String,
    /// Name for sign-in.
    pub name: String,
    /// Roles to choose from, with the one it has.
    pub roles: Vec<Choice>,
    /// The role in words.
    pub role: String,
    /// For which devices: `everything`, or collections with commas.
    pub scope: String,
    /// Active, disabled, locked, or waiting for its first sign-in.
    pub state: Tag,
    /// Last sign-in.
    pub last: Option<Moment>,
    /// It is the viewer's own: cannot be disabled here.
    pub own: bool,
    /// Disabled now.
    pub disabled: bool,
}

/// A password that was just set, shown once.
pub struct FreshPassword {
    /// Whose.
    pub name: String,
    /// The password; must be changed at the next sign-in.
    pub password: Zeroizing<String>,
}

/// `/admin/accounts`.
#[derive(Template)]
#[template(path = "accounts.html")]
pub struct Accounts {
    /// Shared parts.
    pub chrome: Chrome,
    /// Just set; only in the answer to the form.
    pub fresh: Option<FreshPassword>,
    /// Name of the new account.
    pub name: TextField,
    /// Role of the new account.
    pub role: SelectField,
    /// Scope of the new account.
    pub scope: TextField,
    /// By name.
    pub rows: Vec<AccountRow>,
}
