//! Registry.pol and .reg.

use domain::policy::document::Document;
use domain::policy::interchange::registry::{Data, Entry};
use domain::policy::interchange::{Imported, Inexpressible, reg, registry_pol};
use proptest::prelude::*;

use crate::any;

const R1: &str = r"SOFTWARE\Policies\Microsoft\FVE";

/// The document without what an export said that it cannot express.
pub(crate) fn without(mut document: Document, inexpressible: &[Inexpressible]) -> Document {
    for cannot in inexpressible {
        match cannot.setting {
            "name" => document.name.clear(),
            "description" => document.description.clear(),
            id => document.assignments.unset(id),
        }
    }
    document
}

fn entry(key: &str, name: &str, data: Data) -> Entry {
    Entry {
        key: key.to_owned(),
        name: name.to_owned(),
        data,
    }
}

fn unknown(imported: &Imported) -> Vec<String> {
    imported.unknown.iter().map(ToString::to_string).collect()
}

#[test]
fn a_registry_pol_has_the_bytes_of_its_specification() {
    let bytes = registry_pol::write(&[entry("K", "V", Data::Number(6))]);
    let wanted = b"PReg\x01\0\0\0[\0K\0\0\0;\0V\0\0\0;\0\x04\0\0\0;\0\x04\0\0\0;\0\x06\0\0\0]\0";
    assert_eq!(bytes, wanted);
    assert_eq!(registry_pol::read(wanted).unwrap(), [entry("K", "V", Data::Number(6))]);
}

#[test]
fn a_damaged_registry_pol_is_refused_with_the_place() {
    let whole = registry_pol::write(&[entry("K", "V", Data::Text("x".to_owned()))]);
    for length in 0..whole.len() {
        let cut = registry_pol::read(&whole[..length]);
        assert!(cut.is_err() || length == 8, "{length} bytes were read");
    }
    let told = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        registry_pol::read(&bytes).unwrap_err().to_string()
    };
    assert_eq!(told(0, b'X'), "not a Registry.pol: it does not begin with \"PReg\"");
    assert_eq!(told(4, 2), "a Registry.pol of version 2; only 1 is known");
    assert_eq!(told(8, b'('), "byte 0x8: '[' expected");
    assert_eq!(told(14, b','), "byte 0xe: ';' expected");
    assert_eq!(
        told(31, 0xFF),
        format!("byte {:#x}: the file ends within a record", whole.len())
    );
    assert_eq!(told(11, 0xD8), "byte 0xa: not UTF-16");
}

#[test]
fn what_no_setting_stands_for_is_kept_and_named() {
    let entries = [
        entry(&R1.to_lowercase(), "minimumpin", Data::Number(8)),
        entry(R1, "UseEnhancedPin", Data::Number(7)),
        entry(R1, "OSManageNKP", Data::Number(1)),
        entry(R1, "RecoveryKeyUrl", Data::Number(1)),
        entry(R1, "OSPassphraseLength", Data::Number(7)),
        entry(R1, "TPMAutoReseal", Data::Removed),
        entry(
            r"SOFTWARE\Policies\Google\Chrome",
            "HomepageLocation",
            Data::Text("x\ny".to_owned()),
        ),
    ];
    let imported = registry_pol::import(&registry_pol::write(&entries)).unwrap();
    assert_eq!(
        imported.document.assignments.iter().collect::<Vec<_>>(),
        [("os.min_pin_length", "8")]
    );
    assert_eq!(
        unknown(&imported),
        [
            format!(r"{R1}\UseEnhancedPin = 7: 7 has no meaning here; known: 1 enabled, 0 disabled."),
            format!(r"{R1}\OSManageNKP = 1: No setting stands for this value."),
            format!(r"{R1}\RecoveryKeyUrl = 1: Its data must be text."),
            format!(
                r"{R1}\OSPassphraseLength = 7: os.password_min_length: Must be a whole number from 8 to 255 (characters)."
            ),
            format!(r"{R1}\TPMAutoReseal = (removed): It is taken out: the same as not configured."),
            r#"SOFTWARE\Policies\Google\Chrome\HomepageLocation = "x y": Not a policy of BitLocker."#.to_owned(),
        ]
    );
    let toml = imported.to_toml();
    assert!(
        toml.contains("# Not understood") && toml.contains("OSManageNKP"),
        "{toml}"
    );
    assert_eq!(Document::read(&toml).unwrap(), imported.document);
}

#[test]
fn of_two_values_for_one_setting_the_first_is_taken_and_the_other_named() {
    let entries = [
        entry(R1, "EncryptionMethod", Data::Number(1)),
        entry(R1, "EncryptionMethodNoDiffuser", Data::Number(3)),
    ];
    let imported = registry_pol::import(&registry_pol::write(&entries)).unwrap();
    assert_eq!(
        imported.document.assignments.get("setup.encryption_method_legacy"),
        Some("aes128_diffuser")
    );
    assert_eq!(
        unknown(&imported),
        [format!(
            r"{R1}\EncryptionMethodNoDiffuser = 3: Says otherwise than EncryptionMethod, which was taken."
        )]
    );
}

#[test]
fn what_has_no_registry_value_is_named() {
    let document =
        Document::read("name = \"N\"\n[client]\nsecurity_policy_url = \"https://x\"\nmin_battery_percent = 30\n")
            .unwrap();
    let exported = reg::export(&document);
    let told: Vec<_> = exported.inexpressible.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "name: The format has no place for it.",
            "client.security_policy_url: The name of its registry value is not public.",
            "client.min_battery_percent: Windows has no registry value for it.",
        ]
    );
}

const EDITOR: &str = "Windows Registry Editor Version 5.00\r\n\r\n; BitLocker\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\FVE]\r\n\
    \"RecoveryKeyMessage\"=\"Call \\\"us\\\": C:\\\\help ; 1\"\r\n\"MinimumPIN\"=dword:0000000a ; ten\r\n@=\"default\"\r\n\
    \"RecoveryKeyUrl\"=hex(2):68,00,74,\\\r\n  00,74,00,70,00,00,00\r\n\"OSBcdAdditionalExcludedSettings\"=hex(7):61,00,00,00,62,00,00,00,00,00\r\n\
    \"UseEnhancedPin\"=-\r\n\r\n[-HKEY_LOCAL_MACHINE\\SOFTWARE\\Other]\r\n[HKEY_CURRENT_USER\\SOFTWARE\\Policies\\Microsoft\\FVE]\r\n\"MinimumPIN\"=dword:5\r\n";

#[test]
fn a_file_of_the_registry_editor_is_read_in_all_its_encodings() {
    let wide: Vec<u8> = "\u{feff}"
        .encode_utf16()
        .chain(EDITOR.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let marked = format!("\u{feff}{EDITOR}");
    for bytes in [&wide[..], marked.as_bytes(), EDITOR.replace("\r\n", "\n").as_bytes()] {
        let entries = reg::read(bytes).unwrap();
        assert_eq!(
            entries,
            [
                entry(
                    R1,
                    "RecoveryKeyMessage",
                    Data::Text(r#"Call "us": C:\help ; 1"#.to_owned())
                ),
                entry(R1, "MinimumPIN", Data::Number(10)),
                entry(R1, "", Data::Text("default".to_owned())),
                entry(R1, "RecoveryKeyUrl", Data::Expandable("http".to_owned())),
                entry(
                    R1,
                    "OSBcdAdditionalExcludedSettings",
                    Data::Texts(vec!["a".to_owned(), "b".to_owned()])
                ),
                entry(R1, "UseEnhancedPin", Data::Removed),
                entry(
                    r"HKEY_CURRENT_USER\SOFTWARE\Policies\Microsoft\FVE",
                    "MinimumPIN",
                    Data::Number(5)
                ),
            ]
        );
        let imported = reg::import(bytes).unwrap();
        let values: Vec<_> = imported.document.assignments.iter().collect();
        assert_eq!(
            values,
            [
                ("os.min_pin_length", "10"),
                ("os.preboot_message", r#"Call "us": C:\help ; 1"#),
                ("os.preboot_url", "http"),
            ]
        );
    }
}

#[test]
fn a_damaged_reg_file_is_refused_with_its_line() {
    let told = |line: &str| {
        let text = format!("Windows Registry Editor Version 5.00\n\n[HKEY_LOCAL_MACHINE\\K]\n{line}\n");
        reg::read(text.as_bytes()).unwrap_err().to_string()
    };
    assert_eq!(told("\"a\"=dword:xyz"), "line 4: dword: wants eight hexadecimal digits");
    assert_eq!(
        told("\"a\"=hex:0g"),
        "line 4: bytes are two hexadecimal digits each, with commas between them"
    );
    assert_eq!(told("\"a\"=qword:1"), "line 4: a text, dword:, hex: or - expected");
    assert_eq!(told("\"a\"=\"open"), "line 4: the file ends within a value");
    assert_eq!(told("[K"), "line 4: a key ends with ']'");
    assert_eq!(
        told("a=1"),
        "line 4: a value begins with its name in quotation marks, or with @"
    );
    assert_eq!(reg::read(b"hello").unwrap_err(), reg::Error::Header);
    assert_eq!(reg::read(b"\xff\xfe\x00").unwrap_err(), reg::Error::Encoding);
}

proptest! {
    #[test]
    fn a_round_trip_through_registry_pol_loses_nothing(document in any::document()) {
        let exported = registry_pol::export(&document);
        let imported = registry_pol::import(&exported.output).unwrap();
        prop_assert_eq!(imported.unknown, []);
        prop_assert_eq!(imported.document, without(document, &exported.inexpressible));
    }

    #[test]
    fn a_round_trip_through_a_reg_file_loses_nothing(document in any::document()) {
        let exported = reg::export(&document);
        let imported = reg::import(&exported.output).unwrap();
        prop_assert_eq!(imported.unknown, []);
        prop_assert_eq!(imported.document, without(document, &exported.inexpressible));
    }

    #[test]
    fn any_values_survive_both_files(texts in prop::collection::vec("[ -~äß漢\n\t\"\\\\;]{0,20}", 1..6), number: u32) {
        let mut entries = vec![entry("K", "n", Data::Number(number)), entry("K\\L", "b", Data::Other { kind: 3, bytes: vec![1, 2] })];
        for (index, text) in texts.iter().enumerate() {
            entries.push(entry("K\\M", &format!("t{index}"), Data::Text(text.clone())));
            entries.push(entry("K\\M", &format!("e{index}\"\\"), Data::Expandable(text.clone())));
        }
        prop_assert_eq!(&registry_pol::read(&registry_pol::write(&entries)).unwrap(), &entries);
        prop_assert_eq!(&reg::read(reg::write(&entries).as_bytes()).unwrap(), &entries);
    }
}
