//! `claviger compliance evaluate` and `claviger plan`, on files.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Run, claviger};
use crate::volume::documentation::run_chapter;

mod faults;
mod schemas;

/// A folder with a policy, an inventory, a ledger and a situation.
pub(super) struct Files {
    folder: TempDir,
}

impl Files {
    pub(super) fn new() -> Self {
        let files = Self {
            folder: TempDir::new().expect("a folder"),
        };
        files.write("policy.toml", "[os]\nencryption = \"require\"\n");
        files.write("inventory.json", inventory().to_string());
        files.write("ledger.json", "[]");
        files.write("situation.json", "{ \"now\": \"2026-11-25T09:00Z\" }");
        files
    }

    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), text).expect("a file");
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(super) fn evaluate(&self) -> Run {
        self.run(&["compliance", "evaluate"])
    }

    pub(super) fn plan(&self) -> Run {
        self.run(&["plan"])
    }

    fn run(&self, command: &[&str]) -> Run {
        claviger(command)
            .args(["--policy", "policy.toml", "--inventory", "inventory.json"])
            .args(["--ledger", "ledger.json", "--situation", "situation.json"])
            .within(self.folder.path())
    }
}

/// A laptop with a TPM and a drive in plain text.
pub(super) fn inventory() -> Value {
    json!({
        "hostname": "PC-1",
        "tpm": { "state": "ready" },
        "volumes": [{ "device": "C:", "kind": "os", "protection": "off", "conversion": "fully_decrypted" }],
    })
}

/// The same, encrypted.
pub(super) fn encrypted() -> Value {
    let mut inventory = inventory();
    inventory["volumes"][0] = json!({
        "device": "C:", "kind": "os", "protection": "on", "conversion": "fully_encrypted", "method": "xts_aes128",
        "volume": "10000000-0000-0000-0000-000000000000",
        "protectors": [
            { "id": "20000000-0000-0000-0000-000000000000", "kind": "tpm" },
            { "id": "30000000-0000-0000-0000-000000000000", "kind": "recovery_password" },
        ],
    });
    inventory
}

fn printed(run: Run, code: i32) -> Value {
    let ended = run.arg("--json").end();
    assert_eq!(ended.code, code, "{}", ended.stderr);
    serde_json::from_slice(&ended.stdout).expect("JSON")
}

#[test]
fn every_command_of_the_page_on_decisions_runs_and_says_what_is_written_there() {
    run_chapter("decisions-explained.md", 10);
}

#[test]
fn the_exit_code_tells_the_verdict() {
    let files = Files::new();
    let evaluation = printed(files.evaluate(), 1);
    assert_eq!(evaluation["verdict"], "non_compliant");
    assert_eq!(evaluation["code"], 0);
    assert_eq!(evaluation["volumes"][0]["reason_codes"], json!([1]));
    assert_eq!(evaluation["volumes"][0]["reasons"], json!(["must_encrypt"]));
    assert_eq!(evaluation["device_encryption_status"], 4);

    files.write("inventory.json", encrypted().to_string());
    let evaluation = printed(files.evaluate(), 0);
    assert_eq!(
        (&evaluation["verdict"], &evaluation["code"]),
        (&json!("compliant"), &json!(1))
    );

    files.write("policy.toml", "");
    assert_eq!(printed(files.evaluate(), 3)["status"], "Policy not enforced");

    let mut machine = encrypted();
    machine["virtual_machine"] = json!(true);
    files.write("policy.toml", "[os]\nencryption = \"require\"\n");
    files.write("inventory.json", machine.to_string());
    let evaluation = printed(files.evaluate(), 3);
    assert_eq!(
        (&evaluation["verdict"], &evaluation["code"]),
        (&json!("not_applicable"), &json!(2))
    );
}

#[test]
fn dates_go_from_one_evaluation_into_the_next() {
    let files = Files::new();
    files.write(
        "policy.toml",
        "[os]\nencryption = \"require\"\nenforcement = \"enabled\"\ngrace_days = 3\n",
    );
    let first = printed(files.evaluate(), 1);
    let situation = json!({ "now": "2026-11-30", "detected": first["detected"] });
    files.write("situation.json", situation.to_string());
    let second = printed(files.evaluate(), 1);
    assert_eq!(second["volumes"][0]["detected_at"], first["volumes"][0]["detected_at"]);
    let day = 24 * 60 * 60 * 1000;
    let detected = first["volumes"][0]["detected_at"].as_i64().expect("a moment");
    assert_eq!(second["volumes"][0]["enforce_from"], detected + 3 * day);
}

#[test]
fn a_plan_is_printed_as_steps_and_as_json() {
    let files = Files::new();
    let text = files.plan().end().text();
    let steps: Vec<&str> = text.lines().collect();
    assert_eq!(steps.len(), 5, "{text}");
    assert!(steps[3].contains("Encrypt all of C: with XTS-AES-128"), "{text}");
    let plan = printed(files.plan(), 0);
    let actions: Vec<&str> = plan["actions"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| step["action"].as_str().expect("a name"))
        .collect();
    assert_eq!(actions, ["add_recovery_password", "escrow", "add_tpm", "encrypt"]);
    assert_eq!(plan["next_check_minutes"], 90);
}

#[test]
fn what_a_situation_does_not_say_is_now_and_the_server_answers() {
    let files = Files::new();
    files.write("situation.json", "{}");
    assert_eq!(printed(files.plan(), 0)["actions"].as_array().map(Vec::len), Some(4));
    files.write("situation.json", "{ \"server_reachable\": false }");
    let plan = printed(files.plan(), 0);
    assert_eq!(plan["actions"], json!([]));
    assert_eq!(plan["blocked"][0]["device"], "C:");
}

#[test]
fn ledger_and_situation_may_be_left_out_and_files_may_be_toml_or_utf_16() {
    let files = Files::new();
    let json = inventory().to_string();
    let utf16: Vec<u8> = [0xFEFF]
        .into_iter()
        .chain(json.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    files.write("windows.json", utf16);
    files.write(
        "laptop.toml",
        "tpm.state = \"ready\"\n[[volumes]]\ndevice = \"C:\"\nkind = \"os\"\nprotection = \"off\"\nconversion = \"fully_decrypted\"\n",
    );
    files.write("policy.json", "{ \"os\": { \"encryption\": \"require\" } }");
    for inventory in ["windows.json", "laptop.toml"] {
        let plan = claviger(["plan", "--policy", "policy.json", "--inventory", inventory]).within(&files.path());
        assert_eq!(
            printed(plan, 0)["actions"].as_array().map(Vec::len),
            Some(4),
            "{inventory}"
        );
    }
    let piped = claviger(["plan", "--policy", "policy.json", "--inventory", "-"])
        .within(&files.path())
        .stdin(json);
    assert_eq!(printed(piped, 0)["actions"].as_array().map(Vec::len), Some(4));
}
