//! The contract, kept by the embedded store.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;

use std::sync::Arc;

use contract::Fixture;
use store::SqliteStore;

fn make_store() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("claviger.db")).unwrap();
    Fixture {
        store: Arc::new(store),
        keep: Box::new(folder),
    }
}

contract::suite!(crate::make_store);
