//! `claviger admin audit verify`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::program::{Ended, claviger, names, tree};
use crate::sample::Folder;
use crate::serve::Ground;

/// A folder without what SQLite lays beside a database that somebody reads.
fn content(data: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut tree = tree(data);
    tree.retain(|path, _| !path.ends_with("claviger.db-wal") && !path.ends_with("claviger.db-shm"));
    tree
}

fn verify(data: &Path) -> Ended {
    claviger(["admin", "audit", "verify", "--data-dir"]).arg(data).end()
}

#[test]
fn the_audit_of_a_server_that_ran_is_whole() {
    let ground = Ground::settled();
    let before = content(&ground.data);
    let said = verify(&ground.data).text();
    assert!(said.starts_with("The audit is whole: "), "{said}");
    assert!(!said.contains(" 0 entries"), "{said}");
    let kept = ground
        .folder
        .put("kept.pub", std::fs::read(ground.data.join("audit.pub")).unwrap());
    let with_key = claviger(["admin", "audit", "verify", "--data-dir"]).arg(&ground.data);
    assert_eq!(with_key.arg("--public-key-file").arg(kept).end().text(), said);
    assert!(content(&ground.data) == before);
}

#[test]
fn the_key_of_another_server_vouches_for_nothing() {
    let (ground, other) = (Ground::used(), Ground::used());
    let run = claviger(["admin", "audit", "verify", "--data-dir"]).arg(&ground.data);
    let ended = run.arg("--public-key-file").arg(other.data.join("audit.pub")).end();
    ended.refused_with(&["THE AUDIT IS NOT WHOLE"]);
    for garbage in ["", "zz", "00"] {
        let file = ground.folder.put("garbage.pub", garbage);
        let run = claviger(["admin", "audit", "verify", "--data-dir"]).arg(&ground.data);
        run.arg("--public-key-file").arg(file).end().refused();
    }
}

#[test]
fn a_database_that_is_not_there_is_named_and_not_made() {
    let folder = Folder::new();
    verify(&folder.join("missing")).refused_with(&["missing"]);
    verify(folder.path()).refused_with(&["audit.pub"]);
    folder.put("audit.pub", "00".repeat(32));
    verify(folder.path()).refused_with(&[&folder.path().display().to_string()]);
    assert_eq!(names(folder.path()), ["audit.pub"]);
}

#[test]
fn a_database_that_is_none_is_refused_and_kept() {
    let folder = Folder::new();
    folder.put("audit.pub", "00".repeat(32));
    let mut cut = Vec::new();
    let ground = Ground::settled();
    cut.extend_from_slice(&std::fs::read(ground.data.join("claviger.db")).unwrap()[..10_000]);
    for garbage in [Vec::new(), vec![0; 8192], b"this is no database".repeat(500), cut] {
        folder.put("claviger.db", &garbage);
        let before = content(folder.path());
        verify(folder.path()).refused();
        assert!(content(folder.path()) == before, "{} bytes", garbage.len());
        for beside in ["claviger.db-wal", "claviger.db-shm"] {
            // The next case is another database.
            let _ = std::fs::remove_file(folder.join(beside));
        }
    }
}
