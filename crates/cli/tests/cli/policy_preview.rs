//! `claviger policy preview`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::program::{Run, claviger, names, wait};
use crate::sample::Folder;
use crate::serve::Ground;
use crate::volume::documentation::run_chapter;
use crate::volume::interruption::hears;

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
fn exemptions_and_windows_that_the_files_tell_of_are_told() {
    let folder = ground();
    folder.put(
        "heeding.toml",
        "[os]\nencryption = \"require\"\n[client]\nuser_exemption = \"enabled\"\n",
    );
    let of = |name: &str, decision: Value| {
        let mut inventory = device(name, true, "ready", false);
        inventory["users"] = json!(["CORP\\anna"]);
        let exemption = json!({ "user": "corp\\ANNA", "requested": 0, "decision": decision });
        json!({ "inventory": inventory, "exemptions": [exemption] }).to_string()
    };
    let approved = json!({ "state": "approved", "at": 0, "until": "2099-01-01T00:00:00Z" });
    let over = json!({ "state": "approved", "at": 0, "until": 1 });
    let lines = [
        of("BER-1", approved),
        of("BER-2", json!({ "state": "pending" })),
        of("BER-3", over),
    ];
    folder.put("exempt.jsonl", lines.join("\n"));
    let look = |more: &[&str]| {
        let run = preview(&folder, "heeding.toml").args(["--inventories", "exempt.jsonl"]);
        run.args(more).end().text()
    };
    let text = look(&[]);
    for words in [
        "BER-1                    does not encrypt: exempt",
        "exempt until 2099-01-01: CORP\\anna",
        "an exemption waits for a decision: CORP\\anna",
        "Exempt then                                1",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let answer: Value = serde_json::from_str(&look(&["--json", "--effect", "exempt"])).unwrap();
    assert_eq!(
        (&answer["effects"]["exempt"], &answer["effects"]["encrypt"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(answer["listing"][0]["enforcement"]["state"], "exempt");
    assert_eq!(answer["exemption_pending"], 1);

    // A window that lies ahead: on one day, far away.
    let window = r#"windows = [{ date = "2099-01-01", start = "22:00", minutes = 60 }]"#;
    folder.put(
        "in-window.toml",
        format!("{IN_FORCE}\n[[policies]]\nid = \"heeding\"\nfile = \"none.toml\"\n[[deployments]]\nid = \"h\"\npolicy = \"heeding\"\ncollection = \"all-devices\"\npriority = 1\n{window}\n")
            .replace("\npolicies = [{ id = \"base\", file = \"base.toml\" }]", "")
            .replace("\ndeployments = [{ id = \"base\", policy = \"base\", collection = \"all-devices\", priority = 1000 }]", ""),
    );
    folder.put("none.toml", "name = \"nothing yet\"\n");
    let text = look(&["--targeting", "in-window.toml"]);
    assert!(
        text.contains("encrypts; waits for the window that opens 2099-01-01 22:00 UTC"),
        "{text}"
    );
}

#[test]
fn what_holds_for_one_device_is_told_with_who_says_so() {
    let folder = ground();
    let ask = |more: &[&str]| {
        let run = claviger(["policy", "effective"]).within(folder.path()).args(more);
        run.args(["--targeting", "in-force.toml", "--inventories", "fleet.jsonl"])
            .end()
    };
    let text = ask(&["ber-2"]).text();
    assert!(
        text.contains("by policy \"base\" for collection \"All devices\" (priority 1000;"),
        "{text}"
    );
    assert!(!text.contains("(default)"), "{text}");
    assert!(
        ask(&["BER-2", "--defaults"])
            .text()
            .contains("os.min_pin_length = 4 characters (default)")
    );
    let answer: Value = serde_json::from_str(&ask(&["00000000-0000-0000-0000-000000000000", "--json"]).text()).unwrap();
    assert_eq!(answer["hostname"], "BER-1");
    assert_eq!(answer["deployments"][0]["deployment"], "base");
    ask(&["BER-9"]).refused_with(&["there is no device BER-9"]);
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
    run_chapter("targeting.md", 7);
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
fn a_signal_ends_it_at_once_with_the_answer_for_what_was_looked_at_until_then() {
    let folder = ground();
    let fleet = folder.join("fleet.fifo");
    assert!(Command::new("mkfifo").arg(&fleet).status().unwrap().success());
    let before = names(folder.path());
    let child = preview(&folder, "pin.toml")
        .args(["--json", "--inventories", "fleet.fifo"])
        .start();
    let pid = Pid::from_child(&child);
    // A fleet without end: nothing but the signal ends this.
    let mut pipe = BufWriter::new(File::create(&fleet).unwrap());
    let line = format!("{}\n", device("BER-1", true, "ready", false));
    let mut written = 0_u64;
    while pipe.write_all(line.as_bytes()).is_ok() {
        written += 1;
        // More than a pipe holds: it reads, so it hears.
        if written == 5000 {
            assert!(hears(pid, Signal::INT));
            kill_process(pid, Signal::INT).unwrap();
        }
        assert!(written < 1_000_000, "it does not stop");
    }
    let output = wait(child);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let looked_at = answer["looked_at"].as_u64().unwrap();
    assert_eq!(answer["complete"], false);
    assert!(looked_at > 0 && looked_at <= written, "{looked_at} of {written}");
    assert!(told.contains("stopped: only "), "{told}");
    assert_eq!(names(folder.path()), before, "nothing is left behind");
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
