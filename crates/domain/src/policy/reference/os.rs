//! Operating system drive.

use super::windows::{CmdletValue, Encoding, RegistryValue, Root};
use super::{Setting, SettingKind, kinds, recovery, row};

const STARTUP: &str = "SystemDrivesRequireStartupAuthentication";
const MESSAGE: &str = "SystemDrivesRecoveryMessage";
const ENCRYPTION: &str = "New-CMBMSOSDEncryptionPolicy";
const PASSPHRASE: &str = "New-CMOSPassphrase";

pub(super) const SETTINGS: [Setting; 25] = [
    row!(
        "os.encryption",
        OsDrive,
        "Operating system drive encryption",
        kinds::ENCRYPTION,
        os.encryption,
        "\"Must not be encrypted\" decrypts drives that are encrypted."
    )
    .suggested("require")
    .registry(&[RegistryValue::new(Root::R3, "ShouldEncryptOSDrive", kinds::SHOULD_ENCRYPT)])
    .csp_integer("RequireDeviceEncryption", Encoding::Map(&[("require", 1)]))
    .cmdlet(ENCRYPTION, "PolicyState", kinds::ENCRYPTION_WORDS)
    .unsure("The CSP's node covers fixed drives too and never decrypts."),
    row!(
        "os.extent",
        OsDrive,
        "Extent of encryption",
        kinds::EXTENT,
        os.extent,
        "Used space only is quicker on new drives, but leaves earlier contents of free space readable."
    )
    .registry(&[RegistryValue::new(Root::R1, "OSEncryptionType", kinds::EXTENTS)])
    .csp("SystemDrivesEncryptionType", "OSEncryptionTypeDropDown_Name", kinds::EXTENTS),
    row!(
        "os.allow_without_tpm",
        OsDrive,
        "Allow BitLocker without a TPM",
        SettingKind::Switch,
        os.allow_without_tpm,
        "A machine without a TPM that can be used is encrypted too, and a password opens it at start; os.password must not forbid that."
    )
    .registry(&[RegistryValue::new(Root::R1, "EnableBDEWithNoTPM", kinds::SWITCH), RegistryValue::inferred(Root::R1, "UseAdvancedStartup", Encoding::Always(1))])
    .csp(STARTUP, "ConfigureNonTPMStartupKeyUsage_Name", kinds::CSP_SWITCH)
    .cmdlet(ENCRYPTION, "RequireTpm", CmdletValue::InvertedSwitch),
    row!(
        "os.protector",
        OsDrive,
        "Start-up protector",
        SettingKind::Choice(&[kinds::choice("tpm", "TPM"), kinds::choice("tpm_pin", "TPM and PIN")]),
        os.protector,
        "With TPM and PIN, encryption starts once the user has chosen a PIN. A drive that already asks for a PIN satisfies \"TPM\"."
    )
    .suggested("tpm_pin")
    .registry(&[
        RegistryValue::inferred(Root::R3, "OSDriveProtector", Encoding::Map(&[("tpm", 1), ("tpm_pin", 4)])),
        RegistryValue::inferred(Root::R1, "UseAdvancedStartup", Encoding::Always(1)),
    ])
    .cmdlet(
        ENCRYPTION,
        "Protector",
        CmdletValue::Words(&[("tpm", "TpmOnly"), ("tpm_pin", "TpmAndPin")]),
    )
    .unsure("4 for TPM and PIN was seen in Microsoft's scripts only."),
    row!(
        "os.min_pin_length",
        OsDrive,
        "Minimum PIN length",
        SettingKind::Number { min: 4, max: 20, unit: "characters" },
        os.min_pin_length,
        "Shortest start-up PIN that users may choose. Below 6, Windows makes the TPM lock for longer after wrong ones."
    )
    .suggested("6")
    .registry(&[RegistryValue::new(Root::R1, "MinimumPIN", Encoding::Number)])
    .csp("SystemDrivesMinimumPINLength", "MinPINLength", Encoding::Number)
    .cmdlet(ENCRYPTION, "MinimumPinLength", CmdletValue::Number),
    row!(
        "os.enhanced_pin",
        OsDrive,
        "Enhanced PINs",
        kinds::TRI_STATE,
        os.enhanced_pin,
        "PINs may hold letters, signs and blanks; not every firmware has a keyboard for them before start."
    )
    .registry(&[RegistryValue::new(Root::R1, "UseEnhancedPin", kinds::STATE)])
    .csp_state("SystemDrivesEnhancedPIN")
    .cmdlet_state("New-CMEnhancedPIN"),
    row!(
        "os.enhanced_pin_ascii_only",
        OsDrive,
        "Enhanced PINs: ASCII only",
        SettingKind::Switch,
        os.enhanced_pin_ascii_only,
        "PINs hold only what every keyboard layout has before start."
    )
    .cmdlet("New-CMEnhancedPIN", "RequireAsciiOnlyPin", CmdletValue::Switch)
    .unsure("The name of its registry value is not public: the agent keeps to it, Windows is not told."),
    row!(
        "os.startup_tpm",
        OsDrive,
        "Start-up by TPM alone",
        kinds::USAGE,
        os.startup.tpm,
        "Whether Windows offers it. At most one of the four start-up methods may be required."
    )
    .registry(&[RegistryValue::new(Root::R1, "UseTPM", kinds::USAGE_VALUES), RegistryValue::inferred(Root::R1, "UseAdvancedStartup", Encoding::Always(1))])
    .csp(STARTUP, "ConfigureTPMUsageDropDown_Name", kinds::USAGE_VALUES),
    row!(
        "os.startup_tpm_pin",
        OsDrive,
        "Start-up by TPM and PIN",
        kinds::USAGE,
        os.startup.tpm_pin,
        "Whether Windows offers it."
    )
    .registry(&[RegistryValue::new(Root::R1, "UseTPMPIN", kinds::USAGE_VALUES), RegistryValue::inferred(Root::R1, "UseAdvancedStartup", Encoding::Always(1))])
    .csp(STARTUP, "ConfigurePINUsageDropDown_Name", kinds::USAGE_VALUES),
    row!(
        "os.startup_tpm_key",
        OsDrive,
        "Start-up by TPM and startup key",
        kinds::USAGE,
        os.startup.tpm_key,
        "Whether Windows offers it. The agent makes none."
    )
    .registry(&[RegistryValue::new(Root::R1, "UseTPMKey", kinds::USAGE_VALUES), RegistryValue::inferred(Root::R1, "UseAdvancedStartup", Encoding::Always(1))])
    .csp(STARTUP, "ConfigureTPMStartupKeyUsageDropDown_Name", kinds::USAGE_VALUES),
    row!(
        "os.startup_tpm_pin_key",
        OsDrive,
        "Start-up by TPM, PIN and startup key",
        kinds::USAGE,
        os.startup.tpm_pin_key,
        "Whether Windows offers it. The agent makes none."
    )
    .registry(&[RegistryValue::new(Root::R1, "UseTPMKeyPIN", kinds::USAGE_VALUES), RegistryValue::inferred(Root::R1, "UseAdvancedStartup", Encoding::Always(1))])
    .csp(STARTUP, "ConfigureTPMPINKeyUsageDropDown_Name", kinds::USAGE_VALUES),
    row!(
        "os.password",
        OsDrive,
        "Password for the operating system drive",
        kinds::TRI_STATE,
        os.password,
        "For machines without a TPM that can be used. Disabled, there must be none. In FIPS mode passwords are forbidden in any case."
    )
    .registry(&[RegistryValue::new(Root::R1, "OSPassphrase", kinds::STATE)])
    .cmdlet_state(PASSPHRASE),
    row!(
        "os.password_complexity",
        OsDrive,
        "Password complexity",
        kinds::COMPLEXITY,
        os.password_complexity,
        "\"Require\" needs a domain controller at that moment."
    )
    .registry(&[RegistryValue::new(Root::R1, "OSPassphraseComplexity", kinds::COMPLEXITY_VALUES)])
    .cmdlet(PASSPHRASE, "PasswordComplexity", kinds::COMPLEXITY_WORDS),
    row!(
        "os.password_min_length",
        OsDrive,
        "Minimum password length",
        SettingKind::Number { min: 8, max: 255, unit: "characters" },
        os.password_min_length,
        "Shortest password that users may choose."
    )
    .registry(&[RegistryValue::new(Root::R1, "OSPassphraseLength", Encoding::Number)])
    .cmdlet(PASSPHRASE, "MinimumLength", CmdletValue::Number),
    row!(
        "os.password_ascii_only",
        OsDrive,
        "Password: ASCII only",
        SettingKind::Switch,
        os.password_ascii_only,
        "Passwords hold only what every keyboard layout has before start."
    )
    .registry(&[RegistryValue::new(Root::R1, "OSPassphraseASCIIOnly", kinds::SWITCH)])
    .cmdlet(PASSPHRASE, "RequireAsciiOnlyPassword", CmdletValue::Switch),
    row!(
        "os.reset_platform_validation",
        OsDrive,
        "Reset platform validation data after recovery",
        kinds::TRI_STATE,
        os.reset_platform_validation,
        "Disabled, a machine that was recovered once asks for its recovery password at every start. Not configured: it is reset."
    )
    .registry(&[RegistryValue::new(Root::R1, "TPMAutoReseal", kinds::STATE)])
    .cmdlet_state("New-CMTpmAutoResealPolicy"),
    row!(
        "os.preboot_message_mode",
        OsDrive,
        "Recovery screen",
        SettingKind::Choice(&[
            kinds::choice("default", "What Windows says"),
            kinds::choice("custom_message", "The message below"),
            kinds::choice("custom_url", "The address below"),
            kinds::choice("empty", "Nothing"),
        ]),
        os.preboot_message_mode,
        "What people read when they are asked for the recovery password: who to call, or where to go."
    )
    .registry(&[RegistryValue::new(
        Root::R1,
        "RecoveryKeyMessageSource",
        Encoding::Map(&[("empty", 0), ("default", 1), ("custom_message", 2), ("custom_url", 3)]),
    )])
    .csp(
        MESSAGE,
        "PrebootRecoveryInfoDropDown_Name",
        Encoding::Map(&[("empty", 0), ("default", 1), ("custom_message", 2), ("custom_url", 3)]),
    )
    .cmdlet("New-CMPrebootRecoveryInfo", "UseRecovery", CmdletValue::Words(&[])),
    row!(
        "os.preboot_message",
        OsDrive,
        "Recovery screen: message",
        SettingKind::Text { max: 900 },
        os.preboot_message,
        "At most 900 characters; Configuration Manager's console takes more, Windows does not."
    )
    .registry(&[RegistryValue::new(Root::R1, "RecoveryKeyMessage", Encoding::Text)])
    .csp(MESSAGE, "RecoveryMessage_Input", Encoding::Text)
    .cmdlet("New-CMPrebootRecoveryInfo", "RecoveryMessage", CmdletValue::Text),
    row!(
        "os.preboot_url",
        OsDrive,
        "Recovery screen: address",
        SettingKind::Text { max: 500 },
        os.preboot_url,
        "At most 500 characters; Configuration Manager's console takes more, Windows does not."
    )
    .registry(&[RegistryValue::new(Root::R1, "RecoveryKeyUrl", Encoding::Text)])
    .csp(MESSAGE, "RecoveryUrl_Input", Encoding::Text)
    .cmdlet("New-CMPrebootRecoveryInfo", "RecoveryUrl", CmdletValue::Text),
    row!(
        "os.enforcement",
        OsDrive,
        "Enforcement",
        kinds::TRI_STATE,
        os.enforcement,
        "Enabled, users can no longer put encryption off once the grace period is over."
    )
    .suggested("enabled")
    .registry(&[RegistryValue::new(Root::R3, "UseOsEnforcePolicy", kinds::STATE)])
    .cmdlet_state("New-CMUseOsEnforcePolicy"),
    row!(
        "os.grace_days",
        OsDrive,
        "Grace period",
        kinds::GRACE,
        os.grace_days,
        "Counted from the first time that the drive was found not compliant; 0: none."
    )
    .registry(&[RegistryValue::new(Root::R3, "OsEnforcePolicyPeriod", Encoding::Number)])
    .cmdlet("New-CMUseOsEnforcePolicy", "GracePeriodDays", CmdletValue::Number),
    row!(
        "os.standard_user_pin_change",
        OsDrive,
        "Standard users may change PIN and password",
        SettingKind::Switch,
        os.standard_user_pin_change,
        "Off, only administrators may."
    )
    .registry(&[RegistryValue::new(Root::R1, "DisallowStandardUserPINReset", kinds::INVERTED)])
    .csp("SystemDrivesDisallowStandardUsersCanChangePIN", "", kinds::INVERTED)
    .unsure("The CSP's node is switched on to forbid it."),
    row!(
        "os.preboot_input_on_slates",
        OsDrive,
        "PIN on tablets without keyboard",
        kinds::TRI_STATE,
        os.preboot_input_on_slates,
        "Enabled, such devices may ask for a PIN at start although only an external keyboard can answer."
    )
    .registry(&[RegistryValue::new(Root::R1, "OSEnablePrebootInputProtectorsOnSlates", kinds::STATE)])
    .csp_state("SystemDrivesEnablePrebootInputProtectorsOnSlates"),
    row!(
        "os.preboot_pin_exception",
        OsDrive,
        "No PIN on InstantGo and HSTI devices",
        kinds::TRI_STATE,
        os.preboot_pin_exception,
        "Enabled, such devices are opened by the TPM alone although policy asks for a PIN."
    )
    .registry(&[RegistryValue::inferred(
        Root::R1,
        "OSEnablePreBootPinExceptionOnDECapableDevice",
        kinds::STATE,
    )])
    .csp_state("SystemDrivesEnablePreBootPinExceptionOnDECapableDevice"),
    row!(
        "os.standard_user_encryption",
        OsDrive,
        "Encrypt while a standard user is signed in",
        SettingKind::Switch,
        client.standard_user_encryption,
        "Windows' own device encryption only; the agent does not need it. Needs that Windows does not warn of other disk encryption."
    )
    .csp_integer("AllowStandardUserEncryption", kinds::SWITCH),
];

pub(super) const RECOVERY: [Setting; 8] = recovery!("os", os, OsDrive, "OS", "SystemDrivesRecoveryOptions");
