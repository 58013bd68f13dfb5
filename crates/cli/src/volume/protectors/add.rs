//! `claviger volume protectors add`.

use anyhow::{Result, bail};
use fve::Context;

use crate::system::{file_time, system_rng};
use crate::terminal::{note, word};
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
    credential: CredentialArgs,
    #[command(flatten)]
    protectors: NewProtectorArgs,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let target = args.target.open()?;
    target.volume()?;
    let volume = target.unlock(&args.credential.read()?)?;
    let protectors = args.protectors.prepare(target.is_plan())?;
    if protectors.is_empty() {
        bail!("nothing to add: name --recovery-password-out, --startup-key-out or --new-passphrase-file");
    }
    let mut rng = system_rng();
    let mut ctx = Context {
        now: file_time(),
        rng: &mut rng,
    };
    let added = protectors.add(&volume, &mut ctx)?;
    if target.is_plan() {
        return tell_rehearsed(&target);
    }
    for added in added {
        note(&format!("added: {} {}", word(&added.1), added.0));
    }
    Ok(())
}
