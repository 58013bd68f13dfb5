//! Fixed data drives.

use super::windows::{CmdletValue, Encoding, RegistryValue, Root};
use super::{Setting, SettingKind, kinds, recovery, row};

const ENCRYPTION: &str = "New-CMBMSFDVEncryptionPolicy";
const PASSPHRASE: &str = "New-CMFDVPassPhrasePolicy";

pub(super) const SETTINGS: [Setting; 10] = [
    row!(
        "fixed.encryption",
        FixedDrive,
        "Fixed data drive encryption",
        kinds::ENCRYPTION,
        fixed.encryption,
        "\"Must not be encrypted\" decrypts drives that are encrypted."
    )
    .suggested("require")
    .registry(&[RegistryValue::inferred(
        Root::R3,
        "ShouldEncryptFixedDataDrive",
        kinds::SHOULD_ENCRYPT,
    )])
    .cmdlet(ENCRYPTION, "PolicyState", kinds::ENCRYPTION_WORDS),
    row!(
        "fixed.extent",
        FixedDrive,
        "Extent of encryption",
        kinds::EXTENT,
        fixed.extent,
        "Used space only is quicker on new drives, but leaves earlier contents of free space readable."
    )
    .registry(&[RegistryValue::new(Root::R1, "FDVEncryptionType", kinds::EXTENTS)])
    .csp("FixedDrivesEncryptionType", "FDVEncryptionTypeDropDown_Name", kinds::EXTENTS),
    row!(
        "fixed.auto_unlock",
        FixedDrive,
        "Automatic unlocking",
        kinds::AUTO_UNLOCK,
        fixed.auto_unlock,
        "Opens the drive when the operating system drive is open; that must be required to be encrypted. With \"Allow\", a drive that nothing else but its recovery password opens gets it."
    )
    .registry(&[RegistryValue::inferred(
        Root::R3,
        "AutoUnlockFixedDataDrive",
        Encoding::Map(&[("prohibit", 0), ("require", 1), ("allow", 2)]),
    )])
    .cmdlet(ENCRYPTION, "AutoUnlock", kinds::AUTO_UNLOCK_WORDS)
    .unsure("Only 2 was seen in Microsoft's scripts; the others follow its siblings."),
    row!(
        "fixed.deny_write_unprotected",
        FixedDrive,
        "Deny write access to unprotected drives",
        kinds::TRI_STATE,
        fixed.deny_write_unprotected,
        "Enabled, fixed drives without BitLocker can be read only."
    )
    .registry(&[RegistryValue::new(Root::R2, "FDVDenyWriteAccess", kinds::STATE)])
    .csp_state("FixedDrivesRequireEncryption")
    .cmdlet_state("New-CMFDVDenyWriteAccessPolicy"),
    row!(
        "fixed.password",
        FixedDrive,
        "Password",
        kinds::TRI_STATE,
        fixed.password.state,
        "Whether a password may open the drive. Disabled, there must be none. In FIPS mode passwords are forbidden in any case."
    )
    .registry(&[RegistryValue::new(Root::R1, "FDVPassphrase", kinds::STATE)])
    .cmdlet_state(PASSPHRASE),
    row!(
        "fixed.password_required",
        FixedDrive,
        "Password required",
        SettingKind::Switch,
        fixed.password.required,
        "Encryption waits until the user has chosen a password for the drive."
    )
    .registry(&[RegistryValue::new(Root::R1, "FDVEnforcePassphrase", kinds::SWITCH)])
    .cmdlet(PASSPHRASE, "RequirePassword", CmdletValue::Switch),
    row!(
        "fixed.password_complexity",
        FixedDrive,
        "Password complexity",
        kinds::COMPLEXITY,
        fixed.password.complexity,
        "\"Require\" needs a domain controller at that moment."
    )
    .registry(&[RegistryValue::new(Root::R1, "FDVPassphraseComplexity", kinds::COMPLEXITY_VALUES)])
    .cmdlet(PASSPHRASE, "PasswordComplexity", kinds::COMPLEXITY_WORDS),
    row!(
        "fixed.password_min_length",
        FixedDrive,
        "Minimum password length",
        SettingKind::Number { min: 8, max: 99, unit: "characters" },
        fixed.password.min_length,
        "Shortest password that users may choose."
    )
    .registry(&[RegistryValue::new(Root::R1, "FDVPassphraseLength", Encoding::Number)])
    .cmdlet(PASSPHRASE, "MinimumLength", CmdletValue::Number),
    row!(
        "fixed.enforcement",
        FixedDrive,
        "Enforcement",
        kinds::TRI_STATE,
        fixed.enforcement,
        "Enabled, users can no longer put encryption off once the grace period is over."
    )
    .suggested("enabled")
    .registry(&[RegistryValue::new(Root::R3, "UseFddEnforcePolicy", kinds::STATE)])
    .cmdlet_state("New-CMUseFddEnforcePolicy"),
    row!(
        "fixed.grace_days",
        FixedDrive,
        "Grace period",
        kinds::GRACE,
        fixed.grace_days,
        "Counted from the first time that the drive was found not compliant, and not before the operating system drive is compliant; 0: none."
    )
    .registry(&[RegistryValue::new(Root::R3, "FddEnforcePolicyPeriod", Encoding::Number)])
    .cmdlet("New-CMUseFddEnforcePolicy", "GracePeriodDays", CmdletValue::Number),
];

pub(super) const RECOVERY: [Setting; 8] = recovery!("fixed", fixed, FixedDrive, "FDV", "FixedDrivesRecoveryOptions");
