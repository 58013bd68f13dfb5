//! Pages for what went wrong.

use askama::Template;

use super::chrome::Chrome;
use crate::web::icons;

/// An error page.
#[derive(Debug, Clone, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// Shared parts.
    pub chrome: Chrome,
    /// HTTP status.
    pub status: u16,
    /// Stable code of the error, for support; may be empty.
    pub code: String,
    /// A sentence for the person: what happened.
    pub sentence: String,
}

impl ErrorPage {
    fn title(&self) -> &'static str {
        match self.status {
            401 => "Signed out",
            403 => "Not allowed",
            404 => "Not found",
            409 => "Changed in the meantime",
            413 => "Too large",
            422 => "Cannot be used as it is",
            429 => "Too many requests",
            503 => "Not available just now",
            _ => "Something went wrong",
        }
    }

    fn advice(&self) -> &'static str {
        match self.status {
            401 => "Your session has ended. Sign in again; what you sent was not carried out.",
            403 => {
                "Your role does not include this page, or the form was too old. Go back, reload the page and try again; if it stays so, ask an administrator."
            }
            404 => "It may have been removed, or the address has a typing error.",
            409 => "Somebody else was faster. Open the page again to see how things stand now.",
            422 => "Nothing was changed. Go back and correct what is named above.",
            429 => "Wait a moment, then try again.",
            _ => {
                "Nothing that was confirmed before is lost. Try again in a moment; if it stays so, give the code below to your administrator."
            }
        }
    }
}
