//! Carrying a conversion to its end, for every command that has one; and `claviger volume pause` and `resume`.

use anyhow::{Context as _, Result};
use fve::io::{ReadAt as _, WriteAt};
use fve::{Context, ConversionMode, ConversionStatus, LogPlace, ReencryptOptions, UnlockedVolume};

use super::credential::CredentialArgs;
use super::plan::{Map, OUTER_HEADER};
use super::target::{Device, Target, TargetArgs};
use super::work::{Outcome, Work, WorkArgs};
use crate::system::{Fresh, file_time};
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
    work: WorkArgs,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(super) fn pause(args: &PauseArgs) -> Result<()> {
    let target = args.target.open()?;
    target.volume()?;
    let volume = target.unlock(&args.credential.read()?)?;
    let mut fresh = Fresh::new();
    let ctx = &mut fresh.context();
    volume.pause(ctx)?;
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
    let mut fresh = Fresh::new();
    let ctx = &mut fresh.context();
    if !volume.conversion_status().in_progress() {
        volume.resume_conversion(ctx)?;
    }
    let status = volume.conversion_status();
    if target.is_plan() {
        tell_way(&target, &volume)?;
        tell_rehearsed(&target)?;
        return Ok(Outcome::Done);
    }
    let (verb, done) = match status {
        ConversionStatus::ReencryptionInProgress => ("re-encrypting", "re-encrypted"),
        ConversionStatus::DecryptionInProgress => (
            "decrypting",
            "fully decrypted; claviger volume decrypt takes the metadata off",
        ),
        _ => ("encrypting", "fully encrypted and protected"),
    };
    let outcome = carry_on(&volume, ctx, &args.work, verb)?;
    if outcome == Outcome::Done {
        if status == ConversionStatus::EncryptionInProgress {
            protect(&volume, ctx)?;
        }
        say(done);
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

/// Switches protection on once a volume is encrypted. Until then a clear key lies on it, so that the work goes on without
/// a secret.
pub(super) fn protect<D: WriteAt>(volume: &UnlockedVolume<D>, ctx: &mut Context<'_>) -> Result<()> {
    volume.resume(ctx).context("switching protection on")
}

/// Tells what a rehearsal wrote.
pub(super) fn tell_rehearsed(target: &Target) -> Result<()> {
    let Some(rehearsal) = target.rehearsal() else {
        return Ok(());
    };
    let map = Map::of(&target.volume()?.info());
    say("would change these bytes of the volume:");
    map.tell(&rehearsal.written());
    note("nothing was changed");
    Ok(())
}

/// Tells what a conversion goes through: exactly the bytes that it may write, besides those of the rehearsal.
pub(super) fn tell_way(target: &Target, volume: &UnlockedVolume<Device>) -> Result<()> {
    let mode = volume.conversion_mode()?.unwrap_or(ConversionMode::Full);
    let (word, plan) = match volume.conversion_status() {
        ConversionStatus::DecryptionInProgress => ("decrypt", volume.decryption_plan()?),
        ConversionStatus::ReencryptionInProgress => {
            let options = ReencryptOptions {
                mode,
                new_master_key: None,
            };
            ("re-encrypt", volume.reencryption_plan(volume.method(), &options)?)
        }
        _ => ("encrypt", volume.encryption_plan(mode)?),
    };
    let map = Map::of(&target.volume()?.info());
    let decrypts = plan.to.is_none();
    say(&format!("would {word} in place what lies here, {} bytes:", plan.bytes));
    map.tell(&plan.ranges);
    if let Some(log) = plan.log {
        say("each piece passes through the conversion log:");
        map.tell(std::slice::from_ref(&log));
    }
    if decrypts {
        say("then the file system gets its own header back, and metadata, log and their files go:");
        map.tell(std::slice::from_ref(&OUTER_HEADER));
    }
    Ok(())
}

/// Gives a volume that was made by others a conversion log, where it has none.
pub(super) fn adopt(volume: &UnlockedVolume<Device>, ctx: &mut Context<'_>) -> Result<()> {
    volume
        .adopt(ctx, LogPlace::InFileSystem)
        .context("making a conversion log")
}
