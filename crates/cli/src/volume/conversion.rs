//! Carrying a conversion to its end, for every command that has one; and `claviger volume pause` and `resume`.

use anyhow::{Context as _, Result};
use fve::io::{ReadAt, WriteAt};
use fve::{Context, ConversionStatus, UnlockedVolume};

use super::credential::CredentialArgs;
use super::plan::{self, Map};
use super::target::{Target, TargetArgs};
use super::work::{Outcome, Work, WorkArgs};
use crate::system::{file_time, system_rng};
use crate::terminal::{note, say};

/// `claviger volume pause`
#[derive(Debug, clap::Args)]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    credential: CredentialArgs,
}

/// `claviger volume resume`
#[derive(Debug, clap::Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    credential: CredentialArgs,
    #[command(flatten)]
    work: WorkArgs,
}

pub(super) fn pause(args: &PauseArgs) -> Result<()> {
    let target = args.target.open()?;
    target.volume()?;
    let volume = target.unlock(&args.credential.read()?)?;
    let mut rng = system_rng();
    let mut ctx = Context {
        now: file_time(),
        rng: &mut rng,
    };
    volume.pause(&mut ctx)?;
    if target.is_plan() {
        return tell_rehearsed(&target);
    }
    say("paused; claviger volume resume goes on");
    Ok(())
}

pub(super) fn resume(args: &ResumeArgs) -> Result<Outcome> {
    let target = args.target.open()?;
    target.volume()?;
    let volume = target.unlock(&args.credential.read()?)?;
    let mut rng = system_rng();
    let mut ctx = Context {
        now: file_time(),
        rng: &mut rng,
    };
    if !volume.conversion_status().in_progress() {
        volume.resume_conversion(&mut ctx)?;
    }
    let encrypting = volume.conversion_status() == ConversionStatus::EncryptionInProgress;
    if target.is_plan() {
        tell_rehearsed(&target)?;
        tell_way(&volume, encrypting);
        return Ok(Outcome::Done);
    }
    let verb = if encrypting { "encrypting" } else { "decrypting" };
    let outcome = carry_on(&volume, &mut ctx, &args.work, verb)?;
    if outcome == Outcome::Done {
        say(if encrypting {
            "fully encrypted"
        } else {
            "fully decrypted; claviger volume decrypt takes the metadata off"
        });
    }
    Ok(outcome)
}

/// Converts until the end, or until a signal comes.
pub(super) fn carry_on<D: WriteAt>(
    volume: &UnlockedVolume<D>,
    ctx: &mut Context<'_>,
    args: &WorkArgs,
    verb: &'static str,
) -> Result<Outcome> {
    let mut work = Work::begin(args, verb, volume.size())?;
    loop {
        if work.stopped() {
            return Ok(work.end_stopped("the volume is whole; run the same command again to go on"));
        }
        ctx.now = file_time();
        let progress = volume
            .convert_step(ctx)
            .context("the conversion stopped; the volume is whole, run the same command again")?;
        work.at(progress.done_bytes, progress.total_bytes);
        if progress.finished {
            work.end();
            return Ok(Outcome::Done);
        }
    }
}

/// Tells what a rehearsal wrote.
pub(super) fn tell_rehearsed(target: &Target) -> Result<()> {
    let Some(rehearsal) = target.rehearsal() else {
        return Ok(());
    };
    let map = Map::of(&target.volume()?.info());
    plan::tell(&rehearsal.written(), &map);
    note("nothing was changed");
    Ok(())
}

/// Tells what a conversion goes through.
pub(super) fn tell_way<D: ReadAt>(volume: &UnlockedVolume<D>, encrypting: bool) {
    let progress = volume.progress();
    let (done, total) = (progress.done_bytes, progress.total_bytes);
    let (word, range) = if encrypting {
        ("encrypt", done..total)
    } else {
        ("decrypt", 0..total - done)
    };
    say(&format!(
        "would {word} in place {:#014x}..{:#014x}, {} bytes, metadata and log left out",
        range.start,
        range.end,
        range.end - range.start
    ));
}
