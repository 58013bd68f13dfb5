//! What the database holds, read as any other program would, beside what the model holds.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use domain::audit::{AuditEntry, AuditEvent, ChainHead, append};
use domain::ids::DeviceId;
use domain::inventory::Inventory;
use domain::time::Timestamp;
use rusqlite::{Connection, OpenFlags, Row};
use serde::Serialize;
use store::model::RequestKind;
use uuid::Uuid;

use super::super::choice::PolicyChoice;
use super::super::state::{DeviceRecord, Key, State};

/// A connection of its own.
pub(super) struct Reader {
    sql: Connection,
    /// The end of the chain that was compared already.
    head: ChainHead,
    /// Digests of inventories that were met lately.
    digests: Vec<(Rc<Inventory>, String)>,
}

type Difference = Result<Option<String>>;

impl Reader {
    pub(super) fn open(database: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sql = Connection::open_with_flags(database, flags)?;
        sql.set_prepared_statement_cache_capacity(16);
        Ok(Self {
            sql,
            head: ChainHead::default(),
            digests: Vec::new(),
        })
    }

    pub(super) fn compare(
        &mut self,
        model: &State,
        policies: &HashMap<String, PolicyChoice>,
        sealed: &HashMap<u64, Vec<u8>>,
    ) -> Difference {
        self.sql.execute_batch("BEGIN")?;
        let outcome = self.all(model, policies, sealed);
        self.sql.execute_batch("COMMIT")?;
        outcome
    }

    fn all(
        &mut self,
        model: &State,
        policies: &HashMap<String, PolicyChoice>,
        sealed: &HashMap<u64, Vec<u8>>,
    ) -> Difference {
        if let Some(found) = self.devices(model)? {
            return Ok(Some(found));
        }
        if let Some(found) = self.keys(model, sealed)? {
            return Ok(Some(found));
        }
        if let Some(found) = self.requests(model)? {
            return Ok(Some(found));
        }
        if let Some(found) = self.exemptions(model)? {
            return Ok(Some(found));
        }
        if let Some(found) = self.policy(model, policies)? {
            return Ok(Some(found));
        }
        self.audit(model)
    }

    /// The number of the last check-in that is stored of each device.
    pub(super) fn numbers(&self) -> Result<Vec<(DeviceId, u64)>> {
        self.rows("SELECT id, sequence FROM devices", |row| {
            Ok((DeviceId(uuid(row, 0)?), number(row, 1)?))
        })
    }

    fn rows<T>(&self, query: &str, read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>> {
        let mut statement = self.sql.prepare_cached(query)?;
        let rows = statement.query_map([], read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn devices(&mut self, model: &State) -> Difference {
        let stored = self.rows(
            "SELECT id, hardware_id, duplicate_hardware, retired_at IS NOT NULL, inventory_digest, blocked
             FROM devices ORDER BY rowid",
            |row| {
                Ok((
                    uuid(row, 0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, bool>(2)?,
                    row.get::<_, bool>(3)?,
                    row.get::<_, Option<String>>(4)?,
                    row.get::<_, String>(5)?,
                ))
            },
        )?;
        let mut expected = Vec::with_capacity(model.devices.len());
        for device in &model.devices {
            expected.push((
                device.id.0,
                device.hardware.clone(),
                device.duplicate,
                device.retired,
                self.digest_of(device)?,
                serde_json::to_string(&device.blocked)?,
            ));
        }
        Ok(differ("devices", &stored, &expected))
    }

    fn digest_of(&mut self, device: &DeviceRecord) -> Result<Option<String>> {
        let Some(inventory) = &device.inventory else {
            return Ok(None);
        };
        if let Some((_, digest)) = self.digests.iter().find(|(known, _)| Rc::ptr_eq(known, inventory)) {
            return Ok(Some(digest.clone()));
        }
        let digest = domain::digest::digest(&**inventory)?;
        if self.digests.len() >= 8 {
            self.digests.remove(0);
        }
        self.digests.push((Rc::clone(inventory), digest.clone()));
        Ok(Some(digest))
    }

    fn keys(&self, model: &State, sealed: &HashMap<u64, Vec<u8>>) -> Difference {
        let stored = self.rows(
            "SELECT device, volume, protector, state, proof, disclosed_at IS NOT NULL, version,
                 (SELECT escrowed_at FROM key_versions v WHERE v.key = k.id AND v.version = k.version)
             FROM keys k ORDER BY id",
            |row| {
                Ok((
                    (uuid(row, 0)?, uuid(row, 1)?, uuid(row, 2)?),
                    row.get::<_, String>(3)?,
                    row.get::<_, String>(4)?,
                    row.get::<_, bool>(5)?,
                    number(row, 6)?,
                    row.get::<_, i64>(7)?,
                ))
            },
        )?;
        let expected = model.keys.iter().map(|key| {
            let entry = &key.record.entry;
            (
                (key.name.device.0, key.name.volume.0, key.name.protector.0),
                word(&entry.state),
                word(&entry.proof),
                key.record.ever_disclosed,
                key.versions.len() as u64,
                entry.escrowed_at.0,
            )
        });
        if let Some(found) = differ("keys", &stored, &expected.collect::<Vec<_>>()) {
            return Ok(Some(found));
        }
        let stored = self.rows(
            "SELECT k.protector, v.version, v.proof, v.sealed FROM keys k JOIN key_versions v ON v.key = k.id
             ORDER BY k.id, v.version",
            |row| {
                Ok((
                    uuid(row, 0)?,
                    number(row, 1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, Vec<u8>>(3)?,
                ))
            },
        )?;
        let of_key = |key: &Key| {
            let protector = key.name.protector.0;
            let versions = key.versions.iter().enumerate().map(move |(n, v)| {
                let sealed = sealed.get(&v.seal).cloned().unwrap_or_default();
                (protector, n as u64 + 1, word(&v.proof), sealed)
            });
            versions.collect::<Vec<_>>()
        };
        Ok(differ(
            "versions of keys",
            &stored,
            &model.keys.iter().flat_map(of_key).collect::<Vec<_>>(),
        ))
    }

    fn requests(&self, model: &State) -> Difference {
        let stored = self.rows(
            "SELECT id, device, kind, done_at IS NOT NULL FROM requests ORDER BY rowid",
            |row| {
                Ok((
                    uuid(row, 0)?,
                    uuid(row, 1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, bool>(3)?,
                ))
            },
        )?;
        let mut expected = Vec::new();
        for request in &model.requests {
            let kind = match &request.rotate {
                Some(rotate) => RequestKind::Rotate(rotate.clone()),
                None => RequestKind::Report,
            };
            expected.push((
                request.id.0,
                request.device.0,
                serde_json::to_string(&kind)?,
                request.done,
            ));
        }
        Ok(differ("requests", &stored, &expected))
    }

    fn exemptions(&self, model: &State) -> Difference {
        let stored = self.rows(
            "SELECT id, user, state, requested_at, (SELECT count(*) FROM exemption_decisions d WHERE d.exemption = e.id)
             FROM exemptions e ORDER BY id",
            |row| {
                Ok((
                    number(row, 0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, i64>(3)?,
                    number(row, 4)?,
                ))
            },
        )?;
        let expected = model.exemptions.iter().map(|e| {
            let state = e.exemption.decision.word().to_owned();
            (
                e.id,
                e.exemption.user.clone(),
                state,
                e.exemption.requested.0,
                e.decisions as u64,
            )
        });
        Ok(differ("exemptions", &stored, &expected.collect::<Vec<_>>()))
    }

    fn policy(&self, model: &State, policies: &HashMap<String, PolicyChoice>) -> Difference {
        let stored = self.rows(
            "SELECT i.digest FROM newest_items n JOIN items i USING (kind, id, version)
             WHERE n.kind = 'document' AND n.id = 'default'",
            |row| row.get::<_, Option<String>>(0),
        )?;
        let stored = stored.into_iter().flatten().next().context("there is no policy")?;
        Ok(differ(
            "the policy in force",
            &[policies.get(&stored).copied()],
            &[Some(model.policy)],
        ))
    }

    /// The chain goes on from where it was looked at, by the rule of the chain, with the entries of the model.
    fn audit(&mut self, model: &State) -> Difference {
        let known = usize::try_from(self.head.sequence)?;
        let mut statement = self.sql.prepare_cached(
            "SELECT sequence, at, actor, action, subject, detail, previous, hash FROM audit WHERE sequence >= ?1
             ORDER BY sequence",
        )?;
        let entries = statement.query_map([i64::try_from(known)?], |row| {
            Ok(AuditEntry {
                sequence: number(row, 0)?,
                event: AuditEvent {
                    at: Timestamp(row.get(1)?),
                    actor: row.get(2)?,
                    action: row.get(3)?,
                    subject: row.get(4)?,
                    detail: row.get(5)?,
                },
                previous: row.get(6)?,
                hash: row.get(7)?,
            })
        })?;
        let entries = entries.collect::<rusqlite::Result<Vec<_>>>()?;
        drop(statement);
        let (mut stored, mut expected) = (Vec::new(), Vec::new());
        for entry in entries {
            if entry.sequence <= self.head.sequence {
                if entry.hash != self.head.hash {
                    return Ok(Some("an entry of the audit was changed".to_owned()));
                }
                continue;
            }
            let next = append(self.head, entry.event.clone());
            if next != entry {
                return Ok(Some(format!("the audit's chain is broken at {}", entry.sequence)));
            }
            self.head = ChainHead {
                sequence: next.sequence,
                hash: next.hash,
            };
            stored.push(plain(&entry.event));
        }
        for entry in model.audit.iter().skip(known) {
            expected.push(plain(&entry.event));
        }
        Ok(differ("the audit", &stored, &expected))
    }
}

/// An event without the details that a model need not know.
fn plain(event: &AuditEvent) -> (i64, String, String, String) {
    (
        event.at.0,
        event.actor.clone(),
        event.action.clone(),
        event.subject.clone(),
    )
}

fn uuid(row: &Row<'_>, at: usize) -> rusqlite::Result<Uuid> {
    Ok(Uuid::from_bytes(row.get(at)?))
}

fn number(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or(0))
}

/// An enumeration as the store writes it.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn differ<T: PartialEq + std::fmt::Debug>(what: &str, stored: &[T], expected: &[T]) -> Option<String> {
    if stored == expected {
        return None;
    }
    let longest = stored.len().max(expected.len());
    let at = (0..longest).find(|&n| stored.get(n) != expected.get(n))?;
    Some(format!(
        "{what}, number {}: the store has {:?}, the model {:?}",
        at + 1,
        stored.get(at),
        expected.get(at)
    ))
}
