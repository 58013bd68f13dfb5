//! `claviger volume repair undo`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use fve::repair::Undo;

use crate::terminal::say;
use crate::volume::confirm::ConfirmArgs;
use crate::volume::metadata::backup_bytes;
use crate::volume::plan::{Map, merged};
use crate::volume::target::TargetArgs;

/// `claviger volume repair undo`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// The file that `repair mend` wrote
    #[arg(long, value_name = "FILE")]
    undo_file: PathBuf,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let undo = Undo::parse(&backup_bytes(&args.undo_file)?).with_context(|| args.undo_file.display().to_string())?;
    let target = args.target.open()?;
    if target.is_plan() {
        let ranges = undo
            .patches
            .iter()
            .map(|(at, bytes)| *at..at.saturating_add(bytes.len() as u64));
        say("would change these bytes of the volume:");
        Map::default().tell(&merged(ranges.collect()));
        return Ok(());
    }
    args.confirm.ask(&format!(
        "what was mended on {} will be broken again",
        target.path().display()
    ))?;
    undo.revert(&target.device())?;
    say(&format!("{} is as it was", target.path().display()));
    Ok(())
}
