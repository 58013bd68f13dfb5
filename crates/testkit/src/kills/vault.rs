//! What lies sealed in the server's database, read from the file and opened with the server's keys.

use std::path::Path;

use anyhow::{Context, Result};
use domain::ids::ProtectorId;
use fve::RecoveryPassword;
use protocol::sealing::SealedSecret;
use rusqlite::{Connection, OpenFlags};
use server::sealing::{KeyRing, SealedRecord};
use store::model::KeyName;
use uuid::Uuid;

/// The database, opened for reading beside the server.
pub(super) struct Vault(Connection);

impl Vault {
    pub(super) fn open(database: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(database, flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(30))?;
        Ok(Self(connection))
    }

    /// All sealed versions of a key, as they were sent.
    pub(super) fn sealed(&self, name: KeyName) -> Result<Vec<Vec<u8>>> {
        let mut query = self.0.prepare_cached(
            "SELECT v.sealed FROM keys k JOIN key_versions v ON v.key = k.id \
             WHERE k.device = ?1 AND k.volume = ?2 AND k.protector = ?3 ORDER BY v.version",
        )?;
        let ids = [
            name.device.0.as_bytes(),
            name.volume.0.as_bytes(),
            name.protector.0.as_bytes(),
        ];
        let rows = query.query_map(ids, |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The newest sealed password of a volume's protector, opened; none when the server has none.
    pub(super) fn password(&self, keys: &KeyRing, volume: Uuid, protector: Uuid) -> Result<Option<RecoveryPassword>> {
        let mut query = self.0.prepare_cached(
            "SELECT k.device, v.sealed FROM keys k JOIN key_versions v ON v.key = k.id \
             WHERE k.volume = ?1 AND k.protector = ?2 ORDER BY v.escrowed_at DESC, v.version DESC LIMIT 1",
        )?;
        let mut rows = query.query([volume.as_bytes(), protector.as_bytes()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let device: Vec<u8> = row.get(0)?;
        let sealed: Vec<u8> = row.get(1)?;
        let sealed: SealedSecret = serde_json::from_slice(&sealed).context("what is stored is not a sealed secret")?;
        let opened = keys.open_password(SealedRecord {
            device: domain::ids::DeviceId(Uuid::from_slice(&device)?),
            volume: domain::ids::VolumeId(volume),
            protector: ProtectorId(protector),
            sealed: &sealed,
        })?;
        Ok(Some(RecoveryPassword::parse(&opened)?))
    }

    /// One number.
    pub(super) fn count(&self, query: &str) -> Result<u64> {
        let count: i64 = self.0.query_row(query, [], |row| row.get(0))?;
        Ok(u64::try_from(count)?)
    }
}
