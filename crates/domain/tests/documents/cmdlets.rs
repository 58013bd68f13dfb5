//! Configuration Manager's cmdlets.

use domain::policy::document::Document;
use domain::policy::interchange::cmdlets;
use proptest::prelude::*;

use crate::any;
use crate::registry::without;

const SCRIPT: &str = r#"
<# Made for the laptops;
   ask before changing #>
Import-Module ConfigurationManager
$os = New-CMBMSOSDEncryptionPolicy -PolicyState Enabled -Protector TpmAndPin `
    -RequireTpm -MinimumPinLength 6   # as the auditors want
$policies = @(
    $os,
    (New-CMBLEncryptionMethodWithXts -PolicyState Enabled -OSDriveEncryptionMethod AesXts256 -FixedDrive AesXts256)
    New-CMRDVConfigureBDEPolicy -PolicyState:Enabled -PreventEncryption:$false -PreventSuspendAndDecrypt
    New-CMUidPolicy -PolicyState Enabled -BitLockerIdOid "Example ""Ltd""" -AllowedBitLockerIdOid 'it''s', ours,
        "c"
    New-CMPrebootRecoveryInfo -PolicyState Enabled -UseRecoveryUrl -RecoveryUrl 'https://help.example'
); New-CMEnhancedPIN -PolicyState Disabled; New-CMNoOverwritePolicy -PolicyState NotConfigured
New-CMBlmSetting -Name 'Laptops' -Description "All of them" -Policies $policies
"#;

#[test]
fn a_script_is_read_whatever_its_layout() {
    let imported = cmdlets::import(SCRIPT).unwrap();
    assert_eq!(imported.document.name, "Laptops");
    assert_eq!(imported.document.description, "All of them");
    assert_eq!(
        imported.document.assignments.iter().collect::<Vec<_>>(),
        [
            ("setup.encryption_method_os", "xts_aes256"),
            ("setup.encryption_method_fixed", "xts_aes256"),
            ("setup.org_identifier", "Example \"Ltd\""),
            ("setup.org_allowed_identifiers", "it's,ours,c"),
            ("os.encryption", "require"),
            ("os.allow_without_tpm", "false"),
            ("os.protector", "tpm_pin"),
            ("os.min_pin_length", "6"),
            ("os.enhanced_pin", "disabled"),
            ("os.preboot_message_mode", "custom_url"),
            ("os.preboot_url", "https://help.example"),
            ("removable.control", "enabled"),
            ("removable.allow_user_encrypt", "true"),
            ("removable.allow_user_suspend_decrypt", "false"),
        ]
    );
    let unknown: Vec<_> = imported.unknown.iter().map(ToString::to_string).collect();
    assert_eq!(
        unknown,
        ["line 4: Import-Module: Not a cmdlet that makes a BitLocker policy."]
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let script = "New-CMBMSOSDEncryptionPolicy -PolicyState Enabled -Protector Password -MinimumPinLength $n -Colour red -RequireTpm stray\n\
                  New-CMUidPolicy -PolicyState Disabled\nNew-CMEnhancedPIN -PolicyState Maybe";
    let imported = cmdlets::import(script).unwrap();
    let unknown: Vec<_> = imported.unknown.iter().map(ToString::to_string).collect();
    assert_eq!(
        unknown,
        [
            "line 1: New-CMBMSOSDEncryptionPolicy -Protector 'Password': Known: TpmOnly, TpmAndPin.",
            "line 1: New-CMBMSOSDEncryptionPolicy -MinimumPinLength $n: Its value is computed, and nothing is run.",
            "line 1: New-CMBMSOSDEncryptionPolicy -Colour 'red': No setting stands for this parameter.",
            "line 1: New-CMBMSOSDEncryptionPolicy -RequireTpm 'stray': A switch takes $true or $false.",
            "line 2: New-CMUidPolicy -PolicyState Disabled: No setting stands for switching it off; Windows' default holds.",
            "line 3: New-CMEnhancedPIN -PolicyState Maybe: -PolicyState is Enabled, Disabled or NotConfigured.",
        ]
    );
    assert_eq!(
        imported.document.assignments.iter().collect::<Vec<_>>(),
        [("os.encryption", "require")]
    );
    assert_eq!(cmdlets::import("Get-Date").unwrap_err(), cmdlets::Error::Nothing);
    assert_eq!(
        cmdlets::import("New-CMUidPolicy 'x").unwrap_err().to_string(),
        "line 1: a quotation mark is not closed"
    );
    assert!(cmdlets::import(&"(".repeat(100_000)).is_err());
}

#[test]
fn without_require_tpm_a_machine_without_one_is_encrypted_too() {
    let imported = cmdlets::import("New-CMBMSOSDEncryptionPolicy -PolicyState Enabled").unwrap();
    assert_eq!(imported.document.assignments.get("os.allow_without_tpm"), Some("true"));
}

#[test]
fn the_script_is_one_that_people_write() {
    let document = Document::read("name = \"It's\"\n[os]\nencryption = \"require\"\nprotector = \"tpm_pin\"\nmin_pin_length = 6\nextent = \"full\"\n").unwrap();
    let exported = cmdlets::export(&document);
    assert_eq!(
        exported.output,
        "$policies = @(\r\n    New-CMBMSOSDEncryptionPolicy -PolicyState Enabled -RequireTpm -Protector TpmAndPin -MinimumPinLength 6\r\n)\r\n\
         New-CMBlmSetting -Name 'It''s' -Policies $policies\r\n"
    );
    assert_eq!(
        exported.inexpressible[0].to_string(),
        "os.extent: Configuration Manager has no cmdlet for it."
    );
}

proptest! {
    #[test]
    fn a_round_trip_through_cmdlets_loses_nothing(document in any::document()) {
        let exported = cmdlets::export(&document);
        let mut wanted = without(document, &exported.inexpressible);
        let Ok(mut imported) = cmdlets::import(&exported.output) else {
            prop_assert!(wanted.assignments.is_empty() && wanted.name.is_empty(), "{}", exported.output);
            return Ok(());
        };
        prop_assert_eq!(imported.unknown, [], "{}", exported.output);
        // A switch cannot be left open: where it was, its default is said.
        for id in ["os.allow_without_tpm", "removable.deny_write_other_org"] {
            if wanted.assignments.get(id).is_none() && imported.document.assignments.get(id) == Some("false") {
                imported.document.assignments.unset(id);
            }
        }
        wanted.name = wanted.name.trim().to_owned();
        prop_assert_eq!(imported.document, wanted, "{}", exported.output);
    }

    #[test]
    fn no_text_stops_the_reader(text in "([-$@'\"`(){}|;,:=# a-z\n<>]|New-CMUidPolicy |-PolicyState |Enabled){0,60}") {
        let _ = cmdlets::import(&text);
    }
}
