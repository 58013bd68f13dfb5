//! The stored inventories of a database, which a server may have open: for previews from the command line.

use std::path::Path;

use domain::ids::DeviceId;
use domain::ledger::{Ledger, LedgerEntry};
use domain::policy::resolve::Targeting;
use domain::policy::targeting::Profile;
use rusqlite::{Connection, params};

use super::values::{Id, id, json_option, named, time, unsigned};
use super::{items, migrate, readers};
use crate::{Result, StoreError};

/// A database opened for reading its fleet, as it is at the moment of opening; nothing is changed.
#[derive(Debug)]
pub struct OfflineFleet {
    connection: Connection,
}

/// A device with its inventory as it is stored: reading it out is the caller's, who has several threads for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredInventory {
    /// Its id.
    pub device: DeviceId,
    /// The inventory, in JSON.
    pub inventory: String,
    /// The server's view of its keys.
    pub ledger: Ledger,
    /// Its tags, a JSON list; none: it has no tags.
    pub tags: Option<String>,
    /// Settings of its own.
    pub profile: Option<Profile>,
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
        let mut page = self.inventories(after, limit)?;
        if let (Some(first), Some(last)) = (page.first().map(|d| d.device), page.last().map(|d| d.device)) {
            self.add_ledgers(first, last, &mut page)?;
            self.add_marks(first, last, &mut page)?;
        }
        Ok(page)
    }

    fn inventories(&self, after: Option<DeviceId>, limit: u32) -> Result<Vec<StoredInventory>> {
        let after: &[u8] = after.as_ref().map_or(&[], |id| id.blob());
        self.connection
            .prepare_cached(
                "SELECT id, inventory FROM devices
                 WHERE id > ?1 AND retired_at IS NULL AND inventory IS NOT NULL ORDER BY id LIMIT ?2",
            )?
            .query_and_then(params![after, limit], |row| {
                Ok(StoredInventory {
                    device: id(row, "id")?,
                    inventory: row.get("inventory")?,
                    ledger: Ledger::default(),
                    tags: None,
                    profile: None,
                })
            })?
            .collect()
    }

    /// Both are ordered by device: one pass.
    fn add_ledgers(&self, first: DeviceId, last: DeviceId, page: &mut [StoredInventory]) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
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
    fn add_marks(&self, first: DeviceId, last: DeviceId, page: &mut [StoredInventory]) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT device, tags, profile FROM marks WHERE device BETWEEN ?1 AND ?2 ORDER BY device, version",
        )?;
        let mut rows = statement.query([first.blob(), last.blob()])?;
        while let Some(row) = rows.next()? {
            let device: DeviceId = id(row, "device")?;
            if let Ok(place) = page.binary_search_by_key(&device, |d| d.device)
                && let Some(stored) = page.get_mut(place)
            {
                stored.tags = row.get("tags")?;
                stored.profile = json_option(row, "profile")?;
            }
        }
        Ok(())
    }
}
