//! `claviger volume encrypt`.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use fve::{Context, ConversionMode, ConversionStatus, InitOptions, ProtectorInfo, ProtectorKind, UnlockedVolume};

use super::conversion::{adopt, carry_on, protect, tell_rehearsed, tell_way};
use super::credential::{MaybeCredentialArgs, Secret};
use super::method::Method;
use super::new_protector::{NewProtectorArgs, write_password};
use super::secret_out::Place;
use super::target::{Device, Target, TargetArgs};
use super::work::{Outcome, WorkArgs};
use crate::secret;
use crate::system::Fresh;
use crate::terminal::{say, word};

/// `claviger volume encrypt`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// How sectors are encrypted [default: aes-xts-128]
    #[arg(long, value_enum)]
    method: Option<Method>,
    /// Encrypt only what the file system uses. What was deleted before stays readable in free space
    #[arg(long)]
    used_space_only: bool,
    /// Text shown on the recovery screen: usually computer, label and date
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    protectors: NewProtectorArgs,
    #[command(flatten)]
    credential: MaybeCredentialArgs,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let target = args.target.open()?;
    let mut fresh = Fresh::new();
    let ctx = &mut fresh.context();
    let is_fve = fve::is_fve(target.bytes()).with_context(|| format!("reading {}", target.path().display()))?;
    let volume = if is_fve {
        begun(args, &target, ctx)?
    } else {
        plain(args, &target, ctx)?
    };
    begin(args, &volume, ctx)?;
    if target.is_plan() {
        tell_way(&target, &volume)?;
        tell_rehearsed(&target)?;
        return Ok(Outcome::Done);
    }
    let outcome = carry_on(&volume, ctx, &args.work, "encrypting")?;
    if outcome == Outcome::Done {
        protect(&volume, ctx)?;
        say(&format!("{} is fully encrypted and protected", target.path().display()));
    }
    Ok(outcome)
}

/// A plain volume gets metadata, keys and protectors. Nothing is encrypted before each secret is durable in its file.
fn plain(args: &Args, target: &Target, ctx: &mut Context<'_>) -> Result<UnlockedVolume<Device>> {
    if args.credential.read()?.is_some() {
        bail!(
            "{} is a plain volume: there is nothing that a credential opens",
            target.path().display()
        );
    }
    let protectors = args.protectors.prepare(target.is_plan())?;
    if protectors.is_empty() {
        bail!(
            "a protector is needed: --recovery-password-out, --new-passphrase-file or --startup-key-out; nothing was \
             changed"
        );
    }
    let options = InitOptions {
        method: args.method.unwrap_or(Method::AesXts128).into(),
        description: args.description.as_deref(),
        ..InitOptions::default()
    };
    let volume = fve::initialise(target.device(), &options, ctx)
        .with_context(|| format!("{} cannot be encrypted", target.path().display()))?;
    protectors.add(&volume, ctx)?;
    Ok(volume)
}

/// A volume that an earlier run began with: makes sure that what was asked for is there, and only once.
fn begun(args: &Args, target: &Target, ctx: &mut Context<'_>) -> Result<UnlockedVolume<Device>> {
    let locked = target.volume()?;
    let info = locked.info();
    let has = |kind| move |protector: &&ProtectorInfo| protector.kind == kind;
    let secret = match args.credential.read()? {
        Some(secret) => secret,
        None if info.protectors.iter().any(|p| p.kind == ProtectorKind::ClearKey) => Secret::ClearKey,
        None => bail!(
            "{} is a protected BitLocker volume ({}): a credential is needed to go on",
            target.path().display(),
            word(&info.status)
        ),
    };
    if let (Some(wanted), Some(is)) = (args.method, info.method)
        && is != wanted.into()
    {
        bail!("the volume is encrypted by {is}; claviger volume reencrypt changes that; nothing was changed");
    }
    let volume = target.unlock(&secret)?;
    if let Some(path) = args.protectors.recovery_password_file()
        && let Some(protector) = info.protectors.iter().find(has(ProtectorKind::RecoveryPassword))
    {
        keep_password(&volume, protector, path, target.is_plan())?;
    }
    let protectors = args.protectors.without(&info.protectors).prepare(target.is_plan())?;
    protectors.add(&volume, ctx)?;
    Ok(volume)
}

/// The run before may have ended between volume and file.
fn keep_password(volume: &UnlockedVolume<Device>, protector: &ProtectorInfo, path: &Path, plan: bool) -> Result<()> {
    if path.symlink_metadata().is_err() {
        return write_password(volume, protector.id, Place::reserve(path, plan)?);
    }
    let held = secret::read(path, "recovery password")?;
    let protectors = volume.protectors()?;
    let passwords = protectors.iter().filter(|p| p.kind == ProtectorKind::RecoveryPassword);
    for protector in passwords {
        if volume.recovery_password(protector.id)?.expose().as_str() == held.trim() {
            return Ok(());
        }
    }
    bail!(
        "{} exists already and holds no recovery password of this volume; nothing was changed",
        path.display()
    )
}

fn begin(args: &Args, volume: &UnlockedVolume<Device>, ctx: &mut Context<'_>) -> Result<()> {
    let mode = if args.used_space_only {
        ConversionMode::UsedSpaceOnly
    } else {
        ConversionMode::Full
    };
    match volume.conversion_status() {
        ConversionStatus::FullyEncrypted | ConversionStatus::EncryptionInProgress => Ok(()),
        _ => {
            adopt(volume, ctx)?;
            Ok(volume.begin_encryption(ctx, mode)?)
        }
    }
}
