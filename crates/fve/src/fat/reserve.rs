//! Working out the changes that give the regions to files, and the ones that take them back.
//!
//! Order of the writes, with a barrier between the groups:
//! 1. what an interrupted change left goes;
//! 2. a directory that is full grows;
//! 3. the entries of our files are written, as deleted ones, and a new directory with them;
//! 4. the clusters are allocated: in all tables, or in the bitmap;
//! 5. the entries of the files become live; 6. the new directory's entry does.
//!
//! Deleted entries mean nothing to anyone. After an interruption they tell which
//! clusters were to be allocated; those that nobody owns are freed.

use std::collections::BTreeMap;
use std::ops::Range;

use super::FatError;
use super::boot::Kind;
use super::directory::{DIRECTORY, Directory, Item, Place, SLOT, Slot};
use super::entries::{HIDDEN_SYSTEM, NewItem};
use super::error::damaged;
use super::volume::{Entry, Volume};
use super::walk;
use crate::inner::bits::Bits;
use crate::inner::placement::{self, Placement};
use crate::inner::role::{Role, SYSTEM_DIRECTORY, lengths};
use crate::inner::stage::Change;
use crate::inner::{RegionRequest, Regions};
use crate::io::ReadAt;
use crate::time::FileTime;

/// The changes, and where the regions will be.
pub(super) fn plan(inner: &dyn ReadAt, request: &RegionRequest, now: FileTime) -> Result<(Regions, Change), FatError> {
    let volume = Volume::open(inner)?;
    volume.check_clean()?;
    let found = Found::new(&volume)?;
    if let Some(regions) = found.existing(&volume, request)? {
        return Ok((regions, volume.stage.into_change()?));
    }
    let mut change = Changing::new(volume, found)?;
    change.clean_up(false)?;
    let regions = change.reserve(request, now)?;
    Ok((regions, change.volume.stage.into_change()?))
}

/// The changes that remove our files, also those of an interrupted change.
pub(super) fn plan_release(inner: &dyn ReadAt) -> Result<Change, FatError> {
    let volume = Volume::open(inner)?;
    volume.check_clean()?;
    let found = Found::new(&volume)?;
    if found.ours.is_empty() && found.lost.is_none() {
        return Ok(volume.stage.into_change()?);
    }
    let mut change = Changing::new(volume, found)?;
    change.clean_up(true)?;
    Ok(change.volume.stage.into_change()?)
}

/// What is on the volume.
struct Found {
    root: Directory,
    /// `System Volume Information`, when it is listed.
    system: Option<Directory>,
    /// Our files in it, live or not.
    ours: Vec<(Role, Item)>,
    /// A `System Volume Information` of ours that was never listed, and its files.
    lost: Option<(Item, Vec<Item>)>,
}

impl Found {
    fn new(volume: &Volume<'_>) -> Result<Self, FatError> {
        let root = volume.root()?;
        let named = |item: &&Item| item.is_directory() && item.name.eq_ignore_ascii_case(SYSTEM_DIRECTORY);
        let items = root.items();
        let live = items.iter().filter(named).find(|item| item.live);
        let mut found = Self {
            system: None,
            ours: Vec::new(),
            lost: None,
            root,
        };
        if let Some(item) = live {
            let directory = Directory::open(volume, item.as_place(volume.geo.cluster))?;
            let files = directory.items().into_iter();
            found.ours = files
                .filter(|item| !item.is_directory())
                .filter_map(|item| Some((Role::by_name(&item.name)?, item)))
                .collect();
            found.system = Some(directory);
        }
        for item in items.iter().filter(named).filter(|item| !item.live) {
            let clusters = new_directory_clusters(volume);
            let Ok(directory) = Directory::open(volume, Place::Contiguous(item.first, clusters)) else {
                continue;
            };
            let files: Vec<Item> = directory
                .items()
                .into_iter()
                .filter(|item| Role::by_name(&item.name).is_some())
                .collect();
            if !files.is_empty() {
                found.lost = Some((item.clone(), files));
            }
        }
        Ok(found)
    }

    /// The regions, when files of ours for exactly this request are listed.
    fn existing(&self, volume: &Volume<'_>, request: &RegionRequest) -> Result<Option<Regions>, FatError> {
        let live: BTreeMap<Role, &Item> = self
            .ours
            .iter()
            .filter(|(_, item)| item.live)
            .map(|(role, item)| (*role, item))
            .collect();
        let lengths = lengths(request, volume.geo.cluster);
        if !live.keys().eq(lengths.keys()) {
            return Ok(None);
        }
        let mut starts = BTreeMap::new();
        for (&role, item) in &live {
            if Some(&item.len) != lengths.get(&role) || !in_one_run(volume, item)? {
                return Ok(None);
            }
            starts.insert(role, volume.geo.offset(item.first)?);
        }
        let regions = placement::regions(request, |role| starts.get(&role).copied().unwrap_or(0));
        let ice = starts.get(&Role::Ice);
        Ok((ice.is_none_or(|&ice| ice == regions.ice)).then_some(regions))
    }
}

fn in_one_run(volume: &Volume<'_>, item: &Item) -> Result<bool, FatError> {
    let clusters = item.len.div_ceil(volume.geo.cluster);
    if item.contiguous {
        return Ok(true);
    }
    let chain = volume.chain(item.first)?;
    Ok(chain.len() as u64 == clusters && chain.windows(2).all(|pair| pair[0] + 1 == pair[1]))
}

/// Slots of our files' entries.
fn file_slots(kind: Kind, roles: &BTreeMap<Role, (u64, u64)>) -> Vec<usize> {
    roles
        .keys()
        .map(|role| NewItem::slots(kind, role.file_name()))
        .collect()
}

/// The length of a directory that we make: room for all files, entries not crossing blocks.
fn new_directory_clusters(volume: &Volume<'_>) -> u64 {
    (3 * 512_u64).div_ceil(volume.geo.cluster)
}

struct Changing<'a> {
    volume: Volume<'a>,
    found: Found,
    used: Bits,
    owned: Bits,
    /// Clusters for directories that were to grow.
    strays: Vec<u32>,
}

/// The first slot of a cluster that a directory grows by, behind its deleted mark, until it is used.
const STRAY: &[u8; 31] = b"\0claviger: a directory grows\0\0\0";
/// Allocated clusters that are nobody's, of which so many are looked at.
const MAX_STRAYS: usize = 65536;

impl<'a> Changing<'a> {
    fn new(mut volume: Volume<'a>, found: Found) -> Result<Self, FatError> {
        let mut skip = Vec::new();
        if let Some(directory) = &found.system {
            skip.extend(found.ours.iter().map(|(_, item)| directory.slots[item.place.start].0));
        }
        let owned = walk::owned(&volume, &skip)?;
        let used = volume.used()?;
        if let Some(byte) = owned.0.iter().zip(&used.0).position(|(owned, used)| owned & !used != 0) {
            return Err(damaged(format!(
                "clusters {}.. are used by files and said to be free",
                byte * 8 + 2
            )));
        }
        // A directory may have been growing.
        let mut growing = found.root.chain.clone();
        growing.extend(found.system.iter().flat_map(|directory| &directory.chain));
        volume.heal_tables(|cluster| !owned.get(u64::from(cluster) - 2) || growing.contains(&cluster))?;
        let mut strays = Vec::new();
        let lost = (0..volume.geo.clusters).filter(|&index| used.get(index) && !owned.get(index));
        for index in lost.take(MAX_STRAYS) {
            let mut slot = [0; SLOT as usize];
            volume.stage.read(volume.geo.offset(index as u32 + 2)?, &mut slot)?;
            if slot[1..] == STRAY[..] {
                strays.push(index as u32 + 2);
            }
        }
        Ok(Self {
            volume,
            found,
            used,
            owned,
            strays,
        })
    }

    /// Takes away our files, and what an interrupted change allocated. Deleted entries are
    /// forgotten when nothing else is to follow.
    fn clean_up(&mut self, forget: bool) -> Result<(), FatError> {
        let mut clusters = std::mem::take(&mut self.strays);
        for &stray in &clusters {
            self.used.set(u64::from(stray) - 2, false);
        }
        let claims = self.found.ours.iter().map(|(_, item)| (item.first, item.len));
        let lost = self.found.lost.iter().flat_map(|(directory, files)| {
            let len = new_directory_clusters(&self.volume) * self.volume.geo.cluster;
            let files = files.iter().map(|item| (item.first, item.len));
            files.chain([(directory.first, len)])
        });
        for (first, len) in claims.chain(lost) {
            let count = len.div_ceil(self.volume.geo.cluster).min(self.volume.geo.clusters);
            for index in u64::from(first).saturating_sub(2)..(u64::from(first).saturating_sub(2) + count) {
                if first >= 2 && self.used.get(index) && !self.owned.get(index) && index < self.volume.geo.clusters {
                    clusters.push(index as u32 + 2);
                    self.used.set(index, false);
                }
            }
        }
        if let Some(directory) = &mut self.found.system {
            for (_, item) in &self.found.ours {
                directory.delete(item);
            }
            directory.stage(&mut self.volume, "our files leave System Volume Information")?;
            self.volume.barrier();
        }
        self.allocate(&clusters, false, "clusters given back")?;
        self.volume.write_free(&self.used)?;
        self.volume.barrier();
        if forget {
            if let Some(directory) = &mut self.found.system {
                for (_, item) in &self.found.ours {
                    directory.forget(item);
                }
                directory.stage(&mut self.volume, "nothing of our files is left")?;
            }
            if let Some((item, _)) = &self.found.lost {
                self.found.root.forget(item);
                self.found
                    .root
                    .stage(&mut self.volume, "nothing of our directory is left")?;
            }
        }
        Ok(())
    }

    /// Stages the allocation of single runs, or the opposite. Chains are made by the caller.
    fn allocate(&mut self, clusters: &[u32], value: bool, what: &str) -> Result<(), FatError> {
        if clusters.is_empty() {
            return Ok(());
        }
        if self.volume.geo.kind == Kind::ExFat {
            return self.volume.write_bits(clusters, value, what);
        }
        let mut entries = BTreeMap::new();
        for (index, &cluster) in clusters.iter().enumerate() {
            let next = clusters.get(index + 1).copied();
            let entry = match next {
                _ if !value => Entry::Free,
                Some(next) if next == cluster + 1 => Entry::Next(next),
                _ => Entry::End,
            };
            entries.insert(cluster, entry);
        }
        self.volume.write_entries(&entries, what)
    }

    fn reserve(&mut self, request: &RegionRequest, now: FileTime) -> Result<Regions, FatError> {
        let geo = self.volume.geo.clone();
        let placement = placement::place(&geo.space(), &mut self.used, None, request)?;
        let sets = file_slots(geo.kind, &placement.files);
        match self.found.system.take() {
            Some(mut directory) => {
                let places = match directory.room(&sets) {
                    Some(places) => places,
                    None => {
                        self.grow(&mut directory, &sets, "System Volume Information")?;
                        directory
                            .room(&sets)
                            .ok_or_else(|| damaged("a directory without room"))?
                    }
                };
                let files = self.files(&placement, now);
                put_all(&mut directory, &places, &files, false);
                directory.stage(&mut self.volume, "our files in System Volume Information, as deleted")?;
                self.volume.barrier();
                self.allocate_files(&placement)?;
                self.volume.barrier();
                put_all(&mut directory, &places, &files, true);
                directory.stage(&mut self.volume, "our files in System Volume Information")?;
            }
            None => self.with_new_directory(&placement, &sets, now)?,
        }
        self.volume.barrier();
        Ok(placement.regions)
    }

    /// A new directory with our files in it.
    fn with_new_directory(&mut self, placement: &Placement, sets: &[usize], now: FileTime) -> Result<(), FatError> {
        let geo = self.volume.geo.clone();
        let clusters = new_directory_clusters(&self.volume);
        let first = self.take(clusters, "directory")?;
        let start = geo.offset(first)?;
        let slots = (0..clusters * geo.cluster / SLOT).map(|index| (start + index * SLOT, [0; SLOT as usize]));
        let mut directory = Directory::new(geo.kind, slots.collect(), Vec::new());
        let mut item = NewItem {
            name: SYSTEM_DIRECTORY,
            short: &short_of_directory(&self.found.root),
            attributes: HIDDEN_SYSTEM | DIRECTORY,
            first,
            len: clusters * geo.cluster,
            now,
        };
        let set = item.encode(geo.kind);
        if geo.kind != Kind::ExFat {
            let own = item.short_slot(b".          ");
            // The root directory is cluster 0 here.
            item.first = 0;
            let parent = item.short_slot(b"..         ");
            directory.put(0, &[own, parent], true);
        }
        let places = directory
            .room(sets)
            .ok_or_else(|| damaged("a directory without room"))?;
        let files = self.files(placement, now);
        let place = match self.found.root.room(&[set.len()]) {
            Some(places) => places[0],
            None => {
                let mut root = self.found.root.clone();
                self.grow(&mut root, &[set.len()], "the root directory")?;
                self.found.root = root;
                self.found
                    .root
                    .room(&[set.len()])
                    .ok_or_else(|| damaged("a directory without room"))?[0]
            }
        };

        put_all(&mut directory, &places, &files, false);
        directory.stage(&mut self.volume, "System Volume Information, its files as deleted")?;
        self.found.root.put(place, &set, false);
        self.found
            .root
            .stage(&mut self.volume, "System Volume Information, as deleted")?;
        self.volume.barrier();
        self.allocate_files(placement)?;
        let run: Vec<u32> = (first..first + clusters as u32).collect();
        self.allocate(&run, true, "System Volume Information")?;
        self.volume.barrier();
        put_all(&mut directory, &places, &files, true);
        directory.stage(&mut self.volume, "our files in System Volume Information")?;
        self.volume.barrier();
        self.found.root.put(place, &set, true);
        self.found.root.stage(
            &mut self.volume,
            "System Volume Information appears in the root directory",
        )
    }

    fn files(&self, placement: &Placement, now: FileTime) -> Vec<Vec<Slot>> {
        let kind = self.volume.geo.kind;
        placement
            .files
            .iter()
            .map(|(&role, &(start, len))| {
                NewItem {
                    name: role.file_name(),
                    short: short_of(role),
                    attributes: HIDDEN_SYSTEM,
                    first: start as u32 + 2,
                    len,
                    now,
                }
                .encode(kind)
            })
            .collect()
    }

    fn allocate_files(&mut self, placement: &Placement) -> Result<(), FatError> {
        let cluster = self.volume.geo.cluster;
        for (role, &(start, len)) in &placement.files {
            let first = start as u32 + 2;
            let run: Vec<u32> = (first..first + len.div_ceil(cluster) as u32).collect();
            self.allocate(&run, true, role.what())?;
        }
        // All that is taken has been decided by now.
        self.volume.write_free(&self.used)
    }

    /// Takes a run of free clusters.
    fn take(&mut self, count: u64, what: &'static str) -> Result<u32, FatError> {
        let geo = &self.volume.geo;
        let start = self
            .used
            .find_clear(0, geo.clusters, count)
            .ok_or_else(|| FatError::NoRun {
                what,
                needed: count * geo.cluster,
                longest: self.used.longest_clear(geo.clusters) * geo.cluster,
            })?;
        self.used.set_run(start, count, true);
        Ok(start as u32 + 2)
    }

    /// Makes a directory longer, by clusters of zeros, until it has room for `sets`.
    fn grow(&mut self, directory: &mut Directory, sets: &[usize], what: &str) -> Result<(), FatError> {
        while directory.room(sets).is_none() {
            let Some(&last) = directory.chain.last() else {
                return Err(FatError::Unsupported(format!("{what} is full and cannot grow")));
            };
            let new = self.take(1, "directory")?;
            let start = self.volume.geo.offset(new)?;
            let cluster = self.volume.geo.cluster;
            let mut content = vec![0; cluster as usize];
            content[..SLOT as usize].copy_from_slice(&directory.filler(STRAY));
            self.volume
                .stage
                .write(start, content, format!("empty cluster for {what}"))?;
            // Behind an end mark nothing is looked for.
            let end = directory.slots.len();
            directory.put(end, &[], true);
            directory.end = end;
            directory.stage(&mut self.volume, &format!("{what} up to its end"))?;
            self.volume.barrier();
            if self.volume.geo.kind == Kind::ExFat {
                self.volume.write_bits(&[new], true, what)?;
            }
            self.volume.write_entries(&BTreeMap::from([(new, Entry::End)]), what)?;
            self.volume.barrier();
            self.volume
                .write_entries(&BTreeMap::from([(last, Entry::Next(new))]), &format!("{what} grows"))?;
            self.volume.barrier();
            let slots = (0..cluster / SLOT).map(|index| (start + index * SLOT, [0; SLOT as usize]));
            directory.slots.extend(slots);
            directory.slots[end].1 = directory.filler(STRAY);
            directory.end = end + 1;
            directory.chain.push(new);
        }
        Ok(())
    }
}

fn put_all(directory: &mut Directory, places: &[usize], sets: &[Vec<Slot>], live: bool) {
    let mut all: Vec<(usize, &Vec<Slot>)> = places.iter().copied().zip(sets).collect();
    all.sort_by_key(|(place, _)| *place);
    for (place, set) in all {
        directory.put(place, set, live);
    }
}

/// The names that old programs see.
fn short_of(role: Role) -> &'static [u8; 11] {
    match role {
        Role::Metadata(0) => b"FVE2M1  SYS",
        Role::Metadata(1) => b"FVE2M2  SYS",
        Role::Metadata(_) => b"FVE2M3  SYS",
        Role::Header => b"FVE2H   SYS",
        Role::Ice => b"FVE2I   SYS",
        Role::Log => b"FVE2L   SYS",
    }
}

fn short_of_directory(root: &Directory) -> [u8; 11] {
    let mut short = *b"SYSTEM~1   ";
    for digit in b'1'..=b'9' {
        short[7] = digit;
        if root.before_end().all(|slot| slot[..11] != short) {
            break;
        }
    }
    short
}

/// The byte ranges that the file system uses.
pub(super) fn used_extents(inner: &dyn ReadAt) -> Result<Vec<Range<u64>>, FatError> {
    let volume = Volume::open(inner)?;
    let geo = &volume.geo;
    let used = volume.used()?;
    let mut extents = Vec::new();
    let mut at = 0;
    for (start, len) in used.clear_runs(0, geo.clusters) {
        let (start, end) = (geo.heap + start * geo.cluster, geo.heap + (start + len) * geo.cluster);
        if start > at {
            extents.push(at..start);
        }
        at = end;
    }
    if at < inner.size() {
        extents.push(at..inner.size());
    }
    Ok(extents)
}

/// The label in the root directory.
pub(super) fn label(volume: &Volume<'_>) -> Result<String, FatError> {
    let root = volume.root()?;
    let exfat = volume.geo.kind == Kind::ExFat;
    let label = root.before_end().find_map(|slot| {
        if exfat {
            let units = slot[2..24]
                .chunks_exact(2)
                .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
            let units: Vec<u16> = units.take(usize::from(slot[1])).collect();
            (slot[0] == 0x83).then(|| String::from_utf16_lossy(&units))
        } else {
            (slot[11] & 0x3F == 0x08 && slot[0] != 0xE5)
                .then(|| String::from_utf8_lossy(&slot[..11]).trim_end().to_owned())
        }
    });
    Ok(label.unwrap_or_default())
}
