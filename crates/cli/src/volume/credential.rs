//! The key that opens a volume, as options of the command line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use fve::io::ReadAt;
use fve::{Bek, Credential, ExternalKey, Passphrase, RecoveryPassword, UnlockedVolume, Volume, VolumeMasterKey};
use zeroize::Zeroizing;

use crate::secret;

/// Exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, args = [
    "recovery_password_file", "passphrase_file", "startup_key", "clear_key", "master_key_file",
])]
pub(crate) struct CredentialArgs {
    #[command(flatten)]
    one: MaybeCredentialArgs,
}

/// At most one of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Credential, one of")]
#[group(multiple = false)]
pub(crate) struct MaybeCredentialArgs {
    /// File with the 48-digit recovery password, or with several to try, one a line; may be given more than once ('-':
    /// standard input; at a terminal it is asked for)
    #[arg(long, value_name = "FILE")]
    recovery_password_file: Vec<PathBuf>,
    /// File with the passphrase ('-': standard input; at a terminal it is asked for)
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// External key file, .BEK ('-': standard input)
    #[arg(long, value_name = "FILE")]
    startup_key: Option<PathBuf>,
    /// The clear key of a suspended volume
    #[arg(long)]
    clear_key: bool,
    /// File with the volume master key, 64 hexadecimal digits or 32 bytes, as forensic tools find it ('-': standard
    /// input)
    #[arg(long, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
}

/// The secret, as it was read.
pub(super) enum Secret {
    RecoveryPasswords(Vec<RecoveryPassword>),
    Passphrase(Passphrase),
    ExternalKey(ExternalKey),
    ClearKey,
    MasterKey(VolumeMasterKey),
}

/// More candidates than this take too long to try.
const MAX_CANDIDATES: usize = 1000;

impl Secret {
    /// Unlocks a volume, which is opened anew for each candidate.
    ///
    /// # Errors
    /// When nothing of it opens the volume.
    pub(super) fn unlock<D: ReadAt>(&self, open: impl Fn() -> Result<Volume<D>>) -> Result<UnlockedVolume<D>> {
        let unlock = |credential: &Credential<'_>| open()?.unlock(credential).context("the volume does not open");
        if let Self::RecoveryPasswords(passwords) = self
            && passwords.len() > 1
        {
            // All together take less time than one by one.
            let fits = open()?.try_recovery_passwords(passwords);
            if let Some((password, _)) = passwords.iter().zip(fits).find(|(_, fits)| fits.is_some()) {
                return unlock(&Credential::RecoveryPassword(password));
            }
            bail!("none of the {} recovery passwords opens the volume", passwords.len());
        }
        self.attempt(unlock)
    }

    /// Tries each candidate until one is not wrong.
    ///
    /// # Errors
    /// What the attempt says; of several wrong ones, how many there were.
    pub(super) fn attempt<T>(&self, mut attempt: impl FnMut(&Credential<'_>) -> Result<T>) -> Result<T> {
        match self {
            Self::RecoveryPasswords(passwords) => {
                let mut failed = None;
                for password in passwords {
                    match attempt(&Credential::RecoveryPassword(password)) {
                        Err(error) if is_wrong(&error) => failed = Some(error),
                        other => return other,
                    }
                }
                let failed = failed.context("no recovery password was given")?;
                Err(if passwords.len() > 1 {
                    failed.context(format!("none of the {} recovery passwords fits", passwords.len()))
                } else {
                    failed
                })
            }
            Self::Passphrase(passphrase) => attempt(&Credential::Passphrase(passphrase)),
            Self::ExternalKey(key) => attempt(&Credential::ExternalKey(key)),
            Self::ClearKey => attempt(&Credential::ClearKey),
            Self::MasterKey(key) => attempt(&Credential::Vmk(key)),
        }
    }
}

fn is_wrong(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(fve::Error::WrongCredential))
}

impl CredentialArgs {
    /// Reads the secret.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold such a secret.
    pub(super) fn read(&self) -> Result<Secret> {
        self.one.read()?.context("a credential is needed")
    }
}

impl MaybeCredentialArgs {
    /// Reads the secret, if one was named.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold such a secret.
    pub(super) fn read(&self) -> Result<Option<Secret>> {
        if !self.recovery_password_file.is_empty() {
            let mut passwords = Vec::new();
            for path in &self.recovery_password_file {
                passwords.extend(recovery_passwords(path)?);
            }
            if passwords.len() > MAX_CANDIDATES {
                bail!(
                    "{} recovery passwords are too many: at most {MAX_CANDIDATES}",
                    passwords.len()
                );
            }
            return Ok(Some(Secret::RecoveryPasswords(passwords)));
        }
        if let Some(path) = &self.passphrase_file {
            return passphrase(path, "passphrase").map(Secret::Passphrase).map(Some);
        }
        if let Some(path) = &self.startup_key {
            let bytes = secret::read_bytes(path, "startup key")?;
            let bek = Bek::parse(&bytes).with_context(|| path.display().to_string())?;
            return Ok(Some(Secret::ExternalKey(bek.key)));
        }
        if let Some(path) = &self.master_key_file {
            return master_key(path).map(Secret::MasterKey).map(Some);
        }
        Ok(self.clear_key.then_some(Secret::ClearKey))
    }
}

/// Reads a passphrase.
pub(super) fn passphrase(path: &Path, what: &str) -> Result<Passphrase> {
    let text = secret::read_or_ask(path, what)?;
    Ok(Passphrase::new(text.as_str()))
}

fn recovery_passwords(path: &Path) -> Result<Vec<RecoveryPassword>> {
    let text = secret::read_or_ask(path, "recovery password")?;
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if let &[] | &[_] = lines.as_slice() {
        return Ok(vec![RecoveryPassword::parse(text.trim())?]);
    }
    let parse = |(index, line): (usize, &&str)| {
        RecoveryPassword::parse(line).with_context(|| format!("line {} of the recovery passwords", index + 1))
    };
    lines.iter().enumerate().map(parse).collect()
}

fn master_key(path: &Path) -> Result<VolumeMasterKey> {
    let bytes = secret::read_bytes(path, "volume master key")?;
    if let Ok(raw) = <[u8; 32]>::try_from(bytes.as_slice()) {
        return Ok(VolumeMasterKey::from_bytes(raw));
    }
    let digits = bytes.trim_ascii();
    let mut key = Zeroizing::new([0; 32]);
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != key.len() || !rest.is_empty() {
        bail!(
            "a volume master key has 64 hexadecimal digits or 32 bytes, this has {} bytes",
            digits.len()
        );
    }
    for (index, (byte, pair)) in key.iter_mut().zip(pairs).enumerate() {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            bail!(
                "the volume master key: digits {} and {} are not hexadecimal",
                2 * index + 1,
                2 * index + 2
            );
        };
        *byte = high << 4 | low;
    }
    Ok(VolumeMasterKey::from_bytes(*key))
}
