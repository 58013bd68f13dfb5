//! Signals in the middle of long work.

use std::io::{Read, Write};

use rustix::process::{Pid, Signal, kill_process};

use super::ground::{Ground, assert_plain_is_right};
use super::judges::assert_opens;
use crate::program::{names, wait};

/// Length of a pipe.
const PIPE: usize = 65536;
/// Length of the line that tells a new recovery password.
const ADDED: usize = "added: recovery password {00000000-0000-0000-0000-000000000000}\n".len();

/// Interrupts a command that tells its progress after so many lines of another kind. It cannot run to its end before:
/// its standard error is a pipe with room for just these lines, and what it tells first of its progress waits until the
/// signal was sent.
#[track_caller]
pub(super) fn interrupt(ground: &Ground, arguments: &str, lines: usize) -> String {
    interrupt_by(Signal::INT, ground, arguments, lines)
}

#[track_caller]
fn interrupt_by(signal: Signal, ground: &Ground, arguments: &str, lines: usize) -> String {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    // Whole pages first: a short write fills up the last page that is not full.
    let last_page = 4096 - lines * ADDED;
    writer.write_all(&[b'\n'; PIPE - 4096]).unwrap();
    writer.write_all(&vec![b'\n'; last_page]).unwrap();
    let child = ground.volume(arguments).arg("--progress").start_telling(writer);
    let pid = Pid::from_child(&child);
    while !hears(pid, signal) {
        std::thread::yield_now();
    }
    kill_process(pid, signal).unwrap();
    let mut said = Vec::new();
    reader.read_to_end(&mut said).unwrap();
    let said = String::from_utf8_lossy(&said).trim_start_matches('\n').to_owned();
    let output = wait(child);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(output.stdout.is_empty());
    assert!(said.contains("stopped; "), "{said}");
    said
}

/// Whether the program has a handler for the signal (proc(5): `SigCgt`).
pub(crate) fn hears(pid: Pid, signal: Signal) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    let mask = u64::from_str_radix(mask.trim(), 16).unwrap();
    mask & (1 << (signal.as_raw() - 1)) != 0
}

#[test]
fn an_interrupted_encryption_has_its_protector_and_the_same_command_ends_it() {
    let ground = Ground::new();
    let command = "encrypt plain.img --recovery-password-out new.txt";
    let said = interrupt(&ground, command, 1);
    assert!(said.contains("run the same command again"), "{said}");
    assert_eq!(ground.info("plain.img")["status"], "encryption-in-progress");
    assert_eq!(ground.kinds("plain.img"), ["clear-key", "recovery-password"]);
    let password = ground.password("new.txt");
    ground.done("export plain.img --recovery-password-file new.txt --output out.img");
    assert_plain_is_right(&ground.path("out.img"));
    // Once more, and then to the end.
    interrupt_by(Signal::TERM, &ground, command, 0);
    assert_eq!(ground.done(command), "plain.img is fully encrypted and protected\n");
    assert_eq!(ground.password("new.txt"), password);
    assert_opens(&ground.path("plain.img"), &password);
}

#[test]
fn the_same_command_writes_a_password_that_a_crash_kept_from_its_file() {
    let ground = Ground::new();
    let command = "encrypt plain.img --recovery-password-out new.txt";
    interrupt(&ground, command, 1);
    let password = ground.password("new.txt");
    std::fs::remove_file(ground.path("new.txt")).unwrap();
    ground.done(command);
    assert_eq!(ground.password("new.txt"), password);
}

#[test]
fn the_same_command_with_a_file_of_another_password_is_refused() {
    let ground = Ground::new();
    interrupt(&ground, "encrypt plain.img --recovery-password-out new.txt", 1);
    let before = ground.bytes("plain.img");
    ground.refused(
        "encrypt plain.img --recovery-password-out recovery.txt",
        "recovery.txt exists already and holds no recovery password of this volume",
    );
    assert!(ground.bytes("plain.img") == before);
}

#[test]
fn an_interrupted_decryption_goes_on_and_ends_plain() {
    let ground = Ground::new();
    let command = "decrypt drive.img --passphrase-file passphrase.txt --yes";
    interrupt(&ground, command, 0);
    assert_eq!(ground.info("drive.img")["status"], "decryption-in-progress");
    ground.done(command);
    assert_plain_is_right(&ground.path("drive.img"));
}

#[test]
fn an_interrupted_re_encryption_goes_on_and_ends_with_the_new_method() {
    let ground = Ground::new();
    let command = "reencrypt drive.img --passphrase-file passphrase.txt --method aes-cbc-256 --yes";
    interrupt(&ground, command, 0);
    ground.done(command);
    assert_eq!(ground.info("drive.img")["method"], "aes-cbc-256");
    assert_opens(&ground.path("drive.img"), &ground.password("recovery.txt"));
}

#[test]
fn an_interrupted_creation_leaves_nothing_behind() {
    let ground = Ground::new();
    let before = names(ground.folder.path());
    let said = interrupt(
        &ground,
        "create new.img --from plain.img --recovery-password-out new.txt",
        0,
    );
    assert!(said.contains("nothing was left behind"), "{said}");
    assert_eq!(names(ground.folder.path()), before);
}

#[test]
fn an_interrupted_copy_goes_on_by_its_map() {
    let ground = Ground::new();
    let command = "repair image drive.img --output copy.img";
    interrupt(&ground, command, 0);
    assert!(ground.path("copy.img.map").exists());
    ground.done(command);
    assert!(ground.bytes("copy.img") == ground.bytes("drive.img"));
}
