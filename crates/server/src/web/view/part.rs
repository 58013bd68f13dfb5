//! Small pieces that many pages use.

use askama::{Template, filters::HtmlSafe};

use crate::web::icons::{self, Icon};

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Will need somebody.
    Warn,
    /// Needs somebody now.
    Bad,
    /// Under way.
    Info,
    /// Neither good nor bad.
    Calm,
}

impl Tone {
    /// The suffix of the style sheet's classes.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Info => "info",
            Self::Calm => "calm",
        }
    }

    /// A picture, so that colour is never the only sign.
    #[must_use]
    pub fn icon(self) -> Icon {
        match self {
            Self::Good => icons::CIRCLE_CHECK,
            Self::Warn => icons::ALERT_TRIANGLE,
            Self::Bad => icons::CIRCLE_X,
            Self::Info => icons::INFO_CIRCLE,
            Self::Calm => icons::INFO_CIRCLE,
        }
    }
}

/// A state in a word or two.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    source = r#"<span class="tag tag-{{ tone.class() }}">{{ text }}</span>"#,
    ext = "html"
)]
pub struct Tag {
    /// Its colour.
    pub tone: Tone,
    /// Its words.
    pub text: String,
}

impl HtmlSafe for Tag {}

impl Tag {
    /// A state in a word or two.
    #[must_use]
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self {
            tone,
            text: text.into(),
        }
    }
}

/// A point in time: how long ago, with the exact time on demand.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    source = r#"<time datetime="{{ machine }}" title="{{ exact }}">{{ words }}</time>"#,
    ext = "html"
)]
pub struct Moment {
    /// RFC 3339.
    pub machine: String,
    /// For people, in UTC.
    pub exact: String,
    /// What is shown, such as "4 min ago" or the exact time.
    pub words: String,
}

impl HtmlSafe for Moment {}

/// A recovery key ID with the eight digits that people read out standing out.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    source = r#"<span class="kid"><b>{{ first() }}</b>{{ rest() }}</span>"#,
    ext = "html"
)]
pub struct KeyId {
    /// The protector's GUID, upper case, with hyphens, without braces.
    pub id: String,
}

impl HtmlSafe for KeyId {}

impl KeyId {
    /// The eight digits that the recovery screen shows first.
    #[must_use]
    pub fn first(&self) -> &str {
        self.id.get(..8).unwrap_or(&self.id)
    }

    /// What follows them.
    #[must_use]
    pub fn rest(&self) -> &str {
        self.id.get(8..).unwrap_or("")
    }
}

/// How far an encryption or decryption has come.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    source = r#"<span class="meter meter-{{ tone.class() }}"><progress max="100" value="{{ percent }}" aria-label="{{ label }}">{{ percent }} %</progress><span class="meter-text">{{ label }}</span></span>"#,
    ext = "html"
)]
pub struct Meter {
    /// 0 to 100.
    pub percent: u8,
    /// Such as "Encrypting, 42 %".
    pub label: String,
    /// Its colour.
    pub tone: Tone,
}

impl HtmlSafe for Meter {}

/// Where a page of a long list lies within it.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "part/pager.html")]
pub struct Pager {
    /// Number of the first row shown, from 1.
    pub first: u64,
    /// Number of the last row shown.
    pub last: u64,
    /// Rows altogether.
    pub total: u64,
    /// Address of the page before.
    pub previous: Option<String>,
    /// Address of the page after.
    pub next: Option<String>,
}

impl HtmlSafe for Pager {}

/// The heading of a column by which a list can be sorted.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "part/column.html")]
pub struct Column {
    /// Its name.
    pub label: String,
    /// Address that sorts by it (the other way round when it is the order now); `None` when it cannot be sorted by.
    pub href: Option<String>,
    /// `Some(true)` when the list ascends by it now, `Some(false)` when it descends.
    pub ascending: Option<bool>,
}

impl HtmlSafe for Column {}

/// What stands in place of a list without rows.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "part/empty.html")]
pub struct Empty {
    /// Above the words.
    pub icon: Icon,
    /// What is not there.
    pub title: String,
    /// Why, and what to do.
    pub text: String,
    /// Label and address of the next step.
    pub action: Option<(String, String)>,
}

impl HtmlSafe for Empty {}

/// One fact: what, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// Its value; a dash when nothing is known.
    pub value: String,
}

impl Fact {
    /// A fact; an empty value becomes a dash.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        let value = value.into();
        Self {
            name: name.into(),
            value: if value.is_empty() { "–".to_owned() } else { value },
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its picture.
    pub icon: Icon,
    /// Its colour.
    pub tone: Tone,
    /// What happened.
    pub text: String,
    /// More about it; may be empty.
    pub detail: String,
    /// Where it leads.
    pub href: Option<String>,
    /// When.
    pub when: Moment,
}
