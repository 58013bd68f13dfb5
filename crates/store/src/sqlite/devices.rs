//! Devices: their records.

use std::sync::Arc;

use async_trait::async_trait;
use domain::access::person_key;
use domain::audit::AuditEvent;
use domain::compliance::Compliance;
use domain::ids::{DeviceId, RequestId};
use domain::inventory::Inventory;
use domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::gathered::Gathered;
use super::values::{Id, id, json, json_option, named, signed, time, time_option, unsigned};
use super::writer::Tx;
use super::{SqliteStore, device_list, exemptions, inventory, key_records, requests, tokens, within};
use crate::model::{
    CheckInView, Device, DeviceQuery, DeviceRow, InventoryOutcome, NewDevice, Page, Report, SecretHash, VolumeRecord,
    Within,
};
use crate::traits::Devices;
use crate::{Refusal, Result, StoreError, What};

#[async_trait]
impl Devices for SqliteStore {
    async fn enrol(&self, device: NewDevice, token: SecretHash, audit: Vec<AuditEvent>) -> Result<Device> {
        self.write(move |tx| {
            tokens::use_once(tx.sql, token, device.enrolled_at)?;
            insert(tx.sql, &device)?;
            tx.append(audit)?;
            get(tx.sql, device.id)?.ok_or(StoreError::NotFound(What::Device))
        })
        .await
    }

    async fn device(&self, id: DeviceId) -> Result<Option<Device>> {
        self.read(move |sql| get(sql, id)).await
    }

    async fn device_within(&self, id: DeviceId, within: &Within) -> Result<Option<Device>> {
        let within = within.clone();
        self.read(move |sql| {
            if within::sees(sql, &within, id)? {
                get(sql, id)
            } else {
                Ok(None)
            }
        })
        .await
    }

    async fn devices(&self, query: DeviceQuery) -> Result<Page<DeviceRow>> {
        self.read(move |sql| device_list::search(sql, &query)).await
    }

    async fn devices_of_user(&self, user: &str) -> Result<Vec<DeviceRow>> {
        let Some(user) = person_key(user) else {
            return Ok(Vec::new());
        };
        self.read(move |sql| device_list::of_user(sql, &user)).await
    }

    async fn volumes(&self, device: DeviceId) -> Result<Vec<VolumeRecord>> {
        self.read(move |sql| volumes(sql, device)).await
    }

    async fn check_in_view(&self, device: DeviceId) -> Result<Option<CheckInView>> {
        let view = self.read(move |sql| check_in_view(sql, device)).await?;
        let gathered = self.shared.gathered.newest_sequence(device);
        Ok(view.map(|view| CheckInView {
            sequence: view.sequence.max(gathered),
            ..view
        }))
    }

    fn seen(&self, device: DeviceId, at: Timestamp) {
        self.shared.gathered.device(device, at);
    }

    fn checked_in(&self, device: DeviceId, sequence: u64, at: Timestamp) {
        self.shared.gathered.device(device, at);
        self.shared.gathered.sequence(device, sequence);
    }

    async fn record_inventory(
        &self,
        device: DeviceId,
        sequence: u64,
        inventory: Inventory,
        digest: String,
        at: Timestamp,
        audit: Vec<AuditEvent>,
    ) -> Result<Option<InventoryOutcome>> {
        let gathered = Arc::clone(&self.shared.gathered);
        self.write(move |tx| {
            if !take(tx.sql, device, sequence, &gathered)? {
                return Ok(None);
            }
            inventory::record(tx, device, &inventory, &digest, at, audit).map(Some)
        })
        .await
    }

    async fn record_report(
        &self,
        device: DeviceId,
        sequence: u64,
        report: Report,
        at: Timestamp,
        audit: Vec<AuditEvent>,
    ) -> Result<Option<Vec<RequestId>>> {
        let gathered = Arc::clone(&self.shared.gathered);
        self.write(move |tx| {
            if !take(tx.sql, device, sequence, &gathered)? {
                return Ok(None);
            }
            record_report(tx, device, &report, at, audit).map(Some)
        })
        .await
    }

    async fn set_retired(&self, device: DeviceId, at: Option<Timestamp>, audit: Vec<AuditEvent>) -> Result<()> {
        self.write(move |tx| {
            let hardware_id: Option<String> = tx
                .sql
                // Who comes back is stale: it was not evaluated meanwhile.
                .prepare_cached(
                    "UPDATE devices SET retired_at = ?2, evaluated = iif(?2 IS NULL, 0, evaluated) WHERE id = ?1
                     RETURNING hardware_id",
                )?
                .query_row(params![device.blob(), at.map(|at| at.0)], |row| row.get(0))
                .optional()?;
            mark_duplicates(tx.sql, &hardware_id.ok_or(StoreError::NotFound(What::Device))?)?;
            tx.append(audit)
        })
        .await
    }

    async fn reevaluate(&self, after: Option<DeviceId>, limit: u32, now: Timestamp) -> Result<Option<DeviceId>> {
        self.write(move |tx| inventory::reevaluate(tx, after, limit, now)).await
    }
}

/// Refuses devices that are missing or retired.
pub(super) fn may_write(sql: &Connection, device: DeviceId) -> Result<()> {
    let retired: Option<bool> = sql
        .prepare_cached("SELECT retired_at IS NOT NULL FROM devices WHERE id = ?1")?
        .query_row([device.blob()], |row| row.get(0))
        .optional()?;
    match retired {
        None => Err(StoreError::NotFound(What::Device)),
        Some(true) => Err(StoreError::Refused(Refusal::DeviceRetired)),
        Some(false) => Ok(()),
    }
}

/// Whether a check-in with this number may be stored; notes the number.
fn take(sql: &Connection, device: DeviceId, sequence: u64, gathered: &Gathered) -> Result<bool> {
    may_write(sql, device)?;
    if sequence == 0 {
        return Ok(true);
    }
    let taken = sql
        .prepare_cached("UPDATE devices SET sequence = ?2 WHERE id = ?1 AND sequence <= ?2")?
        .execute(params![device.blob(), signed(sequence)])?;
    Ok(taken == 1 && sequence >= gathered.newest_sequence(device))
}

/// Marks the devices that share a hardware id, and unmarks one that is left alone with it.
pub(super) fn mark_duplicates(sql: &Connection, hardware_id: &str) -> Result<()> {
    sql.prepare_cached(
        "UPDATE devices SET duplicate_hardware =
             ?1 <> '' AND (SELECT count(*) FROM devices WHERE hardware_id = ?1 AND retired_at IS NULL) > 1
         WHERE hardware_id = ?1 AND retired_at IS NULL",
    )?
    .execute([hardware_id])?;
    Ok(())
}

fn insert(sql: &Connection, device: &NewDevice) -> Result<()> {
    let taken = sql
        .prepare_cached("SELECT 1 FROM devices WHERE id = ?1")?
        .exists([device.id.blob()])?;
    if taken {
        return Err(StoreError::Exists(What::Device));
    }
    sql.prepare_cached(
        "INSERT INTO devices (id, hostname, hardware_id, enrolled_at, last_seen, search_text)
         VALUES (?1, ?2, ?3, ?4, ?4, ?5)",
    )?
    .execute(params![
        device.id.blob(),
        device.hostname,
        device.hardware_id,
        device.enrolled_at.0,
        format!("{}\n{}", device.hostname, device.hardware_id).to_lowercase()
    ])?;
    mark_duplicates(sql, &device.hardware_id)
}

fn get(sql: &Connection, device: DeviceId) -> Result<Option<Device>> {
    sql.prepare_cached("SELECT * FROM devices WHERE id = ?1")?
        .query_and_then([device.blob()], from_row)?
        .next()
        .transpose()
}

fn from_row(row: &Row<'_>) -> Result<Device> {
    Ok(Device {
        id: id(row, "id")?,
        hostname: row.get("hostname")?,
        hardware_id: row.get("hardware_id")?,
        enrolled_at: time(row, "enrolled_at")?,
        last_seen: time_option(row, "last_seen")?,
        inventory: json_option(row, "inventory")?,
        inventory_digest: row.get("inventory_digest")?,
        inventory_at: time_option(row, "inventory_at")?,
        compliance: json_option(row, "compliance")?,
        verdict: named(row, "verdict")?,
        blocked: json(row, "blocked")?,
        last_error: row.get("last_error")?,
        duplicate_hardware: row.get("duplicate_hardware")?,
        retired_at: time_option(row, "retired_at")?,
        policy_digest: row.get("policy_digest")?,
    })
}

fn volumes(sql: &Connection, device: DeviceId) -> Result<Vec<VolumeRecord>> {
    sql.prepare_cached("SELECT * FROM volumes WHERE device = ?1 ORDER BY present DESC, first_seen, volume")?
        .query_and_then([device.blob()], |row| {
            Ok(VolumeRecord {
                device: id(row, "device")?,
                volume: id(row, "volume")?,
                report: json_option(row, "report")?,
                first_seen: time(row, "first_seen")?,
                last_seen: time(row, "last_seen")?,
                present: row.get("present")?,
            })
        })?
        .collect()
}

fn check_in_view(sql: &Connection, device: DeviceId) -> Result<Option<CheckInView>> {
    let view = sql
        .prepare_cached(
            "SELECT sequence, compliance, inventory_digest, blocked, last_error, retired_at, policy_digest, maintenance,
                 evaluated <> (SELECT generation FROM targeting_state) AS stale
             FROM devices WHERE id = ?1",
        )?
        .query_and_then([device.blob()], |row| {
            Ok::<_, StoreError>(CheckInView {
                sequence: unsigned(row.get("sequence")?),
                inventory_digest: row.get("inventory_digest")?,
                blocked: json(row, "blocked")?,
                last_error: row.get("last_error")?,
                retired: time_option(row, "retired_at")?.is_some(),
                ledger: key_records::ledger(sql, device)?,
                requests: requests::pending(sql, device)?,
                policy_digest: row.get("policy_digest")?,
                stale: row.get("stale")?,
                maintenance: json_option(row, "maintenance")?.unwrap_or_default(),
                exemptions: exemptions::plain(sql, device)?,
                detected: json_option::<Compliance>(row, "compliance")?.map_or_else(Vec::new, |c| c.detected),
            })
        })?
        .next()
        .transpose()?;
    Ok(view)
}

fn record_report(
    tx: &mut Tx<'_>,
    device: DeviceId,
    report: &Report,
    at: Timestamp,
    audit: Vec<AuditEvent>,
) -> Result<Vec<RequestId>> {
    may_write(tx.sql, device)?;
    tx.sql
        .prepare_cached("UPDATE devices SET blocked = ?2, last_error = ?3 WHERE id = ?1")?
        .execute(params![
            device.blob(),
            serde_json::to_string(&report.blocked)?,
            report.last_error
        ])?;
    let done = requests::complete(tx.sql, device, &report.done, at)?;
    tx.append(audit)?;
    Ok(done)
}
