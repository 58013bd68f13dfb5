//! The policy that holds for a device, worked out within the transaction that evaluates it.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use domain::ids::DeviceId;
use domain::inventory::Inventory;
use domain::policy::Policy;
use domain::policy::resolve::{Maintenance, Matching, Targeting};
use domain::policy::targeting::{DeviceFacts, Profile};
use domain::time::Timestamp;
use rusqlite::{Connection, params};

use super::items;
use super::marks;
use super::values::Id;
use super::within;
use crate::Result;

/// Most policies that are remembered; many more deployments match in different ways only in odd fleets.
const MOST: usize = 4096;

/// What the writer remembers between devices: the effective policy depends only on the deployments that match.
#[derive(Default)]
pub(super) struct Cache(RefCell<Option<Loaded>>);

struct Loaded {
    generation: i64,
    targeting: Targeting,
    known: HashMap<Matching, Arc<Effective>>,
}

/// What holds for a device.
pub(super) struct Effective {
    pub(super) policy: Policy,
    pub(super) digest: String,
    pub(super) maintenance: Option<String>,
}

impl Cache {
    /// Forgets everything: what was read may have been rolled back.
    pub(super) fn forget(&self) {
        self.0.replace(None);
    }

    /// What holds for a device now. Stores the policy under its digest, and both with the device.
    pub(super) fn settle(
        &self,
        sql: &Connection,
        device: DeviceId,
        inventory: &Inventory,
        now: Timestamp,
    ) -> Result<Arc<Effective>> {
        let marks = marks::of(sql, device)?;
        let mut cache = self.0.borrow_mut();
        let loaded = Loaded::current(sql, &mut cache)?;
        let generation = loaded.generation;
        loaded.place(sql, device, inventory, &marks.tags)?;
        let effective = loaded.effective(sql, device, inventory, &marks.tags, marks.profile.as_ref(), now)?;
        sql.prepare_cached("UPDATE devices SET policy_digest = ?2, maintenance = ?3, evaluated = ?4 WHERE id = ?1")?
            .execute(params![
                device.blob(),
                effective.digest,
                effective.maintenance,
                generation
            ])?;
        Ok(effective)
    }

    /// Writes down to which collections a device belongs that is not evaluated any more.
    pub(super) fn place(&self, sql: &Connection, device: DeviceId, inventory: &Inventory) -> Result<()> {
        let marks = marks::of(sql, device)?;
        let mut cache = self.0.borrow_mut();
        let loaded = Loaded::current(sql, &mut cache)?;
        loaded.place(sql, device, inventory, &marks.tags)?;
        sql.prepare_cached("UPDATE devices SET evaluated = ?2 WHERE id = ?1")?
            .execute(params![device.blob(), loaded.generation])?;
        Ok(())
    }
}

impl Loaded {
    fn current<'a>(sql: &Connection, cache: &'a mut Option<Self>) -> Result<&'a mut Self> {
        let generation = generation(sql)?;
        let loaded = match cache.take() {
            Some(loaded) if loaded.generation == generation => loaded,
            _ => Self {
                generation,
                targeting: items::resolver(sql)?,
                known: HashMap::new(),
            },
        };
        Ok(cache.insert(loaded))
    }

    fn place(&self, sql: &Connection, id: DeviceId, inventory: &Inventory, tags: &BTreeSet<String>) -> Result<()> {
        let membership = self
            .targeting
            .collections()
            .member_of(&DeviceFacts { id, inventory, tags });
        within::place(sql, id, membership.iter().map(|collection| &collection.id))
    }

    fn effective(
        &mut self,
        sql: &Connection,
        id: DeviceId,
        inventory: &Inventory,
        tags: &BTreeSet<String>,
        profile: Option<&Profile>,
        now: Timestamp,
    ) -> Result<Arc<Effective>> {
        let matching = self.targeting.matching(&DeviceFacts { id, inventory, tags }, now);
        if profile.is_none()
            && let Some(known) = self.known.get(&matching)
        {
            return Ok(Arc::clone(known));
        }
        let policy = self.targeting.effective(&matching, profile);
        let maintenance = self.targeting.maintenance(&matching);
        let effective = Arc::new(Effective {
            digest: domain::digest::digest(&policy)?,
            maintenance: written(&maintenance)?,
            policy,
        });
        sql.prepare_cached("INSERT INTO effective_policies (digest, policy) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute(params![effective.digest, serde_json::to_string(&effective.policy)?])?;
        if profile.is_none() {
            if self.known.len() >= MOST {
                self.known.clear();
            }
            self.known.insert(matching, Arc::clone(&effective));
        }
        Ok(effective)
    }
}

/// Most devices have no windows; nothing is stored for them.
fn written(maintenance: &Maintenance) -> Result<Option<String>> {
    if maintenance.windows.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::to_string(maintenance)?))
}

/// How many changes there were that can reach devices.
pub(super) fn generation(sql: &Connection) -> Result<i64> {
    Ok(sql
        .prepare_cached("SELECT generation FROM targeting_state")?
        .query_row([], |row| row.get(0))?)
}

/// Makes every device stale.
pub(super) fn everybody_is_stale(sql: &Connection) -> Result<()> {
    sql.prepare_cached("UPDATE targeting_state SET generation = generation + 1")?
        .execute([])?;
    Ok(())
}
