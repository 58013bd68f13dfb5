//! Volumes in memory, for the order of steps and for guards; real volumes are tested end to end elsewhere. They outlive
//! the agent that works on them, and check P1 and P2 by themselves at every change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use agent::provider::{Code, Conversion, EncryptableVolume, Provider, Result};
use domain::ids::{ProtectorId, VolumeId};
use domain::inventory::Tpm;
use domain::volume::{
    ConversionStatus, EncryptionExtent, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::ledger::Book;

/// One protector.
#[derive(Clone, Debug)]
pub struct Protector {
    pub id: ProtectorId,
    pub kind: ProtectorType,
    pub name: Option<String>,
    pub password: String,
}

/// One volume's state.
#[derive(Clone, Debug)]
pub struct Disk {
    pub device: String,
    pub kind: VolumeKind,
    pub volume: Option<VolumeId>,
    pub protectors: Vec<Protector>,
    pub conversion: ConversionStatus,
    pub done: u16,
    pub step: u16,
    pub suspended: bool,
    pub locked: bool,
    pub auto_unlock: Option<ProtectorId>,
    pub failing: Option<Code>,
    /// Every operation that changed something.
    pub log: Vec<&'static str>,
}

/// All volumes of a device, and the server's book to hold them against.
pub struct World {
    pub disks: BTreeMap<String, Disk>,
    pub book: Arc<Mutex<Book>>,
    pub drawn: u128,
    /// Every password ever drawn.
    pub issued: Vec<String>,
}

#[derive(Clone)]
pub struct Volumes(pub Arc<Mutex<World>>);

impl Volumes {
    pub fn new(book: Arc<Mutex<Book>>, kinds: &[(&str, VolumeKind)]) -> Self {
        let disk = |(device, kind): &(&str, VolumeKind)| {
            let disk = Disk {
                device: (*device).to_owned(),
                kind: *kind,
                volume: None,
                protectors: Vec::new(),
                conversion: ConversionStatus::FullyDecrypted,
                done: 0,
                step: 2500,
                suspended: false,
                locked: false,
                auto_unlock: None,
                failing: None,
                log: Vec::new(),
            };
            (disk.device.clone(), disk)
        };
        Self(Arc::new(Mutex::new(World {
            disks: kinds.iter().map(disk).collect(),
            book,
            drawn: 0,
            issued: Vec::new(),
        })))
    }

    pub fn disk(&self, device: &str) -> Disk {
        self.0.lock().unwrap().disks[device].clone()
    }

    pub fn change(&self, device: &str, f: impl FnOnce(&mut Disk)) {
        f(self.0.lock().unwrap().disks.get_mut(device).unwrap());
    }
}

impl Provider for Volumes {
    fn volumes(&mut self) -> Result<Vec<Box<dyn EncryptableVolume + '_>>> {
        let disks: Vec<_> = self.0.lock().unwrap().disks.values().cloned().collect();
        let volume = |d: Disk| -> Box<dyn EncryptableVolume> { Box::new(Handle(self.0.clone(), d.device, d.kind)) };
        Ok(disks.into_iter().map(volume).collect())
    }

    fn volume(&mut self, device: &str) -> Result<Box<dyn EncryptableVolume + '_>> {
        let found = self.0.lock().unwrap().disks.get(device).cloned();
        let disk = found.ok_or(Code::FileNotFound)?;
        Ok(Box::new(Handle(self.0.clone(), disk.device, disk.kind)))
    }

    fn tpm(&mut self) -> Tpm {
        Tpm::Ready {
            manufacturer: "TEST".to_owned(),
            spec_version: "2.0".to_owned(),
        }
    }
}

struct Handle(Arc<Mutex<World>>, String, VolumeKind);

impl Handle {
    fn look<T>(&self, f: impl FnOnce(&Disk) -> T) -> Result<T> {
        let world = self.0.lock().unwrap();
        let disk = &world.disks[&self.1];
        disk.failing.map_or_else(|| Ok(f(disk)), |code| Err(code.into()))
    }

    fn change<T>(&self, name: &'static str, f: impl FnOnce(&mut Disk) -> Result<T>) -> Result<T> {
        let mut world = self.0.lock().unwrap();
        let book = Arc::clone(&world.book);
        let disk = world.disks.get_mut(&self.1).unwrap();
        if let Some(code) = disk.failing {
            return Err(code.into());
        }
        if disk.locked {
            return Err(Code::LockedVolume.into());
        }
        let value = f(disk)?;
        disk.log.push(name);
        disk.check_promises(&book.lock().unwrap());
        Ok(value)
    }

    fn add(&self, kind: ProtectorType, name: Option<&str>, password: Option<&str>) -> Result<ProtectorId> {
        let (id, drawn) = {
            let mut world = self.0.lock().unwrap();
            world.drawn += 1;
            let drawn = format!("{:048}", world.drawn * 11);
            let groups: Vec<&str> = (0..8).map(|i| &drawn[i * 6..i * 6 + 6]).collect();
            let drawn = password.map_or(groups.join("-"), str::to_owned);
            if kind == ProtectorType::RecoveryPassword {
                world.issued.push(drawn.clone());
            }
            (ProtectorId(Uuid::from_u128(world.drawn)), drawn)
        };
        self.change("add", |disk| {
            disk.volume
                .get_or_insert(VolumeId(Uuid::from_u128(id.0.as_u128() << 64)));
            disk.protectors.push(Protector {
                id,
                kind,
                name: name.map(str::to_owned),
                password: drawn,
            });
            Ok(id)
        })
    }
}

impl Disk {
    pub fn recovery_passwords(&self) -> Vec<ProtectorId> {
        let all = self.protectors.iter();
        all.filter(|p| p.kind == ProtectorType::RecoveryPassword)
            .map(|p| p.id)
            .collect()
    }

    /// P1 and P2: whenever anything is or becomes ciphertext, a recovery password on the volume is in the book.
    pub fn check_promises(&self, book: &Book) {
        if self.conversion != ConversionStatus::FullyDecrypted {
            let held = self.recovery_passwords().iter().any(|p| book.holds(*p));
            assert!(held, "{}: ciphertext without a stored recovery password", self.device);
        }
    }
}

impl EncryptableVolume for Handle {
    fn device_id(&self) -> String {
        self.1.clone()
    }
    fn drive_letter(&self) -> Option<String> {
        None
    }
    fn volume_type(&self) -> VolumeKind {
        self.2
    }
    fn size(&self) -> u64 {
        1 << 20
    }
    fn label(&mut self) -> String {
        // A label that somebody chose to annoy us with.
        format!("LABEL\u{1b}[31m{}", "ä".repeat(200))
    }
    fn file_system(&mut self) -> String {
        "NTFS".to_owned()
    }
    fn persistent_volume_id(&mut self) -> Result<Option<VolumeId>> {
        self.look(|d| d.volume)
    }
    fn protection_status(&mut self) -> Result<ProtectionStatus> {
        self.look(|d| match (d.locked, d.conversion, d.suspended) {
            (true, ..) => ProtectionStatus::Unknown,
            (_, ConversionStatus::FullyEncrypted, false) => ProtectionStatus::On,
            _ => ProtectionStatus::Off,
        })
    }
    fn conversion_status(&mut self) -> Result<Conversion> {
        if self.look(|d| d.locked)? {
            return Err(Code::LockedVolume.into());
        }
        self.look(|d| Conversion {
            status: d.conversion,
            encrypted_basis_points: d.done,
            extent: EncryptionExtent::Full,
        })
    }
    fn encryption_method(&mut self) -> Result<EncryptionMethod> {
        self.look(|d| match d.conversion {
            ConversionStatus::FullyDecrypted => EncryptionMethod::None,
            _ => EncryptionMethod::XtsAes128,
        })
    }
    fn lock_status(&mut self) -> Result<LockStatus> {
        self.look(|d| {
            if d.locked {
                LockStatus::Locked
            } else {
                LockStatus::Unlocked
            }
        })
    }
    fn suspend_count(&mut self) -> Result<u8> {
        match self.look(|d| d.suspended)? {
            true => Ok(0),
            false => Err(Code::NotSupported.into()),
        }
    }
    fn key_protectors(&mut self, kind: Option<ProtectorType>) -> Result<Vec<ProtectorId>> {
        if self.look(|d| d.protectors.is_empty())? {
            return Err(Code::NotActivated.into());
        }
        self.look(|d| {
            let wanted = d.protectors.iter().filter(|p| kind.is_none_or(|k| k == p.kind));
            wanted.map(|p| p.id).collect()
        })
    }
    fn key_protector_type(&mut self, id: ProtectorId) -> Result<ProtectorType> {
        self.look(|d| d.protectors.iter().find(|p| p.id == id).map(|p| p.kind))?
            .ok_or(Code::InvalidArgument.into())
    }
    fn key_protector_friendly_name(&mut self, id: ProtectorId) -> Result<Option<String>> {
        self.look(|d| d.protectors.iter().find(|p| p.id == id).map(|p| p.name.clone()))?
            .ok_or(Code::InvalidArgument.into())
    }
    fn key_protector_numerical_password(&mut self, id: ProtectorId) -> Result<Zeroizing<String>> {
        if self.look(|d| d.locked)? {
            return Err(Code::LockedVolume.into());
        }
        self.look(|d| d.protectors.iter().find(|p| p.id == id).map(|p| p.password.clone()))?
            .map(Zeroizing::new)
            .ok_or(Code::InvalidArgument.into())
    }
    fn key_protector_external_key(&mut self, _id: ProtectorId) -> Result<Zeroizing<Vec<u8>>> {
        Err(Code::NotSupported.into())
    }
    fn metadata(&mut self) -> Result<Vec<u8>> {
        self.look(|_| vec![7; protocol::limits::METADATA_LEN])
    }
    fn protect_key_with_numerical_password(&mut self, n: Option<&str>, p: Option<&str>) -> Result<ProtectorId> {
        self.add(ProtectorType::RecoveryPassword, n, p)
    }
    fn protect_key_with_tpm(&mut self, name: Option<&str>) -> Result<ProtectorId> {
        if self.look(|d| d.protectors.iter().any(|p| p.kind == ProtectorType::Tpm))? {
            return Err(Code::ProtectorExists.into());
        }
        self.add(ProtectorType::Tpm, name, None)
    }
    fn protect_key_with_tpm_and_pin(&mut self, name: Option<&str>, pin: &str) -> Result<ProtectorId> {
        self.add(ProtectorType::TpmPin, name, Some(pin))
    }
    fn protect_key_with_external_key(&mut self, name: Option<&str>, _key: Option<&[u8]>) -> Result<ProtectorId> {
        self.add(ProtectorType::ExternalKey, name, None)
    }
    fn protect_key_with_passphrase(&mut self, name: Option<&str>, passphrase: &str) -> Result<ProtectorId> {
        self.add(ProtectorType::Passphrase, name, Some(passphrase))
    }
    fn change_pin(&mut self, _id: ProtectorId, _pin: &str) -> Result<()> {
        Err(Code::NotSupported.into())
    }
    fn change_passphrase(&mut self, _id: ProtectorId, _passphrase: &str) -> Result<ProtectorId> {
        Err(Code::NotSupported.into())
    }
    fn delete_key_protector(&mut self, id: ProtectorId) -> Result<()> {
        self.change("delete", |d| {
            if d.auto_unlock == Some(id) {
                return Err(Code::VolumeBoundAlready.into());
            }
            let before = d.protectors.len();
            d.protectors.retain(|p| p.id != id);
            (d.protectors.len() < before)
                .then_some(())
                .ok_or(Code::ProtectorNotFound.into())
        })
    }
    fn disable_key_protectors(&mut self, _count: u8) -> Result<()> {
        self.change("disable", |d| {
            d.suspended = true;
            Ok(())
        })
    }
    fn enable_key_protectors(&mut self) -> Result<()> {
        self.change("enable", |d| {
            d.suspended = false;
            Ok(())
        })
    }
    fn enable_auto_unlock(&mut self, id: ProtectorId) -> Result<()> {
        self.change("enable_auto_unlock", |d| {
            d.auto_unlock = Some(id);
            Ok(())
        })
    }
    fn disable_auto_unlock(&mut self) -> Result<()> {
        self.change("disable_auto_unlock", |d| {
            d.auto_unlock.take().map(drop).ok_or(Code::VolumeNotBound.into())
        })
    }
    fn is_auto_unlock_enabled(&mut self) -> Result<Option<ProtectorId>> {
        if self.2 == VolumeKind::Os {
            return Err(Code::NotDataVolume.into());
        }
        self.look(|d| d.auto_unlock)
    }
    fn encrypt(&mut self, _method: EncryptionMethod, _extent: EncryptionExtent) -> Result<()> {
        self.change("encrypt", |d| {
            if d.protectors.is_empty() {
                return Err(Code::CannotEncryptNoKey.into());
            }
            if d.conversion != ConversionStatus::FullyEncrypted {
                d.conversion = ConversionStatus::EncryptionInProgress;
            }
            Ok(())
        })
    }
    fn decrypt(&mut self) -> Result<()> {
        self.change("decrypt", |d| {
            d.conversion = ConversionStatus::DecryptionInProgress;
            Ok(())
        })
    }
    fn pause_conversion(&mut self) -> Result<()> {
        Err(Code::NotSupported.into())
    }
    fn resume_conversion(&mut self) -> Result<()> {
        self.change("resume", |d| {
            d.conversion = ConversionStatus::EncryptionInProgress;
            Ok(())
        })
    }
    fn convert_some(&mut self) -> Result<bool> {
        self.change("convert", |d| {
            match d.conversion {
                ConversionStatus::EncryptionInProgress => {
                    d.done = (d.done + d.step).min(10_000);
                    if d.done == 10_000 {
                        d.conversion = ConversionStatus::FullyEncrypted;
                    }
                }
                ConversionStatus::DecryptionInProgress => {
                    d.done = d.done.saturating_sub(d.step);
                    if d.done == 0 {
                        d.conversion = ConversionStatus::FullyDecrypted;
                    }
                }
                _ => return Ok(true),
            }
            Ok(false)
        })
    }
    fn unlock_with_numerical_password(&mut self, _password: &str) -> Result<()> {
        Err(Code::NotSupported.into())
    }
    fn unlock_with_passphrase(&mut self, _passphrase: &str) -> Result<()> {
        Err(Code::NotSupported.into())
    }
    fn unlock_with_external_key(&mut self, _key: &[u8]) -> Result<()> {
        Err(Code::NotSupported.into())
    }
    fn lock(&mut self) -> Result<()> {
        Err(Code::NotSupported.into())
    }
}
