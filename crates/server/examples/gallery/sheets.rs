//! Pages of blocks: a policy, a preview, a collection, exemptions, a device's effective policy.

use askama::Template;
use domain::access::Role;
use server::web::view::{
    chart::{Bar, Bars},
    chrome::Place,
    form::{CheckField, Choice, Field, SelectField, TextField},
    part::{Fact, Pager, Tag, Tone},
    sheet::{AreaField, Block, Body, Button, Cell, Form, Sheet, Table},
};

use crate::fixtures::{Page, at, chrome};

pub(crate) fn pages() -> Vec<Page> {
    vec![
        ("policy", policy().render()),
        ("deployment", deployment().render()),
        ("policy-text-faults", text().render()),
        ("preview", preview().render()),
        ("collection", collection().render()),
        ("exemptions", exemptions().render()),
        ("effective-policy", effective().render()),
    ]
}

fn sheet(place: Place, title: &str, sub: &str, crumb: (&str, &str), blocks: Vec<Block>) -> Sheet {
    Sheet {
        chrome: chrome(Role::Administrator, place),
        title: title.to_owned(),
        sub: sub.to_owned(),
        crumbs: vec![(crumb.0.to_owned(), crumb.1.to_owned())],
        actions: Vec::new(),
        notes: Vec::new(),
        blocks,
    }
}

fn table(columns: &[&'static str], rows: Vec<Vec<Cell>>) -> Body {
    Body::Table(Table {
        caption: "A list".to_owned(),
        columns: columns.to_vec(),
        rows,
    })
}

fn link(text: &str) -> Cell {
    Cell::Link {
        href: "#".to_owned(),
        text: text.to_owned(),
    }
}

fn words(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn field(name: &'static str, label: &str, value: &str) -> Field {
    Field::Text(TextField {
        name,
        label: label.to_owned(),
        value: value.to_owned(),
        ..TextField::default()
    })
}

fn form(fields: Vec<Field>, buttons: Vec<Button>) -> Body {
    Body::Form(Form {
        action: "#".to_owned(),
        hidden: Vec::new(),
        fields,
        buttons,
    })
}

fn plain(label: &str) -> Button {
    Button {
        main: false,
        ..Button::main(label)
    }
}

fn policy() -> Sheet {
    let facts = [
        ("Encryption", "Must be encrypted"),
        ("Encryption method", "XTS-AES 256"),
        ("Start-up protector", "TPM and PIN"),
        ("Shortest PIN", "8 characters"),
    ];
    let deployments = vec![
        table(
            &["Deployment", "Collection", "Priority", "Begins", "Windows"],
            vec![vec![
                link("laptops-pin"),
                link("laptops"),
                words("10"),
                Cell::Quiet("2026-12-01T00:00:00Z".to_owned()),
                words("Sat, Sun from 22:00 for 360 minutes"),
            ]],
        ),
        Body::Heading("Deploy to a collection".to_owned()),
        form(
            vec![
                field("deployment", "Short name", "pin-2"),
                Field::Select(SelectField {
                    name: "collection",
                    label: "Collection".to_owned(),
                    choices: Choice::list(&[("all-devices", "All devices"), ("laptops", "Laptops")], ""),
                    ..SelectField::default()
                }),
                field("priority", "Priority", "100"),
                Field::Check(CheckField {
                    name: "outside",
                    label: "Work outside the windows is allowed".to_owned(),
                    ..CheckField::default()
                }),
            ],
            vec![plain("Preview"), Button::main("Deploy")],
        ),
    ];
    let history = vec![
        vec![
            words("2"),
            Cell::Moment(at("2 days ago")),
            words("ruth.amsel"),
            words("os.min_pin_length: 6 characters → 8 characters"),
        ],
        vec![
            words("1"),
            Cell::Moment(at("3 weeks ago")),
            words("admin"),
            words(
                "os.encryption: not configured → Must be encrypted; os.protector: not configured (TPM) → TPM and PIN",
            ),
        ],
    ];
    let mut page = sheet(
        Place::Policies,
        "Laptops with PIN",
        "4 settings · revision 2, 2 days ago by ruth.amsel · reaches laptops",
        ("Policies", "#"),
        vec![
            Block::new(
                "Deployments",
                "The lower priority number wins, setting by setting.",
                deployments,
            ),
            Block::new(
                "Operating system drive",
                "4 of 49 settings",
                vec![Body::Facts(
                    facts.iter().map(|(name, value)| Fact::new(*name, *value)).collect(),
                )],
            ),
            Block::new(
                "History",
                "",
                vec![table(&["Revision", "When", "By", "What changed"], history)],
            ),
            Block::new(
                "As text",
                "For git",
                vec![Body::Text("[os]\nencryption = \"require\"\n".to_owned())],
            )
            .folded(),
        ],
    );
    page.actions = vec![
        ("Copy".to_owned(), "#".to_owned()),
        ("Edit as text".to_owned(), "#".to_owned()),
        ("Change".to_owned(), "#".to_owned()),
    ];
    page
}

/// The same page with the form of one deployment.
fn deployment() -> Sheet {
    let windows = AreaField {
        name: "windows",
        label: "Maintenance windows".to_owned(),
        value: "windows = [\n  { days = [\"sat\", \"sun\"], start = \"22:00\", minutes = 360 },\n]\n".to_owned(),
        hint: "TOML; empty: at any time.".to_owned(),
        errors: Vec::new(),
        rows: 3,
    };
    let fields = vec![
        Field::Select(SelectField {
            name: "collection",
            label: "Collection".to_owned(),
            choices: Choice::list(&[("all-devices", "All devices"), ("laptops", "Laptops")], "laptops"),
            ..SelectField::default()
        }),
        field("priority", "Priority", "10"),
        Field::Area(windows),
    ];
    let buttons = vec![
        plain("End deployment"),
        plain("Preview"),
        Button::main("Save deployment"),
    ];
    let versions = vec![
        vec![
            words("2"),
            Cell::Moment(at("2 days ago")),
            words("ruth.amsel"),
            words(
                "priority: 100 → 10; windows: At any time → every sat, sun from 22:00 for 360 minutes, the device's time",
            ),
        ],
        vec![
            words("1"),
            Cell::Moment(at("3 weeks ago")),
            words("admin"),
            words("deployed to laptops with priority 100"),
        ],
    ];
    let mut page = policy();
    let block = Block::new(
        "Change deployment laptops-pin",
        "Devices learn of it at their next contact.",
        vec![
            form(fields, buttons),
            Body::Heading("History".to_owned()),
            table(&["Version", "When", "By", "What changed"], versions),
        ],
    );
    if let Some(Body::Table(list)) = page.blocks.first_mut().and_then(|block| block.bodies.first()).cloned() {
        page.blocks[0].bodies = vec![Body::Table(list)];
    }
    page.blocks.insert(0, block);
    page
}

fn text() -> Sheet {
    let area = AreaField {
        name: "text",
        label: "Text".to_owned(),
        value: "# for everybody on the road\n[os]\nencrpytion = \"require\"\nmin_pin_length = 3\n".to_owned(),
        hint: "Settings that are not named are left to other policies.".to_owned(),
        errors: vec![
            "3:1: os.encrpytion: There is no such setting. Did you mean os.encryption?".to_owned(),
            "4:18: os.min_pin_length: 4 to 20 is allowed.".to_owned(),
        ],
        rows: 12,
    };
    let body = form(
        vec![Field::Area(area)],
        vec![plain("Preview"), Button::main("Save policy")],
    );
    let mut page = sheet(
        Place::Policies,
        "Laptops with PIN as text",
        "TOML; comments are kept.",
        ("Policies", "#"),
        vec![Block::new("Text", "", vec![body])],
    );
    page.notes = vec![(
        Tone::Bad,
        "Nothing was saved: the text has 2 faults, named below it.".to_owned(),
    )];
    page
}

fn preview() -> Sheet {
    let bar = |label: &str, tone, count, all: u64| Bar {
        label: label.to_owned(),
        parts: vec![
            (tone, "Devices".to_owned(), count),
            (Tone::Calm, "Others".to_owned(), all - count),
        ],
    };
    let bars = Bars {
        title: "What would happen".to_owned(),
        bars: vec![
            bar("Get other settings", Tone::Info, 412, 1240),
            bar("Would encrypt", Tone::Info, 37, 1240),
            bar("Would decrypt", Tone::Warn, 2, 1240),
            bar("Would wait for a window", Tone::Info, 30, 1240),
            bar("Would not encrypt: exempt", Tone::Info, 4, 1240),
            bar("Become non-compliant", Tone::Bad, 35, 1240),
            bar("Become compliant", Tone::Good, 0, 1240),
        ],
    };
    let settings = vec![vec![
        words("Shortest PIN"),
        Cell::Quiet("6 characters".to_owned()),
        words("8 characters"),
        words("412"),
    ]];
    let devices = vec![
        vec![
            link("LT-0042"),
            Cell::Tag(Tag::new(Tone::Calm, "Policy not enforced")),
            Cell::Tag(Tag::new(Tone::Bad, "Non-compliant")),
            words("would encrypt; would wait for a window; the window opens 2026-11-28 22:00 UTC"),
        ],
        vec![
            link("LT-0043"),
            Cell::Tag(Tag::new(Tone::Good, "Compliant")),
            Cell::Tag(Tag::new(Tone::Good, "Compliant")),
            words("1 other setting"),
        ],
    ];
    let mut page = sheet(
        Place::Policies,
        "Preview: Laptops with PIN",
        "Worked out from the last reports of 1240 devices",
        ("Policies", "#"),
        vec![
            Block::new("Effect", "Nothing is saved yet.", vec![Body::Bars(bars)]),
            Block::new(
                "Exemptions and maintenance windows",
                "",
                vec![
                    Body::Calm("30 devices would wait for a maintenance window before anything is encrypted or decrypted; keys are cared for at once. Times of day are UTC.".to_owned()),
                    Body::Calm("All users are exempt on 3 devices today, and would be on 4 devices: nothing is encrypted there while that lasts.".to_owned()),
                ],
            ),
            Block::new(
                "Settings that change",
                "",
                vec![table(&["Setting", "From", "To", "Devices"], settings)],
            ),
            Block::new(
                "Devices",
                "412 of 1240 devices change.",
                vec![
                    table(&["Device", "Now", "Then", "What happens"], devices),
                    form(Vec::new(), vec![plain("Further devices"), Button::main("Save policy")]),
                ],
            ),
        ],
    );
    page.notes = vec![(
        Tone::Warn,
        "2 devices would decrypt drives that are encrypted today.".to_owned(),
    )];
    page
}

fn collection() -> Sheet {
    let device = |name: &str| {
        vec![
            link(name),
            words("Contoso Slate 7"),
            Cell::Quiet("Windows 11 Pro".to_owned()),
            words("pilot, berlin"),
        ]
    };
    let pager = Pager {
        first: 1,
        last: 2,
        total: 120,
        previous: None,
        next: Some("#".to_owned()),
    };
    let area = AreaField {
        name: "text",
        label: "Text".to_owned(),
        value: "name = \"Laptops\"\n\n[[rules]]\nall = [{ name = \"BER-*\" }, { chassis = \"portable\" }]\n".to_owned(),
        hint: "TOML".to_owned(),
        errors: Vec::new(),
        rows: 8,
    };
    sheet(
        Place::Collections,
        "Laptops",
        "(name is BER-* and is portable), but nobody of kiosks",
        ("Collections", "#"),
        vec![
            Block::new(
                "Devices",
                "120 devices",
                vec![
                    table(
                        &["Device", "Model", "System", "Tags"],
                        vec![device("BER-0001"), device("BER-0002")],
                    ),
                    Body::Pager(pager),
                ],
            ),
            Block::new(
                "Change",
                "",
                vec![form(vec![Field::Area(area)], vec![Button::main("Save collection")])],
            ),
        ],
    )
}

fn exemptions() -> Sheet {
    let line = |who: &str, why: &str, tone, state: &str, until: &str, by: &str| {
        vec![
            words(who),
            Cell::Moment(at("3 h ago")),
            words(why),
            Cell::Tag(Tag::new(tone, state)),
            words(until),
            words(by),
        ]
    };
    let rows = vec![
        line(
            "CORP\\jonas.weber",
            "A measuring device hangs on it",
            Tone::Info,
            "Waits for a decision",
            "–",
            "",
        ),
        line(
            "CORP\\ida.falk",
            "Old boot loader",
            Tone::Warn,
            "Exempt",
            "2026-12-24 00:00:00 UTC",
            "admin: new one is ordered",
        ),
    ];
    let mut page = sheet(
        Place::Exemptions,
        "Exemptions",
        "People whose devices need not be encrypted, for a time or for good",
        ("Dashboard", "#"),
        vec![
            Block::new(
                "Decide",
                "",
                vec![form(
                    vec![field("id", "Request", "CORP\\jonas.weber"), field("note", "Note", "")],
                    vec![Button::main("Grant"), plain("Refuse"), plain("Take back")],
                )],
            ),
            Block::new(
                "Requests",
                "",
                vec![table(&["Person", "Asked", "Why", "State", "Until", "Decided by"], rows)],
            ),
        ],
    );
    page.crumbs.clear();
    page
}

fn effective() -> Sheet {
    let rows = vec![
        vec![
            words("Shortest PIN"),
            words("8 characters"),
            words("policy \"Laptops with PIN\" for collection \"Laptops\" (priority 10; rule 1: is portable)"),
            Cell::Quiet("6 characters of policy \"Default policy\" for collection \"All devices\": its priority number is higher".to_owned()),
        ],
        vec![words("Enhanced PINs"), words("Not configured"), Cell::Quiet("Default".to_owned()), words("")],
    ];
    let mut said = Block::new(
        "Operating system drive",
        "1 configured, 48 by default",
        vec![table(&["Setting", "Value", "Who says so", "What it beat"], rows)],
    );
    said.folded = false;
    sheet(
        Place::Devices,
        "Effective policy of LT-0042",
        "What holds for this device, who says so, and what was overruled",
        ("Devices", "#"),
        vec![
            Block::new(
                "Policies that reach it",
                "The first one wins, setting by setting.",
                vec![table(
                    &["Policy", "Collection", "Priority", "Why"],
                    vec![vec![
                        link("Laptops with PIN"),
                        link("Laptops"),
                        words("10"),
                        words("rule 1: is portable"),
                    ]],
                )],
            ),
            said,
        ],
    )
}
