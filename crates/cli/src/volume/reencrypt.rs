//! `claviger volume reencrypt`.

use anyhow::Result;
use fve::{ConversionMode, MasterKeyRotation, ReencryptOptions};

use super::confirm::ConfirmArgs;
use super::conversion::{adopt, carry_on, tell_rehearsed, tell_way};
use super::credential::CredentialArgs;
use super::method::Method;
use super::target::TargetArgs;
use super::work::{Outcome, WorkArgs};
use crate::system::Fresh;
use crate::terminal::{note, say};

/// `claviger volume reencrypt`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// How sectors are to be encrypted [default: as they are, with a new key]
    #[arg(long, value_enum)]
    method: Option<Method>,
    /// Give the volume a new master key as well, before the new key for its sectors is made: old metadata copies and old
    /// passwords are worth nothing then
    #[arg(long)]
    new_master_key: bool,
    /// Leave free space as it is: what was deleted there can still be read with the old key
    #[arg(long)]
    used_space_only: bool,
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
    let mut volume = target.unlock(&args.credential.read()?)?;
    let mut fresh = Fresh::new();
    let ctx = &mut fresh.context();
    let status = volume.conversion_status();
    if status.is_paused() && status.is_reencryption() {
        volume.resume_conversion(ctx)?;
    } else if !status.is_reencryption() {
        let method = args.method.map_or(volume.method(), Into::into);
        if !target.is_plan() {
            args.confirm.ask(&format!(
                "until it is done, {} can be read by claviger only",
                target.path().display()
            ))?;
        }
        adopt(&volume, ctx)?;
        let options = ReencryptOptions {
            mode: if args.used_space_only {
                ConversionMode::UsedSpaceOnly
            } else {
                ConversionMode::Full
            },
            new_master_key: args.new_master_key.then(MasterKeyRotation::default),
        };
        volume = volume.begin_reencryption(ctx, method, &options)?;
        if args.new_master_key && !target.is_plan() {
            note("the master key is new");
        }
    }
    if target.is_plan() {
        tell_way(&target, &volume)?;
        tell_rehearsed(&target)?;
        return Ok(Outcome::Done);
    }
    let outcome = carry_on(&volume, ctx, &args.work, "re-encrypting")?;
    if outcome == Outcome::Done {
        say(&format!("{} is encrypted with a new key", target.path().display()));
    }
    Ok(outcome)
}
