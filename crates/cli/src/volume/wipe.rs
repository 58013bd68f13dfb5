//! `claviger volume wipe-free-space`.

use anyhow::{Context as _, Result};

use super::credential::CredentialArgs;
use super::plan;
use super::target::TargetArgs;
use super::work::{Outcome, Work, WorkArgs};
use crate::system::Fresh;
use crate::terminal::{note, say};

/// `claviger volume wipe-free-space`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// Go on at this byte of the volume, as a run that was stopped tells it
    #[arg(long, value_name = "BYTE", default_value = "0")]
    from: u64,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let target = args.target.open()?;
    target.volume()?;
    let volume = target.unlock(&args.credential.read()?)?;
    let free = volume.wipe_plan()?;
    if target.is_plan() {
        say(&format!(
            "would write encrypted zeros to {} bytes of the volume:",
            free.bytes
        ));
        free.ranges
            .iter()
            .for_each(|range| say(&plan::line(range, "free space")));
        note("nothing was changed");
        return Ok(Outcome::Done);
    }
    let mut fresh = Fresh::new();
    let mut work = Work::begin(&args.work, "wiping", free.bytes)?;
    let progress = volume
        .wipe_free_space(&mut fresh.context(), args.from, &mut |progress| {
            work.at(progress.done_bytes, progress.total_bytes);
            work.flow()
        })
        .context("the volume is whole; run the same command again")?;
    if !progress.finished {
        return Ok(work.end_stopped(&format!(
            "the volume is whole; the same command with --from {} goes on",
            progress.next
        )));
    }
    work.end();
    say(&format!(
        "{} bytes of free space hold encrypted zeros",
        progress.total_bytes
    ));
    Ok(Outcome::Done)
}
