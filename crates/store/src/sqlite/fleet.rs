//! The stored inventories for previews: by a store, or from a database that a server may have open.

use std::path::Path;

use domain::exemption::Exemption;
use domain::ids::DeviceId;
use domain::ledger::{Ledger, LedgerEntry};
use domain::policy::resolve::Targeting;
use rusqlite::{Connection, params_from_iter};

use super::values::{Id, id, json_option, named, time, unsigned};
use super::{items, migrate, readers, within};
use crate::model::{StoredInventory, Within};
use crate::{Result, StoreError};

/// A database opened for reading its fleet, as it is at the moment of opening; nothing is changed.
#[derive(Debug)]
pub struct OfflineFleet {
    connection: Connection,
}

impl OfflineFleet {
    /// Opens a database file.
    ///
    /// # Errors
    /// [`StoreError::SchemaTooNew`]; [`StoreError::Damaged`] when it is not a database of ours, or one that no server of
    /// this version has opened yet.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        let connection = readers::open_to_read(path)?;
        connection.execute_batch("BEGIN")?;
        if migrate::check_version(&connection)? != migrate::KNOWN {
            let what = "no server of this version has opened it yet, or it holds no schema of this program";
            return Err(StoreError::Damaged(what.into()));
        }
        Ok(Self { connection })
    }

    /// Everything in use, to resolve policies with.
    ///
    /// # Errors
    /// Those of reading.
    pub fn targeting(&self) -> Result<Targeting> {
        items::resolver(&self.connection)
    }

    /// How many devices have an inventory and are not retired.
    ///
    /// # Errors
    /// Those of reading.
    pub fn count(&self) -> Result<u64> {
        let count = self.connection.query_row(
            "SELECT count(*) FROM devices WHERE retired_at IS NULL AND inventory IS NOT NULL",
            [],
            |row| row.get(0),
        )?;
        Ok(unsigned(count))
    }

    /// Up to `limit` of these devices by id, after this one.
    ///
    /// # Errors
    /// Those of reading.
    pub fn page(&self, after: Option<DeviceId>, limit: u32) -> Result<Vec<StoredInventory>> {
        page(&self.connection, &Within::default(), after, limit)
    }
}

/// Up to `limit` of these devices that have an inventory and are not retired, by id, after this one.
pub(super) fn page(
    sql: &Connection,
    within: &Within,
    after: Option<DeviceId>,
    limit: u32,
) -> Result<Vec<StoredInventory>> {
    let mut page = inventories(sql, within, after, limit)?;
    if let (Some(first), Some(last)) = (page.first().map(|d| d.device), page.last().map(|d| d.device)) {
        add_ledgers(sql, first, last, &mut page)?;
        add_marks(sql, first, last, &mut page)?;
        add_exemptions(sql, first, last, &mut page)?;
    }
    Ok(page)
}

fn inventories(sql: &Connection, within: &Within, after: Option<DeviceId>, limit: u32) -> Result<Vec<StoredInventory>> {
    let (seen, mut values) = within::single(within, "devices.id")?;
    values.push(after.as_ref().map_or(Vec::new(), |id| id.blob().to_vec()).into());
    values.push(limit.into());
    sql.prepare_cached(&format!(
        "SELECT id, inventory FROM devices
         WHERE {seen} AND id > ? AND retired_at IS NULL AND inventory IS NOT NULL ORDER BY id LIMIT ?"
    ))?
    .query_and_then(params_from_iter(values), |row| {
        Ok(StoredInventory {
            device: id(row, "id")?,
            inventory: row.get("inventory")?,
            ledger: Ledger::default(),
            tags: None,
            profile: None,
            exemptions: Vec::new(),
        })
    })?
    .collect()
}

/// Both are ordered by device: one pass.
fn add_ledgers(sql: &Connection, first: DeviceId, last: DeviceId, page: &mut [StoredInventory]) -> Result<()> {
    let mut statement = sql.prepare_cached(
        "SELECT k.device, k.volume, k.protector, k.state, k.proof, v.escrowed_at
         FROM keys k JOIN key_versions v ON v.key = k.id AND v.version = k.version
         WHERE k.device BETWEEN ?1 AND ?2 ORDER BY k.device, k.id",
    )?;
    let mut rows = statement.query([first.blob(), last.blob()])?;
    let mut devices = page.iter_mut().peekable();
    while let Some(row) = rows.next()? {
        let device: DeviceId = id(row, "device")?;
        while devices.next_if(|d| d.device < device).is_some() {}
        if let Some(stored) = devices.peek_mut().filter(|d| d.device == device) {
            stored.ledger.0.push(LedgerEntry {
                volume: id(row, "volume")?,
                protector: id(row, "protector")?,
                state: named(row, "state")?,
                proof: named(row, "proof")?,
                escrowed_at: time(row, "escrowed_at")?,
            });
        }
    }
    Ok(())
}

/// Few devices have any.
fn add_marks(sql: &Connection, first: DeviceId, last: DeviceId, page: &mut [StoredInventory]) -> Result<()> {
    let mut statement = sql.prepare_cached(
        "SELECT device, tags, profile FROM marks WHERE device BETWEEN ?1 AND ?2 ORDER BY device, version",
    )?;
    let mut rows = statement.query([first.blob(), last.blob()])?;
    while let Some(row) = rows.next()? {
        if let Some(stored) = of(page, id(row, "device")?) {
            stored.tags = row.get("tags")?;
            stored.profile = json_option(row, "profile")?;
        }
    }
    Ok(())
}

/// Few users have any: from the page's users, so that the work does not grow with the number of exemptions.
fn add_exemptions(sql: &Connection, first: DeviceId, last: DeviceId, page: &mut [StoredInventory]) -> Result<()> {
    let mut statement = sql.prepare_cached(
        "SELECT u.device, e.user, e.requested_at,
             (SELECT d.decision FROM exemption_decisions d WHERE d.exemption = e.id ORDER BY d.number DESC LIMIT 1) AS decision
         FROM device_users u CROSS JOIN exemptions e ON e.user_key = u.user_key
         WHERE u.device BETWEEN ?1 AND ?2 AND e.state IN ('pending', 'approved') ORDER BY u.device, e.id",
    )?;
    let mut rows = statement.query([first.blob(), last.blob()])?;
    while let Some(row) = rows.next()? {
        if let Some(stored) = of(page, id(row, "device")?) {
            stored.exemptions.push(Exemption {
                user: row.get("user")?,
                requested: time(row, "requested_at")?,
                decision: json_option(row, "decision")?.unwrap_or_default(),
            });
        }
    }
    Ok(())
}

fn of(page: &mut [StoredInventory], device: DeviceId) -> Option<&mut StoredInventory> {
    let place = page.binary_search_by_key(&device, |d| d.device).ok()?;
    page.get_mut(place)
}
