//! `claviger volume protectors remove`.

use anyhow::Result;
use fve::ProtectorKind;

use super::find;
use crate::system::Fresh;
use crate::terminal::{say, word};
use crate::volume::confirm::ConfirmArgs;
use crate::volume::conversion::tell_rehearsed;
use crate::volume::credential::CredentialArgs;
use crate::volume::target::TargetArgs;

/// `claviger volume protectors remove`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// The protector's GUID, or the beginning of it
    #[arg(long, value_name = "ID")]
    protector: String,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let target = args.target.open()?;
    target.volume()?;
    let volume = target.unlock(&args.credential.read()?)?;
    let protectors = volume.protectors()?;
    let protector = find(&protectors, &args.protector)?;
    let others = protectors.iter().filter(|p| p.id != protector.id);
    let is_last = protector.kind == ProtectorKind::RecoveryPassword
        && !others.into_iter().any(|p| p.kind == ProtectorKind::RecoveryPassword);
    if is_last && !target.is_plan() {
        args.confirm.ask(&format!(
            "{} is the last recovery password: without one, a lost passphrase or key loses the data",
            protector.id
        ))?;
    }
    let mut fresh = Fresh::new();
    let ctx = &mut fresh.context();
    volume.remove_protector(ctx, protector.id)?;
    if target.is_plan() {
        return tell_rehearsed(&target);
    }
    say(&format!("removed: {} {}", word(&protector.kind), protector.id));
    Ok(())
}
