//! What can only be seen from inside: batches, savepoints, and a disk that is full.

use std::sync::{Arc, mpsc};

use domain::audit::AuditEvent;
use domain::time::Timestamp;

use super::SqliteStore;
use crate::{Dashboard, Settings, StoreError, What};

fn open() -> (SqliteStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("claviger.db")).unwrap();
    (store, folder)
}

fn event(action: &str) -> Vec<AuditEvent> {
    vec![AuditEvent {
        at: Timestamp(0),
        actor: "system".into(),
        action: action.into(),
        subject: String::new(),
        detail: String::new(),
    }]
}

/// Keeps the writer busy until the sender is used or dropped.
async fn occupy(store: &SqliteStore) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let busy = store.clone();
    tokio::spawn(async move {
        busy.write(move |_| {
            let _ = begun.send(());
            let _ = released.recv();
            Ok(())
        })
        .await
    });
    has_begun.await.unwrap();
    release
}

/// Starts these writes, in order, and waits until all are in the queue.
async fn queue<T: Send + 'static>(
    writes: Vec<impl Future<Output = T> + Send + 'static>,
) -> Vec<tokio::task::JoinHandle<T>> {
    let mut handles = Vec::new();
    for write in writes {
        handles.push(tokio::spawn(write));
        // With one runtime thread the task runs up to the point where it waits for its answer.
        tokio::task::yield_now().await;
    }
    handles
}

#[tokio::test]
async fn requests_that_wait_share_one_transaction() {
    let (store, _folder) = open();
    let release = occupy(&store).await;
    let before = store.writer_stats();
    let writes = (0..300)
        .map(|number| {
            let store = store.clone();
            async move { store.set_setting(&format!("{number:03}"), vec![1], event("set")).await }
        })
        .collect();
    let handles = queue(writes).await;
    drop(release);
    for handle in handles {
        handle.await.unwrap().unwrap();
    }
    let after = store.writer_stats();
    assert_eq!(after.requests - before.requests, 300);
    assert_eq!(after.transactions - before.transactions, 1);
    assert_eq!(store.settings("").await.unwrap().len(), 300);
}

#[tokio::test]
async fn one_that_fails_leaves_the_others_of_its_batch_alone() {
    let (store, _folder) = open();
    let release = occupy(&store).await;
    let before = store.writer_stats();
    let writes = (0..9)
        .map(|number| {
            let store = store.clone();
            async move {
                store
                    .write(move |tx| {
                        tx.sql
                            .execute("INSERT INTO settings VALUES (?1, x'00')", [number.to_string()])?;
                        tx.append(event("set"))?;
                        if number % 3 == 1 {
                            return Err(StoreError::NotFound(What::Setting));
                        }
                        Ok(number)
                    })
                    .await
            }
        })
        .collect();
    let handles = queue(writes).await;
    drop(release);
    for (number, handle) in handles.into_iter().enumerate() {
        let expected = if number % 3 == 1 {
            Err(StoreError::NotFound(What::Setting))
        } else {
            Ok(number)
        };
        assert_eq!(handle.await.unwrap(), expected);
    }
    assert_eq!(store.writer_stats().transactions - before.transactions, 1);
    assert_eq!(store.settings("").await.unwrap().len(), 6);
    let entries = crate::AuditLog::audit_entries(&store, 1, 100).await.unwrap();
    assert_eq!(domain::audit::verify(entries).unwrap().sequence, 6);
}

#[tokio::test]
async fn readers_do_not_wait_for_the_writer() {
    let (store, _folder) = open();
    store.set_setting("a", vec![1], Vec::new()).await.unwrap();
    let release = occupy(&store).await;
    assert_eq!(store.setting("a").await, Ok(Some(vec![1])));
    assert!(store.summary(&crate::model::Within::default()).await.is_ok());
    drop(release);
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_is_half_done() {
    let (store, _folder) = open();
    store.set_setting("a", vec![1], event("set")).await.unwrap();
    let limit = |pages: u32| {
        let store = store.clone();
        async move {
            store
                .write(move |tx| {
                    let set = tx
                        .sql
                        .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| {
                            row.get::<_, u32>(0)
                        })?;
                    Ok(set)
                })
                .await
                .unwrap()
        }
    };
    limit(1).await;
    let full = store.set_setting("b", vec![7; 1 << 20], event("set")).await;
    assert_eq!(full, Err(StoreError::Full));
    assert_eq!(store.setting("b").await, Ok(None));
    assert_eq!(crate::AuditLog::audit_head(&store).await.unwrap().sequence, 1);

    limit(1 << 30).await;
    store.set_setting("b", vec![7; 1 << 20], event("set")).await.unwrap();
    let entries = crate::AuditLog::audit_entries(&store, 1, 100).await.unwrap();
    assert_eq!(domain::audit::verify(entries).unwrap().sequence, 2);
}

#[tokio::test]
async fn a_transaction_that_was_lost_fails_all_of_its_requests() {
    let (store, _folder) = open();
    let release = occupy(&store).await;
    let good = {
        let store = store.clone();
        tokio::spawn(async move { store.set_setting("a", vec![1], event("set")).await })
    };
    tokio::task::yield_now().await;
    let bad = {
        let store = store.clone();
        tokio::spawn(async move {
            store
                .write(|tx| {
                    // As SQLite does by itself after a failed write.
                    tx.sql.execute_batch("ROLLBACK")?;
                    Err::<(), _>(StoreError::Full)
                })
                .await
        })
    };
    tokio::task::yield_now().await;
    drop(release);
    assert_eq!(good.await.unwrap(), Err(StoreError::Full));
    assert_eq!(bad.await.unwrap(), Err(StoreError::Full));
    assert_eq!(store.setting("a").await, Ok(None));
    store.set_setting("a", vec![2], event("set")).await.unwrap();
    let entries = crate::AuditLog::audit_entries(&store, 1, 100).await.unwrap();
    assert_eq!(domain::audit::verify(entries).unwrap().sequence, 1);
}

#[tokio::test]
async fn a_request_whose_caller_gave_up_is_carried_out_all_the_same() {
    let (store, _folder) = open();
    let release = occupy(&store).await;
    let given_up = {
        let store = store.clone();
        tokio::spawn(async move { store.set_setting("a", vec![1], Vec::new()).await })
    };
    tokio::task::yield_now().await;
    given_up.abort();
    drop(release);
    store.write(|_| Ok(())).await.unwrap();
    assert_eq!(store.setting("a").await, Ok(Some(vec![1])));
}

#[tokio::test]
async fn the_writer_syncs_each_commit_and_keeps_references() {
    let (store, _folder) = open();
    let value = async |pragma: &'static str| {
        store
            .write(move |tx| {
                let value = tx
                    .sql
                    .pragma_query_value(None, pragma, |row| row.get::<_, rusqlite::types::Value>(0))?;
                Ok(value)
            })
            .await
            .unwrap()
    };
    assert_eq!(value("journal_mode").await, "wal".to_owned().into());
    assert_eq!(value("synchronous").await, 2.into(), "FULL");
    assert_eq!(value("foreign_keys").await, 1.into());
    assert_eq!(value("recursive_triggers").await, 1.into());
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let (store, _folder) = open();
    let answer = store
        .read(|sql| Ok(sql.execute("INSERT INTO settings VALUES ('a', x'00')", [])?))
        .await;
    assert!(matches!(answer, Err(StoreError::Io(_))), "{answer:?}");
    assert_eq!(store.setting("a").await, Ok(None), "the connection still reads");
}

#[test]
fn storage_errors_are_told_apart() {
    use rusqlite::ffi;
    let error = |code| StoreError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
    assert_eq!(error(ffi::SQLITE_FULL), StoreError::Full);
    assert!(matches!(error(ffi::SQLITE_IOERR_FSYNC), StoreError::Io(_)));
    assert!(matches!(error(ffi::SQLITE_CANTOPEN), StoreError::Io(_)));
    assert_eq!(error(ffi::SQLITE_BUSY), StoreError::Busy);
    assert!(matches!(error(ffi::SQLITE_CORRUPT), StoreError::Damaged(_)));
    assert!(matches!(error(ffi::SQLITE_CONSTRAINT), StoreError::Internal(_)));
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    assert_eq!(StoreError::from(full), StoreError::Full);
    let _: Arc<dyn std::error::Error> = Arc::new(error(ffi::SQLITE_FULL));
}
