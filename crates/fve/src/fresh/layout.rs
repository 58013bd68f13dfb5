//! Where the regions of a new volume go.

use crate::Error;
use crate::convert::log::LogArea;
use crate::format::constants::{HEADER_LEN, ICE_LEN, METADATA_LEN};
use crate::inner::{self, RegionRequest, Regions, ReservePlan};
use crate::io::ReadAt;
use crate::time::FileTime;

/// How the regions of a new volume are placed.
#[derive(Clone, Copy, Debug, Default)]
pub enum Placement {
    /// In files that the inner file system gets for them, so that it never gives their clusters away.
    #[default]
    InFileSystem,
    /// At these offsets. The caller answers for it that the inner file system never uses them;
    /// if it does, data is lost.
    At {
        /// The regions.
        regions: Regions,
        /// 512 or 4096.
        sector_size: u32,
        /// Length of the conversion log region: at least 12 KiB, or 0 for none. A log of 64 KiB or more makes
        /// conversions fast.
        log_len: u32,
    },
}

/// The outcome: sector size, regions, and what must change in the inner file system.
pub(super) struct Layout {
    pub(super) sector_size: u32,
    pub(super) regions: Regions,
    pub(super) log_len: u32,
    pub(super) plan: Option<ReservePlan>,
}

impl Layout {
    pub(super) fn new(inner: &dyn ReadAt, placement: &Placement, now: FileTime) -> Result<Self, Error> {
        let layout = match *placement {
            Placement::At {
                regions,
                sector_size,
                log_len,
            } => Self {
                sector_size,
                regions,
                log_len,
                plan: None,
            },
            Placement::InFileSystem => Self::in_file_system(inner, now)?,
        };
        layout.check(inner.size())?;
        Ok(layout)
    }

    fn in_file_system(inner: &dyn ReadAt, now: FileTime) -> Result<Self, Error> {
        let sector_size = inner::sector_size(inner)?;
        let (log_len, plan) = plan_with_log(inner, now)?;
        Ok(Self {
            sector_size,
            regions: plan.regions(),
            log_len,
            plan: Some(plan),
        })
    }

    /// Regions lie within the volume, on sector boundaries and apart from each other and from the outer header.
    fn check(&self, size: u64) -> Result<(), Error> {
        if !matches!(self.sector_size, 512 | 4096) {
            return Err(Error::Unsupported("sector sizes other than 512 and 4096"));
        }
        if !size.is_multiple_of(self.sector_size.into()) {
            return Err(Error::InvalidArgument(
                "the device's size is no multiple of its sector size",
            ));
        }
        let Regions {
            metadata,
            header,
            ice,
            log,
        } = self.regions;
        let mut places = vec![(0, HEADER_LEN), (header, HEADER_LEN), (ice, ICE_LEN)];
        places.extend(metadata.map(|offset| (offset, METADATA_LEN as u64)));
        if self.log_len > 0 {
            places.push((log, self.log_len.into()));
        }
        places.sort_unstable();
        let fits = places.iter().all(|&(start, len)| {
            start.is_multiple_of(self.sector_size.into()) && start.checked_add(len).is_some_and(|end| end <= size)
        });
        let apart = places.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0);
        if fits && apart {
            Ok(())
        } else {
            Err(Error::InvalidArgument(
                "the regions overlap, or lie outside of the device",
            ))
        }
    }
}

/// Reserves the regions with the largest log that there is room for; where files are in the way of each, with the one
/// for which fewest have to move.
fn plan_with_log(inner: &dyn ReadAt, now: FileTime) -> Result<(u32, ReservePlan), Error> {
    let mut first_error = None;
    let mut cheapest: Option<(u32, ReservePlan)> = None;
    for log_len in LogArea::wanted_lens(inner.size()) {
        let request = RegionRequest {
            metadata_len: METADATA_LEN as u64,
            header_len: HEADER_LEN,
            ice_len: ICE_LEN,
            log_len: log_len.into(),
        };
        match inner::plan(inner, &request, now) {
            Ok(plan) if plan.moved_bytes() == 0 => return Ok((log_len, plan)),
            Ok(plan) => {
                if cheapest
                    .as_ref()
                    .is_none_or(|(_, other)| plan.moved_bytes() < other.moved_bytes())
                {
                    cheapest = Some((log_len, plan));
                }
            }
            Err(error @ Error::Io(_)) => return Err(error),
            // Perhaps there is room for a shorter one; or files with a shorter one are there already, left by an
            // attempt that was interrupted.
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    cheapest.ok_or_else(|| first_error.unwrap_or(Error::InvalidArgument("no room for a conversion log")))
}
