//! The dashboard.

use askama::Template;

use super::{
    chart::{Bars, Ring},
    chrome::Chrome,
    part::{Empty, Event, Tag, Tone},
};
use crate::web::icons::{self, Icon};

/// One figure.
#[derive(Debug, Clone)]
pub struct Tile {
    /// What is counted.
    pub label: &'static str,
    /// How many.
    pub count: u64,
    /// Of how many, in words; may be empty.
    pub note: String,
    /// Its colour.
    pub tone: Tone,
    /// Its picture.
    pub icon: Icon,
    /// Where they are listed.
    pub href: &'static str,
}

/// A device that needs somebody.
#[derive(Debug, Clone)]
pub struct Attention {
    /// Computer name.
    pub device: String,
    /// Its page.
    pub href: String,
    /// The worst thing about it.
    pub tag: Tag,
    /// That in a sentence.
    pub text: String,
}

/// `/admin`.
#[derive(Debug, Clone, Template)]
#[template(path = "dashboard.html")]
pub struct Dashboard {
    /// Shared parts.
    pub chrome: Chrome,
    /// Figures, most important first.
    pub tiles: Vec<Tile>,
    /// Devices by compliance.
    pub compliance: Ring,
    /// Volumes by kind.
    pub drives: Bars,
    /// Worst first, at most ten.
    pub attention: Vec<Attention>,
    /// Newest first, at most ten.
    pub activity: Vec<Event>,
    /// No device has enrolled yet.
    pub fresh: bool,
}

impl Dashboard {
    fn welcome(&self) -> Empty {
        Empty {
            icon: icons::DEVICES,
            title: "No device yet".to_owned(),
            text:
                "Make an enrolment token, give it to the agent on a device, and the device appears here within seconds."
                    .to_owned(),
            action: self
                .chrome
                .may_manage_devices()
                .then(|| ("Make an enrolment token".to_owned(), "/admin/enrolment".to_owned())),
        }
    }
}
