//! Return codes, numbered as the documented HRESULTs.

use std::fmt;

/// A return code of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Code {
    /// `E_INVALIDARG`: a parameter or a protector id is not valid.
    InvalidArgument = 0x8007_0057,
    /// `E_ACCESSDENIED`: the volume is in use.
    AccessDenied = 0x8007_0005,
    /// `ERROR_FILE_NOT_FOUND`: there is no such volume or file.
    FileNotFound = 0x8007_0002,
    /// `ERROR_NOT_SUPPORTED`: the operation does not apply in this state.
    NotSupported = 0x8007_0032,
    /// `ERROR_READ_FAULT`: the volume could not be read or written.
    ReadFault = 0x8007_001E,
    /// `TBS_E_SERVICE_NOT_RUNNING`: there is no compatible TPM.
    TpmServiceNotRunning = 0x8028_4008,
    /// `TPM_E_AUTHFAIL`: the TPM refused: wrong PIN, or its measurements have changed.
    TpmAuthFail = 0x8028_0001,
    /// `TPM_E_DEFEND_LOCK_RUNNING`: the TPM is locked out after too many wrong PINs.
    TpmDefendLockRunning = 0x8028_0803,
    /// `FVE_E_LOCKED_VOLUME`: the volume is locked.
    LockedVolume = 0x8031_0000,
    /// `FVE_E_NOT_ENCRYPTED`: the volume is fully decrypted.
    NotEncrypted = 0x8031_0001,
    /// `FVE_E_SECURE_KEY_REQUIRED`: there is no protector to enable.
    SecureKeyRequired = 0x8031_0007,
    /// `FVE_E_NOT_ACTIVATED`: BitLocker is not on; add a protector first.
    NotActivated = 0x8031_0008,
    /// `FVE_E_VOLUME_NOT_BOUND`: automatic unlocking is off already.
    VolumeNotBound = 0x8031_0017,
    /// `FVE_E_NOT_DATA_VOLUME`: only for data volumes.
    NotDataVolume = 0x8031_0019,
    /// `FVE_E_KEY_REQUIRED`: the last protector cannot be deleted.
    KeyRequired = 0x8031_001D,
    /// `FVE_E_VOLUME_BOUND_ALREADY`: automatic unlocking uses this volume or protector.
    VolumeBoundAlready = 0x8031_001F,
    /// `FVE_E_OS_NOT_PROTECTED`: the operating system volume must be protected.
    OsNotProtected = 0x8031_0020,
    /// `FVE_E_PROTECTION_DISABLED`: protection is suspended.
    ProtectionDisabled = 0x8031_0021,
    /// `FVE_E_RECOVERY_KEY_REQUIRED`: no recovery protector: it cannot be locked.
    RecoveryKeyRequired = 0x8031_0022,
    /// `FVE_E_FOREIGN_VOLUME`: not the running operating system's volume.
    ForeignVolume = 0x8031_0023,
    /// `FVE_E_OVERLAPPED_UPDATE`: the metadata was changed at the same time; try again.
    OverlappedUpdate = 0x8031_0024,
    /// `FVE_E_FAILED_AUTHENTICATION`: wrong key or password.
    FailedAuthentication = 0x8031_0027,
    /// `FVE_E_NOT_OS_VOLUME`: only for the operating system volume.
    NotOsVolume = 0x8031_0028,
    /// `FVE_E_AUTOUNLOCK_ENABLED`: clear the automatic unlocking keys first.
    AutounlockEnabled = 0x8031_0029,
    /// `FVE_E_POLICY_PASSWORD_REQUIRED`: policy wants a recovery password first.
    PolicyPasswordRequired = 0x8031_002C,
    /// `FVE_E_CANNOT_SET_FVEK_ENCRYPTED`: another encryption method is in use.
    CannotSetFvekEncrypted = 0x8031_002D,
    /// `FVE_E_CANNOT_ENCRYPT_NO_KEY`: there is no protector.
    CannotEncryptNoKey = 0x8031_002E,
    /// `FVE_E_PROTECTOR_EXISTS`: a protector of this type exists.
    ProtectorExists = 0x8031_0031,
    /// `FVE_E_PROTECTOR_NOT_FOUND`: there is no such protector.
    ProtectorNotFound = 0x8031_0033,
    /// `FVE_E_INVALID_PASSWORD_FORMAT`: the recovery password is malformed.
    InvalidPasswordFormat = 0x8031_0035,
    /// `FVE_E_NOT_DECRYPTED`: the volume must be decrypted.
    NotDecrypted = 0x8031_0039,
    /// `FVE_E_INVALID_PROTECTOR_TYPE`: the protector is of another type.
    InvalidProtectorType = 0x8031_003A,
    /// `FVE_E_POLICY_INVALID_PIN_LENGTH`: the PIN is too short or too long.
    PolicyInvalidPinLength = 0x8031_0068,
    /// `FVE_E_OS_VOLUME_PASSPHRASE_NOT_ALLOWED`: no passphrase on an operating system volume.
    OsVolumePassphraseNotAllowed = 0x8031_006D,
    /// `FVE_E_VOLUME_TOO_SMALL`: the volume has no room for BitLocker's regions.
    VolumeTooSmall = 0x8031_006F,
    /// `FVE_E_POLICY_INVALID_PASSPHRASE_LENGTH`: the passphrase is too short or too long.
    PolicyInvalidPassphraseLength = 0x8031_0080,
    /// `FVE_E_INVALID_PIN_CHARS`: the PIN has characters that are not allowed.
    InvalidPinChars = 0x8031_009A,
}

impl Code {
    /// The number.
    #[must_use]
    pub fn value(self) -> u32 {
        self as u32
    }

    /// The symbolic name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "E_INVALIDARG",
            Self::AccessDenied => "E_ACCESSDENIED",
            Self::FileNotFound => "ERROR_FILE_NOT_FOUND",
            Self::NotSupported => "ERROR_NOT_SUPPORTED",
            Self::ReadFault => "ERROR_READ_FAULT",
            Self::TpmServiceNotRunning => "TBS_E_SERVICE_NOT_RUNNING",
            Self::TpmAuthFail => "TPM_E_AUTHFAIL",
            Self::TpmDefendLockRunning => "TPM_E_DEFEND_LOCK_RUNNING",
            Self::LockedVolume => "FVE_E_LOCKED_VOLUME",
            Self::NotEncrypted => "FVE_E_NOT_ENCRYPTED",
            Self::SecureKeyRequired => "FVE_E_SECURE_KEY_REQUIRED",
            Self::NotActivated => "FVE_E_NOT_ACTIVATED",
            Self::VolumeNotBound => "FVE_E_VOLUME_NOT_BOUND",
            Self::NotDataVolume => "FVE_E_NOT_DATA_VOLUME",
            Self::KeyRequired => "FVE_E_KEY_REQUIRED",
            Self::VolumeBoundAlready => "FVE_E_VOLUME_BOUND_ALREADY",
            Self::OsNotProtected => "FVE_E_OS_NOT_PROTECTED",
            Self::ProtectionDisabled => "FVE_E_PROTECTION_DISABLED",
            Self::RecoveryKeyRequired => "FVE_E_RECOVERY_KEY_REQUIRED",
            Self::ForeignVolume => "FVE_E_FOREIGN_VOLUME",
            Self::OverlappedUpdate => "FVE_E_OVERLAPPED_UPDATE",
            Self::FailedAuthentication => "FVE_E_FAILED_AUTHENTICATION",
            Self::NotOsVolume => "FVE_E_NOT_OS_VOLUME",
            Self::AutounlockEnabled => "FVE_E_AUTOUNLOCK_ENABLED",
            Self::PolicyPasswordRequired => "FVE_E_POLICY_PASSWORD_REQUIRED",
            Self::CannotSetFvekEncrypted => "FVE_E_CANNOT_SET_FVEK_ENCRYPTED",
            Self::CannotEncryptNoKey => "FVE_E_CANNOT_ENCRYPT_NO_KEY",
            Self::ProtectorExists => "FVE_E_PROTECTOR_EXISTS",
            Self::ProtectorNotFound => "FVE_E_PROTECTOR_NOT_FOUND",
            Self::InvalidPasswordFormat => "FVE_E_INVALID_PASSWORD_FORMAT",
            Self::NotDecrypted => "FVE_E_NOT_DECRYPTED",
            Self::InvalidProtectorType => "FVE_E_INVALID_PROTECTOR_TYPE",
            Self::PolicyInvalidPinLength => "FVE_E_POLICY_INVALID_PIN_LENGTH",
            Self::OsVolumePassphraseNotAllowed => "FVE_E_OS_VOLUME_PASSPHRASE_NOT_ALLOWED",
            Self::VolumeTooSmall => "FVE_E_VOLUME_TOO_SMALL",
            Self::PolicyInvalidPassphraseLength => "FVE_E_POLICY_INVALID_PASSPHRASE_LENGTH",
            Self::InvalidPinChars => "FVE_E_INVALID_PIN_CHARS",
        }
    }

    /// The meaning in words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::InvalidArgument => "a parameter or a protector id is not valid",
            Self::AccessDenied => "the volume is in use",
            Self::FileNotFound => "there is no such volume or file",
            Self::NotSupported => "the operation does not apply in this state",
            Self::ReadFault => "the volume could not be read or written",
            Self::TpmServiceNotRunning => "there is no compatible TPM",
            Self::TpmAuthFail => "the TPM refused: wrong PIN, or its measurements have changed",
            Self::TpmDefendLockRunning => "the TPM is locked out after too many wrong PINs",
            Self::LockedVolume => "the volume is locked",
            Self::NotEncrypted => "the volume is fully decrypted",
            Self::SecureKeyRequired => "there is no protector to enable",
            Self::NotActivated => "BitLocker is not on; add a protector first",
            Self::VolumeNotBound => "automatic unlocking is off already",
            Self::NotDataVolume => "only for data volumes",
            Self::KeyRequired => "the last protector cannot be deleted",
            Self::VolumeBoundAlready => "automatic unlocking uses this volume or protector",
            Self::OsNotProtected => "the operating system volume must be protected",
            Self::ProtectionDisabled => "protection is suspended",
            Self::RecoveryKeyRequired => "no recovery protector: it cannot be locked",
            Self::ForeignVolume => "not the running operating system's volume",
            Self::OverlappedUpdate => "the metadata was changed at the same time; try again",
            Self::FailedAuthentication => "wrong key or password",
            Self::NotOsVolume => "only for the operating system volume",
            Self::AutounlockEnabled => "clear the automatic unlocking keys first",
            Self::PolicyPasswordRequired => "policy wants a recovery password first",
            Self::CannotSetFvekEncrypted => "another encryption method is in use",
            Self::CannotEncryptNoKey => "there is no protector",
            Self::ProtectorExists => "a protector of this type exists",
            Self::ProtectorNotFound => "there is no such protector",
            Self::InvalidPasswordFormat => "the recovery password is malformed",
            Self::NotDecrypted => "the volume must be decrypted",
            Self::InvalidProtectorType => "the protector is of another type",
            Self::PolicyInvalidPinLength => "the PIN is too short or too long",
            Self::OsVolumePassphraseNotAllowed => "no passphrase on an operating system volume",
            Self::VolumeTooSmall => "the volume has no room for BitLocker's regions",
            Self::PolicyInvalidPassphraseLength => "the passphrase is too short or too long",
            Self::InvalidPinChars => "the PIN has characters that are not allowed",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X} {}: {}", self.value(), self.name(), self.meaning())
    }
}

/// A failure: a code, and context without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    /// The code.
    pub code: Code,
    /// Where and why, when more is known than the code says.
    pub context: String,
}

impl ProviderError {
    /// A code with context.
    pub fn new(code: Code, context: impl Into<String>) -> Self {
        Self {
            code,
            context: context.into(),
        }
    }
}

impl From<Code> for ProviderError {
    fn from(code: Code) -> Self {
        Self {
            code,
            context: String::new(),
        }
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)?;
        if self.context.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", self.context)
        }
    }
}

impl std::error::Error for ProviderError {}
