//! Self-service: a user gets the key of an own device, usually on a phone.

use askama::Template;
use zeroize::Zeroizing;

use super::{
    chrome::Chrome,
    form::{SelectField, TextField},
    part::{KeyId, Tag},
};
use crate::web::icons::{self, Icon};

/// A drive of the user's.
#[derive(Debug, Clone)]
pub struct OwnDrive {
    /// Its picture.
    pub icon: Icon,
    /// Computer name.
    pub device: String,
    /// Volume in words.
    pub volume: String,
    /// First eight digits of its key ID, to compare with the recovery screen; empty when no key is stored.
    pub digits: String,
}

/// `/selfservice`.
#[derive(Debug, Clone, Template)]
#[template(path = "selfservice.html")]
pub struct SelfService {
    /// Shared parts.
    pub chrome: Chrome,
    /// The organisation's notice; paragraphs. Empty: none.
    pub notice: Vec<String>,
    /// Drives of the devices on which the user signed in.
    pub drives: Vec<OwnDrive>,
    /// First eight digits, or the whole ID.
    pub key_id: TextField,
    /// Why.
    pub reason: SelectField,
    /// How it stands with an exemption from encryption: a state, and what it means. None: this person cannot ask for one.
    pub exemption: Option<(Tag, String)>,
    /// Nothing was found, and the like.
    pub problem: Option<String>,
    /// Whom to ask otherwise.
    pub helpdesk: String,
}

/// The recovery password, shown once. Neither `Debug` nor `Clone`, and rendered only into the answer to the form.
#[derive(Template)]
#[template(path = "selfservice_result.html")]
pub struct SelfServiceResult {
    /// Shared parts.
    pub chrome: Chrome,
    /// The 48 digits in eight groups of six, joined by hyphens.
    pub password: Zeroizing<String>,
    /// Its key ID.
    pub id: KeyId,
    /// Computer and volume in words.
    pub drive: String,
    /// Whom to ask otherwise.
    pub helpdesk: String,
}

impl SelfServiceResult {
    fn groups(&self) -> impl Iterator<Item = &str> {
        self.password.split('-')
    }
}
