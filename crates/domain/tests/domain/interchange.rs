//! To other products and back: nothing is lost but what is named.

use domain::policy::interchange::{
    Exported, Imported, export_cmdlets, export_csp, export_reg, export_registry_pol, import_cmdlets, import_reg,
    import_registry_pol, syncml,
};
use domain::policy::{Assignments, Setting, SettingKind, reference};
use proptest::collection::vec;
use proptest::prelude::*;

fn document(settings: &[(&str, &str)]) -> Assignments {
    let mut assignments = Assignments::default();
    for (id, value) in settings {
        assignments.set(id, value).expect("an allowed value");
    }
    assignments
}

fn documents() -> impl Strategy<Value = Assignments> {
    let text = "[ -~äß✓]{0,40}";
    vec((any::<bool>(), any::<u32>(), text), reference().len()).prop_map(|draws| {
        let mut assignments = Assignments::default();
        for (setting, (said, number, text)) in reference().iter().zip(draws) {
            if said {
                let value = value(setting, number, &text);
                assignments.set(setting.id, &value).expect("an allowed value");
            }
        }
        assignments
    })
}

fn value(setting: &Setting, number: u32, text: &str) -> String {
    match setting.kind {
        SettingKind::Switch => number.is_multiple_of(2).to_string(),
        SettingKind::Number { min, max, .. } => (min + number % (max - min + 1)).to_string(),
        SettingKind::Choice(choices) => choices[number as usize % choices.len()].value.to_owned(),
        SettingKind::Text { .. } => text.trim().to_owned(),
    }
}

/// What the document says but for what the export named.
fn without_named<T>(assignments: &Assignments, exported: &Exported<T>) -> Assignments {
    let mut rest = assignments.clone();
    for named in &exported.inexpressible {
        rest.unset(named.setting);
    }
    rest
}

fn same(imported: &Imported, expected: &Assignments) {
    assert_eq!(imported.unknown, []);
    assert_eq!(&imported.assignments, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn registry_pol_and_back_loses_nothing_that_is_not_named(assignments in documents()) {
        let exported = export_registry_pol(&assignments);
        let imported = import_registry_pol(&exported.content).expect("our own file");
        same(&imported, &without_named(&assignments, &exported));
    }

    #[test]
    fn a_reg_file_and_back_loses_nothing_that_is_not_named(assignments in documents()) {
        let exported = export_reg(&assignments);
        let imported = import_reg(&exported.content).expect("our own file");
        same(&imported, &without_named(&assignments, &exported));
    }

    #[test]
    fn cmdlets_and_back_lose_nothing_that_is_not_named(assignments in documents()) {
        let exported = export_cmdlets("Laptops", &assignments);
        let imported = import_cmdlets(&exported.content).expect("our own script");
        prop_assert_eq!(imported.name.as_deref(), Some("Laptops"));
        same(&imported, &without_named(&assignments, &exported));
    }

    #[test]
    fn what_a_setting_has_a_place_for_is_named_only_with_a_reason(assignments in documents()) {
        for named in export_registry_pol(&assignments).inexpressible {
            let setting = reference().iter().find(|s| s.id == named.setting).expect("a setting");
            let value = assignments.get(setting.id).expect("configured");
            let said = setting.registry.iter().any(|r| r.encoding.number(value).is_some()
                && !matches!(r.encoding, domain::policy::Encoding::Always(_)));
            prop_assert!(!said && !named.why.is_empty());
        }
    }

    #[test]
    fn no_bytes_make_an_import_panic(bytes in vec(any::<u8>(), 0..200), text in "\\PC{0,200}") {
        let mut pol = b"PReg\x01\0\0\0[\0".to_vec();
        pol.extend(&bytes);
        let _ = import_registry_pol(&pol);
        let _ = import_registry_pol(&bytes);
        let _ = import_reg(&bytes);
        let _ = import_reg(format!("Windows Registry Editor Version 5.00\n[HKLM\\x]\n{text}").as_bytes());
        let _ = import_cmdlets(&text);
    }
}

#[test]
fn a_script_of_configuration_manager_is_understood() {
    let script = r#"
        # Operating system drive
        $os = New-CMBMSOSDEncryptionPolicy -PolicyState Enabled -RequireTpm `
            -Protector TpmAndPin -MinimumPinLength 6
        New-CMBLEncryptionMethodWithXts -PolicyState Enabled -OSDriveEncryptionMethod AesXts256 -FixedDriveEncryptionMethod AesXts256 -RemovableDriveEncryptionMethod AesCbc256
        New-CMUseOsEnforcePolicy -PolicyState Enabled -GracePeriodDays 7
        New-CMPrebootRecoveryInfo -PolicyState Enabled -UseRecoveryMessage -RecoveryMessage "Call ""4711"""
        New-CMRDVConfigureBDEPolicy -PolicyState Enabled -PreventEncryption:$false -PreventSuspendAndDecrypt
        New-CMNoOverwritePolicy -PolicyState NotConfigured
        New-CMFDVPassPhrasePolicy -PolicyState Enabled -MinimumLength 5
        Get-Date
        $s = New-CMBlmSetting -Name 'All of them' -Policies $os
    "#;
    let imported = import_cmdlets(script).expect("a script");
    assert_eq!(imported.name.as_deref(), Some("All of them"));
    let expected = document(&[
        ("os.encryption", "require"),
        ("os.allow_without_tpm", "false"),
        ("os.protector", "tpm_pin"),
        ("os.min_pin_length", "6"),
        ("setup.encryption_method_os", "xts_aes256"),
        ("setup.encryption_method_fixed", "xts_aes256"),
        ("setup.encryption_method_removable", "aes256"),
        ("os.enforcement", "enabled"),
        ("os.grace_days", "7"),
        ("os.preboot_message_mode", "custom_message"),
        ("os.preboot_message", "Call \"4711\""),
        ("removable.control", "enabled"),
        ("removable.allow_user_encrypt", "true"),
        ("removable.allow_user_suspend_decrypt", "false"),
        ("fixed.password", "enabled"),
    ]);
    assert_eq!(imported.assignments, expected);
    let unknown: Vec<String> = imported
        .unknown
        .iter()
        .map(|u| format!("{}: {}", u.what, u.why))
        .collect();
    assert_eq!(
        unknown,
        [
            "line 10: New-CMFDVPassPhrasePolicy -MinimumLength 5: Must be a whole number from 8 to 99 (characters).",
            "line 11: Get-Date: This command says nothing about BitLocker that is understood.",
        ]
    );
}

#[test]
fn a_reg_file_of_a_field_script_is_understood() {
    let text = "Windows Registry Editor Version 5.00\r\n\r\n; policy\r\n\
        [HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\FVE]\r\n\"EncryptionMethodWithXtsOs\"=dword:00000007\r\n\
        \"UseTPM\"=dword:00000002\r\n\"RecoveryKeyMessage\"=\"C:\\\\help \\\"now\\\"\"\r\n\"OSEncryptionType\"=dword:00000000\r\n\
        \"MinimumPIN\"=-\r\n\"CertificateOID\"=hex(2):31,00,2e,\\\r\n  00,32,00,00,00\r\n\
        [hklm\\software\\policies\\microsoft\\fve\\mdopbitlockermanagement]\r\n\"shouldencryptosdrive\"=dword:1\r\n\
        [HKEY_CURRENT_USER\\Software\\Other]\r\n\"Name\"=hex:00,01\r\n";
    let imported = import_reg(text.as_bytes()).expect("a .reg file");
    let expected = document(&[
        ("setup.encryption_method_os", "xts_aes256"),
        ("os.startup_tpm", "allow"),
        ("os.preboot_message", "C:\\help \"now\""),
        ("setup.smart_card_oid", "1.2"),
        ("os.encryption", "require"),
    ]);
    assert_eq!(imported.assignments, expected);
    let why: Vec<&str> = imported.unknown.iter().map(|u| u.why.as_str()).collect();
    assert_eq!(
        why,
        [
            "Understood are 1 (full), 2 (used_space_only).",
            "It is removed there; a policy that says nothing does the same.",
            "This key is not one of BitLocker's.",
        ]
    );
}

#[test]
fn malformed_files_are_refused_with_their_place() {
    let of = |bytes: &[u8]| import_registry_pol(bytes).expect_err("malformed").to_string();
    assert_eq!(
        of(b"PolR"),
        "byte 0: not a Registry.pol: it begins with \"PReg\" and version 1"
    );
    assert_eq!(of(b"PReg\x01\0\0\0x\0"), "byte 8: '[' is expected");
    assert_eq!(
        of(b"PReg\x01\0\0\0[\0k"),
        "byte 10: the file ends in the middle of an entry"
    );
    let reg = |text: &str| import_reg(text.as_bytes()).expect_err("malformed").to_string();
    assert_eq!(
        reg("REGEDIT4"),
        "line 1: \"Windows Registry Editor Version 5.00\" is expected"
    );
    let head = "Windows Registry Editor Version 5.00\n";
    assert_eq!(
        reg(&format!("{head}\"a\"=dword:1")),
        "line 2: a value stands before any key"
    );
    assert_eq!(
        reg(&format!("{head}[HKLM\\x]\n\"a\"=dword:12345678a")),
        "line 3: dword: needs up to eight hexadecimal digits"
    );
    assert_eq!(
        import_cmdlets("New-CMUidPolicy -BitLockerIdOid 'x")
            .expect_err("malformed")
            .to_string(),
        "line 1: a text in quotation marks has no end"
    );
}

#[test]
fn nodes_that_windows_takes_only_whole_are_completed() {
    let exported = export_csp(&document(&[
        ("setup.encryption_method_os", "xts_aes256"),
        ("os.encryption", "require"),
        ("os.min_pin_length", "8"),
        ("os.standard_user_pin_change", "false"),
        ("fixed.deny_write_unprotected", "disabled"),
        ("os.preboot_message", "a<b"),
        ("client.recovery_password_rotation", "entra_joined"),
        ("fixed.encryption", "require"),
    ]));
    let of = |node: &str| {
        let uri = format!("./Device/Vendor/MSFT/BitLocker/{node}");
        let entry = exported.content.iter().find(|e| e.uri == uri).expect("a node");
        (entry.format.as_str(), entry.value.as_str())
    };
    assert_eq!(
        of("EncryptionMethodByDriveType"),
        (
            "chr",
            "<enabled/><data id=\"EncryptionMethodWithXtsOsDropDown_Name\" value=\"7\"/>\
             <data id=\"EncryptionMethodWithXtsFdvDropDown_Name\" value=\"6\"/>\
             <data id=\"EncryptionMethodWithXtsRdvDropDown_Name\" value=\"6\"/>"
        )
    );
    assert_eq!(of("RequireDeviceEncryption"), ("int", "1"));
    assert_eq!(
        of("SystemDrivesMinimumPINLength"),
        ("chr", "<enabled/><data id=\"MinPINLength\" value=\"8\"/>")
    );
    assert_eq!(
        of("SystemDrivesDisallowStandardUsersCanChangePIN"),
        ("chr", "<enabled/>")
    );
    assert_eq!(of("FixedDrivesRequireEncryption"), ("chr", "<disabled/>"));
    assert_eq!(of("ConfigureRecoveryPasswordRotation"), ("int", "1"));
    assert!(
        of("SystemDrivesRecoveryMessage")
            .1
            .contains("id=\"RecoveryMessage_Input\" value=\"a&lt;b\"")
    );
    let named: Vec<&str> = exported.inexpressible.iter().map(|i| i.setting).collect();
    assert_eq!(named, ["fixed.encryption"]);
    let message = syncml(&exported.content);
    assert!(
        message.contains("<Data>&lt;enabled/&gt;&lt;data id=&quot;MinPINLength&quot; value=&quot;8&quot;/&gt;</Data>")
    );
}

#[test]
fn what_two_values_say_differently_is_named() {
    let text = "Windows Registry Editor Version 5.00\n[HKLM\\SOFTWARE\\Policies\\Microsoft\\FVE]\n\
        \"EncryptionMethod\"=dword:2\n\"EncryptionMethodNoDiffuser\"=dword:4\n";
    let imported = import_reg(text.as_bytes()).expect("a .reg file");
    assert_eq!(
        imported.assignments.get("setup.encryption_method_legacy"),
        Some("aes256_diffuser")
    );
    assert_eq!(
        imported.unknown[0].why,
        "setup.encryption_method_legacy is aes256_diffuser by another value."
    );
}
