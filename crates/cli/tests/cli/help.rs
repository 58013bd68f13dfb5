//! What the programs say of themselves, and that none of them takes a secret as an argument.

use crate::program::{Run, agent, claviger};
use crate::sample::Folder;

/// One page of help.
struct Page {
    path: Vec<String>,
    text: String,
}

/// The pages of a program and of all its commands.
fn pages(program: fn(Vec<String>) -> Run) -> Vec<Page> {
    let mut pages = Vec::new();
    let mut todo = vec![Vec::<String>::new()];
    while let Some(path) = todo.pop() {
        let text = program(path.clone()).arg("--help").end().text();
        let commands = text.split_once("Commands:\n").map_or("", |(_, rest)| rest);
        let commands = commands.lines().take_while(|line| line.starts_with("  "));
        // A description that goes on in the next line is indented further.
        for line in commands.filter(|line| !line.starts_with("   ")) {
            let name = line.split_whitespace().next().unwrap_or("help");
            if name != "help" {
                todo.push([&path[..], &[name.to_owned()]].concat());
            }
        }
        pages.push(Page { path, text });
    }
    pages
}

#[test]
fn claviger_tells_its_commands() {
    let help = claviger(["--help"]).end().text();
    for words in [
        "Manages BitLocker across a fleet",
        "Usage: claviger <COMMAND>",
        "serve ",
        "admin ",
        "demo ",
        "volume ",
        "--version",
    ] {
        assert!(help.contains(words), "{words}: {help}");
    }
    let version = claviger(["--version"]).end().text();
    assert_eq!(version, concat!("claviger ", env!("CARGO_PKG_VERSION"), "\n"));
    assert!(claviger([""; 0]).end().misused().contains("Usage: claviger"));
    let paths: Vec<_> = pages(claviger).iter().map(|p| p.path.join(" ")).collect();
    for path in ["serve", "admin audit verify", "volume info", "volume export", "demo"] {
        assert!(paths.iter().any(|p| p == path), "{path}: {paths:?}");
    }
}

#[test]
fn the_agent_tells_its_commands_and_exit_codes() {
    let help = agent(["--help"]).end().text();
    for words in [
        "Keeps this device's drives as policy wants them",
        "run ",
        "once ",
        "status ",
        "answer ",
        "3 a conversion still goes on",
        "--config <FILE>",
        "/etc/claviger/agent.toml",
    ] {
        assert!(help.contains(words), "{words}: {help}");
    }
    assert!(agent([""; 0]).end().misused().contains("Usage: claviger-agent"));
    assert!(!help.contains("abort"), "fault injection is no offer to people");
    assert_eq!(pages(agent).len(), 10);
}

#[test]
fn no_option_takes_a_secret() {
    let mut files = 0;
    for page in pages(claviger).into_iter().chain(pages(agent)) {
        for line in page
            .text
            .lines()
            .map(str::trim_start)
            .filter(|line| line.starts_with('-'))
        {
            let option = line
                .split_whitespace()
                .find(|word| word.starts_with("--"))
                .unwrap_or(line);
            let secret = ["pass", "secret", "pin", "key", "token", "bek", "recovery"];
            if secret.iter().any(|word| option.contains(word)) {
                let takes_value = line.contains('<');
                // A folder gets a secret, or a file that the program names.
                let to_folder = option.ends_with("-out") && line.contains("<DIR>");
                assert!(
                    !takes_value || line.contains("<FILE>") || to_folder,
                    "{:?}: {line}",
                    page.path
                );
                files += u32::from(takes_value);
            }
            assert!(!line.contains("[env:") || option == "--data-dir", "{line}");
        }
    }
    assert!(files >= 6, "{files} options with a file were seen");
}

#[test]
fn a_secret_given_as_an_argument_is_refused_and_not_repeated() {
    let (_folder, image) = Folder::with_sample();
    for option in [
        "--passphrase",
        "--password",
        "--recovery-password",
        "--pin",
        "--key",
        "--clear-key",
    ] {
        let export = claviger(["volume", "export"])
            .arg(&image)
            .arg(format!("{option}=hunter2"));
        let ended = export.end();
        assert!(ended.misused().contains(option), "{}", ended.stderr);
        assert!(
            !ended.stderr.contains("hunter2") || option == "--clear-key",
            "{}",
            ended.stderr
        );
    }
    for option in ["--key-passphrase", "--passphrase", "--first-administrator-password"] {
        let serve = claviger(["serve", "--data-dir", "/nonexistent", option, "hunter2"]).end();
        assert!(serve.misused().contains(option), "{}", serve.stderr);
    }
    for option in ["--token", "--enrolment-token", "--pin"] {
        assert!(agent(["once", option, "hunter2"]).end().misused().contains(option));
    }
}

#[test]
fn an_export_wants_exactly_one_credential() {
    let (_folder, image) = Folder::with_sample();
    let export = || claviger(["volume", "export"]).arg(&image);
    assert!(export().end().misused().contains("--recovery-password-file"));
    let two = export().args(["--clear-key", "--passphrase-file", "-"]).end();
    assert!(two.misused().contains("cannot be used with"));
}
