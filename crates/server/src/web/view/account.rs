//! The viewer's own account.

use askama::Template;

use super::{chrome::Chrome, form::TextField, login::password_fields, part::Moment};
use crate::web::icons;

/// One session.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Id in forms; not the secret of the session.
    pub id: String,
    /// Browser and system, as far as they say.
    pub client: String,
    /// When it began.
    pub since: Moment,
    /// When it was used last.
    pub last: Moment,
    /// It is this one.
    pub current: bool,
}

/// `/account`.
#[derive(Debug, Clone, Template)]
#[template(path = "account.html")]
pub struct Account {
    /// Shared parts.
    pub chrome: Chrome,
    /// What is wrong with the present password.
    pub current_error: Option<String>,
    /// What is wrong with the new one.
    pub new_error: Option<String>,
    /// What is wrong with its repetition.
    pub again_error: Option<String>,
    /// Newest first.
    pub sessions: Vec<SessionRow>,
}

impl Account {
    fn fields(&self) -> [TextField; 3] {
        password_fields(
            self.current_error.clone(),
            self.new_error.clone(),
            self.again_error.clone(),
        )
    }

    fn role(&self) -> &'static str {
        self.chrome.viewer.as_ref().map_or("", |viewer| viewer.role_label())
    }

    fn name(&self) -> &str {
        self.chrome.viewer.as_ref().map_or("", |viewer| &viewer.name)
    }
}
