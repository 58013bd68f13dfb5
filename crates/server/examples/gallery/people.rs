//! Sign-in, accounts, audit, errors.

use askama::Template;
use domain::access::Role;
use server::web::view::{
    account::{Account, SessionRow},
    accounts::{AccountRow, Accounts, FreshPassword},
    api_tokens::{ApiTokenRow, ApiTokens, FreshApiToken},
    audit::{Audit, AuditRow, ChainStatus},
    chrome::{Place, Theme},
    error::ErrorPage,
    form::{Choice, SelectField, TextField},
    login::{Login, LoginProblem, NewPassword},
    part::{Pager, Tag, Tone},
};

use crate::fixtures::{Page, at, chrome, nobody};

pub(crate) fn pages() -> Vec<Page> {
    let mut pages = vec![
        ("login", login("", None).render()),
        (
            "login-refused",
            login("nora.lind", Some(LoginProblem::Refused)).render(),
        ),
        (
            "login-locked",
            login("nora.lind", Some(LoginProblem::LockedOut(15))).render(),
        ),
        ("login-expired", login("", Some(LoginProblem::Expired)).render()),
        (
            "login-dark",
            Login {
                chrome: server::web::view::chrome::Chrome {
                    theme: Theme::Dark,
                    ..nobody()
                },
                ..login("", None)
            }
            .render(),
        ),
        ("password-first", first_password(false).render()),
        ("password-first-faults", first_password(true).render()),
        ("api-tokens", api_tokens(true, false).render()),
        ("api-tokens-fresh", api_tokens(true, true).render()),
        ("api-tokens-empty", api_tokens(false, false).render()),
        ("accounts", accounts(false).render()),
        ("accounts-fresh", accounts(true).render()),
        ("account", account(false).render()),
        ("account-faults", account(true).render()),
        ("audit", audit(true, false).render()),
        ("audit-nothing-found", audit(false, true).render()),
        (
            "audit-broken",
            Audit {
                chain: ChainStatus {
                    tone: Tone::Bad,
                    text: "Broken at #1198".to_owned(),
                    head: String::new(),
                },
                ..audit(true, false)
            }
            .render(),
        ),
    ];
    for (name, status, code, sentence) in [
        ("error-403", 403, "forbidden", "Your role does not include accounts."),
        ("error-404", 404, "", "There is no such device."),
        (
            "error-409",
            409,
            "policy.changed",
            "The policy was changed by ruth.amsel at 14:02; your changes were not saved.",
        ),
        (
            "error-422",
            422,
            "form.invalid",
            "The remark is longer than 500 characters.",
        ),
        (
            "error-429",
            429,
            "rate.limited",
            "You asked for many keys in a short time. Wait a minute.",
        ),
        ("error-500", 500, "internal", "The request could not be finished."),
    ] {
        pages.push((
            name,
            ErrorPage {
                chrome: chrome(Role::Administrator, Place::Elsewhere),
                status,
                code: code.to_owned(),
                sentence: sentence.to_owned(),
            }
            .render(),
        ));
    }
    pages.push((
        "error-404-nobody",
        ErrorPage {
            chrome: nobody(),
            status: 404,
            code: String::new(),
            sentence: "There is no such page.".to_owned(),
        }
        .render(),
    ));
    pages
}

fn login(name: &str, problem: Option<LoginProblem>) -> Login {
    Login {
        chrome: nobody(),
        name: name.to_owned(),
        next: "/admin".to_owned(),
        problem,
    }
}

fn first_password(faults: bool) -> NewPassword {
    let fault = |text: &str| faults.then(|| text.to_owned());
    NewPassword {
        chrome: nobody(),
        current_error: fault("This is not the current password."),
        new_error: fault("The new password has 7 characters; at least 12 are needed."),
        again_error: fault("The two differ."),
    }
}

fn accounts(fresh: bool) -> Accounts {
    let roles = Role::ALL.map(|role| (role.name(), role.label()));
    let row = |name: &str, role: &str, tone, state, last: Option<&str>, own, disabled| AccountRow {
        id: name.to_owned(),
        name: name.to_owned(),
        roles: Choice::list(&roles, role),
        role: roles
            .iter()
            .find(|(value, _)| *value == role)
            .map_or("", |(_, label)| label)
            .to_owned(),
        scope: if name == "t.okafor" {
            "berlin, paris"
        } else {
            "everything"
        }
        .to_owned(),
        state: Tag::new(tone, state),
        last: last.map(at),
        own,
        disabled,
    };
    Accounts {
        chrome: chrome(Role::Administrator, Place::Accounts),
        fresh: fresh.then(|| FreshPassword {
            name: "nora.lind".to_owned(),
            password: "n4vq8-0kzte-7hw2m-x5rjd".to_owned().into(),
        }),
        name: TextField {
            name: "name",
            label: "User name".to_owned(),
            required: true,
            ..TextField::default()
        },
        role: SelectField {
            name: "role",
            label: "Role".to_owned(),
            choices: Choice::list(&roles, "help_desk_user"),
            ..SelectField::default()
        },
        scope: TextField {
            name: "scope",
            label: "Scope".to_owned(),
            value: "everything".to_owned(),
            hint: "everything, or collections with commas: berlin, paris. Devices of no other collection are seen."
                .to_owned(),
            required: true,
            ..TextField::default()
        },
        rows: vec![
            row("admin", "administrator", Tone::Good, "Active", Some("now"), true, false),
            row(
                "nora.lind",
                "help_desk_user",
                Tone::Good,
                "Active",
                Some("12 min ago"),
                false,
                false,
            ),
            row("ruth.amsel", "auditor", Tone::Info, "First sign-in", None, false, false),
            row(
                "t.okafor",
                "help_desk_user",
                Tone::Warn,
                "Locked",
                Some("yesterday"),
                false,
                false,
            ),
            row(
                "CORP\\jonas.weber",
                "self_service",
                Tone::Calm,
                "Disabled",
                Some("3 weeks ago"),
                false,
                true,
            ),
        ],
    }
}

fn api_tokens(full: bool, fresh: bool) -> ApiTokens {
    let row = |id: &str, note: &str, role: Role, scope: &str, tone, state, used| ApiTokenRow {
        id: id.to_owned(),
        name: format!("api-token:{id}"),
        note: note.to_owned(),
        role: role.label().to_owned(),
        scope: scope.to_owned(),
        active: tone == Tone::Good,
        state: Tag::new(tone, state),
        used: at(used),
        expires: at("in 3 months"),
        by: "admin".to_owned(),
    };
    let roles = Role::ALL.map(|role| (role.name(), role.label()));
    let rows = vec![
        row(
            "3",
            "monthly report on srv-report",
            Role::ReportReader,
            "everything",
            Tone::Good,
            "Active",
            "2 h ago",
        ),
        row(
            "2",
            "ticket system",
            Role::HelpDeskUser,
            "berlin, paris",
            Tone::Good,
            "Active",
            "1 min ago",
        ),
        row(
            "1",
            "trial",
            Role::Auditor,
            "everything",
            Tone::Bad,
            "Revoked",
            "3 weeks ago",
        ),
    ];
    ApiTokens {
        chrome: chrome(Role::Administrator, Place::ApiTokens),
        fresh: fresh.then(|| FreshApiToken {
            token: "claviger-n4vq8-0kzte-7hw2m-x5rjd-n4vq8-0kzte-7hw2m-x5rjd"
                .to_owned()
                .into(),
            note: "ticket system".to_owned(),
        }),
        note: TextField {
            name: "note",
            label: "For".to_owned(),
            hint: "Which program, on which machine.".to_owned(),
            required: true,
            ..TextField::default()
        },
        role: SelectField {
            name: "role",
            label: "Role".to_owned(),
            choices: Choice::list(&roles, "report_reader"),
            ..SelectField::default()
        },
        scope: TextField {
            name: "scope",
            label: "Scope".to_owned(),
            value: "everything".to_owned(),
            hint: "everything, or collections with commas: berlin, paris.".to_owned(),
            required: true,
            ..TextField::default()
        },
        lifetime: SelectField {
            name: "lifetime",
            label: "Good for".to_owned(),
            choices: Choice::list(&[("30", "30 days"), ("90", "90 days")], "90"),
            ..SelectField::default()
        },
        rows: if full { rows } else { Vec::new() },
    }
}

fn account(faults: bool) -> Account {
    let fault = |text: &str| faults.then(|| text.to_owned());
    let session = |client: &str, since, last, current| SessionRow {
        id: "s".to_owned(),
        client: client.to_owned(),
        since: at(since),
        last: at(last),
        current,
    };
    Account {
        chrome: chrome(Role::HelpDeskAdministrator, Place::Account),
        current_error: fault("This is not the current password."),
        new_error: fault("The new password has 7 characters; at least 12 are needed."),
        again_error: None,
        sessions: vec![
            session("Edge on Windows", "2 h ago", "now", true),
            session("Safari on iPhone", "yesterday", "5 h ago", false),
        ],
    }
}

fn audit(full: bool, filtered: bool) -> Audit {
    let data = [
        (
            1204,
            "device:LT-0417",
            Tone::Good,
            "Key superseded",
            "LT-0417 C:",
            "A04417E2 replaced by 3F2A9C11",
        ),
        (
            1203,
            "device:LT-0417",
            Tone::Info,
            "Key escrowed",
            "LT-0417 C:",
            "3F2A9C11",
        ),
        (
            1202,
            "user:nora.lind",
            Tone::Warn,
            "Key disclosed",
            "LT-0417 C:",
            "A04417E2 · Lost PIN · for CORP\\jonas.weber · ticket 48213",
        ),
        (1201, "system", Tone::Good, "Key proven", "LT-0233 C:", "C81D00F7"),
        (1200, "user:j.weber", Tone::Bad, "Sign-in failed", "", "from 10.20.4.17"),
        (
            1199,
            "user:admin",
            Tone::Info,
            "Policy changed",
            "Default",
            "revision 7: os.method xts_aes_256",
        ),
        (
            1198,
            "user:admin",
            Tone::Info,
            "Token made",
            "Autumn laptops",
            "120 devices, 7 days",
        ),
    ];
    let rows: Vec<AuditRow> = if full {
        data.into_iter()
            .map(|(number, actor, tone, action, subject, detail)| AuditRow {
                number,
                when: at("2026-11-24 14:03:22"),
                actor: actor.to_owned(),
                action: Tag::new(tone, action),
                subject: subject.to_owned(),
                subject_href: subject.starts_with("LT").then(|| "/admin/devices/1".to_owned()),
                detail: detail.to_owned(),
                hash: "9f2c41d07be3".to_owned(),
            })
            .collect()
    } else {
        Vec::new()
    };
    Audit {
        chrome: chrome(Role::Auditor, Place::Audit),
        chain: ChainStatus {
            tone: Tone::Good,
            text: "Verified up to #1204".to_owned(),
            head: "9f2c41d07be3".to_owned(),
        },
        actor: String::new(),
        actions: Choice::list(&[("", "All"), ("key.disclosed", "Key disclosed")], ""),
        subject: String::new(),
        from: String::new(),
        to: String::new(),
        pager: Pager {
            first: 1,
            last: rows.len() as u64,
            total: 1204,
            previous: None,
            next: Some("/admin/audit?page=2".to_owned()),
        },
        rows,
        export_href: "/admin/audit.csv".to_owned(),
        filtered,
        problem: String::new(),
    }
}
