//! Whether two spellings of an account name mean the same person.

/// Compares account names without regard to case. A domain is part of the name:
///
/// | this | and this | |
/// |---|---|---|
/// | `anna` | `Anna` | same |
/// | `CORP\anna` | `corp\ANNA` | same |
/// | `anna@corp.example` | `Anna@CORP.example` | same |
/// | `anna` | `CORP\anna` | **not** the same |
/// | `CORP\anna` | `LAB\anna` | not the same |
/// | `CORP\anna` | `anna@corp.example` | not the same |
///
/// A bare name is not matched with a qualified one, as every domain and every machine may have its own `anna`; whoever
/// means `CORP\anna` gives the account that name. Empty and malformed names (`\anna`, `CORP\`, `a\b\c`) match nothing, not
/// even themselves.
#[must_use]
pub fn same_person(one: &str, other: &str) -> bool {
    match (Name::parse(one), Name::parse(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// One spelling for all that [`same_person`] takes for one, to look people up by; none for names that match nothing.
#[must_use]
pub fn person_key(name: &str) -> Option<String> {
    Name::parse(name).map(|name| match name.domain {
        Some(domain) => format!("{domain}\\{}", name.user),
        None => name.user,
    })
}

#[derive(PartialEq, Eq)]
struct Name {
    domain: Option<String>,
    user: String,
}

impl Name {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (domain, user) = match text.split_once('\\') {
            Some((domain, user)) => (Some(domain.trim()), user.trim()),
            None => (None, text),
        };
        let malformed = user.is_empty() || user.contains('\\') || domain.is_some_and(str::is_empty);
        (!malformed).then(|| Self {
            domain: domain.map(fold),
            user: fold(user),
        })
    }
}

/// Lower case, without letting a foreign letter become an ASCII one (the Kelvin sign a "k", say): that would make two
/// names one.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() {
            folded.push(letter.to_ascii_lowercase());
        } else if letter.to_lowercase().any(|l| l.is_ascii()) {
            folded.push(letter);
        } else {
            folded.extend(letter.to_lowercase());
        }
    }
    folded
}
