//! The key that opens a volume, as options of the command line.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use fve::{Bek, Credential, ExternalKey, Passphrase, RecoveryPassword};

use crate::secret;

/// Exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct CredentialArgs {
    /// File with the 48-digit recovery password ('-': standard input)
    #[arg(long, value_name = "FILE")]
    recovery_password_file: Option<PathBuf>,
    /// File with the passphrase ('-': standard input)
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// External key file, .BEK ('-': standard input)
    #[arg(long, value_name = "FILE")]
    startup_key: Option<PathBuf>,
    /// The clear key of a suspended volume
    #[arg(long)]
    clear_key: bool,
}

/// The secret, as it was read.
pub(super) enum Secret {
    RecoveryPassword(RecoveryPassword),
    Passphrase(Passphrase),
    ExternalKey(ExternalKey),
    ClearKey,
}

impl Secret {
    pub(super) fn credential(&self) -> Credential<'_> {
        match self {
            Self::RecoveryPassword(password) => Credential::RecoveryPassword(password),
            Self::Passphrase(passphrase) => Credential::Passphrase(passphrase),
            Self::ExternalKey(key) => Credential::ExternalKey(key),
            Self::ClearKey => Credential::ClearKey,
        }
    }
}

impl CredentialArgs {
    /// Reads the secret.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold such a secret.
    pub(super) fn read(&self) -> Result<Secret> {
        if let Some(path) = &self.recovery_password_file {
            let text = secret::read(path, "recovery password")?;
            return Ok(Secret::RecoveryPassword(RecoveryPassword::parse(text.trim())?));
        }
        if let Some(path) = &self.passphrase_file {
            let text = secret::read(path, "passphrase")?;
            return Ok(Secret::Passphrase(Passphrase::new(text.as_str())));
        }
        if let Some(path) = &self.startup_key {
            let bytes = secret::read_bytes(path, "startup key")?;
            let bek = Bek::parse(&bytes).with_context(|| path.display().to_string())?;
            return Ok(Secret::ExternalKey(bek.key));
        }
        Ok(Secret::ClearKey)
    }
}
