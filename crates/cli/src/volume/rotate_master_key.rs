//! `claviger volume rotate-master-key`.

use anyhow::Result;
use fve::MasterKeyRotation;

use super::confirm::ConfirmArgs;
use super::conversion::tell_rehearsed;
use super::credential::CredentialArgs;
use super::protectors::find;
use super::target::TargetArgs;
use crate::system::Fresh;
use crate::terminal::say;

/// `claviger volume rotate-master-key`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// Give up this protector, whose secret the volume has no copy of: its GUID, or the beginning of it; may be given
    /// more than once
    #[arg(long, value_name = "ID")]
    drop: Vec<String>,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let target = args.target.open()?;
    target.volume()?;
    let mut volume = target.unlock(&args.credential.read()?)?;
    let protectors = volume.protectors()?;
    let drop = args.drop.iter().map(|id| find(&protectors, id).map(|p| p.id));
    let drop = drop.collect::<Result<Vec<_>>>()?;
    let rotation = MasterKeyRotation {
        drop: &drop,
        ..MasterKeyRotation::default()
    };
    let plan = volume.rotate_master_key_plan(&rotation)?;
    if target.is_plan() {
        say("would give the volume a new master key:");
        plan.describe().iter().for_each(|line| say(&format!("  {line}")));
    } else if !drop.is_empty() {
        args.confirm.ask(&format!("{} protectors will be gone", drop.len()))?;
    }
    let mut fresh = Fresh::new();
    let ctx = &mut fresh.context();
    volume.rotate_master_key(ctx, &rotation)?;
    if target.is_plan() {
        return tell_rehearsed(&target);
    }
    say("the master key is new; passwords and keys stay as they are");
    Ok(())
}
