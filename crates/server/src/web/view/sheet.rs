//! A page of blocks: facts, tables, forms, texts, bars. Pages that are made of nothing else share its template.

use askama::{Template, filters::HtmlSafe};

use super::chart::Bars;
use super::chrome::Chrome;
use super::form::Field;
use super::part::{Fact, Moment, Pager, Tag, Tone};

/// What stands in a cell of a table.
#[derive(Debug, Clone)]
pub enum Cell {
    /// Words.
    Text(String),
    /// Words that matter less.
    Quiet(String),
    /// A link.
    Link {
        /// Where to.
        href: String,
        /// Its words.
        text: String,
    },
    /// A state.
    Tag(Tag),
    /// A moment.
    Moment(Moment),
}

/// Rows under headings.
#[derive(Debug, Clone)]
pub struct Table {
    /// For screen readers.
    pub caption: String,
    /// Headings.
    pub columns: Vec<&'static str>,
    /// As many cells as there are headings.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    fn cells<'a>(&'a self, row: &'a [Cell]) -> impl Iterator<Item = (&'static str, &'a Cell)> {
        self.columns.iter().copied().zip(row)
    }
}

/// A button that sends a form.
#[derive(Debug, Clone)]
pub struct Button {
    /// Its words.
    pub label: String,
    /// Where it sends the form; empty: where the form says.
    pub to: String,
    /// What it adds to the form: name and value; an empty name adds nothing.
    pub adds: (&'static str, String),
    /// The one that people mostly want.
    pub main: bool,
}

impl Button {
    /// A button that sends the form where it belongs.
    #[must_use]
    pub fn main(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            to: String::new(),
            adds: ("", String::new()),
            main: true,
        }
    }
}

/// Fields and buttons.
#[derive(Debug, Clone)]
pub struct Form {
    /// Where it goes.
    pub action: String,
    /// What goes along unseen.
    pub hidden: Vec<(&'static str, String)>,
    /// What is asked.
    pub fields: Vec<Field>,
    /// At least one.
    pub buttons: Vec<Button>,
}

/// A piece of a block.
#[derive(Debug, Clone)]
pub enum Body {
    /// Names and values.
    Facts(Vec<Fact>),
    /// Rows.
    Table(Table),
    /// Fields and buttons.
    Form(Form),
    /// A text as it was written.
    Text(String),
    /// Bars.
    Bars(Bars),
    /// A sentence.
    Calm(String),
    /// What belongs to the next piece.
    Heading(String),
    /// Where a long list goes on.
    Pager(Pager),
}

/// A card.
#[derive(Debug, Clone)]
pub struct Block {
    /// Its heading.
    pub title: String,
    /// Under the heading; may be empty.
    pub about: String,
    /// Folded away until it is asked for.
    pub folded: bool,
    /// What it holds.
    pub bodies: Vec<Body>,
}

impl Block {
    /// A card.
    #[must_use]
    pub fn new(title: impl Into<String>, about: impl Into<String>, bodies: Vec<Body>) -> Self {
        Self {
            title: title.into(),
            about: about.into(),
            folded: false,
            bodies,
        }
    }

    /// The same, folded away.
    #[must_use]
    pub fn folded(self) -> Self {
        Self { folded: true, ..self }
    }
}

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "sheet.html")]
pub struct Sheet {
    /// Shared parts.
    pub chrome: Chrome,
    /// Its heading.
    pub title: String,
    /// Under the heading.
    pub sub: String,
    /// Words and addresses of the pages above it.
    pub crumbs: Vec<(String, String)>,
    /// Words and addresses; the last one stands out.
    pub actions: Vec<(String, String)>,
    /// Sentences at the top.
    pub notes: Vec<(Tone, String)>,
    /// The cards.
    pub blocks: Vec<Block>,
}

/// Several lines of text.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "part/area.html")]
pub struct AreaField {
    /// Name in the form, and the element's id.
    pub name: &'static str,
    /// What is asked.
    pub label: String,
    /// What stands in it.
    pub value: String,
    /// Below the field.
    pub hint: String,
    /// What is wrong, one sentence a line.
    pub errors: Vec<String>,
    /// Height in lines.
    pub rows: u8,
}

impl HtmlSafe for AreaField {}
