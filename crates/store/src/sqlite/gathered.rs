//! Last contacts with their numbers, and last uses, gathered in memory until a transaction takes them along. Losing them in a crash loses
//! nothing but a few seconds of freshness: a message that the crash interrupted does not arrive later either.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::ids::DeviceId;
use domain::time::Timestamp;
use rusqlite::{Connection, params};

use super::values::{Id, signed};
use crate::Result;
use crate::model::SecretHash;

#[derive(Default)]
pub(super) struct Gathered(Mutex<Contents>);

#[derive(Default)]
pub(super) struct Contents {
    devices: HashMap<DeviceId, Timestamp>,
    sequences: HashMap<DeviceId, u64>,
    sessions: HashMap<SecretHash, Timestamp>,
    api_tokens: HashMap<SecretHash, Timestamp>,
}

impl Gathered {
    pub(super) fn device(&self, device: DeviceId, at: Timestamp) {
        latest(&mut self.lock().devices, device, at);
    }

    pub(super) fn sequence(&self, device: DeviceId, sequence: u64) {
        latest(&mut self.lock().sequences, device, sequence);
    }

    /// The highest number of a check-in that is not stored yet; 0: there is none.
    pub(super) fn newest_sequence(&self, device: DeviceId) -> u64 {
        self.lock().sequences.get(&device).copied().unwrap_or_default()
    }

    pub(super) fn session(&self, session: SecretHash, at: Timestamp) {
        latest(&mut self.lock().sessions, session, at);
    }

    pub(super) fn api_token(&self, token: SecretHash, at: Timestamp) {
        latest(&mut self.lock().api_tokens, token, at);
    }

    pub(super) fn take(&self) -> Contents {
        std::mem::take(&mut *self.lock())
    }

    pub(super) fn put_back(&self, contents: Contents) {
        let mut now = self.lock();
        for (device, at) in contents.devices {
            latest(&mut now.devices, device, at);
        }
        for (device, sequence) in contents.sequences {
            latest(&mut now.sequences, device, sequence);
        }
        for (session, at) in contents.sessions {
            latest(&mut now.sessions, session, at);
        }
        for (token, at) in contents.api_tokens {
            latest(&mut now.api_tokens, token, at);
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
        let mut sequences = sql.prepare_cached("UPDATE devices SET sequence = ?2 WHERE id = ?1 AND sequence < ?2")?;
        for (device, sequence) in &self.sequences {
            sequences.execute(params![device.blob(), signed(*sequence)])?;
        }
        let mut sessions =
            sql.prepare_cached("UPDATE sessions SET last_used = ?2 WHERE hash = ?1 AND last_used < ?2")?;
        for (session, at) in &self.sessions {
            sessions.execute(params![session.0, at.0])?;
        }
        let mut tokens = sql.prepare_cached(
            "UPDATE api_tokens SET last_used = ?2 WHERE hash = ?1 AND (last_used IS NULL OR last_used < ?2)",
        )?;
        for (token, at) in &self.api_tokens {
            tokens.execute(params![token.0, at.0])?;
        }
        Ok(())
    }
}

fn latest<K: Eq + Hash, V: Ord + Copy>(map: &mut HashMap<K, V>, key: K, at: V) {
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
