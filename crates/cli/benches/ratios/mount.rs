//! Reading through `claviger volume mount` against `dislocker-fuse`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::clock::{in_turns, time};
use crate::ground::{Ground, PASSPHRASE, read_through, run, unmount};
use crate::table::{Row, Target};

pub(crate) fn rows(ground: &Ground, runs: usize) -> Vec<Row> {
    eprintln!("Reading through mounts");
    let folder = ground.path("mounted");
    fs::create_dir(&folder).unwrap();
    let both = in_turns(runs, || ours(ground, &folder), || dislocker(ground, &folder));
    vec![Row::speeds(
        "mount, sequential read / dislocker-fuse",
        ground.bytes,
        both,
        Target::AtLeast(4.0),
    )]
}

/// Mounts anew, so that nothing is in the page cache of the mount; only reading is timed.
fn ours(ground: &Ground, folder: &Path) -> Duration {
    ground.warm();
    let mut child = Command::new(env!("CARGO_BIN_EXE_claviger"))
        .args(["volume", "mount"])
        .arg(ground.image())
        .arg(folder)
        .arg("--passphrase-file")
        .arg(ground.path("passphrase"))
        .arg("--read-only")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("is the file system inside"), "{line}");
    let taken = read(ground, &folder.join("volume"));
    unmount(folder);
    child.wait().unwrap();
    taken
}

fn dislocker(ground: &Ground, folder: &Path) -> Duration {
    ground.warm();
    let mut command = Command::new("dislocker-fuse");
    command.arg("-V").arg(ground.image()).arg(format!("-u{PASSPHRASE}"));
    run(command.args(["-r", "--"]).arg(folder));
    let taken = read(ground, &folder.join("dislocker-file"));
    unmount(folder);
    taken
}

fn read(ground: &Ground, file: &Path) -> Duration {
    let mut bytes = 0;
    let taken = time(|| bytes = read_through(file));
    assert_eq!(bytes, ground.bytes);
    taken
}
