//! `claviger volume repair mend`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::{LookArgs, RescueArgs, stopped};
use crate::system::Fresh;
use crate::terminal::say;
use crate::volume::confirm::ConfirmArgs;
use crate::volume::credential::CredentialArgs;
use crate::volume::secret_out::Place;
use crate::volume::target::TargetArgs;
use crate::volume::work::{Outcome, WorkArgs};

/// `claviger volume repair mend`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    look: LookArgs,
    #[command(flatten)]
    rescue: RescueArgs,
    /// New file for what is overwritten, so that `repair undo` can put it back
    #[arg(long, value_name = "FILE", required_unless_present = "plan")]
    undo_file: Option<PathBuf>,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let undo_file = args.undo_file.as_ref();
    let place = undo_file
        .map(|path| Place::reserve(path, args.target.plan))
        .transpose()?;
    let target = args.target.open()?;
    let Some(findings) = args.look.look(target.bytes(), &args.work)? else {
        return Ok(stopped());
    };
    let rescued = args
        .rescue
        .open(&Arc::new(target.device()), &findings, &args.credential.read()?)?;
    let plan = rescued.plan();
    if plan.steps.is_empty() {
        say("there is nothing to mend");
        return Ok(Outcome::Done);
    }
    let details = [rescued.proof().notes.clone(), plan.describe()].concat();
    if target.is_plan() {
        details.iter().for_each(|line| say(line));
    } else {
        let consequence = format!("{} will be changed in these places", target.path().display());
        args.confirm.ask_about(&details, &consequence)?;
    }
    if let Some(place) = place {
        place.write_bytes(&rescued.undo().to_bytes())?;
    }
    let mut fresh = Fresh::new();
    rescued.apply(&mut fresh.context()).context("mending")?;
    if target.is_plan() {
        crate::volume::conversion::tell_rehearsed(&target)?;
        return Ok(Outcome::Done);
    }
    say(&format!("{} is mended", target.path().display()));
    Ok(Outcome::Done)
}
