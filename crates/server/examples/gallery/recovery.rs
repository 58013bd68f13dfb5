//! Help desk and self-service.

use askama::Template;
use domain::access::Role;
use server::web::{
    icons,
    view::{
        chrome::Place,
        form::{Choice, SelectField, TextField},
        helpdesk::{MatchRow, RecoveryForm, RecoveryMatches, RecoveryResult},
        part::{Event, Fact, Tag, Tone},
        selfservice::{OwnDrive, SelfService, SelfServiceResult},
    },
};

use crate::fixtures::{PASSWORD, Page, at, chrome, key};

const HELPDESK: &str = "For anything else, call the help desk: 555 0100.";

pub(crate) fn pages() -> Vec<Page> {
    vec![
        ("helpdesk", form(None, None).render()),
        ("helpdesk-not-found", form(Some("No key begins with 3F2A9C12. Ask the caller to read the eight characters again: B and 8, D and 0 are easily mixed up."), None).render()),
        ("helpdesk-faults", form(None, Some("Give the first 8 characters, or all 32: digits and the letters A to F.")).render()),
        ("helpdesk-matches", matches().render()),
        ("helpdesk-result", result("").render()),
        ("helpdesk-result-caution", result("This key was not proven to open the volume. If it does not, ask for the key again: other keys of this device may be stored.").render()),
        ("selfservice", own(true, None).render()),
        ("selfservice-not-found", own(true, Some("None of your drives has a key that begins with 3F2A9C12.")).render()),
        ("selfservice-empty", own(false, None).render()),
        ("selfservice-result", own_result().render()),
    ]
}

fn reasons() -> Vec<Choice> {
    Choice::list(
        &[
            ("", "Choose…"),
            ("lost_pin", "Lost PIN"),
            ("bios_changed", "BIOS changed"),
            ("other", "Other"),
        ],
        "",
    )
}

fn form(problem: Option<&str>, fault: Option<&str>) -> RecoveryForm {
    RecoveryForm {
        chrome: chrome(Role::HelpDeskAdministrator, Place::Recovery),
        key_id: TextField {
            name: "key_id",
            label: "Recovery key ID".to_owned(),
            value: if fault.is_some() { "3F2A9" } else { "" }.to_owned(),
            hint: "The first 8 characters, or the whole ID.".to_owned(),
            error: fault.map(str::to_owned),
            required: true,
            mono: true,
            focus: true,
            ..TextField::default()
        },
        user: TextField {
            name: "user",
            label: "Caller's user name".to_owned(),
            hint: "domain\\name. Optional; narrows down the keys that come into question.".to_owned(),
            ..TextField::default()
        },
        reason: SelectField {
            name: "reason",
            label: "Reason".to_owned(),
            choices: reasons(),
            required: true,
            error: fault.map(|_| "Choose a reason.".to_owned()),
            ..SelectField::default()
        },
        remark: TextField {
            name: "remark",
            label: "Remark".to_owned(),
            hint: "Ticket number and the like. Optional.".to_owned(),
            ..TextField::default()
        },
        problem: problem.map(str::to_owned),
        recent: vec![
            Event {
                icon: icons::KEY,
                tone: Tone::Calm,
                text: "LT-0417 C:".to_owned(),
                detail: "A04417E2 · Lost PIN".to_owned(),
                href: Some("/admin/devices/1".to_owned()),
                when: at("1 min ago"),
            },
            Event {
                icon: icons::KEY,
                tone: Tone::Calm,
                text: "LT-0388 C:".to_owned(),
                detail: "71B6E5D3 · BIOS changed".to_owned(),
                href: Some("/admin/devices/1".to_owned()),
                when: at("2 days ago"),
            },
        ],
    }
}

fn matches() -> RecoveryMatches {
    let row = |n, device: &str, volume: &str, users: &str, tone, state| MatchRow {
        id: key(n),
        pick: String::new(),
        device: device.to_owned(),
        volume: volume.to_owned(),
        users: users.to_owned(),
        state: Tag::new(tone, state),
        escrowed_at: at("3 weeks ago"),
    };
    RecoveryMatches {
        chrome: chrome(Role::HelpDeskAdministrator, Place::Recovery),
        digits: "3F2A9C11".to_owned(),
        user: String::new(),
        reason: "lost_pin".to_owned(),
        remark: String::new(),
        rows: vec![
            row(
                0,
                "LT-0417",
                "C: Windows, operating system drive",
                "CORP\\jonas.weber",
                Tone::Good,
                "Live",
            ),
            row(
                2,
                "WS-1020",
                "D: Data, fixed data drive",
                "CORP\\build",
                Tone::Calm,
                "Superseded",
            ),
        ],
    }
}

fn result(caution: &str) -> RecoveryResult {
    RecoveryResult {
        chrome: chrome(Role::HelpDeskAdministrator, Place::Recovery),
        password: PASSWORD.to_owned().into(),
        id: key(0),
        caution: caution.to_owned(),
        save_token: "t".to_owned().into(),
        facts: [("Device", "LT-0417"), ("Volume", "C: Windows"), ("Drive type", "Operating system drive"), ("Users", "CORP\\jonas.weber"), ("Stored", "2026-11-24 13:59 UTC"), ("Proof", "Proven 2026-11-24 14:00 UTC")]
            .map(|(n, v)| Fact::new(n, v))
            .to_vec(),
        device_href: "/admin/devices/1".to_owned(),
        device: "LT-0417".to_owned(),
        next: "The key counts as exposed from now on. The device replaces it at its next contact; then this one opens nothing any more.".to_owned(),
    }
}

fn own(known: bool, problem: Option<&str>) -> SelfService {
    let drive = |icon, device: &str, volume: &str, digits: &str| OwnDrive {
        icon,
        device: device.to_owned(),
        volume: volume.to_owned(),
        digits: digits.to_owned(),
    };
    SelfService {
        chrome: chrome(Role::SelfService, Place::SelfService),
        notice: vec!["This computer and its data belong to the company. Getting a key is recorded with your name, the time and the reason.".to_owned()],
        drives: if known {
            vec![
                drive(icons::DEVICE_LAPTOP, "LT-0417", "C: Windows", "3F2A9C11"),
                drive(icons::DATABASE, "LT-0417", "D: Data", "A04417E2"),
                drive(icons::USB, "LT-0417", "E: Stick", ""),
            ]
        } else {
            Vec::new()
        },
        key_id: TextField { name: "key_id", label: "Recovery key ID on the screen".to_owned(), hint: "The first 8 characters are enough.".to_owned(), required: true, mono: true, ..TextField::default() },
        reason: SelectField { name: "reason", label: "Why is the key needed?".to_owned(), choices: reasons(), required: true, ..SelectField::default() },
        exemption: known.then(|| {
            let said = "You asked on 2026-11-20, and nobody has decided yet. Until then your computer is encrypted.";
            (Tag::new(Tone::Info, "Waits for a decision"), said.to_owned())
        }),
        problem: problem.map(str::to_owned),
        helpdesk: HELPDESK.to_owned(),
    }
}

fn own_result() -> SelfServiceResult {
    SelfServiceResult {
        chrome: chrome(Role::SelfService, Place::SelfService),
        password: PASSWORD.to_owned().into(),
        id: key(0),
        drive: "LT-0417, C: Windows".to_owned(),
        helpdesk: HELPDESK.to_owned(),
    }
}
