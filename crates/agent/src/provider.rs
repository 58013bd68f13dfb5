//! The volume provider: one trait that mirrors `Win32_EncryptableVolume`, with its operations, enumerations and return
//! codes. On Windows it is a thin layer over WMI; on Linux it is carried out over `fve` and a TPM 2.0.

use domain::ids::{ProtectorId, VolumeId};
use domain::volume::{
    ConversionStatus, EncryptionExtent, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind,
};
use zeroize::Zeroizing;

pub use code::{Code, ProviderError};

mod code;

/// Result of an operation of the provider.
pub type Result<T> = std::result::Result<T, ProviderError>;

/// All encryptable volumes of a device, and its security chip.
pub trait Provider: Send {
    /// The volumes, OS volume first, in a stable order. Attached removable drives are included.
    ///
    /// # Errors
    /// When the provider does not answer; never an empty list in that case.
    fn volumes(&mut self) -> Result<Vec<Box<dyn EncryptableVolume + '_>>>;

    /// One volume by its `DeviceID`.
    ///
    /// # Errors
    /// [`Code::FileNotFound`] when there is none of that name.
    fn volume(&mut self, device: &str) -> Result<Box<dyn EncryptableVolume + '_>>;

    /// State of the TPM.
    fn tpm(&mut self) -> domain::inventory::Tpm;
}

/// What `GetConversionStatus` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// Status.
    pub status: ConversionStatus,
    /// Encrypted share in hundredths of a percent.
    pub encrypted_basis_points: u16,
    /// Used space only.
    pub extent: EncryptionExtent,
}

/// One encryptable volume. Method names are those of the WMI class in Rust's spelling; each documents the codes it may
/// return beside [`Code::LockedVolume`].
pub trait EncryptableVolume {
    /// `DeviceID`.
    fn device_id(&self) -> String;
    /// `DriveLetter`, or the mount point.
    fn drive_letter(&self) -> Option<String>;
    /// `VolumeType`.
    fn volume_type(&self) -> VolumeKind;
    /// Size in bytes.
    fn size(&self) -> u64;
    /// Label of the file system; empty when locked.
    fn label(&mut self) -> String;
    /// Name of the file system; empty when locked.
    fn file_system(&mut self) -> String;
    /// `PersistentVolumeID` seen through the metadata; none for a volume that was never initialised.
    fn persistent_volume_id(&mut self) -> Result<Option<VolumeId>>;
    /// `GetProtectionStatus`.
    fn protection_status(&mut self) -> Result<ProtectionStatus>;
    /// `GetConversionStatus`.
    fn conversion_status(&mut self) -> Result<Conversion>;
    /// `GetEncryptionMethod`.
    fn encryption_method(&mut self) -> Result<EncryptionMethod>;
    /// `GetLockStatus`.
    fn lock_status(&mut self) -> Result<LockStatus>;
    /// `GetSuspendCount`. [`Code::NotSupported`] when not suspended.
    fn suspend_count(&mut self) -> Result<u8>;

    /// `GetKeyProtectors`: ids, all or of one type. [`Code::NotActivated`].
    fn key_protectors(&mut self, kind: Option<ProtectorType>) -> Result<Vec<ProtectorId>>;
    /// `GetKeyProtectorType`. [`Code::InvalidArgument`] for an unknown id.
    fn key_protector_type(&mut self, id: ProtectorId) -> Result<ProtectorType>;
    /// `GetKeyProtectorFriendlyName`.
    fn key_protector_friendly_name(&mut self, id: ProtectorId) -> Result<Option<String>>;
    /// `GetKeyProtectorNumericalPassword`: the 48 digits with dashes. Needs the volume unlocked.
    fn key_protector_numerical_password(&mut self, id: ProtectorId) -> Result<Zeroizing<String>>;
    /// `GetKeyProtectorExternalKey`. Needs the volume unlocked.
    fn key_protector_external_key(&mut self, id: ProtectorId) -> Result<Zeroizing<Vec<u8>>>;
    /// One good 64 KiB metadata copy: evidence for the server (P8). Not a WMI method; read from the disk.
    fn metadata(&mut self) -> Result<Vec<u8>>;

    /// `ProtectKeyWithNumericalPassword`; none: the provider draws one. Initialises the volume when it never was.
    /// [`Code::InvalidPasswordFormat`].
    fn protect_key_with_numerical_password(
        &mut self,
        name: Option<&str>,
        password: Option<&str>,
    ) -> Result<ProtectorId>;
    /// `ProtectKeyWithTPM`. [`Code::TpmServiceNotRunning`], [`Code::ForeignVolume`], [`Code::ProtectorExists`].
    fn protect_key_with_tpm(&mut self, name: Option<&str>) -> Result<ProtectorId>;
    /// `ProtectKeyWithTPMAndPIN`. Also [`Code::InvalidPinChars`], [`Code::PolicyInvalidPinLength`].
    fn protect_key_with_tpm_and_pin(&mut self, name: Option<&str>, pin: &str) -> Result<ProtectorId>;
    /// `ProtectKeyWithExternalKey`; none: the provider draws 32 bytes.
    fn protect_key_with_external_key(&mut self, name: Option<&str>, key: Option<&[u8]>) -> Result<ProtectorId>;
    /// `ProtectKeyWithPassPhrase`. [`Code::OsVolumePassphraseNotAllowed`], [`Code::PolicyInvalidPassphraseLength`].
    fn protect_key_with_passphrase(&mut self, name: Option<&str>, passphrase: &str) -> Result<ProtectorId>;
    /// `ChangePIN`: the id stays. [`Code::ProtectorNotFound`], [`Code::InvalidProtectorType`].
    fn change_pin(&mut self, id: ProtectorId, pin: &str) -> Result<()>;
    /// `ChangePassPhrase`: a new id.
    fn change_passphrase(&mut self, id: ProtectorId, passphrase: &str) -> Result<ProtectorId>;
    /// `DeleteKeyProtector`. [`Code::KeyRequired`] for the last one while enabled, [`Code::VolumeBoundAlready`] for the
    /// one that automatic unlocking uses.
    fn delete_key_protector(&mut self, id: ProtectorId) -> Result<()>;
    /// `DisableKeyProtectors`: suspend; the count is in restarts, 0 until resumed.
    fn disable_key_protectors(&mut self, count: u8) -> Result<()>;
    /// `EnableKeyProtectors`: resume; re-seals TPM protectors. [`Code::SecureKeyRequired`].
    fn enable_key_protectors(&mut self) -> Result<()>;

    /// `EnableAutoUnlock`. [`Code::NotDataVolume`], [`Code::OsNotProtected`], [`Code::VolumeBoundAlready`].
    fn enable_auto_unlock(&mut self, id: ProtectorId) -> Result<()>;
    /// `DisableAutoUnlock`. [`Code::VolumeNotBound`].
    fn disable_auto_unlock(&mut self) -> Result<()>;
    /// `IsAutoUnlockEnabled`: the protector used. [`Code::NotDataVolume`].
    fn is_auto_unlock_enabled(&mut self) -> Result<Option<ProtectorId>>;

    /// `ClearAllAutoUnlockKeys` of the operating system volume. [`Code::NotOsVolume`].
    fn clear_all_auto_unlock_keys(&mut self) -> Result<()> {
        Err(Code::NotSupported.into())
    }
    /// `IsAutoUnlockKeyStored` on the operating system volume. [`Code::NotOsVolume`].
    fn is_auto_unlock_key_stored(&mut self) -> Result<bool> {
        Err(Code::NotSupported.into())
    }

    /// `Encrypt`: starts and returns; 0 when already encrypted. [`Code::CannotEncryptNoKey`].
    fn encrypt(&mut self, method: EncryptionMethod, extent: EncryptionExtent) -> Result<()>;
    /// `Decrypt`: starts and returns. [`Code::AutounlockEnabled`].
    fn decrypt(&mut self) -> Result<()>;
    /// `PauseConversion`.
    fn pause_conversion(&mut self) -> Result<()>;
    /// `ResumeConversion`.
    fn resume_conversion(&mut self) -> Result<()>;
    /// Does a bounded piece of a conversion that goes on; true when there is nothing (more) to do. On Windows the driver
    /// does this by itself and the answer is always true.
    fn convert_some(&mut self) -> Result<bool>;

    /// `UnlockWithNumericalPassword`. [`Code::FailedAuthentication`], [`Code::InvalidPasswordFormat`].
    fn unlock_with_numerical_password(&mut self, password: &str) -> Result<()>;
    /// `UnlockWithPassPhrase`.
    fn unlock_with_passphrase(&mut self, passphrase: &str) -> Result<()>;
    /// `UnlockWithExternalKey`.
    fn unlock_with_external_key(&mut self, key: &[u8]) -> Result<()>;
    /// `Lock`. [`Code::NotEncrypted`], [`Code::ProtectionDisabled`], [`Code::RecoveryKeyRequired`].
    fn lock(&mut self) -> Result<()>;
}
