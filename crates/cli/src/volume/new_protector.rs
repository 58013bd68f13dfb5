//! Protectors that a command makes, as options of the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use fve::io::WriteAt;
use fve::{Context, ExternalKey, Guid, Passphrase, ProtectorInfo, ProtectorKind, RecoveryPassword, UnlockedVolume};

use super::credential;
use super::secret_out::Place;
use crate::secret;
use crate::terminal::note;

/// At least one is needed where a volume begins.
#[derive(Debug, Args)]
#[command(next_help_heading = "New protectors")]
pub(crate) struct NewProtectorArgs {
    /// Make a recovery password and write it to this new file, mode 0600 ('-': standard output)
    #[arg(long, value_name = "FILE")]
    recovery_password_out: Option<PathBuf>,
    /// Make a startup key and write it to this folder as GUID.BEK, mode 0600
    #[arg(long, value_name = "DIR")]
    startup_key_out: Option<PathBuf>,
    /// Add the passphrase in this file, 8 to 256 characters ('-': standard input; at a terminal it is asked for twice)
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
}

/// The protectors that were asked for, with everything about them made sure of that can be before a change.
pub(super) struct NewProtectors {
    recovery_password: Option<Place>,
    startup_key: Option<Place>,
    passphrase: Option<Passphrase>,
}

impl NewProtectorArgs {
    /// Reads secrets and reserves places.
    ///
    /// # Errors
    /// When a secret cannot be read or is too short, or a file exists already or cannot be made.
    pub(super) fn prepare(&self, plan: bool) -> Result<NewProtectors> {
        let passphrase = self
            .new_passphrase_file
            .as_deref()
            .map(read_new_passphrase)
            .transpose()?;
        let recovery_password = self
            .recovery_password_out
            .as_deref()
            .map(|path| Place::reserve(path, plan));
        let startup_key = self
            .startup_key_out
            .as_deref()
            .map(|folder| Place::reserve_in(folder, plan));
        Ok(NewProtectors {
            recovery_password: recovery_password.transpose()?,
            startup_key: startup_key.transpose()?,
            passphrase,
        })
    }

    /// The same without the kinds that a volume has already.
    pub(super) fn without(&self, protectors: &[ProtectorInfo]) -> Self {
        let lacks = |kind| !protectors.iter().any(|protector| protector.kind == kind);
        Self {
            recovery_password_out: self
                .recovery_password_out
                .clone()
                .filter(|_| lacks(ProtectorKind::RecoveryPassword)),
            startup_key_out: self
                .startup_key_out
                .clone()
                .filter(|_| lacks(ProtectorKind::ExternalKey)),
            new_passphrase_file: self
                .new_passphrase_file
                .clone()
                .filter(|_| lacks(ProtectorKind::Passphrase)),
        }
    }

    /// The file that a recovery password was to be written to.
    pub(super) fn recovery_password_file(&self) -> Option<&Path> {
        self.recovery_password_out.as_deref()
    }
}

impl NewProtectors {
    /// Tells the files that would be made.
    pub(super) fn tell(&self) {
        for place in self.recovery_password.iter().chain(&self.startup_key) {
            place.tell();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.recovery_password.is_none() && self.startup_key.is_none() && self.passphrase.is_none()
    }

    /// Adds them, and says which, the ones with a secret to be written first; each secret is durable in its file before
    /// the next protector is begun. Secrets go to the volume first: should their file fail, the volume still tells them.
    ///
    /// # Errors
    /// When the volume or a file cannot be written.
    pub(super) fn add<D: WriteAt>(self, volume: &UnlockedVolume<D>, ctx: &mut Context<'_>) -> Result<()> {
        if let Some(place) = self.recovery_password {
            let password = RecoveryPassword::generate(ctx.rng);
            let id = volume.add_recovery_password(ctx, Some(&password), None)?;
            tell_added(&place, "recovery password", id);
            write_password(volume, id, place)?;
        }
        if let Some(place) = self.startup_key {
            let key = ExternalKey::generate(ctx.rng);
            let id = volume.add_external_key(ctx, Some(&key), Some("ExternalKey"))?;
            tell_added(&place, "external key", id);
            let bek = volume.bek(id).context("reading the startup key back")?;
            place.named(&bek.file_name()).write(&bek.to_bytes())?;
        }
        if let Some(passphrase) = self.passphrase {
            let id = volume.add_passphrase(ctx, &passphrase, None)?;
            note(&format!("added: passphrase {id}"));
        }
        Ok(())
    }
}

/// In a plan the GUID says nothing: it will be another.
fn tell_added(place: &Place, kind: &str, id: Guid) {
    if !matches!(place, Place::Nowhere(_)) {
        note(&format!("added: {kind} {id}"));
    }
}

/// Writes a recovery password as the volume has it.
pub(super) fn write_password<D: WriteAt>(volume: &UnlockedVolume<D>, id: Guid, place: Place) -> Result<()> {
    let password = volume
        .recovery_password(id)
        .context("reading the recovery password back")?;
    let mut text = password.expose();
    text.push('\n');
    place.write(text.as_bytes())
}

const MIN_PASSPHRASE: usize = 8;
const MAX_PASSPHRASE: usize = 256;

/// Reads a passphrase that is to be set: as long as Windows wants it, and typed twice at a terminal.
///
/// # Errors
/// When it is too short or too long, or was typed differently.
pub(super) fn read_new_passphrase(path: &Path) -> Result<Passphrase> {
    let passphrase = credential::passphrase(path, "new passphrase")?;
    let len = passphrase.expose().encode_utf16().count();
    if !(MIN_PASSPHRASE..=MAX_PASSPHRASE).contains(&len) {
        bail!("the new passphrase has {len} characters; {MIN_PASSPHRASE} to {MAX_PASSPHRASE} are allowed");
    }
    if secret::asks(path) {
        let again = secret::read_or_ask(path, "new passphrase once more")?;
        if again.as_str() != passphrase.expose() {
            bail!("the two passphrases differ; nothing was changed");
        }
    }
    Ok(passphrase)
}
