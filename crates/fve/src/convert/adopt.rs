//! A conversion log for volumes that were made by others.
//!
//! Windows' own log is of a form that is not known, so such a volume gets a log of ours: a file of its inner file system
//! where that can be worked with, or a place that the caller answers for. Where it is stands in a datum of ours, which
//! lasts until the conversion ends: cryptsetup refuses a volume with a datum that it does not know.

use std::ops::Range;

use super::log::{ConversionMode, LogArea, PAGE_LEN, page};
use super::reencrypt::REENCRYPTING;
use crate::Error;
use crate::context::Context;
use crate::format::constants::{kind, role};
use crate::format::read::Bytes;
use crate::format::{Datum, Metadata};
use crate::inner::{self, InnerFileSystem, ReservePlan};
use crate::io::{ReadAt, WriteAt};
use crate::ntfs;
use crate::time::FileTime;
use crate::volume::{ConversionStatus, MetadataTouched, State, UnlockedVolume, touched};

/// Where the conversion log of a volume made by others goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogPlace {
    /// In a file that the inner NTFS gets for it.
    #[default]
    InFileSystem,
    /// At this place. The caller answers for it that the inner file system never uses it; if it does, data is lost.
    At {
        /// Where it begins, on a sector boundary.
        offset: u64,
        /// Its length in bytes, whole sectors, at least 12 KiB.
        len: u32,
    },
}

/// What [`adopt`](UnlockedVolume::adopt) would do. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AdoptionPlan {
    /// The log.
    pub log: Range<u64>,
    /// Changes of the inner file system, a line each.
    pub file_system: Vec<String>,
    /// The metadata update.
    pub metadata: MetadataTouched,
}

impl AdoptionPlan {
    /// The plan for a person, a sentence each.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut lines = self.file_system.clone();
        lines.push(format!(
            "write a conversion log at {}..{}",
            self.log.start, self.log.end
        ));
        lines.extend(self.metadata.describe());
        lines
    }
}

/// A log that is still to be made.
struct Found {
    area: LogArea,
    len: u32,
    plan: Option<ReservePlan>,
}

impl<D: ReadAt> UnlockedVolume<D> {
    fn place_for_log(&self, place: LogPlace, now: FileTime) -> Result<Found, Error> {
        let (offset, len, plan) = match place {
            LogPlace::At { offset, len } => (offset, len, None),
            LogPlace::InFileSystem => {
                let (len, plan) = plan_file(self, now)?;
                (plan.regions().log, len, Some(plan))
            }
        };
        let area = LogArea::at(offset, len, self.geometry.sector_size, self.geometry.size).ok_or(
            Error::InvalidArgument("a conversion log is whole sectors within the volume, at least 12 KiB"),
        )?;
        let mut taken = self.state().zero.clone();
        taken.push(0..self.outer_header());
        let whole = area.whole();
        if taken
            .iter()
            .any(|range| range.start < whole.end && whole.start < range.end)
        {
            return Err(Error::InvalidArgument(
                "the conversion log would overlap BitLocker's own regions",
            ));
        }
        Ok(Found { area, len, plan })
    }

    /// What [`adopt`](Self::adopt) would do; `None` when the volume has a log.
    ///
    /// # Errors
    /// As `adopt`.
    pub fn adoption_plan(&self, now: FileTime, place: LogPlace) -> Result<Option<AdoptionPlan>, Error> {
        if !self.needs_log(&self.state())? {
            return Ok(None);
        }
        let found = self.place_for_log(place, now)?;
        let state = self.state();
        let after = state.metadata.datums.iter().map(Datum::len).sum::<usize>() + datum(&found.area, found.len).len();
        Ok(Some(AdoptionPlan {
            log: found.area.whole(),
            file_system: found.plan.as_ref().map(ReservePlan::describe).unwrap_or_default(),
            metadata: touched(&state, after)?,
        }))
    }

    fn needs_log(&self, state: &State) -> Result<bool, Error> {
        match self.status_of(state) {
            _ if self.eow.is_some() => Err(Error::Unsupported(
                "taking over a conversion that Windows has begun: Windows has to end it",
            )),
            _ if state.log.is_some() => Ok(false),
            ConversionStatus::FullyEncrypted | ConversionStatus::FullyDecrypted => Ok(true),
            status if status.is_reencryption() => Err(Error::InvalidState(REENCRYPTING)),
            _ => Err(Error::Unsupported(
                "taking over a conversion that was begun by others: they have to end it",
            )),
        }
    }
}

impl<D: WriteAt> UnlockedVolume<D> {
    /// Gives a finished volume that was made by others a conversion log, so that it can be decrypted or re-encrypted
    /// in place; does nothing on a volume that has one. The log file stays after the conversion and is used again by
    /// the next.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on a volume that Windows is converting; [`Error::UnknownFileSystem`] or [`Error::Ntfs`]
    /// when the inner file system is not one that can be given a file; [`Error::InvalidArgument`] for a place that
    /// cannot hold a log.
    pub fn adopt(&self, ctx: &mut Context<'_>, place: LogPlace) -> Result<(), Error> {
        self.recover(ctx)?;
        if !self.needs_log(&self.state())? {
            return Ok(());
        }
        let found = self.place_for_log(place, ctx.now)?;
        if let Some(plan) = &found.plan {
            plan.apply(self)?;
            self.flush()?;
        }
        let state = &mut *self.write_state();
        let mut first = page(state.metadata.dataset.volume, ConversionMode::Full);
        first.resize(PAGE_LEN as usize, 0);
        self.write_view(state, found.area.page, &first)?;
        self.clear_ring(state, &found.area)?;
        self.update_state(state, ctx, |edit| {
            edit.datums.retain(|datum| !is_ours(datum));
            edit.datums.push(datum(&found.area, found.len));
            Ok(())
        })?;
        state.log = Some(found.area);
        Ok(())
    }
}

/// The largest log that the inner file system has room for.
fn plan_file(view: &dyn ReadAt, now: FileTime) -> Result<(u32, ReservePlan), Error> {
    match inner::identify(view)? {
        InnerFileSystem::Ntfs => {}
        InnerFileSystem::Unknown(found) => return Err(Error::UnknownFileSystem(found)),
        _ => {
            return Err(Error::Unsupported(
                "a log file in another inner file system than NTFS: give the log a place of its own",
            ));
        }
    }
    let mut first_error = None;
    for len in LogArea::wanted_lens(view.size()) {
        match ntfs::plan_log(view, len.into(), now) {
            Ok(plan) => return Ok((len, plan)),
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    Err(first_error.map_or(Error::InvalidArgument("no room for a conversion log"), Error::from))
}

const VERSION: u16 = 1;

fn datum(area: &LogArea, len: u32) -> Datum {
    let mut body = VERSION.to_le_bytes().to_vec();
    body.extend_from_slice(&[0; 2]);
    body.extend_from_slice(&len.to_le_bytes());
    body.extend_from_slice(&area.page.to_le_bytes());
    Datum::new(role::CONVERSION_LOG, kind::OURS, body)
}

pub(super) fn is_ours(datum: &Datum) -> bool {
    datum.role == role::CONVERSION_LOG && datum.kind == kind::OURS
}

/// Where the log of an adopted volume is: offset and length.
pub(super) fn log_place(metadata: &Metadata) -> Option<(u64, u32)> {
    let datum = metadata.datums.iter().find(|datum| is_ours(datum))?;
    let body = Bytes::new(&datum.body, "the place of the conversion log");
    (body.u16(0).ok()? == VERSION).then_some(())?;
    Some((body.u64(8).ok()?, body.u32(4).ok()?))
}
