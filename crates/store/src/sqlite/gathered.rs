//! Last contacts and last uses, gathered in memory until a transaction takes them along. Losing them in a crash loses
//! nothing but a few seconds of freshness.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::ids::DeviceId;
use domain::time::Timestamp;
use rusqlite::{Connection, params};

use super::values::Id;
use crate::Result;
use crate::model::SecretHash;

#[derive(Default)]
pub(super) struct Gathered(Mutex<Contents>);

#[derive(Default)]
pub(super) struct Contents {
    devices: HashMap<DeviceId, Timestamp>,
    sessions: HashMap<SecretHash, Timestamp>,
}

impl Gathered {
    pub(super) fn device(&self, device: DeviceId, at: Timestamp) {
        latest(&mut self.lock().devices, device, at);
    }

    pub(super) fn session(&self, session: SecretHash, at: Timestamp) {
        latest(&mut self.lock().sessions, session, at);
    }

    pub(super) fn take(&self) -> Contents {
        std::mem::take(&mut *self.lock())
    }

    pub(super) fn put_back(&self, contents: Contents) {
        let mut now = self.lock();
        for (device, at) in contents.devices {
            latest(&mut now.devices, device, at);
        }
        for (session, at) in contents.sessions {
            latest(&mut now.sessions, session, at);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    pub(super) fn store(&self, sql: &Connection) -> Result<()> {
        let mut devices = sql.prepare_cached(
            "UPDATE devices SET last_seen = ?2 WHERE id = ?1 AND (last_seen IS NULL OR last_seen < ?2)",
        )?;
        for (device, at) in &self.devices {
            devices.execute(params![device.blob(), at.0])?;
        }
        let mut sessions =
            sql.prepare_cached("UPDATE sessions SET last_used = ?2 WHERE hash = ?1 AND last_used < ?2")?;
        for (session, at) in &self.sessions {
            sessions.execute(params![session.0, at.0])?;
        }
        Ok(())
    }
}

fn latest<K: Eq + Hash>(map: &mut HashMap<K, Timestamp>, key: K, at: Timestamp) {
    match map.entry(key) {
        Entry::Occupied(mut entry) => {
            let kept = entry.get_mut();
            *kept = (*kept).max(at);
        }
        Entry::Vacant(entry) => {
            entry.insert(at);
        }
    }
}
