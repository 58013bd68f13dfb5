//! The audit chain as an auditor verifies it, offline.

use domain::audit::ChainFault;
use server::services::audit::{AuditFault, Verified, verify};

use crate::support::{Device, Harness};

/// A server that ran and stopped: chain and checkpoint are on the disk.
async fn stopped() -> (Harness, String) {
    let harness = Harness::start().await;
    Device::enrol(&harness, "HW-1").await;
    let harness = harness.restart().await;
    Device::enrol(&harness, "HW-2").await;
    let harness = harness.restart().await;
    let key = std::fs::read_to_string(harness.directory.path().join("audit.pub")).unwrap();
    (harness, key)
}

fn tampered(harness: &Harness, sql: &str) -> std::path::PathBuf {
    let copy = harness.directory.path().join("copy.db");
    let _ = std::fs::remove_file(&copy);
    let from = rusqlite::Connection::open(harness.database()).unwrap();
    from.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    let file = rusqlite::Connection::open(&copy).unwrap();
    let mut statement = file
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap();
    let triggers: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for trigger in triggers {
        file.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    file.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    file.execute_batch(sql).unwrap();
    copy
}

#[tokio::test]
async fn a_whole_chain_verifies_while_the_server_runs_and_every_change_is_found() {
    let (harness, key) = stopped().await;
    let Verified { head, checkpoints, .. } = verify(&harness.database(), &key).unwrap();
    assert!(head.sequence > 4 && checkpoints >= 2, "{head:?} {checkpoints}");
    let check = |sql: &str| verify(&tampered(&harness, sql), &key);
    check("").unwrap();
    let changed = check("UPDATE audit SET actor = 'user:eve' WHERE sequence = 2").unwrap_err();
    assert_eq!(changed, AuditFault::Chain(ChainFault::Changed { sequence: 2 }));
    let removed = check("DELETE FROM audit WHERE sequence = 2").unwrap_err();
    assert!(
        matches!(removed, AuditFault::Chain(ChainFault::Gap { missing: 2, .. })),
        "{removed}"
    );
    let reordered = check(
        "UPDATE audit SET sequence = 9999 WHERE sequence = 2; UPDATE audit SET sequence = 2 WHERE sequence = 3;
         UPDATE audit SET sequence = 3 WHERE sequence = 9999",
    );
    assert!(matches!(reordered, Err(AuditFault::Chain(_))), "{reordered:?}");
    let cut = check("DELETE FROM audit WHERE sequence > 2").unwrap_err();
    assert!(
        matches!(cut, AuditFault::Chain(ChainFault::HeadMismatch { found: 2, .. })),
        "{cut}"
    );
    let all = check("DELETE FROM audit").unwrap_err();
    assert!(matches!(all, AuditFault::Chain(_)), "{all}");
}

#[tokio::test]
async fn checkpoints_of_another_key_are_refused() {
    let (harness, _) = stopped().await;
    let other = Harness::start_seeded(99, |_| {}).await;
    let key = std::fs::read_to_string(other.directory.path().join("audit.pub")).unwrap();
    for key in [key.as_str(), "", "nonsense"] {
        let fault = verify(&harness.database(), key).unwrap_err();
        assert!(
            matches!(fault, AuditFault::Chain(ChainFault::BadSignature { .. })),
            "{fault}"
        );
    }
}
