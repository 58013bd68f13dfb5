//! Comparing what people write with what devices report: patterns, versions, places in a directory.

use std::cmp::Ordering;
use std::fmt;
use std::str::{Chars, FromStr};

use serde::{Deserialize, Serialize};

/// Whether a text matches a pattern with `*` (any run of characters) and `?` (any one), whatever the case.
pub(super) fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Where to go on when a star has to swallow one character more.
    let mut star: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        let mut after = pattern.clone();
        match after.next() {
            Some('*') => {
                star = Some((after.clone(), text.clone()));
                pattern = after;
                continue;
            }
            Some(wanted) => {
                let mut rest = text.clone();
                if rest.next().is_some_and(|c| wanted == '?' || same_letter(wanted, c)) {
                    (pattern, text) = (after, rest);
                    continue;
                }
            }
            None if text.as_str().is_empty() => return true,
            None => {}
        }
        match &mut star {
            Some((after_star, swallowed)) => {
                if swallowed.next().is_none() {
                    return false;
                }
                (pattern, text) = (after_star.clone(), swallowed.clone());
            }
            None => return false,
        }
    }
}

/// Whether two texts are the same, whatever the case.
pub(super) fn same_text(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.chars(), other.chars());
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if same_letter(a, b) => {}
            _ => return false,
        }
    }
}

fn same_letter(a: char, b: char) -> bool {
    a.eq_ignore_ascii_case(&b) || (!a.is_ascii() && a.to_lowercase().eq(b.to_lowercase()))
}

/// A version as rules name it: numbers with points, `10.0.22631`. Missing numbers count as 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OsVersion(Vec<u32>);

/// A text that is not a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a version: numbers with points between them are allowed, like 10.0.22631")]
pub struct VersionError(String);

impl OsVersion {
    /// Compares a reported version with this one; none when it does not begin with a number. What follows the leading
    /// numbers ("10.0.22631 (23H2)") is passed over.
    pub(super) fn compare_reported(&self, reported: &str) -> Option<Ordering> {
        let end = reported
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(reported.len());
        let mut reported = reported
            .get(..end)?
            .split('.')
            .map_while(|part| part.parse::<u32>().ok())
            .peekable();
        reported.peek()?;
        let mut wanted = self.0.iter().copied();
        loop {
            match (reported.next(), wanted.next()) {
                (None, None) => return Some(Ordering::Equal),
                (have, want) => match have.unwrap_or(0).cmp(&want.unwrap_or(0)) {
                    Ordering::Equal => {}
                    decided => return Some(decided),
                },
            }
        }
    }
}

impl FromStr for OsVersion {
    type Err = VersionError;
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let numbers: Result<Vec<u32>, _> = text.trim().split('.').map(str::parse).collect();
        numbers.map(Self).map_err(|_| VersionError(text.to_owned()))
    }
}

impl TryFrom<String> for OsVersion {
    type Error = VersionError;
    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<OsVersion> for String {
    fn from(version: OsVersion) -> Self {
        version.to_string()
    }
}

impl fmt::Display for OsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::names::or_list(f, &self.0, ".")
    }
}

/// A place in a directory, `OU=Berlin,DC=example,DC=com`; upper and lower case and spaces around parts do not matter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DistinguishedName(String);

/// A text that is not a distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a place in a directory: parts like OU=Berlin with commas between them are allowed")]
pub struct DistinguishedNameError(String);

impl DistinguishedName {
    /// Whether a reported place is this one or lies under it.
    pub(super) fn contains(&self, reported: &str) -> bool {
        let (mine, theirs) = (parts(&self.0), parts(reported));
        theirs.len() >= mine.len() && mine.iter().rev().zip(theirs.iter().rev()).all(|(a, b)| same_part(a, b))
    }
}

/// Parts between commas that are not escaped by a backslash.
fn parts(name: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in name.char_indices() {
        if c == ',' && !escaped {
            parts.extend(name.get(begin..at).map(str::trim));
            begin = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    parts.extend(name.get(begin..).map(str::trim));
    parts
}

fn same_part(one: &str, other: &str) -> bool {
    match (one.split_once('='), other.split_once('=')) {
        (Some((a, b)), Some((c, d))) => same_text(a.trim(), c.trim()) && same_text(b.trim(), d.trim()),
        _ => false,
    }
}

impl FromStr for DistinguishedName {
    type Err = DistinguishedNameError;
    fn from_str(text: &str) -> Result<Self, DistinguishedNameError> {
        let whole = |part: &str| {
            part.split_once('=')
                .is_some_and(|(kind, name)| !kind.trim().is_empty() && !name.trim().is_empty())
        };
        if parts(text).into_iter().all(whole) {
            Ok(Self(text.trim().to_owned()))
        } else {
            Err(DistinguishedNameError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for DistinguishedName {
    type Error = DistinguishedNameError;
    fn try_from(text: String) -> Result<Self, DistinguishedNameError> {
        text.parse()
    }
}

impl From<DistinguishedName> for String {
    fn from(name: DistinguishedName) -> Self {
        name.0
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
