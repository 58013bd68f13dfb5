//! Files with faults: each is named with its place and with what is allowed there, and nothing is printed.

use serde_json::{Value, json};

use super::{Files, encrypted, inventory};
use crate::program::Ended;

#[track_caller]
fn faulty(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stdout.is_empty());
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not in {:?}", ended.stderr);
    }
}

#[test]
fn a_fault_names_file_field_and_what_is_allowed() {
    let change = |path: &str, value: Value| {
        let mut changed = encrypted();
        *changed.pointer_mut(path).expect("a field") = value;
        changed.to_string()
    };
    for (text, words) in [
        (
            change("/volumes/0/conversion", json!("encryptd")),
            ["inventory.json: volumes[0].conversion", "`fully_encrypted`"],
        ),
        (
            change("/volumes/0/protectors/1/kind", json!("pin")),
            ["volumes[0].protectors[1].kind", "`tpm_pin`"],
        ),
        (change("/volumes/0/volume", json!("C")), ["volumes[0].volume", "UUID"]),
        (change("/volumes", json!({})), ["inventory.json: volumes", "a list"]),
        (change("/tpm", json!("ready")), ["inventory.json: tpm", "Tpm"]),
        (
            change("/volumes/0", json!({ "device": "C:" })),
            ["volumes[0]", "missing field `kind`"],
        ),
        ("{ \"hostnam\": \"\" }".to_owned(), ["hostnam", "`hostname`"]),
        ("{ \"hostname\": ".to_owned(), ["inventory.json", "line 1 column"]),
        (String::new(), ["inventory.json", "EOF"]),
    ] {
        let files = Files::new();
        files.write("inventory.json", text);
        faulty(&files.evaluate().end(), &words);
        faulty(&files.plan().end(), &words);
    }
}

#[test]
fn faults_of_all_files_are_told_at_once() {
    let files = Files::new();
    files.write("policy.toml", "[os]\nencryption = \"perhaps\"\nmin_pin_length = 3\n");
    files.write("inventory.json", "[]");
    files.write("ledger.json", "[{ \"volume\": 1 }]");
    files.write("situation.json", "{ \"now\": \"2026-11-31\", \"power\": {} }");
    let words = [
        "policy.toml:2:",
        "policy.toml:3:",
        "from 4 to 20",
        "inventory.json",
        "ledger.json: [0].volume",
        "situation.json: now",
        "\"2026-11-25T09:30:00Z\"",
    ];
    faulty(&files.plan().end(), &words);
}

#[test]
fn numbers_out_of_range_and_files_that_are_not_there_are_faults() {
    let files = Files::new();
    files.write(
        "situation.json",
        "{ \"power\": { \"source\": \"battery\", \"percent\": 101 } }",
    );
    faulty(&files.plan().end(), &["situation.json: power.percent", "0 to 100"]);
    let files = Files::new();
    let mut changed = encrypted();
    changed["volumes"][0]["encrypted_basis_points"] = json!(10_001);
    files.write("inventory.json", changed.to_string());
    faulty(&files.plan().end(), &["volumes[0].encrypted_basis_points", "10000"]);
    let files = Files::new();
    std::fs::remove_file(files.path().join("ledger.json")).expect("removed");
    faulty(&files.plan().end(), &["ledger.json", "No such file"]);
    files.write("ledger.json", [0xC3, 0x28]);
    faulty(&files.plan().end(), &["ledger.json", "UTF-8"]);
}

#[test]
fn odd_reports_are_judged_and_planned_for_all_the_same() {
    let volume = |device: &str| json!({ "device": device, "kind": "fixed", "protection": "off", "conversion": "fully_decrypted" });
    let mut twice = inventory();
    twice["volumes"] = json!([volume("D:"), volume("D:")]);
    for odd in [
        json!({}),
        json!({ "volumes": [] }),
        json!({ "volumes": [volume("D:")] }),
        twice,
    ] {
        let files = Files::new();
        files.write(
            "policy.toml",
            "[os]\nencryption = \"require\"\n[fixed]\nencryption = \"require\"\n",
        );
        files.write("inventory.json", odd.to_string());
        assert!([1, 3].contains(&files.evaluate().end().code));
        assert_eq!(files.plan().end().code, 0, "{odd}");
    }
}

#[test]
fn a_policy_that_contradicts_itself_is_judged_with_a_warning() {
    let files = Files::new();
    files.write(
        "policy.toml",
        "[os]\nencryption = \"forbid\"\n[fixed]\nencryption = \"require\"\nauto_unlock = \"require\"\n",
    );
    let ended = files.evaluate().end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("warning: policy.toml:5:"), "{}", ended.stderr);
}
