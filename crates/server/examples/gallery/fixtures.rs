//! Values that several pages share.

use domain::access::Role;
use server::web::view::{
    chrome::{Chrome, Place, Theme, Viewer},
    part::{KeyId, Moment},
};

/// A page's name and its HTML.
pub(crate) type Page = (&'static str, askama::Result<String>);

pub(crate) fn chrome(role: Role, place: Place) -> Chrome {
    let name = match role {
        Role::Administrator | Role::PolicyAuthor => "admin",
        Role::HelpDeskAdministrator | Role::HelpDeskUser => "nora.lind",
        Role::Auditor | Role::ReportReader => "ruth.amsel",
        Role::SelfService => "CORP\\jonas.weber",
    };
    Chrome {
        viewer: Some(Viewer {
            name: name.to_owned(),
            grant: role.into(),
        }),
        theme: Theme::Auto,
        csrf: "gallery".to_owned(),
        place,
        path: "/".to_owned(),
        notice: None,
    }
}

pub(crate) fn nobody() -> Chrome {
    Chrome {
        viewer: None,
        theme: Theme::Auto,
        csrf: "gallery".to_owned(),
        place: Place::Elsewhere,
        path: "/login".to_owned(),
        notice: None,
    }
}

pub(crate) fn at(words: &str) -> Moment {
    Moment {
        machine: "2026-11-24T14:03:22Z".to_owned(),
        exact: "2026-11-24 14:03:22 UTC".to_owned(),
        words: words.to_owned(),
    }
}

pub(crate) fn key(n: usize) -> KeyId {
    let ids = [
        "3F2A9C11-7B40-4E1D-9A52-0C6D1E88B7F4",
        "A04417E2-55C1-4F0B-8D2E-91B7C3D60A18",
        "3F2A9C11-02DD-47A9-B6F1-7E5590C1AA03",
        "C81D00F7-9E34-4A6C-A2B5-44D0E17F6621",
        "71B6E5D3-1F08-4C77-93AE-B2067DD4910C",
    ];
    KeyId {
        id: ids[n % ids.len()].to_owned(),
    }
}

/// Made up; each group is a multiple of eleven, as in real ones.
pub(crate) const PASSWORD: &str = "147829-604373-025498-710886-392051-268411-553619-084370";
