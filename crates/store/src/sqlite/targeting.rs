//! Documents, collections, deployments, marks of devices, exemptions: the operations.

use async_trait::async_trait;
use domain::access::person_key;
use domain::audit::AuditEvent;
use domain::exemption::Decision;
use domain::ids::DeviceId;
use domain::policy::Policy;
use domain::policy::resolve::Targeting as Resolver;
use domain::time::Timestamp;
use rusqlite::Connection;

use super::values::{Id, json, time};
use super::writer::Tx;
use super::{SqliteStore, exemptions, fleet, inventory, items, marks, resolved};
use crate::model::{
    Content, DecisionRecord, ExemptionId, ExemptionQuery, ExemptionRecord, Item, ItemKind, Marks, NewExemption,
    NewItem, Page, Passed, StoredInventory, Within,
};
use crate::traits::Targeting;
use crate::{Result, StoreError, What};

#[async_trait]
impl Targeting for SqliteStore {
    async fn put_item(&self, item: NewItem, audit: Vec<AuditEvent>) -> Result<u32> {
        let digest = match &item.content {
            Content::Document(document) => Some(domain::digest::digest(&document.assignments.policy())?),
            _ => None,
        };
        self.write(move |tx| items::put(tx, &item, digest.as_deref(), audit))
            .await
    }

    async fn items(&self, kind: ItemKind) -> Result<Vec<Item>> {
        self.read(move |sql| items::all(sql, kind)).await
    }

    async fn item(&self, kind: ItemKind, id: &str) -> Result<Option<Item>> {
        let id = id.to_owned();
        self.read(move |sql| items::newest(sql, kind, &id)).await
    }

    async fn item_history(&self, kind: ItemKind, id: &str) -> Result<Vec<Item>> {
        let id = id.to_owned();
        self.read(move |sql| items::history(sql, kind, &id)).await
    }

    async fn resolver(&self) -> Result<Resolver> {
        self.read(items::resolver).await
    }

    async fn effective_policy(&self, digest: &str) -> Result<Option<Policy>> {
        let digest = digest.to_owned();
        self.read(move |sql| {
            sql.prepare_cached("SELECT policy FROM effective_policies WHERE digest = ?1")?
                .query_and_then([digest], |row| json(row, "policy"))?
                .next()
                .transpose()
        })
        .await
    }

    async fn marks(&self, device: DeviceId) -> Result<Marks> {
        self.read(move |sql| marks::of(sql, device)).await
    }

    async fn set_marks(
        &self,
        device: DeviceId,
        new: Marks,
        at: Timestamp,
        by: String,
        audit: Vec<AuditEvent>,
    ) -> Result<()> {
        self.write(move |tx| {
            exists(tx.sql, device)?;
            if marks::of(tx.sql, device)? == new {
                return Ok(());
            }
            marks::put(tx.sql, device, &new, at, &by)?;
            tx.append(audit)?;
            inventory::reevaluate_one(tx, device, at)
        })
        .await
    }

    async fn refresh(&self, device: DeviceId, now: Timestamp) -> Result<()> {
        self.write(move |tx| {
            exists(tx.sql, device)?;
            let stale: bool = tx
                .sql
                .prepare_cached(
                    "SELECT evaluated <> (SELECT generation FROM targeting_state) FROM devices WHERE id = ?1",
                )?
                .query_row([device.blob()], |row| row.get(0))?;
            if stale {
                inventory::reevaluate_one(tx, device, now)?;
            }
            Ok(())
        })
        .await
    }

    async fn time_passed(&self, now: Timestamp) -> Result<Passed> {
        let due = self
            .read(move |sql| {
                let since = checked_at(sql)?;
                Ok(begins(sql, since, now)? || ends(sql, since, now)?)
            })
            .await?;
        if !due {
            return Ok(Passed::default());
        }
        self.write(move |tx| time_passed(tx, now)).await
    }

    async fn stored_devices(
        &self,
        within: &Within,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<StoredInventory>> {
        let within = within.clone();
        self.read(move |sql| fleet::page(sql, &within, after, limit)).await
    }

    async fn request_exemption(
        &self,
        wish: NewExemption,
        audit: Vec<AuditEvent>,
    ) -> Result<(ExemptionId, Vec<DeviceId>)> {
        self.write(move |tx| exemptions::request(tx, &wish, audit)).await
    }

    async fn decide_exemption(
        &self,
        id: ExemptionId,
        decision: Decision,
        at: Timestamp,
        by: String,
        note: String,
        audit: Vec<AuditEvent>,
    ) -> Result<Vec<DeviceId>> {
        let record = DecisionRecord { decision, at, by, note };
        self.write(move |tx| exemptions::decide(tx, id, &record, audit)).await
    }

    async fn exemption(&self, id: ExemptionId) -> Result<Option<ExemptionRecord>> {
        self.read(move |sql| exemptions::get(sql, id)).await
    }

    async fn exemptions(&self, query: ExemptionQuery) -> Result<Page<ExemptionRecord>> {
        self.read(move |sql| exemptions::search(sql, &query)).await
    }

    async fn exemptions_of_user(&self, user: &str) -> Result<Vec<ExemptionRecord>> {
        let Some(key) = person_key(user) else {
            return Ok(Vec::new());
        };
        self.read(move |sql| exemptions::of_person(sql, &key)).await
    }

    async fn exemptions_of(&self, device: DeviceId) -> Result<Vec<ExemptionRecord>> {
        self.read(move |sql| exemptions::of_device(sql, device)).await
    }
}

fn exists(sql: &Connection, device: DeviceId) -> Result<()> {
    let there = sql
        .prepare_cached("SELECT 1 FROM devices WHERE id = ?1")?
        .exists([device.blob()])?;
    if there {
        Ok(())
    } else {
        Err(StoreError::NotFound(What::Device))
    }
}

fn time_passed(tx: &mut Tx<'_>, now: Timestamp) -> Result<Passed> {
    let since = checked_at(tx.sql)?;
    let everybody = begins(tx.sql, since, now)?;
    if everybody {
        resolved::everybody_is_stale(tx.sql)?;
    }
    let devices = exemptions::ended(tx, since, now)?;
    tx.sql
        .prepare_cached("UPDATE targeting_state SET checked_at = max(checked_at, ?1)")?
        .execute([now.0])?;
    Ok(Passed { everybody, devices })
}

fn checked_at(sql: &Connection) -> Result<Timestamp> {
    sql.prepare_cached("SELECT checked_at FROM targeting_state")?
        .query_row([], |row| Ok(time(row, "checked_at")))?
}

fn begins(sql: &Connection, since: Timestamp, now: Timestamp) -> Result<bool> {
    let between = |item: &Item| {
        let deployment = item.content.deployment();
        let begin = deployment.and_then(|deployment| deployment.not_before);
        !item.retired && begin.is_some_and(|begin| since < begin && begin <= now)
    };
    Ok(items::all(sql, ItemKind::Deployment)?.iter().any(between))
}

fn ends(sql: &Connection, since: Timestamp, now: Timestamp) -> Result<bool> {
    Ok(sql
        .prepare_cached("SELECT 1 FROM exemptions WHERE state = 'approved' AND until > ?1 AND until <= ?2 LIMIT 1")?
        .exists([since.0, now.0])?)
}
