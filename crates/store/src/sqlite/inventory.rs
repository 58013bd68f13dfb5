//! Storing inventories, and evaluating compliance from them.

use std::collections::BTreeMap;

use domain::access::person_key;
use domain::audit::AuditEvent;
use domain::compliance::{Compliance, Verdict};
use domain::ids::DeviceId;
use domain::inventory::Inventory;
use domain::ledger::{KeyState, StateChange};
use domain::plan::Situation;
use domain::time::Timestamp;
use rusqlite::{Connection, params};

use super::values::{Id, id, json, json_option, name, named};
use super::writer::Tx;
use super::{devices, exemptions, key_records};
use crate::model::{InventoryOutcome, KeyName, subject};
use crate::{Result, StoreError, What};

/// Stores an inventory and all that follows from it.
pub(super) fn record(
    tx: &mut Tx<'_>,
    device: DeviceId,
    inventory: &Inventory,
    digest: &str,
    at: Timestamp,
    audit: Vec<AuditEvent>,
) -> Result<InventoryOutcome> {
    devices::may_write(tx.sql, device)?;
    let (verdict_before, hardware_before) = before(tx.sql, device)?;
    store(tx.sql, device, inventory, digest, at)?;
    store_users(tx.sql, device, &inventory.users)?;
    store_volumes(tx.sql, device, inventory, at)?;
    devices::mark_duplicates(tx.sql, &hardware_before)?;
    devices::mark_duplicates(tx.sql, &inventory.hardware_id)?;

    tx.append(audit)?;
    let records = key_records::for_ledger(tx.sql, device)?;
    let key_changes = domain::ledger::observe_inventory(&records, inventory);
    apply(tx, device, &key_changes, at)?;
    let ledger = key_records::ledger(tx.sql, device)?;
    let compliance = evaluate(tx, device, inventory, at)?;
    Ok(InventoryOutcome {
        key_changes,
        verdict_before,
        compliance,
        ledger,
    })
}

/// Evaluates a device again after something but its inventory changed. Of a device that has not reported yet, only the
/// policy is worked out.
pub(super) fn reevaluate_one(tx: &Tx<'_>, device: DeviceId, now: Timestamp) -> Result<()> {
    let stored: Option<(Option<Inventory>, String)> = tx
        .sql
        .prepare_cached("SELECT inventory, hostname FROM devices WHERE id = ?1")?
        .query_and_then([device.blob()], |row| {
            Ok::<_, StoreError>((json_option(row, "inventory")?, row.get("hostname")?))
        })?
        .next()
        .transpose()?;
    match stored {
        Some((Some(inventory), _)) => {
            evaluate(tx, device, &inventory, now)?;
        }
        Some((None, hostname)) => {
            let bare = Inventory {
                hostname,
                ..Inventory::default()
            };
            tx.policies.settle(tx.sql, device, &bare, now)?;
        }
        None => {}
    }
    Ok(())
}

/// Evaluates the next stale devices by id; returns the last. Of retired ones, only the collections are worked out.
pub(super) fn reevaluate(tx: &Tx<'_>, after: Option<DeviceId>, limit: u32, now: Timestamp) -> Result<Option<DeviceId>> {
    let after: &[u8] = after.as_ref().map_or(&[], |id| id.blob());
    let next: Vec<(DeviceId, bool, Inventory)> = tx
        .sql
        .prepare_cached(
            "SELECT id, retired_at IS NOT NULL AS retired, inventory FROM devices
             WHERE id > ?1 AND inventory IS NOT NULL AND evaluated <> (SELECT generation FROM targeting_state)
             ORDER BY id LIMIT ?2",
        )?
        .query_and_then(params![after, limit], |row| {
            Ok::<_, StoreError>((id(row, "id")?, row.get("retired")?, json(row, "inventory")?))
        })?
        .collect::<Result<_>>()?;
    for (device, retired, inventory) in &next {
        if *retired {
            tx.policies.place(tx.sql, *device, inventory)?;
        } else {
            evaluate(tx, *device, inventory, now)?;
        }
    }
    Ok(next.last().map(|(device, ..)| *device))
}

fn before(sql: &Connection, device: DeviceId) -> Result<(Verdict, String)> {
    sql.prepare_cached("SELECT verdict, hardware_id FROM devices WHERE id = ?1")?
        .query_and_then([device.blob()], |row| {
            Ok::<_, StoreError>((named(row, "verdict")?, row.get("hardware_id")?))
        })?
        .next()
        .transpose()?
        .ok_or(StoreError::NotFound(What::Device))
}

fn store(sql: &Connection, device: DeviceId, inventory: &Inventory, digest: &str, at: Timestamp) -> Result<()> {
    let mut search_text = vec![
        inventory.hostname.as_str(),
        inventory.hardware_id.as_str(),
        inventory.manufacturer.as_str(),
        inventory.model.as_str(),
    ];
    search_text.extend(inventory.users.iter().map(String::as_str));
    sql.prepare_cached(
        "UPDATE devices SET hostname = ?2, hardware_id = ?3, os = ?4, manufacturer = ?5, model = ?6, inventory = ?7,
             inventory_digest = ?8, inventory_at = ?9, volume_count = ?10, search_text = ?11,
             last_seen = max(coalesce(last_seen, ?9), ?9)
         WHERE id = ?1",
    )?
    .execute(params![
        device.blob(),
        inventory.hostname,
        inventory.hardware_id,
        inventory.os,
        inventory.manufacturer,
        inventory.model,
        serde_json::to_string(inventory)?,
        digest,
        at.0,
        i64::try_from(inventory.volumes.len()).unwrap_or(i64::MAX),
        search_text.join("\n").to_lowercase()
    ])?;
    Ok(())
}

fn store_users(sql: &Connection, device: DeviceId, users: &[String]) -> Result<()> {
    // Two spellings of one name are one person. A malformed name is kept to be shown, under a key that nobody has.
    let key = |user: &String| person_key(user).unwrap_or_else(|| format!("\\{user}"));
    let users: BTreeMap<String, &String> = users.iter().map(|user| (key(user), user)).collect();
    sql.prepare_cached("DELETE FROM device_users WHERE device = ?1")?
        .execute([device.blob()])?;
    let mut insert = sql.prepare_cached("INSERT INTO device_users (device, user_key, user) VALUES (?1, ?2, ?3)")?;
    for (key, user) in users {
        insert.execute(params![device.blob(), key, user])?;
    }
    Ok(())
}

fn store_volumes(sql: &Connection, device: DeviceId, inventory: &Inventory, at: Timestamp) -> Result<()> {
    sql.prepare_cached("UPDATE volumes SET present = 0 WHERE device = ?1 AND present")?
        .execute([device.blob()])?;
    let mut upsert = sql.prepare_cached(
        "INSERT INTO volumes (device, volume, report, first_seen, last_seen, present) VALUES (?1, ?2, ?3, ?4, ?4, 1)
         ON CONFLICT (device, volume) DO UPDATE SET report = excluded.report, last_seen = excluded.last_seen, present = 1",
    )?;
    for report in &inventory.volumes {
        if let Some(volume) = &report.volume {
            upsert.execute(params![
                device.blob(),
                volume.blob(),
                serde_json::to_string(report)?,
                at.0
            ])?;
        }
    }
    Ok(())
}

/// Draws the conclusions from a key that was just stored, and evaluates the device again.
pub(super) fn escrowed(tx: &mut Tx<'_>, key: &KeyName, at: Timestamp) -> Result<()> {
    if let Some(inventory) = stored(tx.sql, key.device)? {
        let records = key_records::for_ledger(tx.sql, key.device)?;
        let changes = domain::ledger::observe_escrow(&records, &inventory, key.volume, key.protector);
        apply(tx, key.device, &changes, at)?;
        evaluate(tx, key.device, &inventory, at)?;
        return Ok(());
    }
    reevaluate_one(tx, key.device, at)
}

fn stored(sql: &Connection, device: DeviceId) -> Result<Option<Inventory>> {
    let stored = sql
        .prepare_cached("SELECT inventory FROM devices WHERE id = ?1")?
        .query_and_then([device.blob()], |row| json_option(row, "inventory"))?
        .next()
        .transpose()?;
    Ok(stored.flatten())
}

/// Moves keys to their new states.
fn apply(tx: &mut Tx<'_>, device: DeviceId, changes: &[StateChange], at: Timestamp) -> Result<()> {
    for change in changes {
        let name = KeyName {
            device,
            volume: change.volume,
            protector: change.protector,
        };
        key_records::set_state(tx.sql, &name, change.to, at)?;
        let (action, detail) = match change.to {
            KeyState::Superseded => ("key.superseded", "the volume no longer carries this protector"),
            KeyState::Live | KeyState::Disclosed => ("key.returned", "the volume carries this protector again"),
        };
        tx.append(vec![AuditEvent {
            at,
            actor: format!("device:{device}"),
            action: action.into(),
            subject: subject(device, Some(change.volume), Some(change.protector)),
            detail: detail.into(),
        }])?;
    }
    Ok(())
}

fn evaluate(tx: &Tx<'_>, device: DeviceId, inventory: &Inventory, now: Timestamp) -> Result<Compliance> {
    let sql = tx.sql;
    let effective = tx.policies.settle(sql, device, inventory, now)?;
    let ledger = key_records::ledger(sql, device)?;
    let before: Option<Compliance> = sql
        .prepare_cached("SELECT compliance FROM devices WHERE id = ?1")?
        .query_and_then([device.blob()], |row| json_option(row, "compliance"))?
        .next()
        .transpose()?
        .flatten();
    let situation = Situation {
        now,
        detected: before.map(|before| before.detected).unwrap_or_default(),
        exemptions: exemptions::plain(sql, device)?,
        ..Situation::default()
    };
    let compliance = domain::compliance::evaluate(&effective.policy, inventory, &ledger, &situation);
    sql.prepare_cached("UPDATE devices SET compliance = ?2, verdict = ?3 WHERE id = ?1")?
        .execute(params![
            device.blob(),
            serde_json::to_string(&compliance)?,
            name(&compliance.verdict)?
        ])?;
    Ok(compliance)
}
