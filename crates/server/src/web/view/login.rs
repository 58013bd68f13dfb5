//! Sign-in, and the new password that a first sign-in asks for.

use askama::Template;

use super::{chrome::Chrome, form::TextField};
use crate::web::icons;

/// Why sign-in did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginProblem {
    /// Name or password is wrong; which of them is not said.
    Refused,
    /// Too many failures: the minutes until the next try.
    LockedOut(u64),
    /// The session ended; nothing wrong.
    Expired,
}

/// `/login`.
#[derive(Debug, Clone, Template)]
#[template(path = "login.html")]
pub struct Login {
    /// Shared parts.
    pub chrome: Chrome,
    /// What was typed before.
    pub name: String,
    /// Page to open afterwards: a path on this server; may be empty.
    pub next: String,
    /// Why we are here again.
    pub problem: Option<LoginProblem>,
}

impl Login {
    fn field_name(&self) -> TextField {
        TextField {
            name: "name",
            label: "User name".to_owned(),
            value: self.name.clone(),
            required: true,
            autocomplete: "username",
            focus: self.name.is_empty(),
            ..TextField::default()
        }
    }

    fn field_password(&self) -> TextField {
        TextField {
            name: "password",
            label: "Password".to_owned(),
            kind: "password",
            required: true,
            autocomplete: "current-password",
            focus: !self.name.is_empty(),
            max: 1024,
            ..TextField::default()
        }
    }
}

/// `/account/password`, in full page when a first sign-in asks for a new password.
#[derive(Debug, Clone, Template)]
#[template(path = "password.html")]
pub struct NewPassword {
    /// Shared parts.
    pub chrome: Chrome,
    /// What is wrong with the present password.
    pub current_error: Option<String>,
    /// What is wrong with the new one.
    pub new_error: Option<String>,
    /// What is wrong with its repetition.
    pub again_error: Option<String>,
}

impl NewPassword {
    fn fields(&self) -> [TextField; 3] {
        password_fields(
            self.current_error.clone(),
            self.new_error.clone(),
            self.again_error.clone(),
        )
    }
}

/// The three fields with which a password is changed.
pub(super) fn password_fields(current: Option<String>, new: Option<String>, again: Option<String>) -> [TextField; 3] {
    let field = |name, label: &str, autocomplete, hint: &str, error| TextField {
        name,
        label: label.to_owned(),
        kind: "password",
        required: true,
        autocomplete,
        hint: hint.to_owned(),
        error,
        max: 1024,
        ..TextField::default()
    };
    [
        field("current", "Current password", "current-password", "", current),
        field(
            "new",
            "New password",
            "new-password",
            "At least 12 characters. A few unrelated words are easier to keep than symbols.",
            new,
        ),
        field("again", "New password again", "new-password", "", again),
    ]
}
