//! The embedded store's file: who may read it, what it refuses, what is in it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "these tests use some of the values only")]
#[path = "contract/make.rs"]
mod make;

use std::path::Path;

use domain::access::Role;
use domain::audit::{Checkpoint, verify};
use domain::exemption::Decision;
use domain::preview::StoredDevice;
use make::*;
use rusqlite::Connection;
use store::model::{DeviceQuery, Marks, NewExemption, NewSession, SecretHash, StoredInventory, Within};
use store::{
    Accounts, AuditLog, Devices, Keys, Maintenance, OfflineAudit, OfflineFleet, SqliteStore, StoreError, Targeting,
    What,
};

#[cfg(unix)]
#[tokio::test]
async fn all_files_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claviger.db");
    std::fs::write(&path, b"").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    enrolled(&store, 1).await;
    store.backup(&folder.path().join("copy.db")).await.unwrap();
    let mut names = Vec::new();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
        names.push(file.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["claviger.db", "claviger.db-shm", "claviger.db-wal", "copy.db"]);
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claviger.db");
    drop(SqliteStore::open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    let known: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let refused = SqliteStore::open(&path).unwrap_err();
    assert_eq!(refused, StoreError::SchemaTooNew { found: 99, known });
    assert_eq!(
        refused.to_string(),
        format!(
            "the database has schema version 99, and this program knows versions up to {known}: use a newer program"
        )
    );
    let offline = OfflineAudit::open_read_only(&path).unwrap_err();
    assert_eq!(offline, refused);
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    let text = "not a database, ".repeat(1000);
    std::fs::write(&path, &text).unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::Damaged(_))));
    assert!(matches!(
        OfflineAudit::open_read_only(&path),
        Err(StoreError::Damaged(_))
    ));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let empty = folder.path().join("empty.db");
    std::fs::write(&empty, b"").unwrap();
    assert!(matches!(
        OfflineAudit::open_read_only(&empty),
        Err(StoreError::Damaged(_))
    ));
    let nowhere = folder.path().join("missing/claviger.db");
    assert!(matches!(SqliteStore::open(&nowhere), Err(StoreError::Io(_))));
    assert!(matches!(OfflineAudit::open_read_only(&nowhere), Err(StoreError::Io(_))));
}

/// A store with one of everything that may not be removed, closed again.
async fn filled(path: &Path) {
    let store = SqliteStore::open(path).unwrap();
    let id = enrolled(&store, 1).await;
    escrowed(&store, name(id, 1, 0xA), 2000).await;
    store
        .disclose(
            name(id, 1, 0xA),
            &Within::default(),
            at(3000),
            event("key.disclosed", ""),
        )
        .await
        .unwrap();
    let head = store.audit_head().await.unwrap();
    let checkpoint = Checkpoint {
        head,
        at: at(1),
        signature: vec![1],
    };
    store.add_checkpoint(checkpoint).await.unwrap();
    let policy = store::model::NewPolicy {
        policy: domain::policy::Policy::default(),
        digest: "d".into(),
        at: at(1),
        by: "user:anna".into(),
        note: String::new(),
    };
    store::Policies::put_policy(&store, policy, Vec::new()).await.unwrap();
    let mut marks = Marks::default();
    marks.tags.insert("lab".into());
    store
        .set_marks(id, marks, at(1), "user:anna".into(), Vec::new())
        .await
        .unwrap();
    let wish = NewExemption {
        user: "anna".into(),
        at: at(1),
        by: "user:anna".into(),
        reason: String::new(),
    };
    let (wish, _) = store.request_exemption(wish, Vec::new()).await.unwrap();
    let denied = Decision::Denied { at: at(2) };
    store
        .decide_exemption(wish, denied, at(2), "user:anna".into(), String::new(), Vec::new())
        .await
        .unwrap();
}

#[tokio::test]
async fn recovery_data_and_audit_refuse_every_statement_that_removes_or_changes_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claviger.db");
    filled(&path).await;
    let sql = Connection::open(&path).unwrap();
    for statement in [
        "DELETE FROM devices",
        "DELETE FROM volumes",
        "DELETE FROM keys",
        "DELETE FROM key_versions",
        "DELETE FROM items",
        "DELETE FROM marks",
        "DELETE FROM exemptions",
        "DELETE FROM exemption_decisions",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE sequence = 1",
        "DELETE FROM checkpoints",
        "UPDATE devices SET id = x'00'",
        "UPDATE volumes SET volume = x'00'",
        "UPDATE keys SET protector = x'00'",
        "UPDATE keys SET disclosed_at = NULL",
        "UPDATE key_versions SET sealed = x'00'",
        "UPDATE key_versions SET evidence = x'00'",
        "UPDATE key_versions SET key_version = 2",
        "UPDATE key_versions SET escrowed_at = 0",
        "UPDATE items SET note = 'x'",
        "UPDATE marks SET tags = '[]'",
        "UPDATE exemptions SET reason = 'x'",
        "UPDATE exemption_decisions SET note = 'x'",
        "REPLACE INTO items SELECT * FROM items",
        "UPDATE audit SET detail = 'x'",
        "UPDATE audit SET device = NULL",
        "UPDATE checkpoints SET signature = x'00'",
        "REPLACE INTO devices SELECT * FROM devices",
        "REPLACE INTO keys SELECT * FROM keys",
        "REPLACE INTO key_versions SELECT * FROM key_versions",
        "REPLACE INTO key_versions (rowid, key, version, key_version, escrowed_at, sealed, evidence)
             SELECT rowid, key, 9, 1, 1, x'00', x'00' FROM key_versions",
        "REPLACE INTO audit SELECT * FROM audit",
        "INSERT INTO audit SELECT 0, at, actor, action, subject, detail, previous, hash, device FROM audit LIMIT 1",
        "REPLACE INTO checkpoints SELECT * FROM checkpoints",
    ] {
        let answer = sql.execute(statement, []);
        let error = answer.expect_err(statement).to_string();
        assert!(
            ["never", "keeps", "only count up", "grows", "cannot be forgotten"]
                .iter()
                .any(|word| error.contains(word)),
            "{statement}: {error}"
        );
    }
    // Foreign keys hold the rest together, where they are on.
    drop(sql);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.keys_of_device(device(1)).await.unwrap()[0].versions.len(), 1);
    assert!(verify(store.audit_entries(1, 100).await.unwrap()).is_ok());
}

#[tokio::test]
async fn a_row_that_was_changed_or_removed_behind_the_triggers_breaks_the_chain() {
    for tampering in [
        "UPDATE audit SET actor = 'user:nobody' WHERE sequence = 2",
        "DELETE FROM audit WHERE sequence = 2",
        "UPDATE audit SET sequence = sequence + 1 WHERE sequence = (SELECT max(sequence) FROM audit)",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claviger.db");
        filled(&path).await;
        let check = || {
            let offline = OfflineAudit::open_read_only(&path).unwrap();
            verify(offline.entries(1, 100).unwrap())
        };
        assert!(check().is_ok());
        let sql = Connection::open(&path).unwrap();
        sql.execute_batch("DROP TRIGGER audit_keeps; DROP TRIGGER audit_stays; PRAGMA foreign_keys = OFF")
            .unwrap();
        assert_eq!(sql.execute(tampering, []).unwrap(), 1);
        assert!(check().is_err(), "{tampering}");
    }
}

#[tokio::test]
async fn a_backup_is_a_complete_store_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("claviger.db")).unwrap();
    let id = enrolled(&store, 1).await;
    escrowed(&store, name(id, 1, 0xA), 2000).await;
    let path = folder.path().join("copy.db");
    store.backup(&path).await.unwrap();
    escrowed(&store, name(id, 1, 0xB), 3000).await;
    assert_eq!(store.backup(&path).await, Err(StoreError::Exists(What::File)));
    assert!(!folder.path().join("copy.db.partial").exists());

    let offline = OfflineAudit::open_read_only(&path).unwrap();
    assert_eq!(offline.head().unwrap().sequence, 2);
    assert!(offline.checkpoints().unwrap().is_empty());
    assert!(verify(offline.entries(1, 10).unwrap()).is_ok());
    let copy = SqliteStore::open(&path).unwrap();
    assert_eq!(copy.keys_of_device(id).await.unwrap().len(), 1);
    let told = copy
        .disclose(name(id, 1, 0xA), &Within::default(), at(9), event("key.disclosed", ""))
        .await;
    assert_eq!(told.unwrap().sealed.bytes, protector(0xA).to_string().into_bytes());
    assert_eq!(copy.devices(DeviceQuery::default()).await.unwrap().total, 1);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_closing_and_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claviger.db");
    let store = SqliteStore::open(&path).unwrap();
    let id = enrolled(&store, 1).await;
    escrowed(&store, name(id, 1, 0xA), 2000).await;
    let head = store.audit_head().await.unwrap();
    store.seen(id, at(9000));
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.audit_head().await, Ok(head));
    let device = store.device(id).await.unwrap().unwrap();
    assert_eq!(device.last_seen, Some(at(9000)), "closing stores what was gathered");
    escrowed(&store, name(id, 1, 0xB), 3000).await;
    assert!(verify(store.audit_entries(1, 10).await.unwrap()).is_ok());
}

#[tokio::test]
async fn two_processes_share_a_database_without_breaking_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claviger.db");
    let (server, command) = (SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap());
    for number in 0..10 {
        server
            .append_audit(event("by.server", &number.to_string()))
            .await
            .unwrap();
        command
            .append_audit(event("by.command", &number.to_string()))
            .await
            .unwrap();
    }
    let head = verify(server.audit_entries(1, 100).await.unwrap()).unwrap();
    assert_eq!(head.sequence, 20);
    assert_eq!(command.audit_head().await, Ok(head));
}

#[tokio::test]
async fn no_token_and_no_session_secret_is_in_any_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("claviger.db")).unwrap();
    let secrets: [&[u8]; 2] = [b"enrolment-token-1f9a7c", b"session-token-77d0e2"];
    store::Tokens::add_token(&store, new_token(secrets[0]), event("token.made", ""))
        .await
        .unwrap();
    let token = SecretHash::of(secrets[0]);
    store
        .enrol(new_device(1, "PC-CONTROL", "serial"), token, Vec::new())
        .await
        .unwrap();
    store
        .add_account(new_account("anna", Role::Administrator), Vec::new())
        .await
        .unwrap();
    let session = NewSession {
        hash: SecretHash::of(secrets[1]),
        account: "anna".into(),
        created_at: at(1),
        expires_at: at(1000),
        user_agent: "Firefox".into(),
    };
    store.sign_in(session, Vec::new()).await.unwrap();
    store.backup(&folder.path().join("copy.db")).await.unwrap();

    let contains = |needle: &[u8]| {
        std::fs::read_dir(folder.path()).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes.windows(needle.len()).any(|window| window == needle)
        })
    };
    assert!(contains(b"PC-CONTROL"), "the search works");
    for secret in secrets {
        assert!(!contains(secret));
        assert!(!contains(hex::encode(secret).as_bytes()));
    }
    assert_eq!(format!("{token:?}"), "SecretHash([redacted])");
}

#[tokio::test]
async fn evidence_is_kept_small() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claviger.db");
    let store = SqliteStore::open(&path).unwrap();
    let id = enrolled(&store, 1).await;
    for number in 0..20 {
        escrowed(&store, name(id, 1, number), 2000).await;
    }
    drop(store);
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size < 20 * 65536 / 4, "{size} bytes for 20 escrows");
}

#[tokio::test]
async fn the_fleet_read_from_the_file_is_the_one_that_the_store_tells() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claviger.db");
    let store = SqliteStore::open(&path).unwrap();
    for number in 1..=7 {
        let id = enrolled(&store, number).await;
        if number == 3 {
            continue;
        }
        let password = 0x1000_0000 + u32::try_from(number).unwrap();
        let hostname = format!("PC-{number:03}");
        reported(
            &store,
            id,
            inventory(
                &hostname,
                &[&format!("CORP\\user{number}")],
                vec![volume_report(number, &[password])],
            ),
            2000,
        )
        .await;
        if number != 5 {
            escrowed(&store, name(id, number, password), 3000).await;
            escrowed(&store, name(id, number, password + 0x100), 3001).await;
        }
    }
    let profile = serde_json::json!({ "assignments": { "os.min_pin_length": "8" }, "reason": "kiosk" });
    let marks = Marks {
        tags: ["pilot".to_owned()].into(),
        profile: serde_json::from_value(profile).unwrap(),
    };
    for (number, marks) in [(2, Marks::default()), (2, marks)] {
        let by = "user:anna".to_owned();
        store
            .set_marks(device(number), marks, at(4000), by, Vec::new())
            .await
            .unwrap();
    }
    store.set_retired(device(6), Some(at(5000)), Vec::new()).await.unwrap();

    let wish = |user: &str| NewExemption {
        user: user.to_owned(),
        at: at(5000),
        by: "user:anna".to_owned(),
        reason: "a measuring device".to_owned(),
    };
    let granted = Decision::Approved {
        at: at(5001),
        until: Some(at(9000)),
    };
    let refused = Decision::Denied { at: at(5001) };
    for (user, decision) in [
        ("corp\\USER4", Some(granted)),
        ("CORP\\user7", None),
        ("CORP\\user2", Some(refused)),
    ] {
        let (number, _) = store.request_exemption(wish(user), Vec::new()).await.unwrap();
        if let Some(decision) = decision {
            let by = "user:anna".to_owned();
            let decided = store.decide_exemption(number, decision, at(5001), by, String::new(), Vec::new());
            assert_eq!(decided.await.unwrap().len(), 1);
        }
    }

    let fleet = OfflineFleet::open_read_only(&path).unwrap();
    assert_eq!(fleet.count().unwrap(), 5);
    let mut read = Vec::new();
    while let page = fleet.page(read.last().map(|d: &StoredInventory| d.device), 2).unwrap()
        && !page.is_empty()
    {
        read.extend(page);
    }
    assert_eq!(read, store.stored_devices(&Within::default(), None, 100).await.unwrap());
    let read: Vec<StoredDevice> = read.into_iter().map(|stored| stored.read().unwrap()).collect();
    let of = |number| read.iter().find(|d| d.id == device(number)).unwrap();
    assert_eq!(
        (of(2).tags.len(), of(2).profile.is_some(), of(4).tags.len()),
        (1, true, 0)
    );
    assert_eq!((of(4).ledger.0.len(), of(5).ledger.0.len()), (2, 0));
    assert_eq!(of(4).inventory.hostname, "PC-004");
    let decisions = |number| of(number).exemptions.iter().map(|e| e.decision).collect::<Vec<_>>();
    assert_eq!(decisions(4), [granted]);
    assert_eq!(decisions(7), [Decision::Pending]);
    assert_eq!(
        (decisions(2), decisions(1)),
        (vec![], vec![]),
        "a refusal does not count"
    );
    assert!(fleet.targeting().unwrap().deployments().count() <= 1);
    // As it was when it was opened.
    enrolled(&store, 8).await;
    reported(&store, device(8), inventory("PC-8", &[], Vec::new()), 6000).await;
    assert_eq!(fleet.count().unwrap(), 5);
    assert_eq!(OfflineFleet::open_read_only(&path).unwrap().count().unwrap(), 6);
    let empty = folder.path().join("empty.db");
    std::fs::write(&empty, b"").unwrap();
    assert!(matches!(
        OfflineFleet::open_read_only(&empty),
        Err(StoreError::Damaged(_))
    ));
}
