//! The agent's configuration, and its status before it has one.

use std::path::PathBuf;

use crate::program::{agent, names};
use crate::sample::Folder;

const GOOD: &str = r#"
server = "https://localhost:1"
ca_file = "ca.pem"
state_dir = "state"

[[volume]]
path = "disk.img"
letter = "C:"
kind = "os"
"#;

fn configured(text: &str) -> (Folder, PathBuf) {
    let folder = Folder::new();
    let config = folder.put("agent.toml", text);
    (folder, config)
}

#[test]
fn the_wrong_field_of_a_configuration_is_named() {
    let twice = format!("{GOOD}\n[[volume]]\npath = \"disk.img\"\nkind = \"fixed\"\n");
    let second_os = format!("{GOOD}\n[[volume]]\npath = \"other.img\"\nkind = \"os\"\n");
    let cases = [
        (
            GOOD.replace("https://localhost:1", "http://localhost:1"),
            "`server` must begin with https://",
        ),
        (
            GOOD.replace("https://localhost:1", "localhost"),
            "`server` is not an address",
        ),
        (
            GOOD.replace("https://localhost:1", "https://a:b@localhost"),
            "`server` must not hold a name",
        ),
        (
            GOOD.replace("https://localhost:1", "https://localhost/x"),
            "`server` must end after host and port",
        ),
        (GOOD.replace("\"ca.pem\"", "\"\""), "`ca_file` is empty"),
        (GOOD.replace("\"state\"", "\"\""), "`state_dir` is empty"),
        (GOOD.replace("\"C:\"", "\"\""), "`volume[0].letter` must have"),
        (GOOD.replace("\"disk.img\"", "\"\""), "`volume[0].path` is empty"),
        (format!("tpm = \"\"\n{GOOD}"), "`tpm` is empty"),
        (
            format!("{GOOD}\n[facts]\nhostname = \"\"\n"),
            "`facts.hostname` must have",
        ),
        (twice, "`volume[1].path` names a volume twice"),
        (second_os, "`volume[1].kind` names a second operating system volume"),
        (GOOD.replace("server =", "#"), "missing field `server`"),
        (GOOD.replace("ca_file =", "#"), "missing field `ca_file`"),
        (GOOD.replace("kind = \"os\"", ""), "missing field `kind`"),
        (GOOD.replace("\"os\"", "\"tape\""), "unknown variant `tape`"),
        (GOOD.replace("\"state\"", "7"), "state_dir = 7"),
    ];
    for (text, words) in cases {
        let (folder, config) = configured(&text);
        for command in ["status", "once", "run"] {
            let ended = agent(["--config"]).arg(&config).arg(command).end();
            assert_eq!(ended.code, 1, "{}", ended.stderr);
            assert!(ended.stdout.is_empty());
            assert!(ended.stderr.starts_with("error: the configuration"), "{}", ended.stderr);
            assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
        }
        assert_eq!(names(folder.path()), ["agent.toml"], "nothing is made");
    }
}

#[test]
fn keys_that_nobody_knows_are_refused_by_name() {
    let cases = [
        format!("interval = 5\n{GOOD}"),
        format!("{GOOD}\ninterval = 5\n"),
        format!("{GOOD}\n[facts]\ninterval = 5\n"),
    ];
    for text in cases {
        let (_folder, config) = configured(&text);
        let ended = agent(["status", "--config"]).arg(config).end();
        assert_eq!(ended.code, 1);
        assert!(ended.stderr.contains("unknown field `interval`"), "{}", ended.stderr);
    }
}

#[test]
fn a_configuration_that_is_not_there_or_no_text_is_refused_by_name() {
    let folder = Folder::new();
    let binary = folder.put("binary.toml", b"\xFF\xFE\0");
    for config in [folder.join("missing.toml"), folder.path().to_owned(), binary] {
        let ended = agent(["status", "--config"]).arg(&config).end();
        ended.refused_with(&["the configuration", &config.display().to_string(), "cannot be read"]);
    }
    let garbage = folder.put("garbage.toml", "][");
    let ended = agent(["status", "--config"]).arg(&garbage).end();
    assert!(
        ended.code == 1 && ended.stderr.contains("malformed"),
        "{}",
        ended.stderr
    );
}

#[test]
fn status_before_the_first_run_says_so_and_makes_nothing() {
    let (folder, config) = configured(GOOD);
    for arguments in [&["status"][..], &["status", "--json"]] {
        let ended = agent(arguments).arg("--config").arg(&config).end();
        ended.refused_with(&["no status yet", "state"]);
    }
    assert_eq!(names(folder.path()), ["agent.toml"]);
}

#[test]
fn a_damaged_status_is_refused_by_name() {
    let (folder, config) = configured(GOOD);
    std::fs::create_dir(folder.join("state")).unwrap();
    for garbage in [&b""[..], b"{", b"{}", b"\xFF\xFF", b"[1,2]"] {
        folder.put("state/status.json", garbage);
        agent(["status", "--config"])
            .arg(&config)
            .end()
            .refused_with(&["status.json"]);
    }
}

#[test]
fn a_tpm_address_of_no_known_form_is_refused() {
    let (_folder, config) = configured(&format!("tpm = \"carrier pigeon\"\n{GOOD}"));
    agent(["once", "--config"])
        .arg(config)
        .end()
        .refused_with(&["carrier pigeon"]);
}

#[test]
fn an_answer_without_a_running_agent_is_refused_and_a_secret_not_repeated() {
    let (folder, config) = configured(GOOD);
    let secret = folder.put("pin", "73519264\n");
    for arguments in [&["answer", "agree"][..], &["answer", "pin", "--from"]] {
        let mut run = agent(arguments);
        if arguments.len() == 3 {
            run = run.arg(&secret);
        }
        let ended = run.arg("--config").arg(&config).end();
        assert!(!ended.stderr.contains("73519264"), "{}", ended.stderr);
        ended.refused_with(&["no agent is running", "state"]);
    }
}

#[test]
fn the_status_says_what_is_asked_and_how_to_answer() {
    let (folder, config) = configured(GOOD);
    std::fs::create_dir(folder.join("state")).unwrap();
    let status = serde_json::json!({
        "written_at": 0, "agent_version": "0", "server": "https://localhost:1", "device": null, "last_contact": null,
        "last_error": null, "blocked": [], "policy_digest": null, "verdict": "non_compliant", "volumes": [],
        "prompt": {
            "question": { "ask": "pin", "min_length": 6, "enhanced": false, "ascii_only": false },
            "may_postpone_until": "2026-12-02", "may_request_exemption": true,
            "contact": { "method": "phone", "detail": "4711" },
        },
    });
    folder.put("state/status.json", status.to_string());
    let text = agent(["status", "--config"]).arg(&config).end().text();
    for words in [
        "Choose a start-up PIN of at least 6 digits.",
        "claviger-agent answer pin",
        "until 2026-12-02 at most",
        "answer exemption",
        "4711",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
