//! TOML and JSON.

use domain::policy::document::{Document, Format, diff, edit};
use domain::policy::{reference, suggestion};
use proptest::prelude::*;

use crate::any;

fn faults(text: &str) -> Vec<String> {
    let faults = Document::parse(text)
        .map(|parsed| parsed.faults())
        .unwrap_or_else(|faults| faults);
    faults.iter().map(ToString::to_string).collect()
}

const LAPTOPS: &str = r#"# Whoever changes this tells the help desk.
name = "Laptops"

[os]
encryption = "require" # since 2024
# Incident 17
min_pin_length = 6

[client]
check_interval_minutes = 30
"#;

#[test]
fn all_faults_are_told_at_once_with_their_places_and_what_is_allowed() {
    let text = "[os]\nencryption = \"yes\"\nmin_pin_lenght = 6\n  min_pin_length = 3\nprotector = 4\n\
                [client]\ncheck_interval_minutes = \"30\"\nmanage_servers = \"maybe\"\n[oss]\nx = 1\n";
    assert_eq!(
        faults(text),
        [
            "2:1: os.encryption: Must be one of: not_configured, require, forbid.",
            "3:1: os.min_pin_lenght: There is no such setting. Did you mean os.min_pin_length?",
            "4:3: os.min_pin_length: Must be a whole number from 4 to 20 (characters).",
            "5:1: os.protector: Must be one of: tpm, tpm_pin.",
            "7:1: client.check_interval_minutes: Must be a whole number from 1 to 2880 (minutes). Write it without quotation marks.",
            "8:1: client.manage_servers: Must be \"true\" or \"false\".",
            "9:2: There is no section \"oss\"; they are: setup, os, fixed, removable, client.",
        ]
    );
}

#[test]
fn json_tells_the_same_faults() {
    let text = "{\n \"os\": {\n  \"encryption\": \"yes\",\n  \"min_pin_length\": 21,\n  \"min_pin_length\": 5\n }\n}";
    assert_eq!(
        faults(text),
        [
            "3:3: os.encryption: Must be one of: not_configured, require, forbid.",
            "4:3: os.min_pin_length: Must be a whole number from 4 to 20 (characters).",
            "5:3: os.min_pin_length: It is set twice.",
        ]
    );
    assert!(
        faults("{\"os\": }")[0].starts_with("1:8: Not JSON: "),
        "{:?}",
        faults("{\"os\": }")
    );
    assert!(faults("[os\n")[0].starts_with("1:"), "{:?}", faults("[os\n"));
}

#[test]
fn rules_between_settings_are_told_where_they_are_broken() {
    assert_eq!(
        faults("[fixed]\nauto_unlock = \"require\"\n"),
        [
            "2:1: fixed.auto_unlock: Automatic unlocking can be required only when os.encryption is \"require\": its key lies on \
             the operating system drive."
        ]
    );
    let message = "[os]\n\n  preboot_message_mode = \"custom_message\"\n";
    assert_eq!(
        faults(message),
        ["3:3: os.preboot_message: Needs a text, as os.preboot_message_mode is \"custom_message\"."]
    );
    assert!(Document::read(message).is_err());
    let two = "[os]\nprotector = \"tpm_pin\"\nstartup_tpm_pin = \"require\"\nstartup_tpm_key = \"require\"\n";
    assert_eq!(
        faults(two),
        ["4:1: os.startup_tpm_key: Only one start-up method can be required."]
    );
}

#[test]
fn a_grace_period_without_enforcement_is_a_warning() {
    let parsed = Document::parse("[os]\ngrace_days = 5\n").unwrap();
    assert_eq!(parsed.faults(), []);
    let warnings: Vec<_> = parsed.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["2:1: os.grace_days: Has no effect while os.enforcement is not enabled."]
    );
}

#[test]
fn not_configured_is_the_same_as_not_naming_a_setting() {
    let text = "[os]\nenhanced_pin = \"not_configured\"\nencryption = \"not_configured\"\n[client]\nmanagement_services = \"not_configured\"\n";
    assert!(Document::read(text).unwrap().assignments.is_empty());
}

#[test]
fn what_may_be_written_in_several_ways_is_understood_in_all() {
    let text = "\u{feff}\"os.encryption\" = \"enabled\"\nos.enhanced_pin = true\n[setup]\nencryption_method_removable = \"aes_cbc256\"\n\
                org_allowed_identifiers = [\"a\", \"b\"]\n[client]\nmanagement_services = \"enabled\"\n";
    let document = Document::read(text).unwrap();
    let values: Vec<_> = document.assignments.iter().collect();
    assert_eq!(
        values,
        [
            ("setup.encryption_method_removable", "aes256"),
            ("setup.org_allowed_identifiers", "a,b"),
            ("os.encryption", "require"),
            ("os.enhanced_pin", "enabled"),
            ("client.management_services", "true"),
        ]
    );
}

#[test]
fn editing_keeps_comments_and_order() {
    let edited = edit(LAPTOPS, "os.encryption", Some("forbid")).unwrap();
    assert_eq!(edited, LAPTOPS.replace("\"require\"", "\"forbid\""));
    let added = edit(LAPTOPS, "os.protector", Some("tpm_pin")).unwrap();
    assert_eq!(added, LAPTOPS.replace("= 6\n", "= 6\nprotector = \"tpm_pin\"\n"));
    let section = edit(LAPTOPS, "fixed.encryption", Some("require")).unwrap();
    assert_eq!(section, format!("{LAPTOPS}\n[fixed]\nencryption = \"require\"\n"));
    let without = edit(LAPTOPS, "os.min_pin_length", None).unwrap();
    assert_eq!(without, LAPTOPS.replace("# Incident 17\nmin_pin_length = 6\n", ""));
    let renamed = edit(LAPTOPS, "name", Some("Notebooks")).unwrap();
    assert_eq!(renamed, LAPTOPS.replace("Laptops", "Notebooks"));
    let refused = edit(LAPTOPS, "os.min_pin_length", Some("3")).unwrap_err();
    assert_eq!(refused[0].message, "Must be a whole number from 4 to 20 (characters).");
    assert!(edit(LAPTOPS, "os.pin", Some("3")).is_err());
}

#[test]
fn differences_are_readable() {
    let other = "name = \"Notebooks\"\n[os]\nencryption = \"forbid\"\nmin_pin_length = 6\nprotector = \"tpm_pin\"\n";
    let changes = diff(&Document::read(LAPTOPS).unwrap(), &Document::read(other).unwrap());
    let changes: Vec<_> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        changes,
        [
            "name: \"Laptops\" -> \"Notebooks\"",
            "os.encryption: Must be encrypted -> Must not be encrypted",
            "os.protector: not configured (TPM) -> TPM and PIN",
            "client.check_interval_minutes: 30 minutes -> not configured (90 minutes)",
        ]
    );
}

#[test]
fn a_misspelt_id_finds_the_one_that_was_meant() {
    for (written, meant) in [
        ("os.encrypton", "os.encryption"),
        ("os.grace_day", "os.grace_days"),
        ("os.check_interval_minutes", "client.check_interval_minutes"),
        ("client.escrow", "client.management_services"),
        ("removable.deny_write_unprotect", "removable.deny_write_unprotected"),
    ] {
        assert_eq!(suggestion(written), Some(meant));
    }
    assert_eq!(suggestion("colour"), None);
}

proptest! {
    #[test]
    fn what_is_written_reads_back(document in any::document()) {
        for text in [document.to_toml(), document.to_json()] {
            let read = Document::parse(&text);
            prop_assert_eq!(&read.unwrap().document, &document, "{}", text);
        }
        prop_assert_eq!(Format::of(&document.to_json()), Format::Json);
        prop_assert_eq!(Format::of(&document.to_toml()), Format::Toml);
    }

    #[test]
    fn editing_one_value_changes_that_one(a in any::document(), b in any::document(), at in 0..reference().len()) {
        let id = reference()[at].id;
        for text in [a.to_toml(), a.to_json()] {
            let edited = Document::parse(&edit(&text, id, b.assignments.get(id)).unwrap()).unwrap().document;
            prop_assert_eq!(edited.assignments.get(id), b.assignments.get(id));
            prop_assert!(diff(&a, &edited).iter().all(|change| change.what == id));
        }
    }
}
