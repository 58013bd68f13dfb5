//! `claviger volume protectors rotate-password`.

use std::path::PathBuf;

use anyhow::Result;
use fve::{ProtectorKind, RecoveryPassword};

use super::of_kind;
use crate::system::Fresh;
use crate::terminal::note;
use crate::volume::conversion::tell_rehearsed;
use crate::volume::credential::CredentialArgs;
use crate::volume::new_protector::write_password;
use crate::volume::secret_out::Place;
use crate::volume::target::TargetArgs;

/// `claviger volume protectors rotate-password`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// GUID of the recovery password to replace, or the beginning of it; may be left out when there is only one
    #[arg(long, value_name = "ID")]
    protector: Option<String>,
    /// Write the new recovery password to this new file, mode 0600 ('-': standard output)
    #[arg(long, value_name = "FILE")]
    recovery_password_out: PathBuf,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let target = args.target.open()?;
    target.volume()?;
    let volume = target.unlock(&args.credential.read()?)?;
    let old = of_kind(
        &volume.protectors()?,
        args.protector.as_deref(),
        ProtectorKind::RecoveryPassword,
    )?;
    let place = Place::reserve(&args.recovery_password_out, target.is_plan())?;
    let mut fresh = Fresh::new();
    let ctx = &mut fresh.context();
    // Add, keep, remove: whatever instant the power fails at, a password that someone holds opens the volume.
    let password = RecoveryPassword::generate(ctx.rng);
    let new = volume.add_recovery_password(ctx, Some(&password), None)?;
    write_password(&volume, new, place)?;
    volume.remove_protector(ctx, old)?;
    if target.is_plan() {
        return tell_rehearsed(&target);
    }
    note(&format!("added: recovery password {new}"));
    note(&format!("removed: recovery password {old}"));
    Ok(())
}
