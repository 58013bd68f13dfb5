//! The schema's versions: numbered SQL files, each applied once, in its own transaction. `user_version` is the number of
//! the last one applied.

use rusqlite::{Connection, TransactionBehavior};

use crate::{Result, StoreError};

const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_start.sql"),
    include_str!("migrations/0002_drive_counts.sql"),
    include_str!("migrations/0003_audit_head.sql"),
    include_str!("migrations/0004_targeting.sql"),
    include_str!("migrations/0005_sequence.sql"),
    include_str!("migrations/0006_access.sql"),
];

/// Newest schema version that this program knows.
pub(super) const KNOWN: u32 = MIGRATIONS.len() as u32;

/// Brings the schema up to [`KNOWN`].
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    while check_version(connection)? < KNOWN {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Looked up again: another process may have been faster.
        let version = check_version(&transaction)?;
        if let Some(sql) = MIGRATIONS.get(version as usize) {
            transaction.execute_batch(sql)?;
            transaction.pragma_update(None, "user_version", version + 1)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// The file's schema version.
///
/// # Errors
/// [`StoreError::SchemaTooNew`].
pub(super) fn check_version(connection: &Connection) -> Result<u32> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > KNOWN {
        return Err(StoreError::SchemaTooNew { found, known: KNOWN });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BUILT_IN, ItemKind};
    use crate::sqlite::{accounts, items};
    use domain::access::{Grant, Role};
    use domain::policy::Policy;

    #[test]
    fn the_one_policy_of_an_older_schema_becomes_the_built_in_document_with_its_history() {
        let mut sql = Connection::open_in_memory().unwrap();
        for older in MIGRATIONS.iter().take(3) {
            sql.execute_batch(older).unwrap();
        }
        sql.pragma_update(None, "user_version", 3).unwrap();
        let mut policy = Policy::default();
        for (version, length) in [(1, 6), (2, 8)] {
            policy.os.min_pin_length = length;
            let text = serde_json::to_string(&policy).unwrap();
            sql.execute(
                "INSERT INTO policies VALUES (?1, ?2, 'd' || ?1, 10 * ?1, 'user:anna', 'why')",
                rusqlite::params![version, text],
            )
            .unwrap();
        }
        migrate(&mut sql).unwrap();
        let history = items::history(&sql, ItemKind::Document, BUILT_IN).unwrap();
        let lengths: Vec<_> = history
            .iter()
            .map(|item| {
                (
                    item.version,
                    item.content.document().unwrap().assignments.policy().os.min_pin_length,
                )
            })
            .collect();
        assert_eq!(lengths, [(2, 8), (1, 6)]);
        assert_eq!(history[1].at, domain::time::Timestamp(10));
        assert_eq!(
            items::digest(&sql, ItemKind::Document, BUILT_IN, 2).unwrap().as_deref(),
            Some("d2")
        );
        let newest = items::all(&sql, ItemKind::Document).unwrap();
        assert_eq!(newest[0].content.document().unwrap().assignments.policy(), policy);
        assert_eq!(items::resolver(&sql).unwrap().deployments().count(), 1);
    }

    #[test]
    fn accounts_from_before_there_were_scopes_keep_their_powers() {
        let mut sql = Connection::open_in_memory().unwrap();
        for older in MIGRATIONS.iter().take(5) {
            sql.execute_batch(older).unwrap();
        }
        sql.pragma_update(None, "user_version", 5).unwrap();
        for role in ["administrator", "help_desk", "auditor", "user"] {
            sql.execute(
                "INSERT INTO accounts (name_key, name, password, role, must_change_password, created_at)
                 VALUES (?1, ?1, '$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA', ?1, 0, 0)",
                [role],
            )
            .unwrap();
        }
        migrate(&mut sql).unwrap();
        let grant = |name: &str| accounts::get(&sql, name).unwrap().unwrap().grant;
        for (name, role) in [
            ("administrator", Role::Administrator),
            ("help_desk", Role::HelpDeskAdministrator),
            ("auditor", Role::Auditor),
            ("user", Role::SelfService),
        ] {
            assert_eq!(grant(name), Grant::everywhere(role));
        }
    }
}
