//! `claviger policy explain`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use domain::policy::document::Document;
use domain::policy::{Grade, Setting, reference, setting, suggestion};

use super::file;
use crate::terminal::say;

/// `claviger policy explain`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The policy document
    file: PathBuf,
    /// One setting, configured or not; without it, all that are configured
    setting: Option<String>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let Some(parsed) = file::parsed(&args.file)? else {
        return Ok(ExitCode::FAILURE);
    };
    let document = parsed.document;
    if let Some(id) = &args.setting {
        let mut lines = about(known(id)?);
        lines.insert(1, format!("  here: {}", here(known(id)?, &document)));
        lines.iter().for_each(|line| say(line));
        return Ok(ExitCode::SUCCESS);
    }
    let configured = reference().iter().filter(|s| document.assignments.get(s.id).is_some());
    for (number, setting) in configured.enumerate() {
        if number > 0 {
            say("");
        }
        let mut lines = about(setting);
        lines.insert(1, format!("  here: {}", here(setting, &document)));
        lines.iter().for_each(|line| say(line));
    }
    Ok(ExitCode::SUCCESS)
}

/// The setting of that id, or the one that may have been meant.
pub(super) fn known(id: &str) -> Result<&'static Setting> {
    let Some(setting) = setting(id) else {
        let meant = suggestion(id).map(|id| format!("; did you mean {id}?"));
        bail!("there is no setting {}{}", id.escape_debug(), meant.unwrap_or_default());
    };
    Ok(setting)
}

fn here(setting: &Setting, document: &Document) -> String {
    match document.assignments.get(setting.id) {
        Some(value) => setting.label(value),
        None => "not configured".to_owned(),
    }
}

/// A setting's title, meaning, and how others are told.
pub(super) fn about(setting: &Setting) -> Vec<String> {
    let mut lines = vec![format!("{} - {}", setting.id, setting.title)];
    lines.push(format!("  default: {}", setting.label(&setting.default_value())));
    if let Some(suggested) = setting.suggested {
        lines.push(format!("  Microsoft suggests: {}", setting.label(suggested)));
    }
    lines.push(format!("  allowed: {}", setting.kind.allowed()));
    lines.push(format!("  {}", setting.help));
    for value in setting.registry {
        let grade = match value.grade {
            Grade::Documented => "",
            Grade::Inferred => " (inferred)",
        };
        lines.push(format!("  registry: {}\\{}{grade}", value.root.key(), value.name));
    }
    if let Some(csp) = setting.csp {
        let data = csp.data.filter(|id| !id.is_empty()).map(|id| format!(", {id}"));
        lines.push(format!("  CSP: {}{}", csp.node, data.unwrap_or_default()));
    }
    if let Some(cmdlet) = setting.cmdlet {
        lines.push(format!(
            "  Configuration Manager: {} -{}",
            cmdlet.name, cmdlet.parameter
        ));
    }
    if let Some(unsure) = setting.unsure {
        lines.push(format!("  not certain: {unsure}"));
    }
    lines
}
