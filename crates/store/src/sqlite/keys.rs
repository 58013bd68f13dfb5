//! Escrowed recovery passwords.

use std::io::{Read, Write};

use async_trait::async_trait;
use domain::audit::AuditEvent;
use domain::ids::DeviceId;
use domain::ledger::{KeyState, Ledger, ProofState};
use domain::time::Timestamp;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use uuid::Uuid;

use super::values::{Id, id, json_option, name, named, time};
use super::writer::Tx;
use super::{SqliteStore, device_list, devices, inventory, key_records, within};
use crate::model::{
    Disclosed, Escrowed, FoundKey, KeyName, KeyRecord, KeySearch, NewEscrow, ProofJob, ProofResult, SealedBytes,
    Within, subject,
};
use crate::traits::Keys;
use crate::{Result, StoreError, What};

#[async_trait]
impl Keys for SqliteStore {
    async fn escrow(&self, escrow: NewEscrow, audit: Vec<AuditEvent>) -> Result<Escrowed> {
        let evidence = compress(&escrow.evidence)?;
        self.write(move |tx| store(tx, &escrow, &evidence, audit)).await
    }

    async fn disclose(
        &self,
        name: KeyName,
        within: &Within,
        at: Timestamp,
        audit: Vec<AuditEvent>,
    ) -> Result<Disclosed> {
        if audit.is_empty() {
            return Err(StoreError::Invalid {
                field: "audit",
                allowed: "nothing is told without a record",
            });
        }
        let within = within.clone();
        self.write(move |tx| {
            if !within::sees(tx.sql, &within, name.device)? {
                return Err(StoreError::NotFound(What::Key));
            }
            disclose(tx, name, at, audit)
        })
        .await
    }

    async fn key(&self, name: KeyName) -> Result<Option<KeyRecord>> {
        self.read(move |sql| {
            let mut found = key_records::select(
                sql,
                "k.device = ?1 AND k.volume = ?2 AND k.protector = ?3",
                params![name.device.blob(), name.volume.blob(), name.protector.blob()],
            )?;
            Ok(found.pop())
        })
        .await
    }

    async fn keys_of_device(&self, device: DeviceId) -> Result<Vec<KeyRecord>> {
        self.read(move |sql| key_records::select(sql, "k.device = ?1", [device.blob()]))
            .await
    }

    async fn find_keys(&self, search: KeySearch, within: &Within) -> Result<Vec<FoundKey>> {
        let within = within.clone();
        self.read(move |sql| find(sql, search, &within)).await
    }

    async fn ledger(&self, device: DeviceId) -> Result<Ledger> {
        self.read(move |sql| key_records::ledger(sql, device)).await
    }

    async fn unproven(&self, limit: u32) -> Result<Vec<ProofJob>> {
        self.read(move |sql| unproven(sql, limit)).await
    }

    async fn record_proof(&self, result: ProofResult, audit: Vec<AuditEvent>) -> Result<bool> {
        if result.proof == ProofState::NotProven {
            return Err(StoreError::Invalid {
                field: "proof",
                allowed: "must be proven or failed",
            });
        }
        self.write(move |tx| record_proof(tx, &result, audit)).await
    }

    async fn evidence(&self, name: KeyName, version: u32) -> Result<Option<Vec<u8>>> {
        self.read(move |sql| {
            let evidence: Option<Vec<u8>> = sql
                .prepare_cached(
                    "SELECT v.evidence FROM keys k JOIN key_versions v ON v.key = k.id
                     WHERE k.device = ?1 AND k.volume = ?2 AND k.protector = ?3 AND v.version = ?4",
                )?
                .query_row(
                    params![name.device.blob(), name.volume.blob(), name.protector.blob(), version],
                    |row| row.get(0),
                )
                .optional()?;
            evidence.map(|evidence| decompress(&evidence)).transpose()
        })
        .await
    }
}

fn store(tx: &mut Tx<'_>, escrow: &NewEscrow, evidence: &[u8], audit: Vec<AuditEvent>) -> Result<Escrowed> {
    devices::may_write(tx.sql, escrow.name.device)?;
    let known = row_of(tx.sql, &escrow.name)?;
    if let Some(known) = &known
        && let Some(first) = same_secret(tx.sql, known.id, &escrow.sealed)?
    {
        return Ok(first);
    }
    let (key, version) = match known {
        Some(known) => (known.id, add_version(tx.sql, known.id)?),
        None => (add_key(tx.sql, escrow)?, 1),
    };
    tx.sql
        .prepare_cached(
            "INSERT INTO key_versions (key, version, key_version, escrowed_at, sealed, evidence)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            key,
            version,
            escrow.sealed.key_version,
            escrow.at.0,
            escrow.sealed.bytes,
            evidence
        ])?;
    tx.append(audit)?;
    inventory::escrowed(tx, &escrow.name, escrow.at)?;
    Ok(Escrowed {
        escrowed_at: escrow.at,
        version,
        new: true,
    })
}

fn same_secret(sql: &Connection, key: i64, sealed: &SealedBytes) -> Result<Option<Escrowed>> {
    sql.prepare_cached(
        "SELECT version, escrowed_at FROM key_versions WHERE key = ?1 AND key_version = ?2 AND sealed = ?3
         ORDER BY version LIMIT 1",
    )?
    .query_and_then(params![key, sealed.key_version, sealed.bytes], |row| {
        Ok(Escrowed {
            escrowed_at: time(row, "escrowed_at")?,
            version: row.get("version")?,
            new: false,
        })
    })?
    .next()
    .transpose()
}

fn add_key(sql: &Connection, escrow: &NewEscrow) -> Result<i64> {
    let KeyName {
        device,
        volume,
        protector,
    } = &escrow.name;
    sql.prepare_cached(
        "INSERT INTO volumes (device, volume, first_seen, last_seen, present) VALUES (?1, ?2, ?3, ?3, 0)
         ON CONFLICT (device, volume) DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)",
    )?
    .execute(params![device.blob(), volume.blob(), escrow.at.0])?;
    // A password that was told is exposed on whichever device it turns up (P5): one that enrolled anew, a drive that moved.
    sql.prepare_cached(
        "INSERT INTO keys (device, volume, protector, first_escrowed_at, disclosed_at, state)
         SELECT ?1, ?2, ?3, ?4, told, iif(told IS NULL, 'live', 'disclosed')
         FROM (SELECT max(disclosed_at) AS told FROM keys WHERE protector = ?3 AND volume = ?2)",
    )?
    .execute(params![device.blob(), volume.blob(), protector.blob(), escrow.at.0])?;
    Ok(sql.last_insert_rowid())
}

/// A device that escrows a protector again has it: a key that was taken for replaced is in use again, and exposed if it
/// ever was.
fn add_version(sql: &Connection, key: i64) -> Result<u32> {
    Ok(sql
        .prepare_cached(
            "UPDATE keys SET version = version + 1, proof = 'not_proven', superseded_at = NULL,
                 state = iif(disclosed_at IS NULL, 'live', 'disclosed')
             WHERE id = ?1 RETURNING version",
        )?
        .query_row([key], |row| row.get(0))?)
}

fn disclose(tx: &mut Tx<'_>, key_name: KeyName, at: Timestamp, audit: Vec<AuditEvent>) -> Result<Disclosed> {
    let key = row_of(tx.sql, &key_name)?.ok_or(StoreError::NotFound(What::Key))?;
    let state = match key.state {
        KeyState::Live | KeyState::Disclosed => KeyState::Disclosed,
        KeyState::Superseded => KeyState::Superseded,
    };
    tx.sql
        .prepare_cached("UPDATE keys SET state = ?2, disclosed_at = ?3 WHERE id = ?1")?
        .execute(params![key.id, name(&state)?, at.0])?;
    tx.append(audit)?;
    let elsewhere = expose_elsewhere(tx, &key_name, at)?;
    // A version that failed its proof does not hide an older one that is known to open the volume.
    tx.sql
        .prepare_cached(
            "SELECT version, key_version, sealed, proof FROM key_versions
             WHERE key = ?1 AND (version = ?2 OR proof = 'proven')
             ORDER BY version = ?2 AND proof <> 'failed' DESC, proof = 'proven' DESC, version DESC LIMIT 1",
        )?
        .query_and_then(params![key.id, key.version], |row| {
            Ok::<_, StoreError>(Disclosed {
                name: key_name,
                version: row.get("version")?,
                sealed: SealedBytes {
                    key_version: row.get("key_version")?,
                    bytes: row.get("sealed")?,
                },
                proof: named(row, "proof")?,
                state,
                elsewhere: elsewhere.clone(),
            })
        })?
        .next()
        .transpose()?
        .ok_or(StoreError::NotFound(What::Key))
}

/// A password is told once for all records of it (P5): where another device holds the same key, it is exposed too.
fn expose_elsewhere(tx: &mut Tx<'_>, told: &KeyName, at: Timestamp) -> Result<Vec<DeviceId>> {
    let others: Vec<(DeviceId, KeyState)> = tx
        .sql
        .prepare_cached("SELECT device, state FROM keys WHERE protector = ?1 AND volume = ?2 AND device <> ?3")?
        .query_and_then(
            params![told.protector.blob(), told.volume.blob(), told.device.blob()],
            |row| Ok::<_, StoreError>((id(row, "device")?, named(row, "state")?)),
        )?
        .collect::<Result<_>>()?;
    for (device, state) in &others {
        tx.sql
            .prepare_cached(
                "UPDATE keys SET disclosed_at = ?4, state = iif(state = 'live', 'disclosed', state)
                 WHERE device = ?1 AND volume = ?2 AND protector = ?3",
            )?
            .execute(params![device.blob(), told.volume.blob(), told.protector.blob(), at.0])?;
        if *state == KeyState::Live {
            tx.append(vec![AuditEvent {
                at,
                actor: "system".into(),
                action: "key.exposed".into(),
                subject: subject(*device, Some(told.volume), Some(told.protector)),
                detail: format!("the same key was told from the record of device:{}", told.device),
            }])?;
        }
    }
    Ok(others.into_iter().map(|(device, _)| device).collect())
}

fn find(sql: &Connection, search: KeySearch, within: &Within) -> Result<Vec<FoundKey>> {
    let (first, last) = match search {
        KeySearch::Whole(protector) => (protector.0, protector.0),
        KeySearch::FirstEight(digits) => (
            Uuid::from_u128(u128::from(digits) << 96),
            Uuid::from_u128(u128::from(digits) << 96 | (u128::MAX >> 32)),
        ),
    };
    let (seen, values) = within::single(within, "k.device")?;
    let bound = [first, last].map(|end| Value::from(end.as_bytes().to_vec()));
    let keys = key_records::select(
        sql,
        &format!("k.protector BETWEEN ? AND ? AND {seen}"),
        params_from_iter(bound.into_iter().chain(values)),
    )?;
    keys.into_iter().map(|key| locate(sql, key)).collect()
}

fn locate(sql: &Connection, key: KeyRecord) -> Result<FoundKey> {
    let report: Option<domain::inventory::VolumeReport> = sql
        .prepare_cached("SELECT report FROM volumes WHERE device = ?1 AND volume = ?2")?
        .query_and_then(params![key.name.device.blob(), key.name.volume.blob()], |row| {
            json_option(row, "report")
        })?
        .next()
        .transpose()?
        .flatten();
    let (hostname, retired) = sql
        .prepare_cached("SELECT hostname, retired_at IS NOT NULL FROM devices WHERE id = ?1")?
        .query_row([key.name.device.blob()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (letter, label) = report.map_or((None, None), |report| (report.letter, Some(report.label)));
    Ok(FoundKey {
        hostname,
        retired,
        letter,
        label: label.filter(|label| !label.is_empty()),
        users: device_list::users(sql, key.name.device)?,
        key,
    })
}

fn unproven(sql: &Connection, limit: u32) -> Result<Vec<ProofJob>> {
    sql.prepare_cached(
        "SELECT k.device, k.volume, k.protector, v.version, v.key_version, v.sealed, v.evidence, v.escrowed_at
         FROM keys k JOIN key_versions v ON v.key = k.id AND v.version = k.version
         WHERE k.proof = 'not_proven' ORDER BY k.id LIMIT ?1",
    )?
    .query_and_then([limit], |row| {
        Ok(ProofJob {
            name: KeyName {
                device: id(row, "device")?,
                volume: id(row, "volume")?,
                protector: id(row, "protector")?,
            },
            version: row.get("version")?,
            sealed: SealedBytes {
                key_version: row.get("key_version")?,
                bytes: row.get("sealed")?,
            },
            evidence: decompress(&row.get::<_, Vec<u8>>("evidence")?)?,
            escrowed_at: time(row, "escrowed_at")?,
        })
    })?
    .collect()
}

fn record_proof(tx: &mut Tx<'_>, result: &ProofResult, audit: Vec<AuditEvent>) -> Result<bool> {
    let key = row_of(tx.sql, &result.name)?.ok_or(StoreError::NotFound(What::Key))?;
    let before: ProofState = tx
        .sql
        .prepare_cached("SELECT proof FROM key_versions WHERE key = ?1 AND version = ?2")?
        .query_and_then(params![key.id, result.version], |row| named(row, "proof"))?
        .next()
        .transpose()?
        .ok_or(StoreError::NotFound(What::Key))?;
    if before == result.proof {
        return Ok(false);
    }
    let proof = name(&result.proof)?;
    tx.sql
        .prepare_cached(
            "UPDATE key_versions SET proof = ?3, proof_reason = ?4, proof_at = ?5 WHERE key = ?1 AND version = ?2",
        )?
        .execute(params![key.id, result.version, proof, result.reason, result.at.0])?;
    tx.sql
        .prepare_cached("UPDATE keys SET proof = ?3 WHERE id = ?1 AND version = ?2")?
        .execute(params![key.id, result.version, proof])?;
    inventory::reevaluate_one(tx, result.name.device, result.at)?;
    tx.append(audit)?;
    Ok(true)
}

struct KeyRow {
    id: i64,
    version: u32,
    state: KeyState,
}

fn row_of(sql: &Connection, name: &KeyName) -> Result<Option<KeyRow>> {
    sql.prepare_cached("SELECT id, version, state FROM keys WHERE device = ?1 AND volume = ?2 AND protector = ?3")?
        .query_and_then(
            params![name.device.blob(), name.volume.blob(), name.protector.blob()],
            |row| {
                Ok(KeyRow {
                    id: row.get("id")?,
                    version: row.get("version")?,
                    state: named(row, "state")?,
                })
            },
        )?
        .next()
        .transpose()
}

/// A metadata copy is mostly zeros: 64 KiB become two or three.
fn compress(evidence: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(evidence)?;
    Ok(encoder.finish()?)
}

fn decompress(evidence: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    DeflateDecoder::new(evidence).read_to_end(&mut bytes)?;
    Ok(bytes)
}
