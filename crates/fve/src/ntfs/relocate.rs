//! Moving files out of the way, where no free run is long enough for a region.
//!
//! A file is moved piece by piece. The clusters that a piece will have are named by
//! an unused record of ours first; then the piece is copied, they are allocated, and one
//! write of the file's record takes them instead of the old ones, which stay allocated
//! for the region. So an interruption leaves nothing that
//! [`Scan::reclaim`](super::scan::Scan) does not know.

use std::collections::BTreeMap;
use std::ops::Range;

use super::names::{fill, key_name, key_parent};
use super::record::{Attr, FILE_NAME, Record, Stream};
use super::runs::{self, Run};
use super::scan::{FIRST_USER_RECORD, each_record};
use super::volume::{RECORD_NUMBER, ROOT, Volume};
use super::{NtfsError, RegionRequest};
use crate::inner::PlaceError;
use crate::inner::bits::Bits;
use crate::inner::placement::{Placement, place};
use crate::inner::role::{Role, is_bitlocker_name};
use crate::time::FileTime;

/// Runs that one step moves to: as many as the record that names them has room for.
const RUNS_A_STEP: usize = 24;
/// Other places are tried so many times when a file there turns out not to be movable.
const ATTEMPTS: usize = 32;
/// So many times more free clusters are looked at than are needed, to find fitting ones.
const CHOICE: u64 = 16;
/// The directory of NTFS's own extensions.
const EXTEND: u64 = 11;

/// What is moved, step by step.
pub(super) struct Relocation {
    steps: Vec<Step>,
}

/// A part of one attribute.
struct Step {
    record: u64,
    /// Which attribute of the record, and what becomes of it.
    place: usize,
    attr: Attr,
    copies: Vec<Copy>,
    file: String,
}

/// Runs as they will be, and what has to be copied for that.
type Moved = (Vec<Run>, Vec<Copy>);

/// `len` clusters of a file.
#[derive(Clone, Copy)]
struct Copy {
    from: u64,
    to: u64,
    len: u64,
}

/// Places the regions where few clusters are in the way, and works out how these
/// move. `bitmap` is without what we left.
pub(super) fn clear(
    volume: &Volume<'_>,
    bitmap: &mut Bits,
    request: &RegionRequest,
) -> Result<(Placement, Relocation), NtfsError> {
    let mut movable = movable(volume)?;
    let mut refusal = None;
    for _ in 0..ATTEMPTS {
        let mut taken = bitmap.clone();
        let placement = match place(&volume.geo.space(), &mut taken, Some(&movable), request) {
            Ok(placement) => placement,
            Err(error @ PlaceError::NoSpace { .. }) => return Err(error.into()),
            Err(error) => return Err(refusal.unwrap_or_else(|| error.into())),
        };
        match Planner::new(volume, &placement, &mut taken).run(&movable) {
            Ok(relocation) => {
                *bitmap = taken;
                return Ok((placement, relocation));
            }
            Err(Obstacle::Other(error)) => return Err(error),
            Err(Obstacle::Record(record)) => {
                for cluster in record
                    .attrs
                    .iter()
                    .filter_map(|attr| attr.runs(volume.geo.clusters).ok())
                    .flatten()
                    .filter_map(|run| run.lcn.map(|lcn| lcn..lcn + run.len))
                    .flatten()
                {
                    movable.set(cluster, false);
                }
                refusal = Some(NtfsError::Unsupported(format!(
                    "no run of free clusters is long enough, and {} in $MFT record {} is in too many pieces to be moved",
                    name_of(volume, &record),
                    record.number
                )));
            }
        }
    }
    Err(refusal.unwrap_or_else(|| super::volume::damaged("no place for the regions")))
}

/// The clusters of ordinary files and directories.
fn movable(volume: &Volume<'_>) -> Result<Bits, NtfsError> {
    let mut movable = Bits::clear(volume.geo.clusters);
    each_record(volume, |record| {
        if !may_move(volume, &record) {
            return Ok(());
        }
        for attr in record.attrs.iter().filter(|attr| !attr.is_resident()) {
            for run in attr.runs(volume.geo.clusters)? {
                if let Some(lcn) = run.lcn {
                    movable.set_run(lcn, run.len, true);
                }
            }
        }
        Ok(())
    })?;
    Ok(movable)
}

/// NTFS's own files stay where they are, but for the root directory, and so do BitLocker's.
fn may_move(volume: &Volume<'_>, record: &Record) -> bool {
    let of_ntfs = |number: u64| number < FIRST_USER_RECORD && number != ROOT;
    if !record.in_use() || of_ntfs(record.number) {
        return false;
    }
    let base = if record.base == 0 {
        record.clone()
    } else {
        match volume.record(record.base & RECORD_NUMBER) {
            Ok(base) => base,
            Err(_) => return false,
        }
    };
    if of_ntfs(base.number) {
        return false;
    }
    base.attrs.iter().filter(|attr| attr.kind() == FILE_NAME).all(|attr| {
        let key = attr.value().unwrap_or_default();
        let name = key_name(key).unwrap_or_default();
        let in_extend = key_parent(key).is_ok_and(|parent| parent & RECORD_NUMBER == EXTEND);
        !in_extend && !is_bitlocker_name(&String::from_utf16_lossy(&name))
    })
}

/// Why a placement does not do.
enum Obstacle {
    /// The record has no room for more runs.
    Record(Record),
    Other(NtfsError),
}

impl From<NtfsError> for Obstacle {
    fn from(error: NtfsError) -> Self {
        Self::Other(error)
    }
}

struct Planner<'p, 'd> {
    volume: &'p Volume<'d>,
    cleared: &'p [Range<u64>],
    free: Pool,
    bitmap: &'p mut Bits,
}

impl<'p, 'd> Planner<'p, 'd> {
    fn new(volume: &'p Volume<'d>, placement: &'p Placement, bitmap: &'p mut Bits) -> Self {
        let wanted = placement.cleared.iter().map(|range| range.end - range.start).sum();
        Self {
            volume,
            cleared: &placement.cleared,
            free: Pool::new(bitmap, volume.geo.clusters, wanted),
            bitmap,
        }
    }

    fn run(mut self, movable: &Bits) -> Result<Relocation, Obstacle> {
        let mut records = Vec::new();
        let clusters = self.volume.geo.clusters;
        each_record(self.volume, |record| {
            let in_the_way = |attr: &Attr| {
                !attr.is_resident()
                    && attr.runs(clusters).is_ok_and(|runs| {
                        runs.iter()
                            .filter_map(|run| run.lcn.map(|lcn| lcn..lcn + run.len))
                            .any(|run| {
                                self.cleared
                                    .iter()
                                    .any(|range| range.start < run.end && run.start < range.end)
                            })
                    })
            };
            if record.in_use() && record.attrs.iter().any(in_the_way) {
                records.push(record);
            }
            Ok(())
        })?;
        let mut steps = Vec::new();
        for mut record in records {
            let file = name_of(self.volume, &record);
            for place in 0..record.attrs.len() {
                if record.attrs[place].is_resident() {
                    continue;
                }
                // Leftovers of ours own nothing that is movable.
                while let Some((runs, copies)) = self.step(&record.attrs[place].runs(clusters)?, movable)? {
                    let attr = record.attrs[place].with_runs(&runs)?;
                    record.attrs[place] = attr.clone();
                    if record.to_bytes(self.volume.geo.record).is_none() {
                        return Err(Obstacle::Record(record));
                    }
                    steps.push(Step {
                        record: record.number,
                        place,
                        attr,
                        copies,
                        file: file.clone(),
                    });
                }
            }
        }
        Ok(Relocation { steps })
    }

    /// The runs after at most [`RUNS_A_STEP`] pieces of them moved; nothing when none is in the way.
    fn step(&mut self, old: &[Run], movable: &Bits) -> Result<Option<Moved>, NtfsError> {
        let (mut new, mut copies) = (Vec::new(), Vec::new());
        for run in old {
            let Some(lcn) = run.lcn else {
                new.push(*run);
                continue;
            };
            let (mut at, end) = (lcn, lcn + run.len);
            while at < end {
                let inside = self
                    .cleared
                    .iter()
                    .find(|range| range.contains(&at) && movable.get(at) && copies.len() < RUNS_A_STEP);
                if let Some(range) = inside {
                    let wanted = end.min(range.end) - at;
                    let (to, len) = self.free.take(wanted).ok_or_else(|| NtfsError::NoSpace {
                        needed: wanted * self.volume.geo.cluster,
                        free: 0,
                    })?;
                    self.bitmap.set_run(to, len, true);
                    copies.push(Copy { from: at, to, len });
                    runs::append(&mut new, to, len);
                    at += len;
                } else {
                    let starts = self.cleared.iter().map(|range| range.start);
                    let stop = if copies.len() < RUNS_A_STEP {
                        starts.filter(|&start| start > at).min().unwrap_or(end).min(end)
                    } else {
                        end
                    };
                    runs::append(&mut new, at, stop - at);
                    at = stop;
                }
            }
        }
        Ok((!copies.is_empty()).then_some((new, copies)))
    }
}

/// Free runs by their length.
struct Pool(BTreeMap<u64, Vec<u64>>);

impl Pool {
    fn new(bitmap: &Bits, clusters: u64, wanted: u64) -> Self {
        let mut pool = Self(BTreeMap::new());
        let mut total = 0;
        for (start, len) in bitmap.clear_runs(0, clusters) {
            pool.0.entry(len).or_default().push(start);
            total += len;
            if total >= wanted.saturating_mul(CHOICE) {
                break;
            }
        }
        pool
    }

    /// The run that fits best, or the longest one.
    fn take(&mut self, wanted: u64) -> Option<(u64, u64)> {
        let fitting = self.0.range(wanted..).next().or_else(|| self.0.iter().next_back());
        let len = *fitting?.0;
        let runs = self.0.get_mut(&len)?;
        let start = runs.pop()?;
        if runs.is_empty() {
            self.0.remove(&len);
        }
        let taken = len.min(wanted);
        if taken < len {
            self.0.entry(len - taken).or_default().push(start + taken);
        }
        Some((start, taken))
    }
}

impl Relocation {
    pub(super) fn none() -> Self {
        Self { steps: Vec::new() }
    }

    /// How many clusters move.
    pub(super) fn clusters(&self) -> u64 {
        self.steps
            .iter()
            .flat_map(|step| &step.copies)
            .map(|copy| copy.len)
            .sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Stages the moves. `note` is the unused record of ours, which is filled already; `on_disk` is $Bitmap as staged.
    pub(super) fn stage(
        &self,
        volume: &mut Volume<'_>,
        note: u64,
        parent: u64,
        on_disk: &mut Bits,
        now: FileTime,
    ) -> Result<(), NtfsError> {
        let cluster = volume.geo.cluster;
        let (_, bitmap) = volume.cluster_bitmap()?;
        for step in &self.steps {
            let mut targets = Stream::default();
            for copy in &step.copies {
                runs::append(&mut targets.runs, copy.to, copy.len);
            }
            targets.size = targets.clusters() * cluster;
            targets.initialised = targets.size;
            let previous = volume.record(note)?;
            let named = fill(
                previous.emptied(),
                Role::NOTE_OF_MOVES,
                parent,
                Some(&targets),
                cluster,
                now,
            );
            volume.write_record(&named, "names the clusters that a file is moved to, unused")?;
            for copy in &step.copies {
                let mut data = vec![0; (copy.len * cluster) as usize];
                volume.stage.read(copy.from * cluster, &mut data)?;
                let what = format!(
                    "copy of clusters {}..{} of {}",
                    copy.from,
                    copy.from + copy.len,
                    step.file
                );
                volume.stage.write(copy.to * cluster, data, what)?;
            }
            volume.stage.barrier();
            for copy in &step.copies {
                on_disk.set_run(copy.to, copy.len, true);
                let new = copy.to..copy.to + copy.len;
                volume.write_bits_of(&bitmap, on_disk, new, "$Bitmap (room for what is moved)")?;
            }
            volume.stage.barrier();
            let mut record = volume.record(step.record)?;
            if let Some(attr) = record.attrs.get_mut(step.place) {
                *attr = step.attr.clone();
            }
            volume.write_record(&record, &step.describe())?;
            volume.stage.barrier();
        }
        Ok(())
    }
}

impl Step {
    fn describe(&self) -> String {
        let moves: Vec<String> = self
            .copies
            .iter()
            .map(|copy| {
                format!(
                    "{}..{} to {}..{}",
                    copy.from,
                    copy.from + copy.len,
                    copy.to,
                    copy.to + copy.len
                )
            })
            .collect();
        format!("{} moves: clusters {}", self.file, moves.join(", "))
    }
}

/// The name of the file that a record belongs to, for people.
fn name_of(volume: &Volume<'_>, record: &Record) -> String {
    let base = if record.base == 0 {
        Some(record.clone())
    } else {
        volume.record(record.base & RECORD_NUMBER).ok()
    };
    let names = base.iter().flat_map(|base| &base.attrs);
    names
        .filter(|attr| attr.kind() == FILE_NAME)
        .filter_map(|attr| key_name(attr.value().ok()?).ok())
        .max_by_key(Vec::len)
        .map_or_else(
            || "a file without a name".to_owned(),
            |name| format!("{:?}", String::from_utf16_lossy(&name)),
        )
}
