//! The audit is tampered with, and forms are forged.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use store::{AuditLog, Maintenance};

use super::{Say, Stage};
use crate::person::Person;

/// Ways to tamper with the audit of a copy, each as SQL over `{n}`, an entry in the middle.
const TAMPERING: [(&str, &str); 6] = [
    (
        "a changed entry",
        "UPDATE audit SET detail = detail || ' ' WHERE sequence = {n}",
    ),
    (
        "a changed actor",
        "UPDATE audit SET actor = 'user:nobody' WHERE sequence = {n}",
    ),
    ("a removed entry", "DELETE FROM audit WHERE sequence = {n}"),
    (
        "the last entry removed",
        "DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)",
    ),
    (
        "a removed entry with the rest moved up",
        "DELETE FROM audit WHERE sequence = {n}; UPDATE audit SET sequence = -sequence + 1 WHERE sequence > {n}; \
         UPDATE audit SET sequence = -sequence WHERE sequence < 0",
    ),
    (
        "two entries in each other's place",
        "UPDATE audit SET sequence = -1 WHERE sequence = {n}; UPDATE audit SET sequence = {n} WHERE sequence = {n} + 1; \
         UPDATE audit SET sequence = {n} + 1 WHERE sequence = -1",
    ),
];

/// The chain verifies, and each kind of tampering with a copy is found.
pub(super) fn audit(stage: &Stage, say: Say<'_>) -> Result<()> {
    say("The audit is verified, and copies of it are tampered with");
    let verdict = verify(stage, &stage.demo.server_dir())?;
    ensure!(verdict.0, "the audit does not verify: {}", verdict.1);
    say(&format!("  {}", verdict.1.trim()));

    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let store = stage.store()?;
    let middle = runtime.block_on(store.audit_head())?.sequence / 2;
    ensure!(middle > 2, "the audit is too short to tamper with");
    for (number, (what, sql)) in TAMPERING.iter().enumerate() {
        let copy = stage.options.dir.join(format!("tampered-{number}"));
        std::fs::create_dir(&copy)?;
        let database = copy.join(server::DATABASE);
        runtime.block_on(store.backup(&database))?;
        std::fs::copy(
            stage.demo.server_dir().join(server::AUDIT_KEY),
            copy.join(server::AUDIT_KEY),
        )?;
        ensure!(verify(stage, &copy)?.0, "the untouched copy does not verify");
        tamper(&database, &sql.replace("{n}", &middle.to_string()))?;
        let (whole, words) = verify(stage, &copy)?;
        ensure!(!whole, "{what} was not found");
        say(&format!("  {what}: found ({})", words.trim()));
        std::fs::remove_dir_all(&copy)?;
    }
    Ok(())
}

/// As somebody with the database in hand would: the triggers that refuse are taken out first.
fn tamper(database: &Path, sql: &str) -> Result<()> {
    let connection = Connection::open(database)?;
    let mut triggers = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'")?;
    let names = triggers
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    for name in names {
        connection.execute_batch(&format!("DROP TRIGGER \"{name}\""))?;
    }
    connection
        .execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}"))
        .context("tampering")?;
    Ok(())
}

fn verify(stage: &Stage, data_dir: &Path) -> Result<(bool, String)> {
    let folder = data_dir.to_string_lossy();
    let output = stage
        .programs()
        .claviger(&["admin", "audit", "verify", "--data-dir", &folder])?;
    let words = if output.status.success() {
        output.stdout
    } else {
        output.stderr
    };
    Ok((output.status.success(), String::from_utf8_lossy(&words).into_owned()))
}

/// Pages whose forms an administrator may send.
const PAGES: [&str; 7] = [
    "/login",
    "/helpdesk",
    "/admin/accounts",
    "/admin/enrolment",
    "/account",
    "/selfservice",
    "/admin/policies",
];

/// Every form on these pages, sent with no token, a made-up one, and another person's, is refused.
pub(super) fn forms(stage: &Stage, say: Say<'_>) -> Result<()> {
    say("Forms are forged");
    let (admin, other) = (stage.person("admin")?, stage.person("auditor")?);
    let foreign = other
        .open("/account")?
        .attributes("input[name=csrf]", "value")
        .into_iter()
        .next();
    let foreign = foreign.context("the account page has no token")?;
    let mut refused = 0;
    for path in PAGES {
        for action in admin.open(path)?.attributes("form[method=post]", "action") {
            refused += forge(&admin, &action, &foreign)?;
        }
    }
    ensure!(refused >= 30, "only {refused} forged forms were tried");
    say(&format!("  {refused} forged forms, every one refused"));
    other_peoples_keys(stage, say)
}

fn forge(person: &Person, action: &str, foreign: &str) -> Result<u32> {
    let origin = person.origin();
    type Fields<'a> = Vec<(&'a str, &'a str)>;
    let attempts: [(Option<&str>, Fields<'_>); 4] = [
        (Some(&origin), vec![]),
        (Some(&origin), vec![("csrf", "00000000000000000000000000000000")]),
        (Some(&origin), vec![("csrf", foreign)]),
        (Some("https://evil.example"), vec![]),
    ];
    for (origin, fields) in &attempts {
        let page = person.post_raw(action, *origin, fields)?;
        ensure!(
            page.status == 403,
            "a forged form to {action} with {fields:?} was answered {}",
            page.status
        );
    }
    Ok(4)
}

/// A user sees the own device's key only.
fn other_peoples_keys(stage: &Stage, say: Say<'_>) -> Result<()> {
    let Some(owner) = stage.devices.first().and_then(|d| d.users.first()) else {
        return Ok(());
    };
    let person = stage.person(owner)?;
    let mut refused = 0;
    for subject in &stage.subjects {
        let own = stage
            .devices
            .iter()
            .any(|d| d.name == subject.device && d.users.contains(owner));
        if own {
            continue;
        }
        let id = crate::watch::look(&subject.image)?.recovery_passwords[0];
        let form = person.open("/selfservice")?;
        let reason = form
            .attributes("select[name=reason] option", "value")
            .into_iter()
            .find(|v| !v.is_empty());
        let id = id.as_hyphenated().to_string().to_uppercase();
        let fields = [
            ("key_id", id.as_str()),
            ("reason", reason.as_deref().unwrap_or_default()),
        ];
        let page = person.submit(&form, "/selfservice", &fields)?;
        ensure!(
            page.attributes("#whole-key", "value").is_empty(),
            "{owner} got the key of {}",
            subject.device
        );
        refused += 1;
    }
    say(&format!(
        "  {owner} asked for {refused} keys of other people's devices and got none"
    ));
    Ok(())
}
