//! A volume through its staged changes: the table, the bitmap, chains.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::FatError;
use super::boot::{self, Geometry, Kind, Root};
use super::directory::{Directory, Place};
use super::error::damaged;
use crate::inner::bits::Bits;
use crate::inner::stage::Staged;
use crate::io::ReadAt;

const PAGE: u64 = 65536;
const BLOCK: u64 = 512;

/// A volume, read through the changes staged so far.
pub(super) struct Volume<'a> {
    pub(super) stage: Staged<'a>,
    pub(super) geo: Geometry,
    /// exFAT: where the allocation bitmap lies, in pieces.
    bitmap: Vec<(u64, u64)>,
    /// exFAT: first cluster and length of bitmap and table of letters.
    pub(super) system: Vec<(u32, u64)>,
    page: RefCell<Option<(u64, Vec<u8>)>>,
}

/// What an entry of the table says of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Free,
    Next(u32),
    End,
    Bad,
}

impl<'a> Volume<'a> {
    pub(super) fn open(device: &'a dyn ReadAt) -> Result<Self, FatError> {
        let geo = boot::read(device)?;
        let mut volume = Self {
            stage: Staged::new(device),
            geo,
            bitmap: Vec::new(),
            system: Vec::new(),
            page: RefCell::new(None),
        };
        if volume.geo.kind == Kind::ExFat {
            volume.find_bitmap()?;
        }
        Ok(volume)
    }

    pub(super) fn root(&self) -> Result<Directory, FatError> {
        Directory::open(
            self,
            match self.geo.root {
                Root::Chain(first) => Place::Chain(first),
                Root::Fixed(at, len) => Place::Fixed(at, len),
            },
        )
    }

    fn find_bitmap(&mut self) -> Result<(), FatError> {
        let root = self.root()?;
        let wanted = self.geo.clusters.div_ceil(8);
        for slot in root.before_end() {
            // Allocation bitmap, table of upper-case letters.
            if !matches!(slot[0], 0x81 | 0x82) {
                continue;
            }
            let (first, len) = (u32_at(slot, 20), u64_at(slot, 24));
            self.system.push((first, len));
            if slot[0] == 0x81 && self.bitmap.is_empty() {
                if len < wanted {
                    return Err(damaged("the allocation bitmap is too short"));
                }
                let mut left = wanted;
                for cluster in self.chain(first)? {
                    let part = left.min(self.geo.cluster);
                    if part > 0 {
                        self.bitmap.push((self.geo.offset(cluster)?, part));
                    }
                    left -= part;
                }
                if left > 0 {
                    return Err(damaged("the allocation bitmap has too few clusters"));
                }
            }
        }
        if self.bitmap.is_empty() {
            return Err(damaged("there is no allocation bitmap"));
        }
        Ok(())
    }

    /// Refuses a volume that must not be changed now.
    pub(super) fn check_clean(&self) -> Result<(), FatError> {
        if let Some(why) = self.geo.dirty {
            return Err(FatError::Dirty(why.to_owned()));
        }
        let (clean, sound) = match self.geo.kind {
            Kind::Fat16 => (0x8000, 0x4000),
            Kind::Fat32 => (0x0800_0000, 0x0400_0000),
            Kind::ExFat => return Ok(()),
        };
        let marks = self.raw_entry(self.geo.tables[0], 1)?;
        if marks & clean == 0 {
            return Err(FatError::Dirty("it was not unmounted".to_owned()));
        }
        if marks & sound == 0 {
            return Err(FatError::Dirty("it met bad sectors".to_owned()));
        }
        Ok(())
    }

    /// The 512-byte blocks in which a further table differs from the one that counts: its place, the place of what
    /// should be there, and the first cluster that the block tells of.
    pub(super) fn differing_blocks(&self) -> Result<Vec<(u64, u64, u64)>, FatError> {
        let mut blocks = Vec::new();
        let len = (self.geo.clusters + 2) * self.geo.entry_len();
        for &other in &self.geo.tables[1..] {
            for at in (0..len).step_by(PAGE as usize) {
                let part = PAGE.min(len.next_multiple_of(BLOCK) - at) as usize;
                let (mut a, mut b) = (vec![0; part], vec![0; part]);
                self.stage.read(self.geo.tables[0] + at, &mut a)?;
                self.stage.read(other + at, &mut b)?;
                let pairs = a.chunks(BLOCK as usize).zip(b.chunks(BLOCK as usize));
                for (index, _) in pairs.enumerate().filter(|(_, (a, b))| a != b) {
                    let at = at + index as u64 * BLOCK;
                    blocks.push((other + at, self.geo.tables[0] + at, at / self.geo.entry_len()));
                }
            }
        }
        Ok(blocks)
    }

    /// Lets the further tables say what the one that counts says, where only clusters are concerned that `mine` accepts:
    /// those of an interrupted change.
    pub(super) fn heal_tables(&mut self, mine: impl Fn(u32) -> bool) -> Result<(), FatError> {
        for (place, source, first) in self.differing_blocks()? {
            let mut right = vec![0; BLOCK as usize];
            let mut found = right.clone();
            self.stage.read(source, &mut right)?;
            self.stage.read(place, &mut found)?;
            let len = self.geo.entry_len() as usize;
            let pairs = right.chunks(len).zip(found.chunks(len)).zip(first..);
            for ((right, found), cluster) in pairs {
                let real = (2..self.geo.clusters + 2).contains(&cluster);
                if right != found && real && !mine(cluster as u32) {
                    return Err(damaged(format!("its two tables differ about cluster {cluster}")));
                }
            }
            self.stage.write(place, right, "second table, as the first one")?;
        }
        self.stage.barrier();
        Ok(())
    }

    fn raw_entry(&self, table: u64, cluster: u32) -> Result<u32, FatError> {
        let len = self.geo.entry_len() as usize;
        let mut bytes = [0; 4];
        let offset = table + u64::from(cluster) * len as u64;
        // The first table is read a page at a time; nothing is staged while chains are followed.
        let mut page = self.page.borrow_mut();
        let start = offset - offset % PAGE;
        if page.as_ref().is_none_or(|(at, _)| *at != start) {
            let mut data = vec![0; PAGE.min(self.geo.end.saturating_sub(start)) as usize];
            self.stage.read(start, &mut data)?;
            *page = Some((start, data));
        }
        if let Some((_, data)) = &*page {
            let at = (offset - start) as usize;
            let found = data
                .get(at..at + len)
                .ok_or_else(|| damaged("a table beyond the volume"))?;
            bytes[..len].copy_from_slice(found);
        }
        Ok(u32::from_le_bytes(bytes))
    }

    /// What the table says of `cluster`.
    pub(super) fn entry(&self, cluster: u32) -> Result<Entry, FatError> {
        self.geo.offset(cluster)?;
        let raw = self.raw_entry(self.geo.tables[0], cluster)?;
        Ok(match self.geo.kind {
            Kind::Fat16 => decode(raw, 0xFFF7),
            Kind::Fat32 => decode(raw & 0x0FFF_FFFF, 0x0FFF_FFF7),
            Kind::ExFat => decode(raw, 0xFFFF_FFF7),
        })
    }

    /// All clusters from `first` on; refuses loops.
    pub(super) fn chain(&self, first: u32) -> Result<Vec<u32>, FatError> {
        let mut clusters = vec![first];
        loop {
            match self.entry(clusters[clusters.len() - 1])? {
                Entry::End => return Ok(clusters),
                Entry::Next(next) if (clusters.len() as u64) < self.geo.clusters => clusters.push(next),
                _ => return Err(damaged(format!("the chain of cluster {first} has no end"))),
            }
        }
    }

    /// The clusters in use, the first being number 2.
    pub(super) fn used(&self) -> Result<Bits, FatError> {
        let mut used = Bits::clear(self.geo.clusters);
        if self.geo.kind == Kind::ExFat {
            let mut at = 0;
            for &(offset, len) in &self.bitmap {
                self.stage.read(offset, &mut used.0[at..at + len as usize])?;
                at += len as usize;
            }
        }
        // In exFAT the table tells of bad clusters alone.
        for index in 0..self.geo.clusters {
            let entry = self.entry(index as u32 + 2)?;
            let taken = match self.geo.kind {
                Kind::ExFat => entry == Entry::Bad,
                _ => entry != Entry::Free,
            };
            if taken {
                used.set(index, true);
            }
        }
        Ok(used)
    }

    /// Stages entries of all tables.
    pub(super) fn write_entries(&mut self, entries: &BTreeMap<u32, Entry>, what: &str) -> Result<(), FatError> {
        let len = self.geo.entry_len();
        let tables = self.geo.tables.clone();
        for (number, table) in tables.into_iter().enumerate() {
            let mut blocks: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
            for (&cluster, &entry) in entries {
                let offset = table + u64::from(cluster) * len;
                let start = offset - offset % BLOCK;
                let block = self.block(&mut blocks, start)?;
                let place = &mut block[(offset - start) as usize..][..len as usize];
                let mut value = match (entry, self.geo.kind) {
                    (Entry::Free, _) => 0,
                    (Entry::Next(next), _) => next,
                    (Entry::End, Kind::Fat16) => 0xFFFF,
                    (Entry::End, Kind::Fat32) => 0x0FFF_FFFF,
                    (Entry::End, Kind::ExFat) => u32::MAX,
                    (Entry::Bad, _) => return Err(damaged("a bad cluster cannot be made")),
                };
                if self.geo.kind == Kind::Fat32 {
                    // The upper four bits are not ours.
                    value |= u32::from(place[3] & 0xF0) << 24;
                }
                place.copy_from_slice(&value.to_le_bytes()[..len as usize]);
            }
            for (start, block) in blocks {
                self.stage
                    .write(start, block, format!("table {} ({what})", number + 1))?;
            }
        }
        self.page.replace(None);
        Ok(())
    }

    /// Stages bits of the allocation bitmap.
    pub(super) fn write_bits(&mut self, clusters: &[u32], value: bool, what: &str) -> Result<(), FatError> {
        let mut blocks: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        for &cluster in clusters {
            let index = u64::from(cluster) - 2;
            let mut byte = index / 8;
            for &(offset, len) in &self.bitmap {
                if byte < len {
                    let at = offset + byte;
                    let start = at - at % BLOCK;
                    let block = self.block(&mut blocks, start)?;
                    let mask = 1 << (index % 8);
                    let place = &mut block[(at - start) as usize];
                    *place = if value { *place | mask } else { *place & !mask };
                    break;
                }
                byte -= len;
            }
        }
        for (start, block) in blocks {
            self.stage.write(start, block, format!("allocation bitmap ({what})"))?;
        }
        Ok(())
    }

    fn block<'b>(&self, blocks: &'b mut BTreeMap<u64, Vec<u8>>, start: u64) -> Result<&'b mut Vec<u8>, FatError> {
        use std::collections::btree_map::Entry as Slot;
        match blocks.entry(start) {
            Slot::Occupied(block) => Ok(block.into_mut()),
            Slot::Vacant(place) => {
                let mut block = vec![0; BLOCK as usize];
                self.stage.read(start, &mut block)?;
                Ok(place.insert(block))
            }
        }
    }

    /// Stages the number of free clusters that FAT32 keeps as a hint, where it is known.
    pub(super) fn write_free(&mut self, used: &Bits) -> Result<(), FatError> {
        let Some(offset) = self.geo.info else {
            return Ok(());
        };
        let mut block = vec![0; BLOCK as usize];
        self.stage.read(offset, &mut block)?;
        if block.starts_with(b"RRaA") && block[488..492] != [0xFF; 4] {
            let free: u64 = used.clear_runs(0, self.geo.clusters).map(|run| run.1).sum();
            block[488..492].copy_from_slice(&(free as u32).to_le_bytes());
            self.stage.write(offset, block, "number of free clusters")?;
        }
        Ok(())
    }

    pub(super) fn barrier(&mut self) {
        self.stage.barrier();
    }
}

fn decode(raw: u32, bad: u32) -> Entry {
    match raw {
        0 => Entry::Free,
        raw if raw == bad => Entry::Bad,
        raw if raw > bad => Entry::End,
        raw => Entry::Next(raw),
    }
}

pub(super) fn u32_at(slot: &[u8; 32], at: usize) -> u32 {
    u32::from_le_bytes([slot[at], slot[at + 1], slot[at + 2], slot[at + 3]])
}

pub(super) fn u64_at(slot: &[u8; 32], at: usize) -> u64 {
    u64::from(u32_at(slot, at)) | u64::from(u32_at(slot, at + 4)) << 32
}
