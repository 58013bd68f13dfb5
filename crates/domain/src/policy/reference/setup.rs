//! For drives of every kind.

use super::windows::{CmdletValue, Encoding, RegistryValue, Root};
use super::{Setting, SettingKind, kinds, row};

const METHODS_NODE: &str = "EncryptionMethodByDriveType";
const METHODS_CMDLET: &str = "New-CMBLEncryptionMethodWithXts";
const IDENTIFICATION: &str = "IdentificationField";

pub(super) const SETTINGS: [Setting; 10] = [
    row!(
        "setup.encryption_method_legacy",
        Setup,
        "Encryption method: Windows 8.1 and older",
        kinds::LEGACY_METHOD,
        setup.legacy_method,
        "Written for old Windows only; nothing here encrypts with the diffuser."
    )
    .suggested("aes256")
    .registry(&[
        RegistryValue::inferred(
            Root::R1,
            "EncryptionMethod",
            Encoding::Map(&[
                ("aes128_diffuser", 1),
                ("aes256_diffuser", 2),
                ("aes128", 3),
                ("aes256", 4),
            ]),
        ),
        RegistryValue::inferred(
            Root::R1,
            "EncryptionMethodNoDiffuser",
            Encoding::Map(&[("aes128", 3), ("aes256", 4)]),
        ),
    ])
    .cmdlet(
        "New-CMBLEncryptionMethodPolicy",
        "EncryptionMethod",
        CmdletValue::Words(&[
            ("aes128_diffuser", "Aes128Diffuser"),
            ("aes256_diffuser", "Aes256Diffuser"),
            ("aes128", "Aes128"),
            ("aes256", "Aes256"),
        ]),
    )
    .unsure("Which of the two values Configuration Manager writes is not verified; both are written here."),
    row!(
        "setup.encryption_method_os",
        Setup,
        "Encryption method: operating system drive",
        kinds::METHOD,
        os.method,
        "Used when a drive is encrypted. A drive that is encrypted already keeps its method and is reported when that is weaker."
    )
    .suggested("xts_aes256")
    .registry(&[RegistryValue::new(Root::R1, "EncryptionMethodWithXtsOs", kinds::METHODS)])
    .csp(METHODS_NODE, "EncryptionMethodWithXtsOsDropDown_Name", kinds::METHODS)
    .cmdlet(METHODS_CMDLET, "OSDriveEncryptionMethod", kinds::METHOD_WORDS),
    row!(
        "setup.encryption_method_fixed",
        Setup,
        "Encryption method: fixed data drives",
        kinds::METHOD,
        fixed.method,
        "Used when a drive is encrypted. A drive that is encrypted already keeps its method and is reported when that is weaker."
    )
    .suggested("xts_aes256")
    .registry(&[RegistryValue::new(Root::R1, "EncryptionMethodWithXtsFdv", kinds::METHODS)])
    .csp(METHODS_NODE, "EncryptionMethodWithXtsFdvDropDown_Name", kinds::METHODS)
    .cmdlet(METHODS_CMDLET, "FixedDriveEncryptionMethod", kinds::METHOD_WORDS),
    row!(
        "setup.encryption_method_removable",
        Setup,
        "Encryption method: removable data drives",
        kinds::METHOD,
        removable.method,
        "Used when a drive is encrypted. Windows before version 1511 cannot read drives encrypted with XTS-AES."
    )
    .suggested("aes256")
    .registry(&[RegistryValue::new(Root::R1, "EncryptionMethodWithXtsRdv", kinds::METHODS)])
    .csp(METHODS_NODE, "EncryptionMethodWithXtsRdvDropDown_Name", kinds::METHODS)
    .cmdlet(METHODS_CMDLET, "RemovableDriveEncryptionMethod", kinds::METHOD_WORDS),
    row!(
        "setup.reencrypt",
        Setup,
        "Drives with a weaker method",
        SettingKind::Choice(&[
            kinds::choice("report", "Report them"),
            kinds::choice("reencrypt", "Encrypt them anew"),
        ]),
        setup.reencrypt,
        "Encrypting anew decrypts the drive first: for that time it is plain text. Configuration Manager cannot do it."
    ),
    row!(
        "setup.prevent_memory_overwrite",
        Setup,
        "Prevent memory overwrite on restart",
        kinds::TRI_STATE,
        setup.prevent_memory_overwrite,
        "Enabled restarts quicker, and leaves keys in memory to whoever starts another system then."
    )
    .registry(&[RegistryValue::new(Root::R1, "MorBehavior", kinds::STATE)])
    .cmdlet_state("New-CMNoOverwritePolicy"),
    row!(
        "setup.smart_card_oid",
        Setup,
        "Smart card certificate usage rule",
        SettingKind::Text { max: 260 },
        setup.smart_card_oid,
        "Object identifier that a smart card's certificate has to carry to protect a drive."
    )
    .registry(&[RegistryValue::new(Root::R1, "CertificateOID", Encoding::Text)])
    .cmdlet("New-CMScCompliancePolicy", "CertificateOid", CmdletValue::Text),
    row!(
        "setup.org_identifier",
        Setup,
        "Organization identifier",
        SettingKind::Text { max: 260 },
        setup.org_identifier,
        "Written on drives as they are encrypted. Data recovery agents and the rule on drives of other organisations need it."
    )
    .registry(&[
        RegistryValue::new(Root::R1, "IdentificationFieldString", Encoding::Text),
        RegistryValue::new(Root::R1, "IdentificationField", Encoding::Always(1)),
    ])
    .csp(IDENTIFICATION, "IdentificationField", Encoding::Text)
    .cmdlet("New-CMUidPolicy", "BitLockerIdOid", CmdletValue::Text),
    row!(
        "setup.org_allowed_identifiers",
        Setup,
        "Allowed organization identifiers",
        SettingKind::Text { max: 260 },
        setup.org_allowed_identifiers,
        "Further identifiers that count as the own organisation, separated by commas."
    )
    .registry(&[
        RegistryValue::new(Root::R1, "SecondaryIdentificationField", Encoding::Text),
        RegistryValue::new(Root::R1, "IdentificationField", Encoding::Always(1)),
    ])
    .csp(IDENTIFICATION, "SecIdentificationField", Encoding::Text)
    .cmdlet("New-CMUidPolicy", "AllowedBitLockerIdOid", CmdletValue::Text),
    row!(
        "setup.warn_other_encryption",
        Setup,
        "Warning for other disk encryption",
        SettingKind::Switch,
        client.warn_other_encryption,
        "Off, Windows encrypts silently, without asking whether another product encrypts the drive. A drive on which one was found is left alone here in any case."
    )
    .csp_integer("AllowWarningForOtherDiskEncryption", kinds::SWITCH),
];
