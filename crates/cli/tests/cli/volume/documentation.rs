//! Pages of the documentation: every command line in them is run, and says what stands there.

use std::path::PathBuf;
use std::process::Command;

use crate::sample::Folder;

/// A command line and what it says.
struct Step {
    command: String,
    output: String,
    line: usize,
}

/// The blocks marked `console`: `$ ` begins a command, `> ` continues it, what follows is its output.
fn steps(text: &str) -> Vec<Step> {
    let mut steps = Vec::<Step>::new();
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside {
            if let Some(command) = line.strip_prefix("$ ") {
                steps.push(Step {
                    command: command.to_owned(),
                    output: String::new(),
                    line: index + 1,
                });
            } else if let Some(step) = steps.last_mut() {
                // An empty line of what a command reads has no blank at its end.
                match line.strip_prefix("> ").or((line == ">").then_some("")) {
                    Some(more) => step.command = format!("{}\n{more}", step.command),
                    None => step.output.push_str(&format!("{line}\n")),
                }
            }
        }
    }
    steps
}

/// Whether a line is what the chapter says; `…` stands for anything.
fn fits(pattern: &str, line: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('…') else {
        return pattern == line;
    };
    let Some(mut line) = line.strip_prefix(head) else {
        return false;
    };
    loop {
        if fits(rest, line) {
            return true;
        }
        let mut characters = line.chars();
        if characters.next().is_none() {
            return false;
        }
        line = characters.as_str();
    }
}

#[test]
fn every_command_of_the_chapter_runs_and_says_what_is_written_there() {
    run_chapter("volume.md", 20);
}

/// Runs the commands of a page of the documentation, more than `least`.
pub(crate) fn run_chapter(page: &str, least: usize) {
    let chapter = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    let text = std::fs::read_to_string(chapter).unwrap();
    let steps = steps(&text);
    assert!(steps.len() > least, "{} commands", steps.len());
    let folder = Folder::new();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_claviger"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    for step in steps {
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("exec 2>&1\n{}", step.command)]);
        shell
            .env("PATH", &path)
            .env_remove("CLAVIGER_LOG")
            .current_dir(folder.path());
        let output = shell.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let place = format!("docs/{page}, line {}: {}\n{said}", step.line, step.command);
        let refused = step.output.starts_with("error: ");
        assert_eq!(output.status.success(), !refused, "{place}");
        let said: Vec<_> = said.lines().collect();
        let wanted: Vec<_> = step.output.lines().collect();
        // A line of dots alone stands for any number of lines.
        let (wanted, open) = match wanted.split_last() {
            Some((&"…", rest)) => (rest, true),
            _ => (&wanted[..], false),
        };
        assert!(
            said.len() == wanted.len() || (open && said.len() >= wanted.len()),
            "{place}"
        );
        for (pattern, line) in wanted.iter().zip(&said) {
            assert!(fits(pattern, line), "{place}\nnot as written: {pattern}");
        }
    }
}

#[test]
fn a_pattern_fits_what_it_should_and_nothing_else() {
    assert!(fits("volume  {…}", "volume  {ABC}"));
    assert!(fits("…", "") && fits("a…b…c", "aXbbYc") && fits("a", "a"));
    assert!(!fits("volume {…}", "volume {ABC") && !fits("a…b", "aXc") && !fits("", "a"));
}
