//! Directories: 32-byte slots, of which several in a row make an entry.
//!
//! An entry of ours lies within one block of 512 bytes, so that one write makes it
//! appear or go. What is deleted keeps its place and its names, and is how an
//! interrupted change is known again.

use super::FatError;
use super::boot::Kind;
use super::error::damaged;
use super::volume::{Volume, u32_at, u64_at};

pub(super) const SLOT: u64 = 32;
const BLOCK: u64 = 512;
/// No directory is longer (exFAT would allow 256 MiB).
const MAX_SLOTS: usize = 1 << 20;
const LONG_NAME: u8 = 0x0F;
pub(super) const DIRECTORY: u16 = 0x10;
const LABEL: u16 = 0x08;
const DELETED: u8 = 0xE5;
const IN_USE: u8 = 0x80;

pub(super) type Slot = [u8; SLOT as usize];

/// Where a directory lies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Chain(u32),
    /// First cluster and number of clusters.
    Contiguous(u32, u64),
    /// Offset and length in bytes.
    Fixed(u64, u64),
}

/// A directory in memory.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    /// Where each slot is on the volume, and what it holds.
    pub(super) slots: Vec<(u64, Slot)>,
    /// Slots before the end mark.
    pub(super) end: usize,
    /// The clusters, when they are a chain, which can be made longer.
    pub(super) chain: Vec<u32>,
    kind: Kind,
}

/// One file or directory.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) attributes: u16,
    pub(super) first: u32,
    /// Bytes; 0 for directories of FAT.
    pub(super) len: u64,
    /// exFAT: the table does not tell its clusters.
    pub(super) contiguous: bool,
    /// Not deleted.
    pub(super) live: bool,
    /// Indices of its slots.
    pub(super) place: std::ops::Range<usize>,
}

impl Item {
    pub(super) fn is_directory(&self) -> bool {
        self.attributes & DIRECTORY != 0
    }

    /// Where a directory's slots are.
    pub(super) fn as_place(&self, cluster: u64) -> Place {
        if self.contiguous {
            Place::Contiguous(self.first, self.len.div_ceil(cluster))
        } else {
            Place::Chain(self.first)
        }
    }
}

impl Directory {
    pub(super) fn open(volume: &Volume<'_>, place: Place) -> Result<Self, FatError> {
        let geo = &volume.geo;
        let (parts, chain) = match place {
            Place::Fixed(at, len) => (vec![(at, len)], Vec::new()),
            Place::Chain(first) => {
                let chain = volume.chain(first)?;
                let parts = chain.iter().map(|&at| Ok((geo.offset(at)?, geo.cluster)));
                (parts.collect::<Result<_, FatError>>()?, chain)
            }
            Place::Contiguous(first, count) => {
                let start = geo.offset(first)?;
                if count == 0 || u64::from(first) - 2 + count > geo.clusters {
                    return Err(damaged("a directory beyond the volume"));
                }
                (vec![(start, count * geo.cluster)], Vec::new())
            }
        };
        let total: u64 = parts.iter().map(|part: &(u64, u64)| part.1).sum();
        if total > MAX_SLOTS as u64 * SLOT {
            return Err(FatError::Unsupported(format!("a directory of {total} bytes")));
        }
        let mut slots = Vec::with_capacity((total / SLOT) as usize);
        for (at, len) in parts {
            let mut bytes = vec![0; len as usize];
            volume.stage.read(at, &mut bytes)?;
            for (index, chunk) in bytes.chunks_exact(SLOT as usize).enumerate() {
                let mut slot = [0; SLOT as usize];
                slot.copy_from_slice(chunk);
                slots.push((at + index as u64 * SLOT, slot));
            }
        }
        Ok(Self::new(geo.kind, slots, chain))
    }

    pub(super) fn new(kind: Kind, slots: Vec<(u64, Slot)>, chain: Vec<u32>) -> Self {
        let end = slots.iter().position(|(_, slot)| slot[0] == 0).unwrap_or(slots.len());
        Self {
            slots,
            end,
            chain,
            kind,
        }
    }

    pub(super) fn before_end(&self) -> impl Iterator<Item = &Slot> {
        self.slots[..self.end].iter().map(|(_, slot)| slot)
    }

    /// The files and directories, deleted ones too as far as they are whole.
    pub(super) fn items(&self) -> Vec<Item> {
        match self.kind {
            Kind::ExFat => self.exfat_items(),
            _ => self.fat_items(),
        }
    }

    fn fat_items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        let mut names = 0;
        for (index, slot) in self.before_end().enumerate() {
            if slot[11] & 0x3F == LONG_NAME {
                names += 1;
                continue;
            }
            let longest = std::mem::take(&mut names);
            let attributes = u16::from(slot[11]);
            if attributes & LABEL != 0 || slot[0] == b'.' {
                continue;
            }
            let live = slot[0] != DELETED;
            let long = self.long_name(index, longest, live);
            // A deleted entry without a long name is not known any more.
            let Some((name, count)) = long.or_else(|| live.then(|| (short_name(slot), 0))) else {
                continue;
            };
            items.push(Item {
                name,
                attributes,
                first: u32::from(u16_at(slot, 26))
                    | if self.kind == Kind::Fat32 {
                        u32::from(u16_at(slot, 20)) << 16
                    } else {
                        0
                    },
                len: u32_at(slot, 28).into(),
                contiguous: false,
                live,
                place: index - count..index + 1,
            });
        }
        items
    }

    /// The long name in up to `count` slots before the short one at `index`, and how many it takes.
    fn long_name(&self, index: usize, count: usize, live: bool) -> Option<(String, usize)> {
        let short = &self.slots[index].1;
        let mut units = Vec::new();
        let mut taken = 0;
        for before in 1..=count.min(20) {
            let slot = &self.slots[index - before].1;
            let last = slot[0] & 0x40 != 0;
            if (slot[0] != DELETED) != live || (live && usize::from(slot[0] & 0x3F) != before) {
                return None;
            }
            taken = before;
            let places = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
            units.extend(places.map(|at| u16_at(slot, at)));
            if units.contains(&0) || (live && last) {
                break;
            }
        }
        let len = units.iter().position(|&unit| unit == 0).unwrap_or(units.len());
        let name = String::from_utf16(&units[..len]).ok().filter(|name| !name.is_empty())?;
        let mut whole = *short;
        if !live {
            whole[0] = name.as_bytes()[0].to_ascii_uppercase();
        }
        let sum = short_sum(&whole);
        let same = (1..=taken).all(|before| self.slots[index - before].1[13] == sum);
        same.then_some((name, taken))
    }

    fn exfat_items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        let mut index = 0;
        while index < self.end {
            match self.exfat_item(index) {
                Some(item) => {
                    index = item.place.end;
                    items.push(item);
                }
                None => index += 1,
            }
        }
        items
    }

    fn exfat_item(&self, index: usize) -> Option<Item> {
        let head = &self.slots[index].1;
        if head[0] | IN_USE != 0x85 {
            return None;
        }
        let live = head[0] & IN_USE != 0;
        let count = 1 + usize::from(head[1]);
        let set: Vec<Slot> = self
            .slots
            .get(index..index + count)?
            .iter()
            .map(|(_, slot)| *slot)
            .collect();
        let stream = set.get(1)?;
        let alike = set.iter().all(|slot| (slot[0] & IN_USE != 0) == live);
        let whole: Vec<Slot> = set
            .iter()
            .map(|slot| {
                let mut slot = *slot;
                slot[0] |= IN_USE;
                slot
            })
            .collect();
        if !alike || whole[1][0] != 0xC0 || set_sum(&whole) != u16_at(head, 2) {
            return None;
        }
        let units = whole[2..].iter().filter(|slot| slot[0] == 0xC1);
        let units: Vec<u16> = units
            .flat_map(|slot| (2..32).step_by(2).map(|at| u16_at(slot, at)))
            .collect();
        let name = units.get(..usize::from(stream[3]))?;
        Some(Item {
            name: String::from_utf16_lossy(name),
            attributes: u16_at(head, 4),
            first: u32_at(stream, 20),
            len: u64_at(stream, 24),
            contiguous: stream[1] & 2 != 0,
            live,
            place: index..index + count,
        })
    }

    /// Places for entries of so many slots, each within a block; nothing when there is no room.
    pub(super) fn room(&self, sets: &[usize]) -> Option<Vec<usize>> {
        let mut free: Vec<bool> = self
            .slots
            .iter()
            .enumerate()
            .map(|(index, (_, slot))| {
                index >= self.end
                    || match self.kind {
                        Kind::ExFat => slot[0] & IN_USE == 0,
                        _ => slot[0] == DELETED,
                    }
            })
            .collect();
        let mut places = Vec::new();
        for &len in sets {
            let block = |index: usize| self.slots[index].0 / BLOCK;
            let place = (0..self.slots.len().saturating_sub(len - 1)).find(|&start| {
                block(start) == block(start + len - 1)
                    // A directory's own first entries of another kind are never split from their block.
                    && (start..start + len).all(|index| free[index])
            })?;
            free[place..place + len].fill(false);
            places.push(place);
        }
        Some(places)
    }

    /// Puts `set` at `place`. What lies between the end so far and it becomes deleted slots; the end mark moves.
    pub(super) fn put(&mut self, place: usize, set: &[Slot], live: bool) {
        for index in self.end..place {
            self.slots[index].1 = self.filler(&[0; 31]);
        }
        for (index, slot) in set.iter().enumerate() {
            self.slots[place + index].1 = if live { *slot } else { self.deleted(slot) };
        }
        if place + set.len() > self.end {
            self.end = place + set.len();
            if let Some((_, slot)) = self.slots.get_mut(self.end) {
                *slot = [0; SLOT as usize];
            }
        }
    }

    /// A deleted slot with this content.
    pub(super) fn filler(&self, content: &[u8; 31]) -> Slot {
        let mut slot = [0; SLOT as usize];
        slot[0] = if self.kind == Kind::ExFat { 0x05 } else { DELETED };
        slot[1..].copy_from_slice(content);
        slot
    }

    /// Turns the slots of `item` into deleted ones.
    pub(super) fn delete(&mut self, item: &Item) {
        for index in item.place.clone() {
            self.slots[index].1 = self.deleted(&self.slots[index].1);
        }
    }

    /// Leaves nothing of a deleted item but unused slots.
    pub(super) fn forget(&mut self, item: &Item) {
        for index in item.place.clone() {
            let first = self.deleted(&self.slots[index].1)[0];
            self.slots[index].1 = [0; SLOT as usize];
            self.slots[index].1[0] = first;
        }
    }

    fn deleted(&self, slot: &Slot) -> Slot {
        let mut slot = *slot;
        slot[0] = if self.kind == Kind::ExFat {
            slot[0] & !IN_USE
        } else {
            DELETED
        };
        slot
    }

    /// Stages the blocks in which the directory differs from what is there.
    pub(super) fn stage(&self, volume: &mut Volume<'_>, what: &str) -> Result<(), FatError> {
        for group in self.slots.chunks((BLOCK / SLOT) as usize) {
            let Some(&(at, _)) = group.first() else { continue };
            let bytes: Vec<u8> = group.iter().flat_map(|(_, slot)| *slot).collect();
            if bytes.len() as u64 == BLOCK && at.is_multiple_of(BLOCK) {
                volume.stage.write(at, bytes, what)?;
            } else {
                return Err(damaged("a directory that is not made of whole blocks"));
            }
        }
        Ok(())
    }
}

fn short_name(slot: &Slot) -> String {
    let part = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    match (part(&slot[..8]), part(&slot[8..11])) {
        (name, extension) if extension.is_empty() => name,
        (name, extension) => format!("{name}.{extension}"),
    }
}

/// The sum over a short name that its long name repeats.
pub(super) fn short_sum(slot: &Slot) -> u8 {
    slot[..11]
        .iter()
        .fold(0_u8, |sum, &byte| sum.rotate_right(1).wrapping_add(byte))
}

/// The sum over an exFAT entry, which its third and fourth byte hold.
pub(super) fn set_sum(set: &[Slot]) -> u16 {
    set.iter()
        .flatten()
        .enumerate()
        .filter(|(at, _)| !matches!(at, 2 | 3))
        .fold(0_u16, |sum, (_, &byte)| {
            sum.rotate_right(1).wrapping_add(u16::from(byte))
        })
}

pub(super) fn u16_at(slot: &Slot, at: usize) -> u16 {
    u16::from_le_bytes([slot[at], slot[at + 1]])
}
