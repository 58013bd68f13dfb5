//! Opening a volume without unlocking it. Nothing here writes.

use super::copies::{Copies, CopyInfo};
use super::eow::EowMap;
use super::geometry::Geometry;
use super::info::{EowInfo, VolumeInfo, percent};
use super::status::ConversionStatus;
use super::unlocked::UnlockedVolume;
use crate::Error;
use crate::convert::Reencryption;
use crate::format::constants::role;
use crate::format::read::{BootSector, FormatError, read_boot_sector, text};
use crate::format::{EncryptionMethod, Metadata};
use crate::io::ReadAt;
use crate::keychain::{Credential, check_integrity, volume_master_key};
use crate::protector::{self, ProtectorInfo};

/// A locked volume: what its metadata says in clear.
pub struct Volume<D> {
    pub(crate) device: D,
    pub(super) boot: BootSector,
    pub(super) metadata: Metadata,
    pub(crate) geometry: Geometry,
    pub(super) eow: Option<Result<EowMap, FormatError>>,
    /// Other sound copies, newest first, should the first fail its integrity check.
    others: Vec<Metadata>,
    pub(super) copies: [CopyInfo; 3],
    protectors: Vec<ProtectorInfo>,
}

impl<D> std::fmt::Debug for Volume<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Volume")
            .field("volume", &self.metadata.dataset.volume)
            .field("boot", &self.boot)
            .finish_non_exhaustive()
    }
}

impl<D: ReadAt> Volume<D> {
    /// Opens a volume. Of the sound metadata copies the newest counts; damaged ones are
    /// stepped over and reported by [`info`](Self::info).
    pub fn open(device: D) -> Result<Self, Error> {
        let boot = boot_sector(&device)?;
        let copies = Copies::read(&device, &boot);
        let metadata = copies.newest()?.clone();
        let others = copies.by_age().into_iter().skip(1).cloned().collect();
        let protectors = protectors_of(&metadata)?;
        Ok(Self {
            geometry: Geometry::new(&boot, &metadata, device.size())?,
            eow: EowMap::read(&device, &boot),
            copies: copies.infos(&metadata),
            device,
            boot,
            metadata,
            others,
            protectors,
        })
    }

    /// A volume whose metadata is known but perhaps not written yet.
    pub(crate) fn from_parts(device: D, boot: BootSector, metadata: Metadata) -> Result<Self, Error> {
        let copies = boot.metadata.map(|offset| CopyInfo {
            offset,
            problem: None,
            current: true,
        });
        Ok(Self {
            geometry: Geometry::new(&boot, &metadata, device.size())?,
            eow: EowMap::read(&device, &boot),
            copies,
            device,
            boot,
            others: Vec::new(),
            protectors: protectors_of(&metadata)?,
            metadata,
        })
    }

    /// Everything that can be known without a secret.
    pub fn info(&self) -> VolumeInfo {
        let Metadata {
            header,
            dataset,
            datums,
            ..
        } = &self.metadata;
        let reencryption = Reencryption::of(&self.metadata);
        let (encrypted_bytes, whole) = match &self.eow {
            Some(Ok(map)) => (map.encrypted_bytes(), map.covered_bytes()),
            Some(Err(_)) => (0, self.geometry.size),
            None if reencryption.is_some() => (self.geometry.size, self.geometry.size),
            None => (header.state_offset.min(self.geometry.size), self.geometry.size),
        };
        let eow = self.eow.as_ref().map(|eow| EowInfo {
            chunk_size: eow.as_ref().map_or(0, EowMap::chunk_size),
            regions: eow.as_ref().map_or(0, EowMap::regions),
            problem: eow.as_ref().err().map(ToString::to_string),
        });
        let has = |wanted: u16| datums.iter().any(|datum| datum.role == wanted);
        VolumeInfo {
            volume: dataset.volume,
            layout: self.boot.layout,
            method: reencryption.map_or_else(|| EncryptionMethod::from_number(dataset.method), |way| Some(way.to)),
            method_number: dataset.method,
            sector_size: self.boot.sector_size,
            size: self.device.size(),
            current_state: header.current_state,
            next_state: header.next_state,
            status: ConversionStatus::of(&self.metadata, self.boot.layout),
            reencryption,
            encrypted_bytes,
            percent: percent(encrypted_bytes, whole),
            watermark: header.state_offset,
            eow,
            copies: self.copies.clone(),
            header_offset: self.geometry.header.start,
            header_len: self.geometry.header.end - self.geometry.header.start,
            description: datums.iter().find(|d| d.role == role::DESCRIPTION).and_then(text),
            created: dataset.created,
            next_nonce: dataset.next_nonce,
            preferred_method: dataset.preferred_method,
            auto_unlock_keys: has(role::AUTO_UNLOCK),
            identification_field: has(role::IDENTIFICATION),
            boot_profile: has(role::BOOT_PROFILE),
            protectors: self.protectors.clone(),
            extended: self.geometry.extended,
        }
    }

    /// The protectors in their order on disk.
    pub fn protectors(&self) -> &[ProtectorInfo] {
        &self.protectors
    }

    /// The metadata area in use, 64 KiB: evidence for [`verify`](crate::verify).
    pub fn metadata_bytes(&self) -> Vec<u8> {
        self.metadata.area.clone()
    }

    /// Unlocks the volume. Metadata that the volume master key does not vouch for is
    /// refused; should another copy be authentic, that one is used.
    pub fn unlock(mut self, credential: &Credential<'_>) -> Result<UnlockedVolume<D>, Error> {
        let mut candidates = std::mem::take(&mut self.others).into_iter();
        loop {
            let (vmk, _) = volume_master_key(&self.metadata, credential)?;
            match (check_integrity(&self.metadata, &vmk), candidates.next()) {
                (Ok(()), _) => return UnlockedVolume::new(self, vmk),
                (Err(error), None) => return Err(error),
                (Err(_), Some(other)) => self.use_copy(other)?,
            }
        }
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Gives the device back.
    pub fn into_device(self) -> D {
        self.device
    }

    fn use_copy(&mut self, metadata: Metadata) -> Result<(), Error> {
        self.geometry = Geometry::new(&self.boot, &metadata, self.device.size())?;
        self.protectors = protectors_of(&metadata)?;
        // The next change has to know which copies it must not write first.
        for copy in &mut self.copies {
            let mut area = vec![0; metadata.area.len()];
            copy.current = self.device.read_at(copy.offset, &mut area).is_ok() && area == metadata.area;
        }
        self.metadata = metadata;
        Ok(())
    }
}

/// Whether the device carries a BitLocker boot sector.
pub fn is_fve(device: &dyn ReadAt) -> Result<bool, Error> {
    match boot_sector(device) {
        Ok(_) => Ok(true),
        Err(Error::NotBitLocker(FormatError::Signature { .. })) => Ok(false),
        Err(error) => Err(error),
    }
}

fn boot_sector(device: &dyn ReadAt) -> Result<BootSector, Error> {
    let mut sector = [0; 512];
    if device.size() < sector.len() as u64 {
        return Err(Error::NotBitLocker(FormatError::Truncated {
            what: "the boot sector",
        }));
    }
    device.read_at(0, &mut sector)?;
    read_boot_sector(&sector).map_err(Error::NotBitLocker)
}

fn protectors_of(metadata: &Metadata) -> Result<Vec<ProtectorInfo>, Error> {
    Ok(protector::list(metadata)?.into_iter().map(|(_, info)| info).collect())
}
