//! Dashboard, devices, one device, policies, enrolment.

use askama::Template;
use domain::access::Role;
use domain::policy::{Section, Setting, reference};
use server::web::{
    icons,
    view::{
        chart::{Bar, Bars, Ring, Slice},
        chrome::{Chrome, Notice, Place},
        dashboard::{Attention, Dashboard, Tile},
        device::{DevicePage, KeyLine, ProtectorLine, ReasonLine, VolumeCard},
        devices::{DeviceList, DeviceRow},
        enrolment::{Enrolment, FreshToken, TokenRow},
        form::{CheckField, Choice, Field, SelectField, TextField},
        part::{Column, Event, Fact, KeyId, Meter, Pager, Tag, Tone},
        policy::{FormSection, PolicyForm, PolicyList, PolicyRow},
    },
};

use crate::fixtures::{Page, at, chrome, key};

pub(crate) fn pages() -> Vec<Page> {
    let mut noticed = device(true);
    noticed.chrome.notice = Some(Notice {
        tone: Tone::Good,
        text: "The device was asked to replace the key of C:. It does so at its next contact.".to_owned(),
    });
    vec![
        ("dashboard", dashboard(false).render()),
        ("dashboard-fresh", dashboard(true).render()),
        ("devices", devices(rows(), false).render()),
        ("devices-empty", devices(Vec::new(), false).render()),
        ("devices-nothing-found", devices(Vec::new(), true).render()),
        ("device", noticed.render()),
        ("device-new", device(false).render()),
        ("policies", policies().render()),
        ("policy-edit", edit(false).render()),
        ("policy-edit-faults", edit(true).render()),
        ("enrolment", enrolment(true, false).render()),
        ("enrolment-fresh", enrolment(true, true).render()),
        ("enrolment-empty", enrolment(false, false).render()),
    ]
}

fn admin(place: Place) -> Chrome {
    chrome(Role::Administrator, place)
}

fn slice(label: &str, count: u64, tone: Tone) -> Slice {
    Slice {
        label: label.to_owned(),
        count,
        tone,
        href: Some("/admin/devices".to_owned()),
    }
}

fn event(icon: icons::Icon, tone: Tone, text: &str, detail: &str, when: &str) -> Event {
    Event {
        icon,
        tone,
        text: text.to_owned(),
        detail: detail.to_owned(),
        href: Some("/admin/devices/1".to_owned()),
        when: at(when),
    }
}

fn dashboard(fresh: bool) -> Dashboard {
    let tile = |label, count, note: &str, tone, icon| Tile {
        label,
        count,
        note: note.to_owned(),
        tone,
        icon,
        href: "/admin/devices",
    };
    Dashboard {
        chrome: admin(Place::Dashboard),
        tiles: vec![
            tile("Devices", 1284, "12 new this week", Tone::Calm, icons::DEVICES),
            tile("Protected", 1197, "93 % of devices", Tone::Good, icons::SHIELD_LOCK),
            tile(
                "Recoverable",
                1180,
                "stored and proven",
                Tone::Good,
                icons::ROSETTE_DISCOUNT_CHECK,
            ),
            tile("Exposed keys", 3, "told, not yet replaced", Tone::Warn, icons::EYE),
            tile("Non-compliant", 64, "5 % of devices", Tone::Bad, icons::ALERT_TRIANGLE),
            tile("Not proven", 17, "stored, not yet tried", Tone::Info, icons::CLOCK),
        ],
        compliance: Ring {
            title: "Devices by compliance".to_owned(),
            unit: "devices".to_owned(),
            slices: vec![
                slice("Compliant", 1181, Tone::Good),
                slice("Non-compliant", 64, Tone::Bad),
                slice("Policy not enforced", 25, Tone::Calm),
                slice("Unknown", 14, Tone::Warn),
            ],
        },
        drives: Bars {
            title: "Volumes by drive type".to_owned(),
            bars: [
                ("Operating system drives", 1220, 41),
                ("Fixed data drives", 402, 22),
                ("Removable data drives", 96, 9),
            ]
            .into_iter()
            .map(|(label, good, bad)| Bar {
                label: label.to_owned(),
                parts: vec![
                    (Tone::Good, "Compliant".to_owned(), good),
                    (Tone::Bad, "Non-compliant".to_owned(), bad),
                ],
            })
            .collect(),
        },
        attention: [
            (
                "LT-0417",
                Tone::Bad,
                "Proof failed",
                "The stored key of C: does not open the volume",
            ),
            (
                "LT-0388",
                Tone::Warn,
                "Exposed",
                "The key of C: was read 2 days ago; no contact since",
            ),
            (
                "WS-1020",
                Tone::Bad,
                "Suspended",
                "Protection of C: suspended until resumed by hand",
            ),
            (
                "LT-0091",
                Tone::Bad,
                "Not encrypted",
                "D: must be encrypted, and is not",
            ),
            (
                "LT-0233",
                Tone::Info,
                "Not proven",
                "The key of E: is stored, but not yet tried",
            ),
        ]
        .into_iter()
        .map(|(device, tone, tag, text)| Attention {
            device: device.to_owned(),
            href: "/admin/devices/1".to_owned(),
            tag: Tag::new(tone, tag),
            text: text.to_owned(),
        })
        .collect(),
        activity: history(),
        fresh,
    }
}

fn history() -> Vec<Event> {
    vec![
        event(
            icons::REFRESH,
            Tone::Good,
            "LT-0417 replaced the key of C:",
            "A04417E2 → 3F2A9C11",
            "12 s ago",
        ),
        event(
            icons::EYE,
            Tone::Warn,
            "nora.lind read the key of LT-0417 C:",
            "Lost PIN · ticket 48213",
            "1 min ago",
        ),
        event(
            icons::ROSETTE_DISCOUNT_CHECK,
            Tone::Good,
            "Key of LT-0233 C: proven",
            "",
            "4 min ago",
        ),
        event(
            icons::KEY,
            Tone::Info,
            "LT-0233 escrowed a key for C:",
            "C81D00F7",
            "4 min ago",
        ),
        event(
            icons::DEVICE_LAPTOP,
            Tone::Calm,
            "LT-0233 enrolled",
            "with token “Autumn laptops”",
            "5 min ago",
        ),
        event(
            icons::CIRCLE_X,
            Tone::Bad,
            "Sign-in refused for j.weber",
            "from 10.20.4.17",
            "21 min ago",
        ),
    ]
}

fn rows() -> Vec<DeviceRow> {
    let clash = (Tone::Warn, "Hardware ID clash");
    let problem = (Tone::Warn, "Reports a problem");
    let retired = (Tone::Calm, "Retired");
    let good = (Tone::Good, "Compliant");
    let bad = (Tone::Bad, "Non-compliant");
    let row =
        |names: [&str; 4], compliance: (Tone, &str), notes: &[(Tone, &str)], keys: (Tone, &str), seen| DeviceRow {
            href: "/admin/devices/1".to_owned(),
            name: names[0].to_owned(),
            model: names[1].to_owned(),
            os: names[2].to_owned(),
            users: names[3].to_owned(),
            compliance: Tag::new(compliance.0, compliance.1),
            notes: notes.iter().map(|note| Tag::new(note.0, note.1)).collect(),
            keys: Tag::new(keys.0, keys.1),
            seen: at(seen),
        };
    vec![
        row(
            [
                "LT-0417",
                "Lenovo ThinkPad T14 Gen 5",
                "Windows 11 Pro 24H2",
                "CORP\\jonas.weber",
            ],
            good,
            &[clash],
            (Tone::Good, "2 proven"),
            "1 min ago",
        ),
        row(
            [
                "LT-0388",
                "Dell Latitude 7450",
                "Windows 11 Enterprise 24H2",
                "CORP\\amira.haddad +1",
            ],
            good,
            &[],
            (Tone::Warn, "1 exposed"),
            "2 days ago",
        ),
        row(
            ["WS-1020", "HP Z2 Tower G9", "Windows 11 Pro 23H2", "CORP\\build"],
            bad,
            &[problem],
            (Tone::Good, "4 proven"),
            "7 min ago",
        ),
        row(
            [
                "LT-0091",
                "Dell Latitude 5430",
                "Windows 10 Pro 22H2",
                "CORP\\petra.novak",
            ],
            bad,
            &[],
            (Tone::Info, "1 not proven"),
            "22 s ago",
        ),
        row(
            [
                "LT-0512",
                "Microsoft Surface Laptop 7",
                "Windows 11 Pro 24H2",
                "CORP\\li.wen +2",
            ],
            bad,
            &[],
            (Tone::Bad, "1 failed"),
            "3 h ago",
        ),
        row(
            ["KIOSK-17", "Intel NUC 12 Pro", "Windows 11 IoT Enterprise", ""],
            (Tone::Calm, "Not enforced"),
            &[retired],
            (Tone::Calm, "None"),
            "6 days ago",
        ),
    ]
}

fn devices(rows: Vec<DeviceRow>, filtered: bool) -> DeviceList {
    let total = if rows.is_empty() { 0 } else { 1284 };
    let column = |label: &str, ascending| Column {
        label: label.to_owned(),
        href: Some("/admin/devices?sort=x".to_owned()),
        ascending,
    };
    let fixed = |label: &str| Column {
        label: label.to_owned(),
        href: None,
        ascending: None,
    };
    DeviceList {
        chrome: admin(Place::Devices),
        search: if filtered { "thinkpad x1" } else { "" }.to_owned(),
        compliance: Choice::list(
            &[
                ("", "All"),
                ("compliant", "Compliant"),
                ("non_compliant", "Non-compliant"),
            ],
            "",
        ),
        keys: Choice::list(&[("", "All"), ("exposed", "Exposed"), ("not_proven", "Not proven")], ""),
        sort: String::new(),
        columns: vec![
            column("Device", Some(true)),
            fixed("Users"),
            column("System", None),
            column("Compliance", None),
            fixed("Keys"),
            column("Last contact", None),
        ],
        pager: Pager {
            first: 1,
            last: rows.len() as u64,
            total,
            previous: None,
            next: (total > 0).then(|| "/admin/devices?page=2".to_owned()),
        },
        rows,
        filtered,
    }
}

fn key_line(n: usize, state: (Tone, &str), proof: (Tone, &str), disclosed: Option<&str>) -> KeyLine {
    KeyLine {
        id: key(n),
        state: Tag::new(state.0, state.1),
        proof: Tag::new(proof.0, proof.1),
        proven_at: (proof.0 != Tone::Info).then(|| at("4 min ago")),
        escrowed_at: at("2026-11-24 13:59"),
        disclosed: disclosed.map(at),
    }
}

fn protector(kind: &str, n: usize) -> ProtectorLine {
    ProtectorLine {
        kind: kind.to_owned(),
        id: KeyId { id: key(n).id },
    }
}

fn volumes() -> Vec<VolumeCard> {
    vec![
        VolumeCard {
            name: "C: Windows".to_owned(),
            kind: "Operating system drive".to_owned(),
            icon: icons::SERVER,
            id: "v1".to_owned(),
            compliance: Tag::new(Tone::Good, "Compliant"),
            reasons: Vec::new(),
            protection: Tag::new(Tone::Good, "Protection on"),
            conversion: Meter {
                percent: 100,
                label: "Fully encrypted".to_owned(),
                tone: Tone::Good,
            },
            facts: [
                ("Method", "XTS-AES 256"),
                ("Size", "476.3 GiB"),
                ("File system", "NTFS"),
                ("Lock", "Unlocked"),
            ]
            .map(|(n, v)| Fact::new(n, v))
            .to_vec(),
            protectors: vec![protector("TPM and PIN", 3), protector("Recovery password", 0)],
            keys: vec![
                key_line(0, (Tone::Good, "Live"), (Tone::Good, "Proven"), None),
                key_line(1, (Tone::Warn, "Exposed"), (Tone::Good, "Proven"), Some("1 min ago")),
                key_line(
                    4,
                    (Tone::Calm, "Superseded"),
                    (Tone::Good, "Proven"),
                    Some("3 weeks ago"),
                ),
            ],
            rotation_pending: false,
        },
        VolumeCard {
            name: "D: Data".to_owned(),
            kind: "Fixed data drive".to_owned(),
            icon: icons::DATABASE,
            id: "v2".to_owned(),
            compliance: Tag::new(Tone::Bad, "Non-compliant"),
            reasons: vec![
                ReasonLine {
                    code: 1,
                    text: "Policy wants the volume encrypted; it is not yet.".to_owned(),
                },
                ReasonLine {
                    code: 9,
                    text: "Automatic unlocking is required, and is off.".to_owned(),
                },
            ],
            protection: Tag::new(Tone::Warn, "Protection off"),
            conversion: Meter {
                percent: 42,
                label: "Encrypting, 42 %".to_owned(),
                tone: Tone::Info,
            },
            facts: [
                ("Method", "XTS-AES 128"),
                ("Size", "931.5 GiB"),
                ("File system", "NTFS"),
                ("Automatic unlock", "Off"),
            ]
            .map(|(n, v)| Fact::new(n, v))
            .to_vec(),
            protectors: vec![protector("Recovery password", 2)],
            keys: vec![key_line(2, (Tone::Good, "Live"), (Tone::Info, "Not proven"), None)],
            rotation_pending: true,
        },
        VolumeCard {
            name: "E: STICK".to_owned(),
            kind: "Removable data drive".to_owned(),
            icon: icons::USB,
            id: String::new(),
            compliance: Tag::new(Tone::Calm, "Not enforced"),
            reasons: Vec::new(),
            protection: Tag::new(Tone::Calm, "Protection off"),
            conversion: Meter {
                percent: 0,
                label: "Not encrypted".to_owned(),
                tone: Tone::Calm,
            },
            facts: [("Method", "None"), ("Size", "28.9 GiB"), ("File system", "exFAT")]
                .map(|(n, v)| Fact::new(n, v))
                .to_vec(),
            protectors: Vec::new(),
            keys: Vec::new(),
            rotation_pending: false,
        },
    ]
}

fn device(full: bool) -> DevicePage {
    DevicePage {
        chrome: admin(Place::Devices),
        id: "1".to_owned(),
        name: if full { "LT-0417" } else { "DESKTOP-QX7LJ2M" }.to_owned(),
        compliance: if full {
            Tag::new(Tone::Bad, "Non-compliant")
        } else {
            Tag::new(Tone::Warn, "Unknown")
        },
        seen: at("1 min ago"),
        machine: [
            ("Model", "Lenovo ThinkPad T14 Gen 5"),
            ("System", "Windows 11 Pro 24H2"),
            ("TPM", "2.0, ready (INTC)"),
            ("Hardware ID", "4C4C4544-0043-3510-8052-B4C04F4A3532"),
            ("Form", "Portable"),
        ]
        .map(|(n, v)| Fact::new(n, v))
        .to_vec(),
        agent: [
            ("Version", "0.1.0"),
            ("Enrolled", "2026-11-03 08:12 UTC"),
            ("Certificate", "until 2026-12-03"),
            ("Policy", "Default, revision 7"),
            ("Device ID", "019a5c2e-7d11-7a90-b6ce-3f4f2f6a0c11"),
        ]
        .map(|(n, v)| Fact::new(n, v))
        .to_vec(),
        users: if full {
            vec!["CORP\\jonas.weber".to_owned(), "CORP\\amira.haddad".to_owned()]
        } else {
            Vec::new()
        },
        volumes: if full { volumes() } else { Vec::new() },
        former: if full {
            vec![key_line(3, (Tone::Calm, "Superseded"), (Tone::Bad, "Failed"), None)]
        } else {
            Vec::new()
        },
        history: if full { history() } else { Vec::new() },
        audit_href: "/admin/audit".to_owned(),
        warnings: if full {
            vec![
                "Another device has the same hardware ID. Both are kept apart.".to_owned(),
                "D: could not be unlocked automatically: the operating system drive is not encrypted yet.".to_owned(),
            ]
        } else {
            Vec::new()
        },
        rotation_pending: false,
    }
}

fn policies() -> PolicyList {
    PolicyList {
        chrome: admin(Place::Policies),
        rows: vec![PolicyRow {
            href: "/admin/policies/default".to_owned(),
            name: "Default".to_owned(),
            summary: "OS: XTS-AES 256, TPM and PIN · fixed: XTS-AES 256 · removable: not configured".to_owned(),
            reaches: "All devices".to_owned(),
            revision: 7,
            changed: at("2 days ago"),
        }],
    }
}

/// Settings as the real form asks for them.
fn left(section: Section) -> Vec<Field> {
    let settings = reference().iter().filter(|setting| setting.section == section);
    let field = |setting: &Setting| {
        Field::Text(TextField {
            name: setting.id,
            label: setting.title.to_owned(),
            hint: format!("Empty: left to others. {}", setting.help),
            ..TextField::default()
        })
    };
    settings.map(field).collect()
}

fn edit(faults: bool) -> PolicyForm {
    let select = |name, label: &str, choices: &[(&str, &str)], chosen| {
        Field::Select(SelectField {
            name,
            label: label.to_owned(),
            choices: Choice::list(choices, chosen),
            ..SelectField::default()
        })
    };
    let number = |name, label: &str, value: &str, hint: &str, unit, error: Option<&str>| {
        Field::Text(TextField {
            name,
            label: label.to_owned(),
            value: value.to_owned(),
            hint: hint.to_owned(),
            unit,
            kind: "number",
            error: error.map(str::to_owned),
            ..TextField::default()
        })
    };
    let encryption = [
        ("not_configured", "Not configured"),
        ("require", "Required"),
        ("forbid", "Forbidden (decrypts)"),
    ];
    let method = [("xts_aes_128", "XTS-AES 128"), ("xts_aes_256", "XTS-AES 256")];
    let fault = |text| faults.then_some(text);
    PolicyForm {
        chrome: admin(Place::Policies),
        id: "default".to_owned(),
        name: "Default".to_owned(),
        revision: 7,
        sections: vec![
            FormSection {
                id: "section-os",
                left: left(Section::OsDrive),
                title: "Operating system drive",
                about: "The drive that Windows starts from. With TPM and PIN, nobody starts the computer without the PIN.",
                set: vec![
                    select("os_encryption", "Encryption", &encryption, "require"),
                    select("os_method", "Method", &method, "xts_aes_256"),
                    select(
                        "os_protector",
                        "Protector",
                        &[("tpm", "TPM"), ("tpm_pin", "TPM and PIN")],
                        "tpm_pin",
                    ),
                    number(
                        "os_min_pin_length",
                        "Shortest PIN",
                        if faults { "3" } else { "6" },
                        "4 to 20.",
                        "digits",
                        fault("The shortest PIN is a number from 4 to 20."),
                    ),
                ],
            },
            FormSection {
                id: "section-fixed",
                left: left(Section::FixedDrive),
                title: "Fixed data drives",
                about: "Further drives inside the computer.",
                set: vec![
                    select("fixed_encryption", "Encryption", &encryption, "require"),
                    select("fixed_method", "Method", &method, "xts_aes_256"),
                ],
            },
            FormSection {
                id: "section-removable",
                left: left(Section::RemovableDrive),
                title: "Removable data drives",
                about: "Sticks and external disks while they are attached.",
                set: Vec::new(),
            },
            FormSection {
                id: "section-client",
                left: left(Section::Client),
                title: "Client management",
                about: "Escrow and how often devices ask.",
                set: vec![
                    Field::Check(CheckField {
                        name: "escrow",
                        label: "Store recovery passwords on this server".to_owned(),
                        on: true,
                        hint: "No drive starts to encrypt before its key is stored.".to_owned(),
                    }),
                    Field::Check(CheckField {
                        name: "rotate",
                        label: "Replace a key after it was read".to_owned(),
                        on: true,
                        hint: String::new(),
                    }),
                    number(
                        "check_interval_minutes",
                        "Check interval",
                        if faults { "0" } else { "90" },
                        "1 to 2880.",
                        "minutes",
                        fault("The check interval is a number from 1 to 2880."),
                    ),
                ],
            },
        ],
        faults: if faults {
            vec![
                (
                    "os_min_pin_length".to_owned(),
                    "The shortest PIN is a number from 4 to 20.".to_owned(),
                ),
                (
                    "check_interval_minutes".to_owned(),
                    "The check interval is a number from 1 to 2880.".to_owned(),
                ),
            ]
        } else {
            Vec::new()
        },
    }
}

fn enrolment(full: bool, fresh: bool) -> Enrolment {
    let row = |label: &str, tone, state, uses: &str, expires, active| TokenRow {
        id: "t".to_owned(),
        label: label.to_owned(),
        state: Tag::new(tone, state),
        uses: uses.to_owned(),
        expires: at(expires),
        by: "admin".to_owned(),
        active,
    };
    Enrolment {
        chrome: admin(Place::Enrolment),
        fresh: fresh.then(|| FreshToken {
            token: "7k2mq-x9tzr-4pdw8-hnyc3-jdf60-vbq1s".to_owned().into(),
            label: "Autumn laptops".to_owned(),
        }),
        label: TextField {
            name: "label",
            label: "For".to_owned(),
            required: true,
            hint: "Such as a delivery or a site.".to_owned(),
            ..TextField::default()
        },
        uses: TextField {
            name: "uses",
            label: "Devices".to_owned(),
            value: "1".to_owned(),
            kind: "number",
            hint: "1 to 100 000.".to_owned(),
            ..TextField::default()
        },
        lifetime: SelectField {
            name: "lifetime",
            label: "Good for".to_owned(),
            choices: Choice::list(&[("1", "1 hour"), ("24", "1 day"), ("168", "7 days")], "24"),
            ..SelectField::default()
        },
        rows: if full {
            vec![
                row("Autumn laptops", Tone::Good, "Active", "38 of 120", "in 6 days", true),
                row("Repair bench", Tone::Calm, "Used up", "5 of 5", "in 2 days", false),
                row(
                    "Imaging, Graz",
                    Tone::Calm,
                    "Expired",
                    "211 of 250",
                    "3 weeks ago",
                    false,
                ),
                row("Lost on a stick", Tone::Bad, "Revoked", "0 of 10", "5 days ago", false),
            ]
        } else {
            Vec::new()
        },
    }
}
