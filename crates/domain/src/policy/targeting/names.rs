//! Short names that people write in files: of collections, policies and deployments.

use std::fmt;

/// Longest name.
const MOST: usize = 64;

/// A text that is not a short name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a name: 1 to {MOST} lower-case letters, digits, \"-\", \"_\" or \".\" are allowed")]
pub struct NameError {
    text: String,
}

/// Accepts what fits into a file name and a URL on every system.
pub(super) fn check(text: String) -> Result<String, NameError> {
    let fits = (1..=MOST).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'));
    if fits { Ok(text) } else { Err(NameError { text }) }
}

/// Shows a list of things as people write them: `a, b or c`.
pub(super) fn or_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, things: &[T], between: &str) -> fmt::Result {
    for (index, thing) in things.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        write!(f, "{thing}")?;
    }
    Ok(())
}

/// A short name of one kind of thing.
macro_rules! short_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes a short name: 1 to 64 lower-case letters, digits, `-`, `_` or `.`.
            ///
            /// # Errors
            /// When it is anything else.
            pub fn new(text: impl Into<String>) -> Result<Self, $crate::policy::targeting::NameError> {
                $crate::policy::targeting::names::check(text.into()).map(Self)
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::policy::targeting::NameError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::policy::targeting::NameError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(super) use short_name;
