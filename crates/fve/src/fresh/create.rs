//! A new encrypted volume from a plain image.

use std::io;
use std::ops::Range;

use super::layout::{Layout, Placement};
use super::overlay::Overlay;
use super::parts::{NewProtector, Parts, Plan, replace_head};
use crate::Error;
use crate::context::Context;
use crate::convert::ConversionMode;
use crate::convert::log::{LogArea, PAGE_LEN, page};
use crate::format::EncryptionMethod;
use crate::format::constants::{HEADER_LEN, state};
use crate::inner;
use crate::io::{ReadAt, WriteAt};
use crate::volume::{UnlockedVolume, Volume, normalise};

/// What the new volume is to be.
#[derive(Clone, Debug)]
pub struct CreateOptions<'a> {
    /// AES-XTS or AES-CBC without diffuser.
    pub method: EncryptionMethod,
    /// Usually computer, label and date.
    pub description: Option<&'a str>,
    /// The first protectors; a clear key when there are none.
    pub protectors: &'a [NewProtector<'a>],
    /// Where the regions go.
    pub placement: Placement,
    /// Encrypt only what the inner file system uses; the rest of the device is left as it is and reads as noise.
    pub used_space_only: bool,
}

impl Default for CreateOptions<'_> {
    fn default() -> Self {
        Self {
            method: EncryptionMethod::AesXts128,
            description: None,
            protectors: &[],
            placement: Placement::InFileSystem,
            used_space_only: false,
        }
    }
}

/// Creates an encrypted volume on `device` from the plain file system `inner`, which is only read and must
/// have the same size. No plain text touches the device. The boot sector goes first and comes last: a crash leaves what the
/// device held before, or nothing that looks like a volume, or the whole new one.
pub fn create<D: WriteAt>(
    device: D,
    inner: &dyn ReadAt,
    options: &CreateOptions<'_>,
    ctx: &mut Context<'_>,
) -> Result<UnlockedVolume<D>, Error> {
    if device.size() != inner.size() {
        return Err(Error::InvalidArgument("image and device differ in size"));
    }
    if options.used_space_only && !matches!(options.placement, Placement::InFileSystem) {
        return Err(Error::InvalidArgument(
            "which space is used is known only where the inner file system owns the regions",
        ));
    }
    let layout = Layout::new(inner, &options.placement, ctx.now)?;
    let overlay = Overlay::new(inner);
    if let Some(plan) = &layout.plan {
        plan.apply(&overlay)?;
    }
    let mut inner_boot = [0; 512];
    overlay.read_at(0, &mut inner_boot)?;
    let plan = Plan {
        method: options.method,
        description: options.description,
        protectors: options.protectors,
        state: state::ENCRYPTED,
        watermark: device.size(),
    };
    let parts = Parts::new(&layout, &plan, &inner_boot, ctx)?;
    // Until the new boot sector is there, the device must not look like another volume.
    replace_head(&device, &vec![0; layout.sector_size as usize])?;
    let volume = UnlockedVolume::new(
        Volume::from_parts(device, parts.boot, parts.metadata.clone())?,
        parts.vmk.clone(),
    )?;
    fill(&volume, &overlay, &layout, options.used_space_only)?;
    parts.write_metadata(volume.device())?;
    parts.write_boot(volume.device())?;
    volume.reload_log()?;
    Ok(volume)
}

/// Writes the inner view.
fn fill<D: WriteAt>(
    volume: &UnlockedVolume<D>,
    inner: &Overlay<'_>,
    layout: &Layout,
    used_only: bool,
) -> Result<(), Error> {
    const PIECE: u64 = 1 << 20;
    let log = volume
        .geometry
        .extended
        .and_then(|extended| LogArea::new(&extended, layout.sector_size, volume.size()));
    let mut buffer = vec![0; 1 << 20];
    for range in wanted(volume, inner, log.as_ref(), used_only)? {
        for start in (range.start..range.end).step_by(1 << 20) {
            let len = PIECE.min(range.end - start);
            let piece = &mut buffer[..usize::try_from(len).map_err(io::Error::other)?];
            inner.read_at(start, piece)?;
            volume.write_at(start, piece)?;
        }
    }
    if let Some(log) = log {
        let mode = if used_only {
            ConversionMode::UsedSpaceOnly
        } else {
            ConversionMode::Full
        };
        volume.write_at(log.page, &vec![0; PAGE_LEN as usize])?;
        volume.write_at(log.page, &page(volume.volume_guid(), mode))?;
        volume.clear_ring(&volume.state(), &log)?;
    }
    Ok(())
}

/// The parts of the inner view to write: everything or what is used, less the regions.
fn wanted<D: WriteAt>(
    volume: &UnlockedVolume<D>,
    inner: &Overlay<'_>,
    log: Option<&LogArea>,
    used_only: bool,
) -> Result<Vec<Range<u64>>, Error> {
    let mut wanted = if used_only {
        let mut used = inner::used_extents(inner)?;
        used.push(0..HEADER_LEN);
        normalise(used)
    } else {
        vec![Range {
            start: 0,
            end: inner.size(),
        }]
    };
    let mut holes = volume.geometry.always_zero();
    holes.extend(log.map(|log| log.whole()));
    for hole in holes {
        wanted = wanted.into_iter().flat_map(|range| without(&range, &hole)).collect();
    }
    Ok(wanted)
}

fn without(range: &Range<u64>, hole: &Range<u64>) -> [Range<u64>; 2] {
    [
        range.start..range.end.min(hole.start).max(range.start),
        range.start.max(hole.end).min(range.end)..range.end,
    ]
}
