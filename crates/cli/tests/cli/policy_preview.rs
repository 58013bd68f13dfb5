//! `claviger policy preview`.

use serde_json::{Value, json};

use crate::program::{Run, claviger};
use crate::sample::Folder;
use crate::serve::Ground;
use crate::volume::documentation::run_chapter;

const IN_FORCE: &str = r#"
policies = [{ id = "base", file = "base.toml" }]
deployments = [{ id = "base", policy = "base", collection = "all-devices", priority = 1000 }]

[[collections]]
id = "laptops"
name = "Laptops"
rules = [{ chassis = "portable" }]

[[collections]]
id = "pilot"
name = "Pilot"
rules = [{ tag = "pilot" }]
"#;

fn device(name: &str, portable: bool, tpm: &str, data_drive: bool) -> Value {
    let plain = |letter: &str, kind: &str| json!({ "device": letter, "letter": letter, "kind": kind, "protection": "off", "conversion": "fully_decrypted" });
    let mut volumes = vec![plain("C:", "os")];
    if data_drive {
        volumes.push(plain("D:", "fixed"));
    }
    json!({ "hostname": name, "portable": portable, "tpm": { "state": tpm }, "volumes": volumes })
}

/// Two laptops, one of them without TPM, and a machine under a desk.
fn ground() -> Folder {
    let folder = Folder::new();
    folder.put("base.toml", "[os]\nencryption = \"require\"\n");
    folder.put(
        "pin.toml",
        "name = \"PIN\"\n[os]\nprotector = \"tpm_pin\"\n[fixed]\nencryption = \"require\"\n",
    );
    folder.put("in-force.toml", IN_FORCE);
    let lines = [
        device("BER-1", true, "ready", true).to_string(),
        json!({ "inventory": device("BER-2", true, "absent", false), "tags": ["Pilot"] }).to_string(),
        String::new(),
        device("BER-3", false, "ready", true).to_string(),
    ];
    folder.put("fleet.jsonl", lines.join("\n"));
    folder
}

fn preview(folder: &Folder, policy: &str) -> Run {
    claviger(["policy", "preview", policy]).within(folder.path())
}

#[test]
fn who_would_encrypt_is_counted_and_named() {
    let folder = ground();
    let run = preview(&folder, "pin.toml").args(["--collection", "laptops"]);
    let text = run
        .args(["--targeting", "in-force.toml", "--inventories", "fleet.jsonl"])
        .end()
        .text();
    for words in [
        "Policy \"PIN\" for collection \"Laptops\": 2 of 3 devices concerned",
        "os.protector: TPM → TPM and PIN",
        "Devices 1 to 2 of 2",
        "BER-1",
        "encrypts",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("BER-3"), "{text}");
}

#[test]
fn the_answer_for_programs_has_every_count_and_does_not_depend_on_threads() {
    let folder = ground();
    let answer = |more: &[&str]| -> Value {
        let run = preview(&folder, "pin.toml").args(["--json", "--targeting", "in-force.toml"]);
        let run = run.args(["--inventories", "fleet.jsonl"]).args(more);
        serde_json::from_str(&run.end().text()).unwrap()
    };
    let everybody = answer(&[]);
    assert_eq!(everybody["devices"], 3);
    assert_eq!(everybody["effects"]["encrypt"], 2);
    assert_eq!(everybody["volumes_to_encrypt"], 2);
    let one = answer(&["--threads", "1"]);
    assert_eq!(
        (&one["effects"], &one["listing"]),
        (&everybody["effects"], &everybody["listing"])
    );
    let second = answer(&["--effect", "encrypt", "--list", "1", "--offset", "1"]);
    assert_eq!(second["listing"][0]["hostname"], "BER-3");
    assert_eq!(answer(&["--collection", "pilot"])["devices"], 1);
}

#[test]
fn a_policy_that_is_in_force_is_taken_to_be_replaced_for_everybody_it_reaches() {
    let folder = ground();
    folder.put("draft.toml", "[os]\nencryption = \"forbid\"\n");
    let run = preview(&folder, "draft.toml").args(["--as", "base", "--json", "--targeting", "in-force.toml"]);
    let answer: Value = serde_json::from_str(&run.args(["--inventories", "fleet.jsonl"]).end().text()).unwrap();
    assert_eq!(answer["devices"], 3);
    assert_eq!(answer["effects"]["becomes_compliant"], 3);
    assert_eq!(answer["settings"][0]["from"], "require");
}

#[test]
fn a_folder_has_a_device_in_each_file() {
    let folder = ground();
    std::fs::create_dir(folder.join("fleet")).unwrap();
    for (file, device) in [
        ("a.json", device("A", true, "ready", true)),
        ("b.json", device("B", true, "ready", true)),
    ] {
        folder.put(&format!("fleet/{file}"), serde_json::to_string_pretty(&device).unwrap());
    }
    folder.put("fleet/readme.txt", "no device");
    let run = preview(&folder, "pin.toml").args(["--inventories", "fleet", "--json"]);
    let answer: Value = serde_json::from_str(&run.end().text()).unwrap();
    assert_eq!(answer["listing"][1]["hostname"], "B");
}

#[test]
fn every_command_of_the_chapter_on_targeting_says_what_is_written_there() {
    run_chapter("targeting.md", 5);
}

#[test]
fn mistakes_are_named_with_file_line_and_what_is_allowed() {
    let folder = ground();
    folder.put("bad.toml", "[os]\nencryption = \"maybe\"\n");
    folder.put(
        "bad-rule.toml",
        "[[collections]]\nid = \"x\"\nname = \"X\"\nrules = [{ chasis = \"portable\" }]\n",
    );
    folder.put(
        "circle.toml",
        "[[collections]]\nid = \"x\"\nname = \"X\"\ninclude = [\"x\"]\n",
    );
    folder.put(
        "bad.jsonl",
        format!("{}\n{{\"hostname\": 7}}\n", device("A", true, "ready", false)),
    );
    let refused = |policy: &str, more: &[&str], words: &[&str]| {
        let ended = preview(&folder, policy).args(more).end();
        assert_eq!(ended.code, 1, "{}", ended.stderr);
        for word in words {
            assert!(ended.stderr.contains(word), "{word:?}: {}", ended.stderr);
        }
    };
    let fleet = ["--inventories", "fleet.jsonl"];
    refused("bad.toml", &fleet, &["bad.toml:2:", "os.encryption", "require"]);
    refused("missing.toml", &fleet, &["missing.toml"]);
    refused("pin.toml", &["--inventories", "missing.jsonl"], &["missing.jsonl"]);
    refused(
        "pin.toml",
        &["--inventories", "bad.jsonl"],
        &["bad.jsonl:2: hostname:", "expected a string"],
    );
    refused(
        "pin.toml",
        &[&fleet[..], &["--collection", "nowhere"]].concat(),
        &["nowhere"],
    );
    refused(
        "pin.toml",
        &[&fleet[..], &["--targeting", "bad-rule.toml"]].concat(),
        &["line 4", "chasis", "chassis"],
    );
    refused(
        "pin.toml",
        &[&fleet[..], &["--targeting", "circle.toml"]].concat(),
        &["x includes x"],
    );
    let misused = preview(&folder, "pin.toml").end();
    assert!(misused.misused().contains("--data-dir"), "{}", misused.stderr);
}

#[test]
fn a_servers_own_devices_are_looked_at_and_nothing_is_changed() {
    let ground = Ground::settled();
    let policy = ground.folder.put("pin.toml", "[os]\nprotector = \"tpm_pin\"\n");
    let database = ground.data.join("claviger.db");
    let before = std::fs::read(&database).unwrap();
    let run = claviger(["policy", "preview", "--data-dir"])
        .arg(&ground.data)
        .arg(&policy);
    let text = run.end().text();
    assert!(
        text.contains("for collection \"All devices\": 0 of 0 devices concerned"),
        "{text}"
    );
    assert!(std::fs::read(&database).unwrap() == before);
    let run = claviger(["policy", "preview", "--data-dir"])
        .arg(ground.folder.path())
        .arg(&policy);
    run.end().refused_with(&["claviger.db"]);
}
