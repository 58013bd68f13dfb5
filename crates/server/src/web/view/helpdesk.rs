//! Drive recovery by the help desk.

use askama::Template;
use zeroize::Zeroizing;

use super::{
    chrome::Chrome,
    form::{SelectField, TextField},
    part::{Event, Fact, KeyId, Moment, Tag},
};
use crate::web::icons;

/// `/helpdesk`: who, which key, why.
#[derive(Debug, Clone, Template)]
#[template(path = "helpdesk.html")]
pub struct RecoveryForm {
    /// Shared parts.
    pub chrome: Chrome,
    /// First eight digits, or the whole ID.
    pub key_id: TextField,
    /// Whose drive, as `domain\name`.
    pub user: TextField,
    /// Why.
    pub reason: SelectField,
    /// Free remark.
    pub remark: TextField,
    /// Nothing was found, or another fault that concerns no single field.
    pub problem: Option<String>,
    /// What this help desk did last, newest first; without any secret.
    pub recent: Vec<Event>,
}

/// One of several keys with the same first digits.
#[derive(Debug, Clone)]
pub struct MatchRow {
    /// Its whole key ID.
    pub id: KeyId,
    /// Names the key in the form that picks it: device, volume and protector.
    pub pick: String,
    /// Computer name.
    pub device: String,
    /// Volume in words.
    pub volume: String,
    /// First users.
    pub users: String,
    /// Live, exposed, superseded.
    pub state: Tag,
    /// When it was stored.
    pub escrowed_at: Moment,
}

/// Several keys begin with the digits given.
#[derive(Debug, Clone, Template)]
#[template(path = "helpdesk_matches.html")]
pub struct RecoveryMatches {
    /// Shared parts.
    pub chrome: Chrome,
    /// What was typed.
    pub digits: String,
    /// Sent on by each row's form.
    pub user: String,
    /// Sent on by each row's form.
    pub reason: String,
    /// Sent on by each row's form.
    pub remark: String,
    /// The keys.
    pub rows: Vec<MatchRow>,
}

/// The recovery password, shown once. Neither `Debug` nor `Clone`, and rendered only into the answer to the form.
#[derive(Template)]
#[template(path = "helpdesk_result.html")]
pub struct RecoveryResult {
    /// Shared parts.
    pub chrome: Chrome,
    /// The 48 digits in eight groups of six, joined by hyphens.
    pub password: Zeroizing<String>,
    /// Its key ID.
    pub id: KeyId,
    /// Live keys that are not proven, or superseded ones, carry a warning; may be empty.
    pub caution: String,
    /// Lets this session save the key once as a file.
    pub save_token: Zeroizing<String>,
    /// About the device and the volume.
    pub facts: Vec<Fact>,
    /// The device's page.
    pub device_href: String,
    /// Its name.
    pub device: String,
    /// What happens next to the key.
    pub next: String,
}

impl RecoveryResult {
    fn groups(&self) -> impl Iterator<Item = &str> {
        self.password.split('-')
    }
}
