//! The server's own settings.

use store::Store;

use super::make::*;

pub(crate) async fn a_setting_is_replaced_or_set_once(store: &dyn Store) {
    assert_eq!(store.setting("a").await, Ok(None));
    store
        .set_setting("a", b"1".to_vec(), event("setting.changed", "a"))
        .await
        .unwrap();
    store.set_setting("a", b"2".to_vec(), Vec::new()).await.unwrap();
    assert_eq!(store.setting("a").await, Ok(Some(b"2".to_vec())));
    let kept = store
        .set_setting_once("a", b"3".to_vec(), event("setting.changed", "a"))
        .await;
    assert_eq!(kept, Ok(b"2".to_vec()));
    let new = store
        .set_setting_once("b", b"3".to_vec(), event("setting.changed", "b"))
        .await;
    assert_eq!(new, Ok(b"3".to_vec()));
    assert_eq!(store.audit_head().await.unwrap().sequence, 2);
}

pub(crate) async fn settings_are_listed_by_prefix(store: &dyn Store) {
    for name in ["key.2", "key.1", "keyring", "ke%.1"] {
        store
            .set_setting(name, name.as_bytes().to_vec(), Vec::new())
            .await
            .unwrap();
    }
    let found = store.settings("key.").await.unwrap();
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["key.1", "key.2"]);
    assert_eq!(store.settings("").await.unwrap().len(), 4);
}
