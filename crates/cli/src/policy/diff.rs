//! `claviger policy diff`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use domain::policy::document;

use super::file;
use crate::terminal::say;

/// `claviger policy diff`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The policy document before
    before: PathBuf,
    /// The policy document after
    after: PathBuf,
    /// Exit with 1 when there are differences
    #[arg(long)]
    exit_code: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let (before, after) = (file::parsed(&args.before)?, file::parsed(&args.after)?);
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(ExitCode::FAILURE);
    };
    let changes = document::diff(&before.document, &after.document);
    changes.iter().for_each(|change| say(&change.to_string()));
    Ok(if args.exit_code && !changes.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
