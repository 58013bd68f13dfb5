//! P3: an escrow that was acknowledged survives the process being killed at any instant.
//!
//! The test starts itself again as a child that escrows as fast as it can and prints each acknowledgement after it got it.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "these tests use some of the values only")]
#[path = "contract/make.rs"]
mod make;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use domain::audit::verify;
use make::*;
use store::{AuditLog, Keys, OfflineAudit, SqliteStore};

const CHILD: &str = "STORE_KILL_TEST_DATABASE";
const ROUNDS: u32 = 20;
const TASKS: u32 = 8;

#[test]
fn every_acknowledged_escrow_survives_kill_9() {
    if let Some(path) = std::env::var_os(CHILD) {
        return escrow_until_killed(path.as_ref());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claviger.db");
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "every_acknowledged_escrow_survives_kill_9", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // A different number of acknowledgements each round; the kill falls wherever the child then is.
        let mut left = 1 + round * 7;
        while left > 0 {
            let line = lines.next().expect("the child ended by itself").unwrap();
            if let Some(number) = acknowledgement(&line) {
                acknowledged.push(number);
                left -= 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it printed before it died counts as well; its last line may be cut off.
        acknowledged.extend(lines.map_while(Result::ok).filter_map(|line| acknowledgement(&line)));
    }
    check(&path, &acknowledged);
}

/// The full stop shows that a number is whole.
fn acknowledgement(line: &str) -> Option<u32> {
    line.strip_prefix("acknowledged ")?.strip_suffix('.')?.parse().ok()
}

fn check(path: &std::path::Path, acknowledged: &[u32]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        // The log of the killed process is still there, and read as it is.
        let left_behind = OfflineAudit::open_read_only(path).unwrap();
        let offline = verify(left_behind.entries(1, u32::MAX).unwrap()).unwrap();
        drop(left_behind);
        let store = SqliteStore::open(path).unwrap();
        assert_eq!(store.audit_head().await, Ok(offline));
        let keys = store.keys_of_device(device(1)).await.unwrap();
        let stored: std::collections::BTreeSet<_> = keys.iter().map(|key| key.name).collect();
        assert!(acknowledged.len() >= 1000, "{}", acknowledged.len());
        for number in acknowledged {
            assert!(
                stored.contains(&name(device(1), 1, *number)),
                "{number} was acknowledged and is lost"
            );
        }
        // Change and record are one: each escrow has its entry, and the chain is whole.
        let entries = store.audit_entries(1, u32::MAX).await.unwrap();
        let recorded = entries
            .iter()
            .filter(|entry| entry.event.action == "key.escrowed")
            .count();
        assert_eq!(recorded, stored.len());
        verify(entries).unwrap();
        let summary = store::Dashboard::summary(&store, &store::model::Within::default())
            .await
            .unwrap();
        assert_eq!(summary.keys.live, stored.len() as u64);
    });
}

fn escrow_until_killed(path: &std::path::Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Arc::new(SqliteStore::open(path).unwrap());
        if store::Devices::device(store.as_ref(), device(1))
            .await
            .unwrap()
            .is_none()
        {
            enrolled(store.as_ref(), 1).await;
        }
        let first = store.keys_of_device(device(1)).await.unwrap().len() as u32;
        let mut tasks = Vec::new();
        for task in 0..TASKS {
            let store = Arc::clone(&store);
            tasks.push(tokio::spawn(async move {
                // Numbers that no earlier child and no other task uses.
                for number in (first * TASKS + task..).step_by(TASKS as usize) {
                    if store.key(name(device(1), 1, number)).await.unwrap().is_some() {
                        continue;
                    }
                    escrowed(store.as_ref(), name(device(1), 1, number), 2000).await;
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "acknowledged {number}.").unwrap();
                    out.flush().unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}
