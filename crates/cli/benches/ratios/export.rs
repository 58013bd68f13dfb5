//! `claviger volume export` against `dislocker-file`, and against copying the same bytes with `cp`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::clock::{in_turns, time};
use crate::ground::{Ground, PASSPHRASE, run};
use crate::table::{Row, Target};

pub(crate) fn rows(ground: &Ground, runs: usize) -> Vec<Row> {
    eprintln!("Exporting");
    let output = ground.path("output");
    let one = |command: &mut Command| measured(ground, &output, command);
    let dislocker = || one(dislocker(ground).arg("-r").arg("--").arg(&output));
    let slow = in_turns(runs, || one(ours(ground).arg(&output)), dislocker);
    let fast = in_turns(
        runs,
        || one(ours(ground).arg(&output)),
        || one(Command::new("cp").arg(ground.image()).arg(&output)),
    );
    vec![
        Row::speeds("export / dislocker-file", ground.bytes, slow, Target::AtLeast(8.0)),
        Row::speeds("export / cp", ground.bytes, fast, Target::AtLeast(0.8)),
    ]
}

/// The time of the program alone; its output goes away again.
fn measured(ground: &Ground, output: &Path, command: &mut Command) -> Duration {
    ground.warm();
    let taken = time(|| run(command));
    assert_eq!(output.metadata().unwrap().len(), ground.bytes);
    fs::remove_file(output).unwrap();
    taken
}

fn ours(ground: &Ground) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.args(["volume", "export"]).arg(ground.image());
    command
        .arg("--passphrase-file")
        .arg(ground.path("passphrase"))
        .arg("--output");
    command
}

fn dislocker(ground: &Ground) -> Command {
    let mut command = Command::new("dislocker-file");
    command.arg("-V").arg(ground.image()).arg(format!("-u{PASSPHRASE}"));
    command
}
