//! `claviger volume protectors change-passphrase`.

use std::path::PathBuf;

use anyhow::Result;
use fve::ProtectorKind;

use super::of_kind;
use crate::system::Fresh;
use crate::terminal::say;
use crate::volume::conversion::tell_rehearsed;
use crate::volume::credential::CredentialArgs;
use crate::volume::new_protector::read_new_passphrase;
use crate::volume::target::TargetArgs;

/// `claviger volume protectors change-passphrase`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// GUID of the passphrase to change, or the beginning of it; may be left out when there is only one
    #[arg(long, value_name = "ID")]
    protector: Option<String>,
    /// File with the new passphrase, 8 to 256 characters ('-': standard input; at a terminal it is asked for twice)
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: PathBuf,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let target = args.target.open()?;
    target.volume()?;
    let volume = target.unlock(&args.credential.read()?)?;
    let id = of_kind(
        &volume.protectors()?,
        args.protector.as_deref(),
        ProtectorKind::Passphrase,
    )?;
    let passphrase = read_new_passphrase(&args.new_passphrase_file)?;
    let mut fresh = Fresh::new();
    let ctx = &mut fresh.context();
    volume.change_passphrase(ctx, id, &passphrase)?;
    if target.is_plan() {
        return tell_rehearsed(&target);
    }
    say(&format!("changed: passphrase {id}"));
    Ok(())
}
