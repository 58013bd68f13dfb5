//! The table beside Configuration Manager's reference, and what is written from it.

use std::path::PathBuf;

use domain::policy::{generated, reference, setting};

/// Every row of Configuration Manager's settings reference: id, default, registry values, CSP node, cmdlet and parameter.
#[rustfmt::skip]
const ROWS: [(&str, &str, &[&str], &str, &str); 47] = [
    ("setup.encryption_method_legacy", "aes128", &["EncryptionMethod", "EncryptionMethodNoDiffuser"], "", "New-CMBLEncryptionMethodPolicy -EncryptionMethod"),
    ("setup.encryption_method_os", "xts_aes128", &["EncryptionMethodWithXtsOs"], "EncryptionMethodByDriveType", "New-CMBLEncryptionMethodWithXts -OSDriveEncryptionMethod"),
    ("setup.encryption_method_fixed", "xts_aes128", &["EncryptionMethodWithXtsFdv"], "EncryptionMethodByDriveType", "New-CMBLEncryptionMethodWithXts -FixedDriveEncryptionMethod"),
    ("setup.encryption_method_removable", "xts_aes128", &["EncryptionMethodWithXtsRdv"], "EncryptionMethodByDriveType", "New-CMBLEncryptionMethodWithXts -RemovableDriveEncryptionMethod"),
    ("setup.prevent_memory_overwrite", "not_configured", &["MorBehavior"], "", "New-CMNoOverwritePolicy -PolicyState"),
    ("setup.smart_card_oid", "1.3.6.1.4.1.311.67.1.1", &["CertificateOID"], "", "New-CMScCompliancePolicy -CertificateOid"),
    ("setup.org_identifier", "", &["IdentificationField", "IdentificationFieldString"], "IdentificationField", "New-CMUidPolicy -BitLockerIdOid"),
    ("setup.org_allowed_identifiers", "", &["SecondaryIdentificationField"], "IdentificationField", "New-CMUidPolicy -AllowedBitLockerIdOid"),
    ("os.encryption", "not_configured", &["ShouldEncryptOSDrive"], "RequireDeviceEncryption", "New-CMBMSOSDEncryptionPolicy -PolicyState"),
    ("os.allow_without_tpm", "false", &["EnableBDEWithNoTPM", "UseAdvancedStartup"], "SystemDrivesRequireStartupAuthentication", "New-CMBMSOSDEncryptionPolicy -RequireTpm"),
    ("os.protector", "tpm", &["OSDriveProtector", "UseAdvancedStartup"], "", "New-CMBMSOSDEncryptionPolicy -Protector"),
    ("os.min_pin_length", "4", &["MinimumPIN"], "SystemDrivesMinimumPINLength", "New-CMBMSOSDEncryptionPolicy -MinimumPinLength"),
    ("os.enhanced_pin", "not_configured", &["UseEnhancedPin"], "SystemDrivesEnhancedPIN", "New-CMEnhancedPIN -PolicyState"),
    ("os.enhanced_pin_ascii_only", "false", &[], "", "New-CMEnhancedPIN -RequireAsciiOnlyPin"),
    ("os.password", "not_configured", &["OSPassphrase"], "", "New-CMOSPassphrase -PolicyState"),
    ("os.password_complexity", "allow", &["OSPassphraseComplexity"], "", "New-CMOSPassphrase -PasswordComplexity"),
    ("os.password_min_length", "8", &["OSPassphraseLength"], "", "New-CMOSPassphrase -MinimumLength"),
    ("os.password_ascii_only", "false", &["OSPassphraseASCIIOnly"], "", "New-CMOSPassphrase -RequireAsciiOnlyPassword"),
    ("os.reset_platform_validation", "not_configured", &["TPMAutoReseal"], "", "New-CMTpmAutoResealPolicy -PolicyState"),
    ("os.preboot_message_mode", "default", &["RecoveryKeyMessageSource"], "SystemDrivesRecoveryMessage", "New-CMPrebootRecoveryInfo -UseRecovery"),
    ("os.preboot_message", "", &["RecoveryKeyMessage"], "SystemDrivesRecoveryMessage", "New-CMPrebootRecoveryInfo -RecoveryMessage"),
    ("os.preboot_url", "", &["RecoveryKeyUrl"], "SystemDrivesRecoveryMessage", "New-CMPrebootRecoveryInfo -RecoveryUrl"),
    ("os.enforcement", "not_configured", &["UseOsEnforcePolicy"], "", "New-CMUseOsEnforcePolicy -PolicyState"),
    ("os.grace_days", "0", &["OsEnforcePolicyPeriod"], "", "New-CMUseOsEnforcePolicy -GracePeriodDays"),
    ("fixed.encryption", "not_configured", &["ShouldEncryptFixedDataDrive"], "", "New-CMBMSFDVEncryptionPolicy -PolicyState"),
    ("fixed.auto_unlock", "allow", &["AutoUnlockFixedDataDrive"], "", "New-CMBMSFDVEncryptionPolicy -AutoUnlock"),
    ("fixed.deny_write_unprotected", "not_configured", &["FDVDenyWriteAccess"], "FixedDrivesRequireEncryption", "New-CMFDVDenyWriteAccessPolicy -PolicyState"),
    ("fixed.password", "not_configured", &["FDVPassphrase"], "", "New-CMFDVPassPhrasePolicy -PolicyState"),
    ("fixed.password_required", "false", &["FDVEnforcePassphrase"], "", "New-CMFDVPassPhrasePolicy -RequirePassword"),
    ("fixed.password_complexity", "allow", &["FDVPassphraseComplexity"], "", "New-CMFDVPassPhrasePolicy -PasswordComplexity"),
    ("fixed.password_min_length", "8", &["FDVPassphraseLength"], "", "New-CMFDVPassPhrasePolicy -MinimumLength"),
    ("fixed.enforcement", "not_configured", &["UseFddEnforcePolicy"], "", "New-CMUseFddEnforcePolicy -PolicyState"),
    ("fixed.grace_days", "0", &["FddEnforcePolicyPeriod"], "", "New-CMUseFddEnforcePolicy -GracePeriodDays"),
    ("removable.control", "not_configured", &["RDVConfigureBDE"], "RemovableDrivesConfigureBDE", "New-CMRDVConfigureBDEPolicy -PolicyState"),
    ("removable.allow_user_encrypt", "true", &["RDVAllowBDE"], "RemovableDrivesConfigureBDE", "New-CMRDVConfigureBDEPolicy -PreventEncryption"),
    ("removable.allow_user_suspend_decrypt", "true", &["RDVDisableBDE"], "RemovableDrivesConfigureBDE", "New-CMRDVConfigureBDEPolicy -PreventSuspendAndDecrypt"),
    ("removable.deny_write_unprotected", "not_configured", &["RDVDenyWriteAccess"], "RemovableDrivesRequireEncryption", "New-CMRDVDenyWriteAccessPolicy -PolicyState"),
    ("removable.deny_write_other_org", "false", &["RDVDenyCrossOrg"], "RemovableDrivesRequireEncryption", "New-CMRDVDenyWriteAccessPolicy -AllowWriteAccessToExternalOrganizationDrives"),
    ("removable.password", "not_configured", &["RDVPassphrase"], "", "New-CMRDVPassPhrasePolicy -PolicyState"),
    ("removable.password_required", "false", &["RDVEnforcePassphrase"], "", "New-CMRDVPassPhrasePolicy -RequirePassword"),
    ("removable.password_complexity", "allow", &["RDVPassphraseComplexity"], "", "New-CMRDVPassPhrasePolicy -PasswordComplexity"),
    ("removable.password_min_length", "8", &["RDVPassphraseLength"], "", "New-CMRDVPassPhrasePolicy -MinimumLength"),
    ("removable.excluded_hardware_ids", "", &[], "RemovableDrivesExcludedFromEncryption", ""),
    ("client.management_services", "true", &["UseMBAMServices", "UseKeyRecoveryService", "UseStatusReportingService"], "", "New-CMBMSClientConfigureCheckIntervalPolicy -PolicyState"),
    ("client.recovery_info", "password_and_package", &["KeyRecoveryOptions"], "", "New-CMBMSClientConfigureCheckIntervalPolicy -KeyRecoveryOption"),
    ("client.check_interval_minutes", "90", &["ClientWakeupFrequency"], "", "New-CMBMSClientConfigureCheckIntervalPolicy -ClientWakeupFrequencyMinutes"),
    ("client.exemption_max_days", "7", &["MaxTimeToGetUserExemption"], "", "New-CMBMSUserExemptionPolicy -MaxDays"),
];

/// The rest of the rows, whose registry names are not public or that have none, and what the CSP has beyond them.
const OTHERS: [&str; 44] = [
    "client.allow_plaintext_storage",
    "client.user_exemption",
    "client.exemption_contact_method",
    "client.exemption_contact",
    "client.security_policy_url",
    "os.extent",
    "fixed.extent",
    "removable.extent",
    "os.startup_tpm",
    "os.startup_tpm_pin",
    "os.startup_tpm_key",
    "os.startup_tpm_pin_key",
    "os.standard_user_pin_change",
    "os.standard_user_encryption",
    "setup.warn_other_encryption",
    "os.preboot_input_on_slates",
    "os.preboot_pin_exception",
    "client.recovery_password_rotation",
    "os.recovery",
    "os.recovery_allow_dra",
    "os.recovery_password",
    "os.recovery_key",
    "os.recovery_hide_page",
    "os.recovery_ad_backup",
    "os.recovery_ad_info",
    "os.recovery_require_ad_backup",
    "fixed.recovery",
    "fixed.recovery_allow_dra",
    "fixed.recovery_password",
    "fixed.recovery_key",
    "fixed.recovery_hide_page",
    "fixed.recovery_ad_backup",
    "fixed.recovery_ad_info",
    "fixed.recovery_require_ad_backup",
    "removable.recovery",
    "removable.recovery_allow_dra",
    "removable.recovery_password",
    "removable.recovery_key",
    "removable.recovery_hide_page",
    "removable.recovery_ad_backup",
    "removable.recovery_ad_info",
    "removable.recovery_require_ad_backup",
    "client.rotate_after_disclosure",
    "client.manage_virtual_machines",
];

#[test]
fn every_setting_of_configuration_manager_is_in_the_table_and_told_as_there() {
    for (id, default, registry, csp, cmdlet) in ROWS {
        let setting = setting(id).unwrap_or_else(|| panic!("{id} is missing"));
        assert_eq!(setting.default_value(), default, "{id}");
        for name in registry {
            assert!(
                setting.registry.iter().any(|value| value.name == *name),
                "{id} lacks {name}"
            );
        }
        assert_eq!(setting.registry.is_empty(), registry.is_empty(), "{id}");
        if !csp.is_empty() {
            assert_eq!(setting.csp.map(|csp| csp.node), Some(csp), "{id}");
        }
        let told = setting.cmdlet.map(|c| format!("{} -{}", c.name, c.parameter));
        assert_eq!(told.unwrap_or_default(), cmdlet, "{id}");
    }
    for id in OTHERS {
        assert!(setting(id).is_some(), "{id} is missing");
    }
}

#[test]
fn ids_are_unique_and_lie_in_a_section() {
    let mut ids: Vec<_> = reference().iter().map(|s| s.id).collect();
    for setting in reference() {
        assert!(setting.path().0 == setting.section.name(), "{}", setting.id);
        assert!(
            !setting.title.is_empty() && setting.help.ends_with('.'),
            "{}",
            setting.id
        );
        if let Some(suggested) = setting.suggested {
            assert_eq!(setting.canonical(suggested).unwrap(), suggested, "{}", setting.id);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), reference().len());
}

/// With `CLAVIGER_WRITE_GENERATED` set they are written.
#[test]
fn the_committed_documentation_and_schema_are_those_of_the_table() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for (name, text) in [
        ("settings.md", generated::markdown()),
        ("schema/policy.json", generated::json_schema()),
    ] {
        let path = root.join(name);
        if std::env::var_os("CLAVIGER_WRITE_GENERATED").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "docs/{name} is stale: CLAVIGER_WRITE_GENERATED=1 cargo test -p domain --test documents"
        );
    }
}

/// For readers that are not ours: every setting, each with a value that is not its default.
#[test]
fn the_committed_document_configures_everything() {
    let mut document = domain::policy::document::Document::default();
    document.rename("Everything").unwrap();
    for setting in reference() {
        document.assignments.set(setting.id, &other_value(setting)).unwrap();
    }
    // Rules between settings.
    for (id, value) in [
        ("os.encryption", "require"),
        ("fixed.encryption", "require"),
        ("os.allow_without_tpm", "true"),
        ("os.password", "enabled"),
        ("os.startup_tpm", "disallow"),
        ("os.startup_tpm_pin", "require"),
        ("os.startup_tpm_key", "disallow"),
        ("os.startup_tpm_pin_key", "disallow"),
        ("os.protector", "tpm_pin"),
        ("client.management_services", "true"),
    ] {
        document.assignments.set(id, value).unwrap();
    }
    let policy = document.assignments.policy();
    assert_eq!(policy.validate(), Ok(()));
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/documents/everything.toml");
    if std::env::var_os("CLAVIGER_WRITE_GENERATED").is_some() {
        std::fs::write(&path, document.to_toml()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), document.to_toml());
}

fn other_value(setting: &domain::policy::Setting) -> String {
    use domain::policy::SettingKind;
    let default = setting.default_value();
    match setting.kind {
        SettingKind::Switch => (default != "true").to_string(),
        SettingKind::Number { max, .. } => (max - 1).to_string(),
        SettingKind::Choice(choices) => {
            let other = choices
                .iter()
                .find(|choice| choice.value != default && choice.value != "not_configured");
            other.unwrap().value.to_owned()
        }
        SettingKind::Text { .. } => format!("{}: \"ä\\ß\"; ✓", setting.title),
    }
}
