//! Removable data drives.

use super::windows::{CmdletValue, Encoding, RegistryValue, Root};
use super::{Setting, SettingKind, kinds, recovery, row};

const CONTROL: &str = "RemovableDrivesConfigureBDE";
const CONTROL_CMDLET: &str = "New-CMRDVConfigureBDEPolicy";
const DENY: &str = "New-CMRDVDenyWriteAccessPolicy";
const DENY_NODE: &str = "RemovableDrivesRequireEncryption";
const PASSPHRASE: &str = "New-CMRDVPassPhrasePolicy";

pub(super) const SETTINGS: [Setting; 13] = [
    row!(
        "removable.encryption",
        RemovableDrive,
        "Removable data drive encryption",
        kinds::ENCRYPTION,
        removable.encryption,
        "Applies while a drive is attached. Has no counterpart in Configuration Manager."
    ),
    row!(
        "removable.extent",
        RemovableDrive,
        "Extent of encryption",
        kinds::EXTENT,
        removable.extent,
        "Used space only is quicker on new drives, but leaves earlier contents of free space readable."
    )
    .registry(&[RegistryValue::new(Root::R1, "RDVEncryptionType", kinds::EXTENTS)])
    .csp("RemovableDrivesEncryptionType", "RDVEncryptionTypeDropDown_Name", kinds::EXTENTS)
    .unsure("The CSP's data id is inferred."),
    row!(
        "removable.auto_unlock",
        RemovableDrive,
        "Automatic unlocking",
        kinds::AUTO_UNLOCK,
        removable.auto_unlock,
        "Opens the drive on the device that encrypted it, once that one's operating system drive is open; elsewhere its recovery password is needed. With \"Allow\", a drive that nothing else opens gets it."
    ),
    row!(
        "removable.control",
        RemovableDrive,
        "Use of BitLocker by users",
        kinds::TRI_STATE,
        removable.control,
        "Disabled, users cannot use BitLocker on removable drives."
    )
    .suggested("enabled")
    .registry(&[RegistryValue::new(Root::R1, "RDVConfigureBDE", kinds::STATE)])
    .csp_state(CONTROL)
    .cmdlet_state(CONTROL_CMDLET),
    row!(
        "removable.allow_user_encrypt",
        RemovableDrive,
        "Users may encrypt drives",
        SettingKind::Switch,
        removable.allow_user_encrypt,
        "Off, users cannot switch BitLocker on for a removable drive."
    )
    .registry(&[RegistryValue::new(Root::R1, "RDVAllowBDE", kinds::SWITCH)])
    .csp(CONTROL, "RDVAllowBDE_Name", kinds::CSP_SWITCH)
    .cmdlet(CONTROL_CMDLET, "PreventEncryption", CmdletValue::InvertedSwitch),
    row!(
        "removable.allow_user_suspend_decrypt",
        RemovableDrive,
        "Users may suspend and decrypt",
        SettingKind::Switch,
        removable.allow_user_suspend_decrypt,
        "Off, users can neither suspend protection of a removable drive nor decrypt it."
    )
    .registry(&[RegistryValue::new(Root::R1, "RDVDisableBDE", kinds::SWITCH)])
    .csp(CONTROL, "RDVDisableBDE_Name", kinds::CSP_SWITCH)
    .cmdlet(CONTROL_CMDLET, "PreventSuspendAndDecrypt", CmdletValue::InvertedSwitch),
    row!(
        "removable.deny_write_unprotected",
        RemovableDrive,
        "Deny write access to unprotected drives",
        kinds::TRI_STATE,
        removable.deny_write_unprotected,
        "Enabled, removable drives without BitLocker can be read only."
    )
    .registry(&[RegistryValue::new(Root::R2, "RDVDenyWriteAccess", kinds::STATE)])
    .csp_state(DENY_NODE)
    .cmdlet_state(DENY),
    row!(
        "removable.deny_write_other_org",
        RemovableDrive,
        "Deny write access to drives of other organizations",
        SettingKind::Switch,
        removable.deny_write_other_org,
        "On, only drives that carry the organization's identifier or an allowed one can be written."
    )
    .registry(&[RegistryValue::new(Root::R1, "RDVDenyCrossOrg", kinds::SWITCH)])
    .csp(DENY_NODE, "RDVCrossOrg", kinds::CSP_SWITCH)
    .cmdlet(DENY, "AllowWriteAccessToExternalOrganizationDrives", CmdletValue::InvertedSwitch),
    row!(
        "removable.password",
        RemovableDrive,
        "Password",
        kinds::TRI_STATE,
        removable.password.state,
        "Whether a password may open the drive. Disabled, there must be none. In FIPS mode passwords are forbidden in any case."
    )
    .suggested("enabled")
    .registry(&[RegistryValue::new(Root::R1, "RDVPassphrase", kinds::STATE)])
    .cmdlet_state(PASSPHRASE),
    row!(
        "removable.password_required",
        RemovableDrive,
        "Password required",
        SettingKind::Switch,
        removable.password.required,
        "Encryption waits until the user has chosen a password for the drive."
    )
    .registry(&[RegistryValue::new(Root::R1, "RDVEnforcePassphrase", kinds::SWITCH)])
    .cmdlet(PASSPHRASE, "RequirePassword", CmdletValue::Switch),
    row!(
        "removable.password_complexity",
        RemovableDrive,
        "Password complexity",
        kinds::COMPLEXITY,
        removable.password.complexity,
        "\"Require\" needs a domain controller at that moment."
    )
    .registry(&[RegistryValue::new(Root::R1, "RDVPassphraseComplexity", kinds::COMPLEXITY_VALUES)])
    .cmdlet(PASSPHRASE, "PasswordComplexity", kinds::COMPLEXITY_WORDS),
    row!(
        "removable.password_min_length",
        RemovableDrive,
        "Minimum password length",
        SettingKind::Number { min: 8, max: 99, unit: "characters" },
        removable.password.min_length,
        "Shortest password that users may choose."
    )
    .registry(&[RegistryValue::new(Root::R1, "RDVPassphraseLength", Encoding::Number)])
    .cmdlet(PASSPHRASE, "MinimumLength", CmdletValue::Number),
    row!(
        "removable.excluded_hardware_ids",
        RemovableDrive,
        "Excluded hardware ids",
        SettingKind::Text { max: 4096 },
        removable.excluded_hardware_ids,
        "Drives with one of these hardware ids, separated by commas, are left alone: printers' card readers, measuring devices."
    )
    .csp_integer("RemovableDrivesExcludedFromEncryption", Encoding::Text),
];

pub(super) const RECOVERY: [Setting; 8] = recovery!(
    "removable",
    removable,
    RemovableDrive,
    "RDV",
    "RemovableDrivesRecoveryOptions"
);
