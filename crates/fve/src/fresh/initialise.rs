//! Putting BitLocker over an existing file system in place, and taking it off again.

use std::io;
use std::ops::Range;

use super::layout::{Layout, Placement};
use super::parts::{HEAD, Parts, Plan, replace_head};
use crate::Error;
use crate::context::Context;
use crate::convert::ConversionMode;
use crate::convert::log::{LogArea, PAGE_LEN, page};
use crate::format::EncryptionMethod;
use crate::format::constants::{HEADER_LEN, METADATA_LEN, state};
use crate::inner;
use crate::io::WriteAt;
use crate::volume::{ConversionStatus, UnlockedVolume, Volume, is_fve};

/// What the volume is to become.
#[derive(Clone, Debug)]
pub struct InitOptions<'a> {
    /// AES-XTS or AES-CBC without diffuser.
    pub method: EncryptionMethod,
    /// Usually computer, label and date.
    pub description: Option<&'a str>,
    /// Where the regions go.
    pub placement: Placement,
}

impl Default for InitOptions<'_> {
    fn default() -> Self {
        Self {
            method: EncryptionMethod::AesXts128,
            description: None,
            placement: Placement::InFileSystem,
        }
    }
}

/// Makes a plain volume a BitLocker volume on which nothing is encrypted yet: it has keys, and
/// a clear key as its only protector. Protectors can be added and escrowed before
/// [`begin_encryption`](UnlockedVolume::begin_encryption).
///
/// A crash before the boot sector is written leaves a plain volume, on which this can be tried again; after it, the
/// volume is initialised. State 1/1 (decrypted) with keys and the watermark just behind the outer header, whose
/// content is relocated anyway, is this project's choice: libbde and dissect read it rightly
/// (libbde refuses watermark 0), dislocker gives the header only, cryptsetup does not activate it.
pub fn initialise<D: WriteAt>(
    device: D,
    options: &InitOptions<'_>,
    ctx: &mut Context<'_>,
) -> Result<UnlockedVolume<D>, Error> {
    if is_fve(&device)? {
        return Err(Error::InvalidState("the device is a BitLocker volume already"));
    }
    let layout = Layout::new(&device, &options.placement, ctx.now)?;
    let mut inner_boot = [0; 512];
    device.read_at(0, &mut inner_boot)?;
    let plan = Plan {
        method: options.method,
        description: options.description,
        protectors: &[],
        state: state::DECRYPTED,
        watermark: HEADER_LEN,
    };
    let parts = Parts::new(&layout, &plan, &inner_boot, ctx)?;
    if let Some(plan) = &layout.plan {
        plan.apply(&device)?;
        device.flush()?;
    }
    device.write_at(layout.regions.header, &bytes_at(&device, 0..HEADER_LEN)?)?;
    let volume = Volume::from_parts(device, parts.boot, parts.metadata.clone())?;
    let log = volume
        .geometry
        .extended
        .and_then(|extended| LogArea::new(&extended, layout.sector_size, volume.geometry.size));
    if let Some(log) = log {
        let mut first = page(parts.metadata.dataset.volume, ConversionMode::Full);
        first.resize(PAGE_LEN as usize, 0);
        volume.device.write_at(log.page, &first)?;
        wipe(&volume.device, log.ring.start, log.ring.end - log.ring.start)?;
    }
    volume.device.flush()?;
    parts.write_metadata(&volume.device)?;
    parts.write_boot(&volume.device)?;
    UnlockedVolume::new(volume, parts.vmk)
}

impl<D: WriteAt> UnlockedVolume<D> {
    /// Takes BitLocker off a fully decrypted volume: the inner file system gets its header back and
    /// our files go. A crash leaves either a decrypted BitLocker volume or a plain one, perhaps with our
    /// files still in it, which do no harm.
    pub fn deinitialise(self) -> Result<D, Error> {
        if self.conversion_status() != ConversionStatus::FullyDecrypted {
            return Err(Error::InvalidState("the volume is not fully decrypted"));
        }
        let mut inner = bytes_at(&self.device, self.geometry.header.clone())?;
        let first = inner.get(..self.sector_size() as usize).map(<[u8]>::to_vec);
        let first = first.ok_or(Error::Unsupported("the length of the relocated header"))?;
        // Everything but the first 512 bytes, which are still BitLocker's; then those alone.
        self.device.read_at(0, &mut inner[..HEAD])?;
        self.device.write_at(0, &inner)?;
        self.device.flush()?;
        replace_head(&self.device, &first)?;
        for area in &self.geometry.metadata {
            wipe(&self.device, area.start, METADATA_LEN as u64)?;
        }
        self.device.flush()?;
        inner::release(&self.device)?;
        self.device.flush()?;
        Ok(self.device)
    }
}

fn bytes_at(device: &dyn WriteAt, range: Range<u64>) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; usize::try_from(range.end - range.start).map_err(io::Error::other)?];
    device.read_at(range.start, &mut bytes)?;
    Ok(bytes)
}

fn wipe(device: &dyn WriteAt, offset: u64, len: u64) -> Result<(), Error> {
    device.write_at(offset, &vec![0; usize::try_from(len).map_err(io::Error::other)?])?;
    Ok(())
}
