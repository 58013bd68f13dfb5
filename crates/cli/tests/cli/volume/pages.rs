//! Help as it stands, examples that run, manual pages, completions.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::ground::{Ground, tool};
use crate::program::{claviger, names};
use crate::sample::Folder;

/// The paths of all commands below `claviger volume`.
fn commands() -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    let mut todo = vec![vec!["volume".to_owned()]];
    while let Some(path) = todo.pop() {
        let text = claviger(&path).arg("-h").end().text();
        let below = text.split_once("Commands:\n").map_or("", |(_, rest)| rest);
        let below = below.lines().take_while(|line| line.starts_with("  "));
        // Descriptions that go on in the next line are indented further.
        for line in below.filter(|line| !line.starts_with("   ")) {
            let name = line.split_whitespace().next().unwrap();
            if name != "help" {
                todo.push([&path[..], &[name.to_owned()]].concat());
            }
        }
        commands.push(path);
    }
    commands.sort();
    commands
}

/// Compares with a file beside the tests; `CLAVIGER_UPDATE=1` writes it.
fn assert_snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cli/volume")
        .join(name);
    if std::env::var_os("CLAVIGER_UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    if expected != text {
        let lines = expected.lines().zip(text.lines());
        let differs = lines.enumerate().find(|(_, (old, new))| old != new);
        panic!("{name} differs, first in {differs:?}; CLAVIGER_UPDATE=1 cargo test writes it anew");
    }
}

#[test]
fn the_help_of_every_command_is_as_it_was_agreed() {
    let mut text = String::new();
    for path in commands() {
        text.push_str(&format!("$ claviger {} --help\n", path.join(" ")));
        text.push_str(&claviger(&path).arg("--help").env("COLUMNS", "80").end().text());
        text.push('\n');
    }
    assert_snapshot("help.txt", &text);
}

#[test]
fn every_example_runs() {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_claviger"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let mut run = 0;
    for command in commands() {
        let help = claviger(&command).arg("--help").end().text().replace("\\\n", " ");
        let examples = help.lines().filter_map(|line| line.strip_prefix("  $ "));
        let ground = Ground::new();
        for example in examples {
            tool(
                Command::new("bash")
                    .args(["-ec", example])
                    .env("PATH", &path)
                    .current_dir(ground.folder.path()),
            );
            run += 1;
        }
        let is_leaf = !help.contains("\nCommands:\n");
        assert!(
            !is_leaf || help.contains("claviger volume "),
            "{command:?} has no example"
        );
    }
    assert!(run > 25, "{run} examples were run");
}

#[test]
fn manual_pages_of_both_programs_are_written_and_rendered() {
    let folder = Folder::new();
    claviger(["man"]).arg(folder.join("man1")).end().done();
    let pages = names(&folder.join("man1"));
    for page in [
        "claviger.1",
        "claviger-volume-encrypt.1",
        "claviger-volume-repair-mend.1",
        "claviger-agent-once.1",
    ] {
        assert!(pages.iter().any(|name| name == page), "{page}: {pages:?}");
    }
    for path in commands() {
        let page = format!("claviger-{}.1", path.join("-"));
        let text = std::fs::read_to_string(folder.join("man1").join(&page)).unwrap();
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{page}");
    }
    let one = claviger(["man"]).end().text();
    assert!(one.contains(".TH claviger 1"), "{one}");
    let page = std::fs::read_to_string(folder.join("man1/claviger-volume-encrypt.1")).unwrap();
    assert!(
        page.contains("manage\\-bde \\-on"),
        "examples and Windows' word are in it: {page}"
    );
}

#[test]
fn completions_are_written_for_every_shell_and_bash_takes_them() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = claviger(["completions", shell]).end().text();
        assert!(script.contains("wipe-free-space"), "{shell}");
        let script = claviger(["completions", shell, "--program", "claviger-agent"])
            .end()
            .text();
        assert!(script.contains("once"), "{shell}");
    }
    let folder = Folder::new();
    let script = folder.put("claviger.bash", claviger(["completions", "bash"]).end().done());
    let ask = "source \"$0\"; COMP_WORDS=(claviger volume wip); COMP_CWORD=2; _claviger claviger wip volume; \
               echo \"${COMPREPLY[@]}\"";
    let answer = tool(Command::new("bash").args(["-ec", ask]).arg(script));
    assert_eq!(String::from_utf8_lossy(&answer).trim(), "wipe-free-space");
}
