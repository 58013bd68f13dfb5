//! Putting BitLocker over an existing file system in place, and taking it off again.

use std::io;
use std::ops::Range;

use super::layout::{Layout, Placement};
use super::parts::{Parts, Plan};
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
    copy_header(&device, 0..HEADER_LEN, layout.regions.header, 0)?;
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
        let header = self.geometry.header.start;
        let sector = u64::from(self.sector_size());
        copy_header(&self.device, header..self.geometry.header.end, 0, sector)?;
        let mut first = vec![0; self.sector_size() as usize];
        self.device.read_at(header, &mut first)?;
        self.device.write_at(0, &first)?;
        self.device.flush()?;
        for area in &self.geometry.metadata {
            wipe(&self.device, area.start, METADATA_LEN as u64)?;
        }
        self.device.flush()?;
        inner::release(&self.device)?;
        self.device.flush()?;
        Ok(self.device)
    }
}

/// Copies the header from one place to another, leaving out its first `skip` bytes.
fn copy_header(device: &dyn WriteAt, from: Range<u64>, to: u64, skip: u64) -> Result<(), Error> {
    let len = from.end - from.start - skip;
    let mut header = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    device.read_at(from.start + skip, &mut header)?;
    device.write_at(to + skip, &header)?;
    Ok(device.flush()?)
}

fn wipe(device: &dyn WriteAt, offset: u64, len: u64) -> Result<(), Error> {
    device.write_at(offset, &vec![0; usize::try_from(len).map_err(io::Error::other)?])?;
    Ok(())
}
