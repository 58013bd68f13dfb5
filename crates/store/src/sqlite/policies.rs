//! The built-in document as a whole policy, and its history.

use async_trait::async_trait;
use domain::audit::AuditEvent;
use domain::policy::Assignments;
use domain::policy::targeting::PolicyId;
use rusqlite::Connection;

use super::{SqliteStore, items};
use crate::model::{BUILT_IN, Content, Document, Item, ItemKind, NewItem, NewPolicy, PolicyVersion};
use crate::traits::Policies;
use crate::{Result, StoreError};

#[async_trait]
impl Policies for SqliteStore {
    async fn put_policy(&self, policy: NewPolicy, audit: Vec<AuditEvent>) -> Result<u32> {
        self.write(move |tx| {
            let last = newest(tx.sql)?;
            if let Some(last) = &last
                && last.digest == policy.digest
            {
                return Ok(last.version);
            }
            let id = PolicyId::new(BUILT_IN).map_err(|error| StoreError::Internal(error.to_string()))?;
            let item = NewItem {
                content: Content::Document(Document {
                    id,
                    name: "Default policy".to_owned(),
                    description: String::new(),
                    assignments: Assignments::of(&policy.policy),
                }),
                text: String::new(),
                base: last.map_or(0, |last| last.version),
                retired: false,
                at: policy.at,
                by: policy.by,
                note: policy.note,
            };
            items::put(tx, &item, Some(&policy.digest), audit)
        })
        .await
    }

    async fn policy(&self) -> Result<Option<PolicyVersion>> {
        self.read(newest).await
    }

    async fn policy_history(&self) -> Result<Vec<PolicyVersion>> {
        self.read(|sql| {
            items::history(sql, ItemKind::Document, BUILT_IN)?
                .into_iter()
                .map(|item| version(sql, item))
                .collect()
        })
        .await
    }
}

fn newest(sql: &Connection) -> Result<Option<PolicyVersion>> {
    let item = items::newest(sql, ItemKind::Document, BUILT_IN)?;
    item.map(|item| version(sql, item)).transpose()
}

fn version(sql: &Connection, item: Item) -> Result<PolicyVersion> {
    let assignments = item.content.document().map(|document| &document.assignments);
    let policy = assignments.map(Assignments::policy).unwrap_or_default();
    let stored = items::digest(sql, ItemKind::Document, BUILT_IN, item.version)?;
    Ok(PolicyVersion {
        version: item.version,
        digest: match stored {
            Some(digest) => digest,
            None => domain::digest::digest(&policy)?,
        },
        policy,
        at: item.at,
        by: item.by,
        note: item.note,
    })
}
