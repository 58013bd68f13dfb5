//! `claviger volume decrypt`.

use anyhow::{Context as _, Result};
use fve::ConversionStatus;

use super::confirm::ConfirmArgs;
use super::conversion::{adopt, carry_on, tell_rehearsed, tell_way};
use super::credential::CredentialArgs;
use super::target::TargetArgs;
use super::work::{Outcome, WorkArgs};
use crate::system::Fresh;
use crate::terminal::say;

/// `claviger volume decrypt`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let target = args.target.open()?;
    target.volume()?;
    let volume = target.unlock(&args.credential.read()?)?;
    if !target.is_plan() {
        let consequence = format!(
            "everything on {} will be in plain text, and its keys and protectors will be gone",
            target.path().display()
        );
        args.confirm.ask(&consequence)?;
    }
    let mut fresh = Fresh::new();
    let ctx = &mut fresh.context();
    if volume.conversion_status() != ConversionStatus::FullyDecrypted {
        adopt(&volume, ctx)?;
        volume.begin_decryption(ctx)?;
    }
    if target.is_plan() {
        tell_way(&target, &volume)?;
        tell_rehearsed(&target)?;
        return Ok(Outcome::Done);
    }
    let outcome = carry_on(&volume, ctx, &args.work, "decrypting")?;
    if outcome == Outcome::Done {
        volume.deinitialise().context("taking the metadata off")?;
        say(&format!("{} is plain", target.path().display()));
    }
    Ok(outcome)
}
