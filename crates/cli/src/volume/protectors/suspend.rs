//! `claviger volume protectors suspend` and `resume`.

use anyhow::Result;
use fve::Context;

use crate::system::Fresh;
use crate::terminal::say;
use crate::volume::conversion::tell_rehearsed;
use crate::volume::credential::CredentialArgs;
use crate::volume::target::TargetArgs;

/// `claviger volume protectors suspend`
#[derive(Debug, clap::Args)]
pub(crate) struct SuspendArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Resume by itself after so many restarts, 1 to 15, as whoever starts the volume counts them; without it,
    /// protection stays suspended until it is resumed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=15))]
    reboots: Option<u8>,
    #[command(flatten)]
    credential: CredentialArgs,
}

/// `claviger volume protectors resume`
#[derive(Debug, clap::Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(super) fn suspend(args: &SuspendArgs) -> Result<()> {
    change(
        &args.target,
        &args.credential,
        "suspended: the key lies in clear",
        |volume, ctx| volume.suspend(ctx, args.reboots),
    )
}

pub(super) fn resume(args: &ResumeArgs) -> Result<()> {
    change(&args.target, &args.credential, "protection is on", |volume, ctx| {
        volume.resume(ctx)
    })
}

type Volume = fve::UnlockedVolume<crate::volume::target::Device>;

fn change(
    target: &TargetArgs,
    credential: &CredentialArgs,
    done: &str,
    change: impl FnOnce(&Volume, &mut Context<'_>) -> Result<(), fve::Error>,
) -> Result<()> {
    let target = target.open()?;
    target.volume()?;
    let volume = target.unlock(&credential.read()?)?;
    let mut fresh = Fresh::new();
    let ctx = &mut fresh.context();
    change(&volume, ctx)?;
    if target.is_plan() {
        return tell_rehearsed(&target);
    }
    say(done);
    Ok(())
}
