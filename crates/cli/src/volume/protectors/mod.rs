//! `claviger volume protectors`: the ways in.

use anyhow::{Result, bail};
use clap::Subcommand;
use fve::{Guid, ProtectorInfo, ProtectorKind};

use crate::terminal::word;

mod add;
mod change_passphrase;
mod list;
mod remove;
mod rotate_password;
mod suspend;

/// `claviger volume protectors …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the protectors; needs no key and writes nothing
    #[command(after_long_help = super::examples::LIST)]
    List(list::Args),
    /// Add a recovery password, a startup key or a passphrase
    ///
    /// Each new secret is written out, durably, before the next protector is begun.
    #[command(after_long_help = super::examples::ADD)]
    #[command(override_usage = "claviger volume protectors add [OPTIONS] <CREDENTIAL> <NEW PROTECTORS> <VOLUME>")]
    Add(add::Args),
    /// Remove one protector
    ///
    /// The last protector is never removed, and the last recovery password only after a question or with --yes.
    #[command(after_long_help = super::examples::REMOVE)]
    #[command(override_usage = "claviger volume protectors remove [OPTIONS] --protector <ID> <CREDENTIAL> <VOLUME>")]
    Remove(remove::Args),
    /// Suspend protection: the key lies in clear until protection resumes
    #[command(after_long_help = super::examples::SUSPEND)]
    #[command(override_usage = "claviger volume protectors suspend [OPTIONS] <CREDENTIAL> <VOLUME>")]
    Suspend(suspend::SuspendArgs),
    /// Resume protection: the clear key goes
    #[command(after_long_help = super::examples::RESUME_PROTECTION)]
    #[command(override_usage = "claviger volume protectors resume [OPTIONS] <CREDENTIAL> <VOLUME>")]
    Resume(suspend::ResumeArgs),
    /// Replace a recovery password by a new one
    ///
    /// The new one is added and written out, durably, before the old one goes: at every instant a password that somebody
    /// holds opens the volume.
    #[command(after_long_help = super::examples::ROTATE_PASSWORD)]
    #[command(
        override_usage = "claviger volume protectors rotate-password [OPTIONS] --recovery-password-out <FILE>\n       <CREDENTIAL> <VOLUME>"
    )]
    RotatePassword(rotate_password::Args),
    /// Change a passphrase
    ///
    /// The protector keeps its GUID.
    #[command(after_long_help = super::examples::CHANGE_PASSPHRASE)]
    #[command(
        override_usage = "claviger volume protectors change-passphrase [OPTIONS] --new-passphrase-file <FILE>\n       <CREDENTIAL> <VOLUME>"
    )]
    ChangePassphrase(change_passphrase::Args),
}

pub(super) fn run(command: &Command) -> Result<()> {
    match command {
        Command::List(args) => list::run(args),
        Command::Add(args) => add::run(args),
        Command::Remove(args) => remove::run(args),
        Command::Suspend(args) => suspend::suspend(args),
        Command::Resume(args) => suspend::resume(args),
        Command::RotatePassword(args) => rotate_password::run(args),
        Command::ChangePassphrase(args) => change_passphrase::run(args),
    }
}

/// Finds a protector by its GUID or the beginning of it.
pub(super) fn find<'a>(protectors: &'a [ProtectorInfo], id: &str) -> Result<&'a ProtectorInfo> {
    let wanted = id.trim_start_matches('{').trim_end_matches('}').to_uppercase();
    if wanted.is_empty() || !wanted.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
        bail!("{id:?} is not a protector's GUID, nor the beginning of one");
    }
    let found: Vec<_> = protectors
        .iter()
        .filter(|p| p.id.to_plain_string().starts_with(&wanted))
        .collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => bail!("the volume has no protector {id}"),
        many => bail!("{} protectors begin with {id}: give more of the GUID", many.len()),
    }
}

/// The protector of a kind: the named one, or the only one.
fn of_kind(protectors: &[ProtectorInfo], id: Option<&str>, kind: ProtectorKind) -> Result<Guid> {
    if let Some(id) = id {
        let protector = find(protectors, id)?;
        if protector.kind != kind {
            bail!(
                "protector {} is a {}, not a {}",
                protector.id,
                word(&protector.kind),
                word(&kind)
            );
        }
        return Ok(protector.id);
    }
    let found: Vec<_> = protectors.iter().filter(|p| p.kind == kind).collect();
    match found.as_slice() {
        [one] => Ok(one.id),
        [] => bail!("the volume has no {}", word(&kind)),
        many => bail!(
            "the volume has {} protectors of kind {}: name one by --protector",
            many.len(),
            word(&kind)
        ),
    }
}
