//! The state directory: keys of automatic unlocking, and which boot was seen last.
//!
//! Windows keeps these keys in the registry, on the operating system volume, wrapped by a key of that volume. The same here:
//! `auto-unlock.json` holds the external keys of data volumes, each wrapped (AES-256-GCM, bound to volume and protector)
//! by a key derived from the operating system volume's master key. So they open when, and only when, that volume does.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use fve::{ExternalKey, Guid, VolumeMasterKey};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::provider::{Code, ProviderError, Result};

const PURPOSE: &str = "Claviger: automatic unlocking";
const KEYS: &str = "auto-unlock.json";
const BOOT: &str = "boot-id";

/// The state directory.
pub(super) struct Store {
    dir: PathBuf,
}

/// A stored key, wrapped.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// The data volume.
    pub(super) volume: Guid,
    /// Its external key protector.
    pub(super) protector: Guid,
    nonce: [u8; 12],
    wrapped: Vec<u8>,
}

impl Store {
    pub(super) fn open(dir: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&dir).map_err(|error| failed(&dir, &error))?;
        Ok(Self { dir })
    }

    /// The boot that was seen last; none when there is no record of one.
    pub(super) fn last_boot(&self) -> Result<Option<String>> {
        Ok(self.read(BOOT)?.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    pub(super) fn set_last_boot(&self, id: &str) -> Result<()> {
        self.write(BOOT, id.as_bytes())
    }

    /// All entries; their keys stay wrapped.
    pub(super) fn entries(&self) -> Result<Vec<Entry>> {
        match self.read(KEYS)? {
            None => Ok(Vec::new()),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let path = self.dir.join(KEYS);
                ProviderError::new(Code::ReadFault, format!("{}: {error}", path.display()))
            }),
        }
    }

    /// The entry of a volume.
    pub(super) fn entry(&self, volume: Guid) -> Result<Option<Entry>> {
        Ok(self.entries()?.into_iter().find(|entry| entry.volume == volume))
    }

    /// Stores a volume's key, in place of an older one.
    pub(super) fn put(
        &self,
        os: &VolumeMasterKey,
        volume: Guid,
        protector: Guid,
        key: &ExternalKey,
        rng: &mut dyn CryptoRng,
    ) -> Result<()> {
        let mut nonce = [0; 12];
        rng.fill_bytes(&mut nonce);
        let aad = associated(volume, protector);
        let payload = Payload {
            msg: key.as_bytes(),
            aad: &aad,
        };
        let wrapped = cipher(os)
            .encrypt(Nonce::from_slice(&nonce), payload)
            .map_err(|_| ProviderError::new(Code::InvalidArgument, "wrapping a key"))?;
        self.change(|entries| {
            entries.retain(|entry| entry.volume != volume);
            entries.push(Entry {
                volume,
                protector,
                nonce,
                wrapped,
            });
        })
    }

    /// Forgets a volume's key.
    pub(super) fn remove(&self, volume: Guid) -> Result<()> {
        self.change(|entries| entries.retain(|entry| entry.volume != volume))
    }

    /// Forgets all keys.
    pub(super) fn clear(&self) -> Result<()> {
        self.change(Vec::clear)
    }

    fn change(&self, edit: impl FnOnce(&mut Vec<Entry>)) -> Result<()> {
        let path = self.dir.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.and_then(|file| file.lock().map(|()| file));
        let _lock = lock.map_err(|error| failed(&path, &error))?;
        let mut entries = self.entries()?;
        edit(&mut entries);
        let bytes =
            serde_json::to_vec(&entries).map_err(|error| ProviderError::new(Code::ReadFault, error.to_string()))?;
        self.write(KEYS, &bytes)
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.dir.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    /// Durable, and all or nothing.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let (path, new) = (self.dir.join(name), self.dir.join(format!("{name}.new")));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        write().map_err(|error| failed(&path, &error))
    }
}

impl Entry {
    /// The key, if the operating system volume's key is the one that it was stored under.
    pub(super) fn key(&self, os: &VolumeMasterKey) -> Option<ExternalKey> {
        let aad = associated(self.volume, self.protector);
        let payload = Payload {
            msg: &self.wrapped,
            aad: &aad,
        };
        let plain = cipher(os).decrypt(Nonce::from_slice(&self.nonce), payload).ok()?;
        let plain = Zeroizing::new(plain);
        Some(ExternalKey::from_bytes(plain.as_slice().try_into().ok()?))
    }
}

fn associated(volume: Guid, protector: Guid) -> [u8; 32] {
    let mut aad = [0; 32];
    aad[..16].copy_from_slice(volume.as_bytes());
    aad[16..].copy_from_slice(protector.as_bytes());
    aad
}

fn cipher(os: &VolumeMasterKey) -> Aes256Gcm {
    Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(&*os.derive(PURPOSE)))
}

fn failed(path: &Path, error: &std::io::Error) -> ProviderError {
    ProviderError::new(Code::ReadFault, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_stored_key_opens_for_its_own_volume_under_its_own_os_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().to_owned()).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let os = VolumeMasterKey::from_bytes([1; 32]);
        let [first, second, protector] = [(); 3].map(|()| Guid::random(&mut rng));
        let key = ExternalKey::from_bytes([7; 32]);
        store.put(&os, first, protector, &key, &mut rng).unwrap();
        let mut entry = store.entry(first).unwrap().unwrap();
        assert_eq!(entry.key(&os).unwrap().as_bytes(), key.as_bytes());
        assert!(entry.key(&VolumeMasterKey::from_bytes([2; 32])).is_none());
        entry.volume = second;
        assert!(entry.key(&os).is_none());
        store.put(&os, first, second, &key, &mut rng).unwrap();
        assert_eq!(store.entries().unwrap().len(), 1, "one key a volume");
        store.remove(first).unwrap();
        assert!(store.entries().unwrap().is_empty());
    }

    #[test]
    fn a_damaged_store_is_an_error_not_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path().to_owned()).unwrap();
        std::fs::write(dir.path().join(KEYS), "[{").unwrap();
        assert_eq!(store.entries().unwrap_err().code, Code::ReadFault);
        assert!(store.clear().is_err());
    }
}
