//! The list of devices.

use askama::Template;

use super::{
    chrome::Chrome,
    form::Choice,
    part::{Column, Empty, Moment, Pager, Tag},
};
use crate::web::icons;

/// One device in the list.
#[derive(Debug, Clone)]
pub struct DeviceRow {
    /// Its page.
    pub href: String,
    /// Computer name.
    pub name: String,
    /// Maker and model.
    pub model: String,
    /// Operating system.
    pub os: String,
    /// First of its users, and how many more.
    pub users: String,
    /// Verdict.
    pub compliance: Tag,
    /// What else should be known: a clash, a problem, that it is retired.
    pub notes: Vec<Tag>,
    /// How its keys stand.
    pub keys: Tag,
    /// When it was heard of last.
    pub seen: Moment,
}

/// `/admin/devices`.
#[derive(Debug, Clone, Template)]
#[template(path = "devices.html")]
pub struct DeviceList {
    /// Shared parts.
    pub chrome: Chrome,
    /// What is searched for.
    pub search: String,
    /// Choices of the compliance filter.
    pub compliance: Vec<Choice>,
    /// Choices of the key filter.
    pub keys: Vec<Choice>,
    /// The order, kept by the search form; may be empty.
    pub sort: String,
    /// Headings.
    pub columns: Vec<Column>,
    /// This page of the list.
    pub rows: Vec<DeviceRow>,
    /// Where it lies within the list.
    pub pager: Pager,
    /// Whether a search or filter is on.
    pub filtered: bool,
}

impl DeviceList {
    fn empty(&self) -> Empty {
        if self.filtered {
            Empty {
                icon: icons::SEARCH,
                title: "No device matches".to_owned(),
                text: "Names, users, models and key IDs are searched; a part of the word is enough.".to_owned(),
                action: Some(("Show all devices".to_owned(), "/admin/devices".to_owned())),
            }
        } else {
            Empty {
                icon: icons::DEVICES,
                title: "No device yet".to_owned(),
                text: "Devices appear here as soon as their agent has enrolled.".to_owned(),
                action: self
                    .chrome
                    .may_manage_devices()
                    .then(|| ("Make an enrolment token".to_owned(), "/admin/enrolment".to_owned())),
            }
        }
    }
}
