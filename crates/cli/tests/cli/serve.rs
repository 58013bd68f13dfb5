//! `claviger serve` when it cannot start: one line that says why, and nothing changed.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::{Ended, Run, claviger, names, tree, wait};
use crate::sample::Folder;

const PASSPHRASE: &str = "a passphrase of the tests\n";

/// A server's folder and its passphrase.
pub(crate) struct Ground {
    pub(crate) folder: Folder,
    pub(crate) data: PathBuf,
    passphrase: PathBuf,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let folder = Folder::new();
        Self {
            data: folder.join("data"),
            passphrase: folder.put("passphrase", PASSPHRASE),
            folder,
        }
    }

    /// A server that has run once.
    pub(crate) fn used() -> Self {
        let ground = Self::new();
        let said = ground.start_and_stop();
        assert!(said.contains("an administrator was made"), "{said}");
        ground
    }

    /// The same, with all that was written folded into the database file. A start that finds its port taken does that.
    pub(crate) fn settled() -> Self {
        let ground = Self::used();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        ground.on_port_of(&taken).refused();
        ground
    }

    fn on_port_of(&self, taken: &TcpListener) -> Ended {
        let address = taken.local_addr().unwrap().to_string();
        let serve = claviger(["serve", "--listen", &address, "--data-dir"]).arg(&self.data);
        serve.arg("--key-passphrase-file").arg(&self.passphrase).end()
    }

    pub(crate) fn serve(&self) -> Run {
        self.serve_with(&self.passphrase)
    }

    fn serve_with(&self, passphrase: &Path) -> Run {
        let serve = claviger(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&self.data);
        serve.arg("--key-passphrase-file").arg(passphrase)
    }

    /// What a server says until it listens; then it is asked to stop.
    fn start_and_stop(&self) -> String {
        let mut child = self.serve().start();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = String::new();
        for line in lines.by_ref() {
            said.push_str(&line.unwrap());
            said.push('\n');
            if said.contains("Listening on https://127.0.0.1:") {
                kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
                break;
            }
        }
        lines.for_each(drop);
        let output = wait(child);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        said
    }
}

#[test]
fn a_wrong_passphrase_changes_nothing() {
    let ground = Ground::used();
    let before = tree(&ground.data);
    for wrong in ["another passphrase", "A passphrase of the tests"] {
        let file = ground.folder.put("wrong", wrong);
        let ended = ground.serve_with(&file).end();
        ended.refused_with(&["the passphrase does not open the key file", "keys.json"]);
        assert!(!ended.stderr.contains(wrong));
    }
    assert!(tree(&ground.data) == before);
    assert!(
        !ground.start_and_stop().contains("administrator"),
        "it starts as before"
    );
}

#[test]
fn a_passphrase_file_that_is_missing_or_empty_makes_nothing() {
    let ground = Ground::new();
    ground
        .serve_with(&ground.folder.join("missing"))
        .end()
        .refused_with(&["reading the key passphrase", "missing"]);
    let empty = ground.folder.put("empty", "\n");
    ground
        .serve_with(&empty)
        .end()
        .refused_with(&["the key passphrase is empty"]);
    ground
        .serve_with(ground.folder.path())
        .end()
        .refused_with(&["reading the key passphrase"]);
    assert!(!ground.data.exists());
}

#[test]
fn a_data_folder_that_cannot_be_used_is_named() {
    let ground = Ground::new();
    let file = ground.folder.put("file", "precious");
    for folder in [file.clone(), file.join("below"), PathBuf::from("/proc/claviger")] {
        let serve = claviger(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&folder);
        let ended = serve.args(["--key-passphrase-file", "-"]).stdin(PASSPHRASE).end();
        ended.refused_with(&[&folder.display().to_string()]);
    }
    assert_eq!(std::fs::read(file).unwrap(), b"precious");
    assert_eq!(names(ground.folder.path()), ["file", "passphrase"]);
}

#[test]
fn a_port_in_use_is_named_and_changes_nothing() {
    let ground = Ground::settled();
    let before = tree(&ground.data);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let reason = format!("cannot listen on {address}: Address already in use (os error 98)");
    assert_eq!(ground.on_port_of(&taken).refused(), reason);
    assert!(tree(&ground.data) == before);
}

#[test]
fn a_first_start_that_finds_its_port_taken_still_tells_the_password_at_the_next() {
    let ground = Ground::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    ground.on_port_of(&taken).refused_with(&["cannot listen on"]);
    assert!(ground.start_and_stop().contains("  password  "));
}

#[test]
fn key_files_and_databases_that_are_none_are_named_and_kept() {
    let ground = Ground::settled();
    let (keys, database) = (ground.data.join("keys.json"), ground.data.join("claviger.db"));
    let (good_keys, good_database) = (std::fs::read(&keys).unwrap(), std::fs::read(&database).unwrap());
    let refuse = |words: &[&str]| {
        let before = tree(&ground.data);
        ground.serve().end().refused_with(words);
        assert!(tree(&ground.data) == before, "{words:?}");
    };
    for garbage in [&b""[..], b"{}", b"\xFF\0", &good_keys[..good_keys.len() / 2]] {
        std::fs::write(&keys, garbage).unwrap();
        refuse(&["keys.json", "is not a key file"]);
    }
    std::fs::remove_file(&keys).unwrap();
    refuse(&["keys.json", "is missing although the database exists"]);
    std::fs::write(&keys, good_keys).unwrap();
    std::fs::write(&database, b"this is no database at all, only text".repeat(100)).unwrap();
    refuse(&["the database is damaged"]);
    std::fs::write(&database, good_database).unwrap();
    ground.start_and_stop();
}

#[test]
fn certificates_that_are_none_are_refused_by_name() {
    let ground = Ground::settled();
    let before = tree(&ground.data);
    let garbage = ground.folder.put("garbage.pem", "no certificate");
    for file in [garbage, ground.folder.join("missing.pem")] {
        let serve = ground
            .serve()
            .arg("--tls-certificate")
            .arg(&file)
            .arg("--tls-key")
            .arg(&file);
        serve.end().refused_with(&[&file.display().to_string()]);
    }
    assert!(
        ground
            .serve()
            .args(["--tls-certificate", "x"])
            .end()
            .misused()
            .contains("--tls-key")
    );
    assert!(
        claviger(["serve", "--data-dir", "x", "--listen", "nowhere"])
            .end()
            .misused()
            .contains("--listen")
    );
    assert!(tree(&ground.data) == before);
}
