//! Icons as constants, made by `build.rs` from the names in `assets/icons.txt`.

use std::fmt::{self, Display, Formatter};

/// An inline SVG picture that is hidden from screen readers; the text beside it says what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icon(&'static str);

impl Display for Icon {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl askama::filters::HtmlSafe for Icon {}

include!(concat!(env!("OUT_DIR"), "/icons.rs"));
