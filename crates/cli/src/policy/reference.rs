//! `claviger policy reference`.

use std::process::ExitCode;

use anyhow::Result;
use domain::policy::generated;

use super::explain;
use crate::terminal::say;

/// `claviger policy reference`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One setting; without it, all as Markdown
    setting: Option<String>,
    /// The JSON schema of policy documents
    #[arg(long, conflicts_with = "setting")]
    schema: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    match &args.setting {
        Some(id) => {
            let setting = explain::known(id)?;
            explain::about(setting).iter().for_each(|line| say(line));
        }
        None if args.schema => say(generated::json_schema().trim_end()),
        None => say(generated::markdown().trim_end()),
    }
    Ok(ExitCode::SUCCESS)
}
