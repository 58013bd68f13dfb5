//! The steps that only touch a volume.

use domain::ids::ProtectorId;
use domain::plan::Action;
use domain::volume::{ConversionStatus, ProtectorType};
use zeroize::Zeroizing;

use super::Acknowledged;
use crate::provider::{Code, EncryptableVolume, Provider, ProviderError, Result as ProviderResult};

/// Friendly name of the external key that automatic unlocking uses, so that a half-done step finds its key again.
const AUTO_UNLOCK_NAME: &str = "Automatic unlocking";

/// Why a step failed.
#[derive(Debug)]
pub enum StepError {
    /// The volume or the TPM refused.
    Provider(ProviderError),
    /// The step would break a promise, or lacks what it needs.
    Refused(&'static str),
}

impl From<ProviderError> for StepError {
    fn from(error: ProviderError) -> Self {
        Self::Provider(error)
    }
}

/// Carries one step out, other than an escrow. The guards and the step happen under one lock of the provider.
///
/// # Errors
/// The provider's refusal; `Refused` when the server has not acknowledged what the step needs, or a PIN or password is missing.
/// `secret`: the PIN or password that the step needs.
pub fn act(
    provider: &mut dyn Provider,
    action: &Action,
    acknowledged: &Acknowledged,
    secret: Option<Zeroizing<String>>,
) -> Result<(), StepError> {
    if matches!(action, Action::WriteSettings { .. }) {
        return Err(StepError::Refused("this system has no registry to write settings to"));
    }
    let mut volume = provider.volume(action.device())?;
    let volume = &mut *volume;
    match action {
        Action::AddRecoveryPassword { .. } => {
            volume.protect_key_with_numerical_password(None, None)?;
        }
        Action::Escrow { .. } => return Err(StepError::Refused("an escrow needs the server")),
        Action::AddTpm { .. } => {
            already(volume.protect_key_with_tpm(None).map(drop), &[Code::ProtectorExists])?;
        }
        Action::AddTpmPin { .. } => {
            let pin = secret.ok_or(StepError::Refused("the PIN is no longer at hand"))?;
            already(
                volume.protect_key_with_tpm_and_pin(None, &pin).map(drop),
                &[Code::ProtectorExists],
            )?;
        }
        Action::AddAutoUnlock { .. } => add_auto_unlock(volume)?,
        Action::RemoveAutoUnlock { .. } => remove_auto_unlock(volume)?,
        Action::Encrypt {
            method,
            extent,
            after_escrow,
            ..
        } => {
            if *after_escrow {
                must_be_recoverable(volume, acknowledged, None)?;
            }
            volume.encrypt(*method, *extent)?;
        }
        Action::ResumeConversion { after_escrow, .. } => {
            if *after_escrow && volume.conversion_status()?.status == ConversionStatus::EncryptionPaused {
                must_be_recoverable(volume, acknowledged, None)?;
            }
            resume_conversion(volume)?;
        }
        Action::EnableProtectors { after_escrow, .. } => {
            if *after_escrow {
                must_be_recoverable(volume, acknowledged, None)?;
            }
            volume.enable_key_protectors()?;
        }
        Action::DeleteProtector {
            protector, replaced, ..
        } => {
            let is_recovery_password = protectors(volume, Some(ProtectorType::RecoveryPassword))?.contains(protector);
            if *replaced || is_recovery_password {
                must_be_recoverable(volume, acknowledged, Some(*protector))?;
            }
            if protectors(volume, None)?.contains(protector) {
                volume.delete_key_protector(*protector)?;
            }
        }
        Action::Decrypt { .. } => volume.decrypt()?,
        Action::AddPassphrase { .. } => {
            let password = secret.ok_or(StepError::Refused("the password is no longer at hand"))?;
            if protectors(volume, Some(ProtectorType::Passphrase))?.is_empty() {
                volume.protect_key_with_passphrase(None, &password)?;
            }
        }
        // Refused above.
        Action::WriteSettings { .. } => {}
    }
    Ok(())
}

/// P1 and P2: the volume carries, right now, a recovery password (another than `besides`) that the server acknowledged.
fn must_be_recoverable(
    volume: &mut dyn EncryptableVolume,
    acknowledged: &Acknowledged,
    besides: Option<ProtectorId>,
) -> Result<(), StepError> {
    const REASON: &str =
        "the server has not acknowledged, in this cycle, a recovery password that would open the volume";
    let Some(id) = volume.persistent_volume_id()? else {
        return Err(StepError::Refused(REASON));
    };
    let passwords = protectors(volume, Some(ProtectorType::RecoveryPassword))?;
    let recoverable = passwords
        .into_iter()
        .any(|p| Some(p) != besides && acknowledged.contains(id, p));
    if recoverable {
        Ok(())
    } else {
        Err(StepError::Refused(REASON))
    }
}

fn add_auto_unlock(volume: &mut dyn EncryptableVolume) -> Result<(), StepError> {
    if volume.is_auto_unlock_enabled()?.is_some() {
        return Ok(());
    }
    let mut half_done = None;
    for id in protectors(volume, Some(ProtectorType::ExternalKey))? {
        if volume.key_protector_friendly_name(id)?.as_deref() == Some(AUTO_UNLOCK_NAME) {
            half_done = Some(id);
        }
    }
    let id = match half_done {
        Some(id) => id,
        None => volume.protect_key_with_external_key(Some(AUTO_UNLOCK_NAME), None)?,
    };
    Ok(volume.enable_auto_unlock(id)?)
}

/// Also removes the key of an attempt that was cut off between switching off and deleting.
fn remove_auto_unlock(volume: &mut dyn EncryptableVolume) -> Result<(), StepError> {
    let used = volume.is_auto_unlock_enabled()?;
    if used.is_some() {
        already(volume.disable_auto_unlock(), &[Code::VolumeNotBound])?;
    }
    for id in protectors(volume, Some(ProtectorType::ExternalKey))? {
        if Some(id) == used || volume.key_protector_friendly_name(id)?.as_deref() == Some(AUTO_UNLOCK_NAME) {
            volume.delete_key_protector(id)?;
        }
    }
    Ok(())
}

fn resume_conversion(volume: &mut dyn EncryptableVolume) -> Result<(), StepError> {
    match volume.conversion_status()?.status {
        ConversionStatus::EncryptionPaused | ConversionStatus::DecryptionPaused => Ok(volume.resume_conversion()?),
        _ => Ok(()),
    }
}

/// Protectors of a kind; a volume on which BitLocker was never switched on has none.
pub(super) fn protectors(
    volume: &mut dyn EncryptableVolume,
    kind: Option<ProtectorType>,
) -> ProviderResult<Vec<ProtectorId>> {
    match volume.key_protectors(kind) {
        Err(error) if error.code == Code::NotActivated => Ok(Vec::new()),
        other => other,
    }
}

/// Takes "it is so already" for success.
fn already(result: ProviderResult<()>, fine: &[Code]) -> ProviderResult<()> {
    match result {
        Err(error) if fine.contains(&error.code) => Ok(()),
        other => other,
    }
}

/// The action's name, as the plan spells it.
pub(super) fn name(action: &Action) -> &'static str {
    match action {
        Action::AddRecoveryPassword { .. } => "add_recovery_password",
        Action::Escrow { .. } => "escrow",
        Action::AddTpm { .. } => "add_tpm",
        Action::AddTpmPin { .. } => "add_tpm_pin",
        Action::AddAutoUnlock { .. } => "add_auto_unlock",
        Action::RemoveAutoUnlock { .. } => "remove_auto_unlock",
        Action::Encrypt { .. } => "encrypt",
        Action::ResumeConversion { .. } => "resume_conversion",
        Action::EnableProtectors { .. } => "enable_protectors",
        Action::DeleteProtector { .. } => "delete_protector",
        Action::Decrypt { .. } => "decrypt",
        Action::AddPassphrase { .. } => "add_passphrase",
        Action::WriteSettings { .. } => "write_settings",
    }
}
