//! `claviger policy show`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use domain::policy::document::Document;
use domain::policy::{Section, Setting, SettingKind, reference};
use serde_json::{Map, Value};

use super::file;
use crate::terminal::say;

/// `claviger policy show`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The policy document
    file: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Every setting, with the default where the document says nothing
    #[arg(long)]
    effective: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let Some(document) = file::sound(&args.file)? else {
        return Ok(ExitCode::FAILURE);
    };
    let text = match (args.effective, args.json) {
        (false, false) => document.to_toml(),
        (false, true) => document.to_json(),
        (true, false) => effective_toml(&document),
        (true, true) => effective_json(&document)?,
    };
    say(text.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// A setting's value, and whether the document says it.
fn values(document: &Document) -> impl Iterator<Item = (&'static Setting, Value, bool)> {
    let policy = document.assignments.policy();
    reference().iter().map(move |setting| {
        let text = setting.value(&policy);
        let value = match (setting.kind, text.parse::<u32>()) {
            (SettingKind::Switch, _) => Value::Bool(text == "true"),
            (SettingKind::Number { .. }, Ok(number)) => Value::from(number),
            _ => Value::String(text),
        };
        (setting, value, document.assignments.get(setting.id).is_some())
    })
}

fn effective_toml(document: &Document) -> String {
    let mut lines = Vec::new();
    for section in Section::ALL {
        lines.push(format!("[{}]", section.name()));
        for (setting, value, said) in values(document).filter(|(s, ..)| s.path().0 == section.name()) {
            // JSON's way to write these is TOML's as well.
            let line = format!("{} = {value}", setting.path().1);
            lines.push(if said { line } else { format!("{line:<44} # default") });
        }
        lines.push(String::new());
    }
    lines.join("\n")
}

fn effective_json(document: &Document) -> Result<String> {
    let mut sections = Map::new();
    for (setting, value, _) in values(document) {
        let (section, key) = setting.path();
        let section = sections.entry(section).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(section) = section {
            section.insert(key.to_owned(), value);
        }
    }
    Ok(serde_json::to_string_pretty(&sections)?)
}
