//! `claviger policy check`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

use super::file;
use crate::terminal::{note, say};

/// `claviger policy check`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Policy documents
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Warnings count as faults
    #[arg(long)]
    deny_warnings: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let mut sound = true;
    for path in &args.files {
        sound &= match check(path, args.deny_warnings) {
            Ok(sound) => sound,
            // The other files are looked at all the same.
            Err(error) => {
                note(&format!("error: {error:#}"));
                false
            }
        };
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check(path: &Path, deny_warnings: bool) -> Result<bool> {
    let Some(parsed) = file::parsed(path)? else {
        return Ok(false);
    };
    let (faults, warnings) = (parsed.faults(), parsed.warnings());
    file::tell(path, "", &faults);
    file::tell(path, "warning: ", &warnings);
    if !faults.is_empty() || (deny_warnings && !warnings.is_empty()) {
        return Ok(false);
    }
    let settings = match parsed.document.assignments.len() {
        1 => "1 setting".to_owned(),
        number => format!("{number} settings"),
    };
    say(&format!("{}: {settings}, nothing wrong", path.display()));
    Ok(true)
}
