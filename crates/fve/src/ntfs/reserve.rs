//! Working out the changes that give the regions to files.
//!
//! Order of the writes, with a barrier between the groups:
//! 1. $MFT grows, when it has too few unused records (see [`grow`](super::grow));
//! 2. the records of our files, complete but marked unused, and new directory
//!    blocks that nothing points at;
//! 3. their bits in the $MFT bitmap;
//! 4. files that are in the way move (see [`relocate`](super::relocate));
//! 5. the clusters in $Bitmap;
//! 6. the same records, marked in use; 7. one write that lists them.
//!
//! Until 7 nothing of it can be seen. After an interruption the records tell what
//! had been allocated, and planning again takes it all back first.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{Directory, Entry, Path};
use super::index_write::{IndexChange, insert, rebuild};
use super::names::{Upcase, fill};
use super::record::{DATA, DIRECTORY, FILE_NAME, IN_USE, Record, Stream};
use super::relocate::{self, Relocation};
use super::scan::{FIRST_USER_RECORD, Scan, Whose, scan};
use super::volume::{Content, RECORD_NUMBER, ROOT, Volume, damaged};
use super::{NtfsError, RegionRequest, Regions, ReservePlan, clean, grow};
use crate::inner::PlaceError;
use crate::inner::bits::Bits;
use crate::inner::placement::{self, Placement};
use crate::inner::role::{Role, SYSTEM_DIRECTORY, lengths};
use crate::io::ReadAt;
use crate::time::FileTime;

/// More names than this in `System Volume Information` are not rewritten.
pub(super) const MAX_NAMES: usize = 4096;

/// The changes, and where the regions will be.
pub(super) fn plan(inner: &dyn ReadAt, request: &RegionRequest, now: FileTime) -> Result<ReservePlan, NtfsError> {
    let mut volume = Volume::open(inner)?;
    let tree = Tree::open(&volume)?;
    clean::check(&volume, &tree.root, &tree.upcase)?;
    volume.heal_mirror()?;
    volume.stage.barrier();
    if let Some(regions) = existing(&volume, &tree, request)? {
        return Ok(ReservePlan {
            regions,
            change: volume.stage.into_change()?,
            moved: 0,
        });
    }
    Reservation::new(volume, tree)?.run(request, now)
}

/// Whether a request is for a conversion log beside the regions that someone else reserved.
fn log_only(request: &RegionRequest) -> bool {
    request.metadata_len == 0 && request.header_len == 0 && request.ice_len == 0
}

/// The directories that matter.
pub(super) struct Tree {
    pub(super) upcase: Upcase,
    pub(super) root: Directory,
    /// `System Volume Information`, or where it belongs.
    pub(super) system: Result<Directory, Path>,
}

impl Tree {
    pub(super) fn open(volume: &Volume<'_>) -> Result<Self, NtfsError> {
        let upcase = Upcase::load(volume)?;
        let root = Directory::open(volume, ROOT)?;
        let system = match root.find(volume, &upcase, SYSTEM_DIRECTORY)? {
            Ok(entry) => Ok(Directory::open(volume, entry.file & RECORD_NUMBER)?),
            Err(path) => Err(path),
        };
        Ok(Self { upcase, root, system })
    }

    pub(super) fn system_number(&self) -> Option<u64> {
        self.system.as_ref().ok().map(|directory| directory.record.number)
    }

    /// The record numbers of our files that the directory lists.
    pub(super) fn linked(&self, volume: &Volume<'_>) -> Result<BTreeMap<Role, u64>, NtfsError> {
        let mut linked = BTreeMap::new();
        if let Ok(directory) = &self.system {
            for role in Role::ALL {
                if let Ok(entry) = directory.find(volume, &self.upcase, role.file_name())? {
                    linked.insert(role, entry.file & RECORD_NUMBER);
                }
            }
        }
        Ok(linked)
    }

    /// The record numbers of listed files whose names satisfy `wanted`.
    pub(super) fn linked_by(&self, volume: &Volume<'_>, wanted: fn(&str) -> bool) -> Result<BTreeSet<u64>, NtfsError> {
        let mut linked = BTreeSet::new();
        if let Ok(directory) = &self.system {
            for entry in directory.all(volume, MAX_NAMES)? {
                if String::from_utf16(&entry.name()?).is_ok_and(|name| wanted(&name)) {
                    linked.insert(entry.file & RECORD_NUMBER);
                }
            }
        }
        Ok(linked)
    }
}

/// The regions, when files of ours for exactly this request are listed.
fn existing(volume: &Volume<'_>, tree: &Tree, request: &RegionRequest) -> Result<Option<Regions>, NtfsError> {
    let mut linked = tree.linked(volume)?;
    if log_only(request) {
        linked.retain(|role, _| *role == Role::Log);
    }
    if linked.is_empty() {
        return Ok(None);
    }
    let other = |role: Role| {
        NtfsError::Unsupported(format!(
            "it has reserved regions already, and its {} is not as asked for",
            role.what()
        ))
    };
    let lengths = lengths(request, volume.geo.cluster);
    if let Some(role) = linked.keys().find(|role| !lengths.contains_key(role)) {
        return Err(other(*role));
    }
    let mut starts = BTreeMap::new();
    for (&role, &len) in &lengths {
        let number = *linked.get(&role).ok_or_else(|| other(role))?;
        match volume.content(&volume.record(number)?, DATA, "")? {
            Some(Content::Stream(stream)) if stream.size == len && stream.initialised == len => match stream.runs[..] {
                [run] => starts.insert(role, run.lcn.ok_or_else(|| other(role))? * volume.geo.cluster),
                _ => return Err(other(role)),
            },
            _ => return Err(other(role)),
        };
    }
    let regions = placement::regions(request, |role| starts.get(&role).copied().unwrap_or(0));
    match starts.get(&Role::Ice) {
        Some(&ice) if ice != regions.ice => Err(other(Role::Ice)),
        _ => Ok(Some(regions)),
    }
}

struct Reservation<'a> {
    volume: Volume<'a>,
    tree: Tree,
    scan: Scan,
    /// $Bitmap as staged so far, and as it shall be.
    on_disk: Bits,
    clusters: Bits,
}

impl<'a> Reservation<'a> {
    fn new(volume: Volume<'a>, tree: Tree) -> Result<Self, NtfsError> {
        let system = tree.system_number();
        let mut scan = scan(&volume, system, Whose::Regions)?;
        // What is listed now stays; without a request for a log alone nothing is.
        let listed: BTreeSet<u64> = tree.linked(&volume)?.into_values().collect();
        scan.settle(system, |number| system == Some(number) || listed.contains(&number))?;
        let (on_disk, _) = volume.cluster_bitmap()?;
        scan.check(&on_disk)?;
        let mut clusters = on_disk.clone();
        scan.reclaim(&volume, &mut clusters)?;
        Ok(Self {
            volume,
            tree,
            scan,
            on_disk,
            clusters,
        })
    }

    fn run(mut self, request: &RegionRequest, now: FileTime) -> Result<ReservePlan, NtfsError> {
        let new_directory = self.tree.system.is_err();
        let space = self.volume.geo.space();
        let (placement, moves) = match placement::place(&space, &mut self.clusters, None, request) {
            Err(PlaceError::NoRun { .. }) => relocate::clear(&self.volume, &mut self.clusters, request)?,
            placement => (placement?, Relocation::none()),
        };
        let count = placement.files.len() + usize::from(new_directory) + usize::from(!moves.is_empty());
        let (mut numbers, mut records) = self.unused_records(count as u64)?;
        if !moves.is_empty() {
            let note = numbers.remove(0);
            self.relocate(&placement, &moves, (&numbers, note), &records, now)?;
        }

        let mut files = Vec::new();
        let directory = match &self.tree.system {
            Ok(directory) => directory.clone(),
            Err(_) => {
                let number = numbers.pop().ok_or_else(|| damaged("no record for a directory"))?;
                let root = self.tree.root.record.reference();
                let record = fill(self.blank(number)?, SYSTEM_DIRECTORY, root, None, 0, now);
                Directory::empty(record, self.volume.geo.cluster)
            }
        };
        for (role, &(lcn, len)) in &placement.files {
            let stream = Stream::contiguous(lcn, len, space.cluster);
            let number = numbers.pop().ok_or_else(|| damaged("no record for a file"))?;
            let parent = directory.record.reference();
            files.push(fill(
                self.blank(number)?,
                role.file_name(),
                parent,
                Some(&stream),
                self.volume.geo.cluster,
                now,
            ));
        }
        let listing = self.listing(&directory, &files, new_directory)?;
        let root = match &self.tree.system {
            Ok(_) => None,
            Err(path) => Some(insert(
                &self.volume,
                &self.tree.root,
                path.clone(),
                entry_of(&listing.directory.record)?,
                &mut self.clusters,
            )?),
        };
        if new_directory {
            files.push(listing.directory.record.clone());
        }
        for file in &files {
            records.set(file.number, true);
        }
        self.stage(&files, &records, &listing, root.as_ref())?;
        Ok(ReservePlan {
            regions: placement.regions,
            change: self.volume.stage.into_change()?,
            moved: moves.clusters() * space.cluster,
        })
    }

    /// The record numbers to use, lowest last, and the $MFT bitmap without our
    /// leftovers. $MFT grows when it has to.
    fn unused_records(&mut self, count: u64) -> Result<(Vec<u64>, Bits), NtfsError> {
        let (mut records, _) = self.volume.record_bitmap()?;
        let mut in_use = self.scan.in_use.clone();
        for ours in &self.scan.ours {
            records.set(ours.record.number, false);
            in_use.set(ours.record.number, false);
        }
        let free = |number: &u64| !records.get(*number) && !in_use.get(*number);
        let found = (FIRST_USER_RECORD..self.volume.records())
            .filter(free)
            .take(count as usize)
            .count() as u64;
        if found < count {
            let (_, stream) = self.volume.cluster_bitmap()?;
            grow::grow(
                &mut self.volume,
                count - found,
                &mut self.clusters,
                &mut self.on_disk,
                &stream,
            )?;
            let (grown, _) = self.volume.record_bitmap()?;
            records.0.resize(grown.0.len().max(records.0.len()), 0);
        }
        let free = |number: &u64| !records.get(*number) && !in_use.get(*number);
        let mut numbers: Vec<u64> = (FIRST_USER_RECORD..self.volume.records())
            .filter(free)
            .take(count as usize)
            .collect();
        numbers.reverse();
        Ok((numbers, records))
    }

    /// Record `number` emptied, with its counters where it has any.
    fn blank(&self, number: u64) -> Result<Record, NtfsError> {
        let old = Record::parse(self.volume.raw_record(number)?, number);
        Ok(old.map_or_else(|_| Record::blank(number), Record::emptied))
    }

    /// The directory with our files in it.
    fn listing(&mut self, directory: &Directory, files: &[Record], new: bool) -> Result<IndexChange, NtfsError> {
        let mut entries = if new {
            Vec::new()
        } else {
            directory.all(&self.volume, MAX_NAMES)?
        };
        for file in files {
            let entry = entry_of(file)?;
            let name = entry.name()?;
            let mut place = entries.len();
            for (index, other) in entries.iter().enumerate() {
                if self.tree.upcase.order(&other.name()?, &name).is_gt() {
                    place = index;
                    break;
                }
            }
            entries.insert(place, entry);
        }
        rebuild(self.volume.geo, directory, entries, &mut self.clusters)
    }

    /// Marks what an interrupted change left as unused, but for what is written over at once.
    fn retire(&mut self, but: &[u64]) -> Result<(), NtfsError> {
        for ours in &self.scan.ours {
            if ours.record.in_use() && !but.contains(&ours.record.number) {
                self.volume.write_record(
                    &ours.record.with_flags(ours.record.flags & !IN_USE),
                    "leftover, marked unused",
                )?;
            }
        }
        Ok(())
    }

    /// Stages the moves. The regions are named by their records, still unused, before that, and what
    /// is under way by the unused record `note`. `numbers` are taken from the end; the first
    /// is for the directory when it is new.
    fn relocate(
        &mut self,
        placement: &Placement,
        moves: &Relocation,
        (numbers, note): (&[u64], u64),
        records: &Bits,
        now: FileTime,
    ) -> Result<(), NtfsError> {
        self.retire(numbers)?;
        let cluster = self.volume.geo.cluster;
        let parent = self.tree.root.record.reference();
        let directory = usize::from(self.tree.system.is_err());
        let mut taken = records.clone();
        for ((role, &(lcn, len)), &number) in placement.files.iter().zip(numbers.iter().rev().skip(directory)) {
            taken.set(number, true);
            let stream = Stream::contiguous(lcn, len, cluster);
            let file = fill(
                self.blank(number)?,
                role.file_name(),
                parent,
                Some(&stream),
                cluster,
                now,
            );
            self.volume.write_record(&file, "planned, marked unused")?;
        }
        let named = fill(self.blank(note)?, Role::NOTE_OF_MOVES, parent, None, cluster, now);
        self.volume.write_record(&named, "for what moves, unused")?;
        self.volume.stage.barrier();
        let (_, bitmap) = self.volume.record_bitmap()?;
        let done = taken.clone();
        taken.set(note, true);
        self.volume.write_bits(&bitmap, &taken, "$MFT bitmap")?;
        self.volume.stage.barrier();
        moves.stage(&mut self.volume, note, parent, &mut self.on_disk, now)?;
        self.volume
            .write_bits(&bitmap, &done, "$MFT bitmap (the moves are done)")?;
        self.volume.stage.barrier();
        let named = self.volume.record(note)?;
        self.volume
            .write_record(&named.emptied(), "names no clusters any more")?;
        self.volume.stage.barrier();
        // A directory may have moved.
        self.tree = Tree::open(&self.volume)?;
        Ok(())
    }

    fn stage(
        &mut self,
        files: &[Record],
        records: &Bits,
        listing: &IndexChange,
        root: Option<&IndexChange>,
    ) -> Result<(), NtfsError> {
        let numbers: Vec<u64> = files.iter().map(|file| file.number).collect();
        self.retire(&numbers)?;
        let volume = &mut self.volume;
        for file in files {
            volume.write_record(file, "planned, marked unused")?;
        }
        listing.stage_fresh(volume, "block of System Volume Information")?;
        if let Some(root) = root {
            root.stage_fresh(volume, "block of the root directory")?;
        }
        volume.stage.barrier();
        let (_, record_bitmap) = volume.record_bitmap()?;
        volume.write_bits(&record_bitmap, records, "$MFT bitmap")?;
        volume.stage.barrier();
        let (_, stream) = volume.cluster_bitmap()?;
        volume.write_bits(&stream, &self.clusters, "$Bitmap")?;
        volume.stage.barrier();
        for file in files {
            let what = if file.flags & DIRECTORY != 0 {
                "directory"
            } else {
                "region"
            };
            volume.write_record(&file.with_flags(file.flags | IN_USE), what)?;
        }
        volume.stage.barrier();
        match root {
            Some(root) => root.stage_commit(volume, "System Volume Information appears in the root directory")?,
            None => listing.stage_commit(volume, "the files appear in System Volume Information")?,
        }
        volume.stage.barrier();
        self.free(listing, root)
    }

    /// Frees clusters that the rearranged directories no longer need.
    fn free(&mut self, listing: &IndexChange, root: Option<&IndexChange>) -> Result<(), NtfsError> {
        for &(lcn, len) in listing.freed.iter().chain(root.map_or(&[][..], |root| &root.freed)) {
            self.clusters.set_run(lcn, len, false);
        }
        let (_, stream) = self.volume.cluster_bitmap()?;
        self.volume
            .write_bits(&stream, &self.clusters, "$Bitmap (clusters given back)")
    }
}

/// The directory entry of a record of ours.
fn entry_of(record: &Record) -> Result<Entry, NtfsError> {
    let key = record
        .find(FILE_NAME, "")
        .ok_or_else(|| damaged("a record without a name"))?
        .value()?;
    Ok(Entry {
        file: record.reference(),
        key: key.to_vec(),
        child: None,
    })
}
