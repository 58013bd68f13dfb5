//! An unlocked volume.

use std::io;
use std::ops::Range;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::copies::CopyInfo;
use super::eow::EowMap;
use super::geometry::Geometry;
use super::open::Volume;
use super::status::{ConversionStatus, is_reencrypting};
use crate::Error;
use crate::convert::log::LogArea;
use crate::convert::record::Pending;
use crate::crypto::sector::SectorCipher;
use crate::format::read::{BootSector, FormatError};
use crate::format::{EncryptionMethod, Metadata};
use crate::guid::Guid;
use crate::io::{ReadAt, WriteAt};
use crate::keychain::{previous_encryption_key, volume_encryption_key};
use crate::secret::VolumeMasterKey;

/// A volume whose keys are known. Reading it gives the inner file system: the
/// relocated header at its start, zeros for the regions that hold metadata,
/// everything else decrypted where it lies.
pub struct UnlockedVolume<D> {
    pub(crate) device: D,
    pub(super) boot: BootSector,
    pub(crate) geometry: Geometry,
    pub(crate) vmk: VolumeMasterKey,
    pub(crate) method: EncryptionMethod,
    pub(crate) cipher: SectorCipher,
    /// While a volume is re-encrypted: the key that the sectors behind the watermark still have.
    previous: Option<SectorCipher>,
    pub(crate) eow: Option<Result<EowMap, FormatError>>,
    state: RwLock<State>,
}

/// What changes while the volume is open.
pub(crate) struct State {
    pub(crate) metadata: Metadata,
    pub(crate) copies: [CopyInfo; 3],
    /// Ranges of the inner view that read as zeros; sorted, apart.
    pub(crate) zero: Vec<Range<u64>>,
    /// Our conversion log, if there is one.
    pub(crate) log: Option<LogArea>,
    /// Chunks in the log that the watermark does not cover yet.
    pub(crate) pending: Vec<Pending>,
    /// A lap of the conversion has begun and its watermark is not published: the log may hold records that a
    /// write to the inner view would make wrong.
    pub(crate) unsettled: bool,
    /// Everything that lay on the device when it was opened is known to be durable.
    pub(crate) durable: bool,
    /// What the inner file system uses, as last looked up; forgotten at every write.
    pub(crate) used: Option<Vec<Range<u64>>>,
    /// A metadata update failed half-way: what is on disk is not known.
    pub(crate) stale: bool,
}

/// What sectors are encrypted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// Nothing: they are plain.
    None,
    /// The volume encryption key; while a volume is re-encrypted, the new one.
    Present,
    /// The old key of a volume that is being re-encrypted.
    Previous,
}

impl<D> std::fmt::Debug for UnlockedVolume<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnlockedVolume")
            .field("boot", &self.boot)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl<D: ReadAt> UnlockedVolume<D> {
    pub(crate) fn new(volume: Volume<D>, vmk: VolumeMasterKey) -> Result<Self, Error> {
        let Volume {
            device,
            boot,
            metadata,
            geometry,
            eow,
            copies,
            ..
        } = volume;
        let (method, fvek) = volume_encryption_key(&metadata, &vmk)?;
        let cipher =
            SectorCipher::new(method, &fvek, geometry.sector_size).ok_or(Error::Unsupported("the key length"))?;
        let previous = match previous_encryption_key(&metadata, &vmk)? {
            Some((method, fvek)) => Some(
                SectorCipher::new(method, &fvek, geometry.sector_size).ok_or(Error::Unsupported("the key length"))?,
            ),
            None => None,
        };
        let state = State {
            metadata,
            copies,
            zero: Vec::new(),
            log: None,
            pending: Vec::new(),
            unsettled: false,
            durable: false,
            used: None,
            stale: false,
        };
        let unlocked = Self {
            device,
            boot,
            geometry,
            vmk,
            method,
            cipher,
            previous,
            eow,
            state: RwLock::new(state),
        };
        unlocked.reload_log()?;
        Ok(unlocked)
    }

    /// Looks for our conversion log and what a crash left in it.
    pub(crate) fn reload_log(&self) -> io::Result<()> {
        let state = &mut *self.write_state();
        self.refresh_zero(state);
        self.find_log(state)?;
        self.refresh_zero(state);
        Ok(())
    }

    /// The volume's GUID.
    pub fn volume_guid(&self) -> Guid {
        self.state().metadata.dataset.volume
    }

    /// How sectors are encrypted.
    pub fn method(&self) -> EncryptionMethod {
        self.method
    }

    /// 512 or 4096.
    pub fn sector_size(&self) -> u32 {
        self.geometry.sector_size
    }

    /// How far the volume is encrypted and where it is going.
    pub fn conversion_status(&self) -> ConversionStatus {
        self.status_of(&self.state())
    }

    pub(crate) fn status_of(&self, state: &State) -> ConversionStatus {
        ConversionStatus::of(&state.metadata, self.boot.layout)
    }

    /// What the device's byte at `at` is encrypted with, and up to where, by the published watermark.
    pub(crate) fn key_at(&self, state: &State, at: u64) -> (Key, u64) {
        let watermark = state.metadata.header.state_offset;
        if at < watermark {
            (Key::Present, watermark)
        } else if is_reencrypting(&state.metadata) {
            (Key::Previous, u64::MAX)
        } else {
            (Key::None, u64::MAX)
        }
    }

    /// The cipher of a key; `None` for plain text.
    pub(crate) fn cipher_for(&self, key: Key) -> Option<&SectorCipher> {
        match key {
            Key::None => None,
            Key::Present => Some(&self.cipher),
            Key::Previous => self.previous.as_ref(),
        }
    }

    /// The metadata area in use, 64 KiB: evidence for [`verify`](crate::verify).
    pub fn metadata_bytes(&self) -> Vec<u8> {
        self.state().metadata.area.clone()
    }

    /// The metadata copies; damaged or differing ones are healed by the next change.
    pub fn copies(&self) -> [CopyInfo; 3] {
        self.state().copies.clone()
    }

    pub(crate) fn boot_sector(&self) -> &BootSector {
        &self.boot
    }

    /// The volume master key, which opens the volume without any protector.
    pub fn master_key(&self) -> &VolumeMasterKey {
        &self.vmk
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Gives the device back.
    pub fn into_device(self) -> D {
        self.device
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write_state(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: ReadAt> ReadAt for UnlockedVolume<D> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.read_view(&self.state(), offset, buf)
    }

    fn size(&self) -> u64 {
        self.geometry.size
    }
}

/// Writes into regions that hold metadata fail with `PermissionDenied`, except
/// zeros, which are there already.
impl<D: WriteAt> WriteAt for UnlockedVolume<D> {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.write_view(&mut self.write_state(), offset, data)
    }

    fn flush(&self) -> io::Result<()> {
        self.device.flush()
    }
}
