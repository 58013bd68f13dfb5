//! `claviger volume protectors add`.

use anyhow::{Result, bail};

use crate::system::Fresh;
use crate::volume::conversion::tell_rehearsed;
use crate::volume::credential::CredentialArgs;
use crate::volume::new_protector::NewProtectorArgs;
use crate::volume::target::TargetArgs;

/// `claviger volume protectors add`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    protectors: NewProtectorArgs,
    #[command(flatten)]
    credential: CredentialArgs,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let target = args.target.open()?;
    target.volume()?;
    let volume = target.unlock(&args.credential.read()?)?;
    let protectors = args.protectors.prepare(target.is_plan())?;
    if protectors.is_empty() {
        bail!("nothing to add: name --recovery-password-out, --startup-key-out or --new-passphrase-file");
    }
    let mut fresh = Fresh::new();
    let ctx = &mut fresh.context();
    protectors.add(&volume, ctx)?;
    tell_rehearsed(&target)
}
