//! Directories: reading their B-tree of names.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::bytes::{align8, put, slice, u16_at, u32_at, u64_at};
use super::names::{Upcase, key_name};
use super::record::{ATTRIBUTE_LIST, BITMAP, DIRECTORY, FILE_NAME, INDEX_ALLOCATION, INDEX_ROOT, Record, Stream};
use super::volume::{Content, Volume, damaged};
use super::{NtfsError, fixup};
use crate::inner::bits::Bits;

pub(super) const I30: &str = "$I30";
const HAS_CHILD: u16 = 1;
const LAST: u16 = 2;
/// No sane directory is deeper; a loop would be.
const MAX_DEPTH: usize = 16;
/// The usual size of a directory block.
pub(super) const BLOCK: usize = 4096;
const BLOCK_HEADER: usize = 24;
const INDEX_HEADER: usize = 16;

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The file's record number and sequence.
    pub(super) file: u64,
    /// Its $FILE_NAME value.
    pub(super) key: Vec<u8>,
    /// The block holding the names before this one.
    pub(super) child: Option<u64>,
}

impl Entry {
    pub(super) fn len(&self) -> usize {
        16 + align8(self.key.len()) + if self.child.is_some() { 8 } else { 0 }
    }

    pub(super) fn name(&self) -> Result<Vec<u16>, NtfsError> {
        key_name(&self.key)
    }
}

/// The names of one block, or of the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) entries: Vec<Entry>,
    /// The block holding the names after all of these.
    pub(super) last_child: Option<u64>,
}

impl Node {
    /// Takes an index header with its entries apart.
    fn parse(bytes: &[u8]) -> Result<Self, NtfsError> {
        let used = u32_at(bytes, 4)? as usize;
        let bytes = slice(bytes, 0, used)?;
        let mut at = u32_at(bytes, 0)? as usize;
        let mut node = Self::default();
        loop {
            let len = usize::from(u16_at(bytes, at + 8)?);
            let flags = u16_at(bytes, at + 12)?;
            if len < 16 || len % 8 != 0 {
                return Err(damaged("a directory entry of impossible length"));
            }
            let entry = slice(bytes, at, len)?;
            let child = if flags & HAS_CHILD != 0 {
                Some(u64_at(entry, len - 8)?)
            } else {
                None
            };
            if flags & LAST != 0 {
                node.last_child = child;
                break;
            }
            let key = slice(entry, 16, usize::from(u16_at(entry, 10)?))?.to_vec();
            key_name(&key)?;
            node.entries.push(Entry {
                file: u64_at(entry, 0)?,
                key,
                child,
            });
            at += len;
        }
        let inner = node.last_child.is_some();
        if node.entries.iter().any(|entry| entry.child.is_some() != inner) {
            return Err(damaged("a directory block with branches of different depth"));
        }
        Ok(node)
    }

    /// Bytes of the entries and the end mark.
    pub(super) fn len(&self) -> usize {
        let last = if self.last_child.is_some() { 24 } else { 16 };
        self.entries.iter().map(Entry::len).sum::<usize>() + last
    }

    /// The index header and the entries, which begin at `first` in it, in an
    /// area of `size` bytes.
    fn to_bytes(&self, first: usize, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        put(&mut bytes, 0, &(first as u32).to_le_bytes());
        put(&mut bytes, 4, &((first + self.len()) as u32).to_le_bytes());
        put(&mut bytes, 8, &(size as u32).to_le_bytes());
        bytes[12] = u8::from(self.last_child.is_some());
        let mut at = first;
        for entry in &self.entries {
            put_entry(&mut bytes[at..at + entry.len()], entry.file, &entry.key, entry.child, 0);
            at += entry.len();
        }
        put_entry(&mut bytes[at..first + self.len()], 0, &[], self.last_child, LAST);
        bytes
    }
}

fn put_entry(bytes: &mut [u8], file: u64, key: &[u8], child: Option<u64>, flags: u16) {
    let len = bytes.len();
    put(bytes, 0, &file.to_le_bytes());
    put(bytes, 8, &(len as u16).to_le_bytes());
    put(bytes, 10, &(key.len() as u16).to_le_bytes());
    put(
        bytes,
        12,
        &(flags | if child.is_some() { HAS_CHILD } else { 0 }).to_le_bytes(),
    );
    put(bytes, 16, key);
    if let Some(child) = child {
        put(bytes, len - 8, &child.to_le_bytes());
    }
}

/// A directory, its root in memory.
#[derive(Clone, Debug)]
pub(super) struct Directory {
    pub(super) record: Record,
    pub(super) root: Node,
    pub(super) block: usize,
    /// Bytes that one step of a block number means.
    pub(super) unit: u64,
    pub(super) blocks: Stream,
    pub(super) used: Bits,
    /// Why its record cannot be changed, if so.
    pub(super) fixed: Option<&'static str>,
    head: [u8; INDEX_HEADER],
}

/// The way from the root to a place in a leaf: block (none for the root), its
/// names, and the place among them.
pub(super) type Path = Vec<(Option<u64>, Node, usize)>;

impl Directory {
    pub(super) fn open(volume: &Volume<'_>, number: u64) -> Result<Self, NtfsError> {
        let record = volume.record(number)?;
        if !record.in_use() || record.flags & DIRECTORY == 0 {
            return Err(NtfsError::Damaged(format!("$MFT record {number} is not a directory")));
        }
        let Some(Content::Resident(root)) = volume.content(&record, INDEX_ROOT, I30)? else {
            return Err(NtfsError::Damaged(format!("directory {number} has no index")));
        };
        let block = u32_at(&root, 8)? as usize;
        if u32_at(&root, 0)? != FILE_NAME || u32_at(&root, 4)? != 1 {
            return Err(NtfsError::Damaged(format!("directory {number} is not sorted by name")));
        }
        if !block.is_power_of_two() || !(4096..=65536).contains(&block) {
            return Err(NtfsError::Unsupported(format!("directory blocks of {block} bytes")));
        }
        let mut head = [0; INDEX_HEADER];
        head.copy_from_slice(slice(&root, 0, INDEX_HEADER)?);
        let mut fixed = record.find(ATTRIBUTE_LIST, "").map(|_| "it has an attribute list");
        let blocks = match volume.content(&record, INDEX_ALLOCATION, I30)? {
            Some(Content::Stream(stream)) => stream,
            Some(Content::Resident(_)) => return Err(damaged("directory blocks within a record")),
            None => Stream::default(),
        };
        let used = match volume.content(&record, BITMAP, I30)? {
            None => Bits(Vec::new()),
            Some(Content::Resident(bits)) => Bits(bits),
            Some(stream) => {
                fixed = fixed.or(Some("its bitmap is not resident"));
                Bits(volume.bytes(&stream)?)
            }
        };
        let cluster = volume.geo.cluster;
        Ok(Self {
            root: Node::parse(&root[INDEX_HEADER..])?,
            unit: if cluster <= block as u64 { cluster } else { 512 },
            record,
            block,
            blocks,
            used,
            fixed,
            head,
        })
    }

    /// An empty directory around a fresh record.
    pub(super) fn empty(record: Record, cluster: u64) -> Self {
        let unit = if cluster <= BLOCK as u64 { cluster } else { 512 };
        let mut head = [0; INDEX_HEADER];
        put(&mut head, 0, &FILE_NAME.to_le_bytes());
        put(&mut head, 4, &1_u32.to_le_bytes());
        put(&mut head, 8, &(BLOCK as u32).to_le_bytes());
        head[12] = (BLOCK as u64 / unit) as u8;
        Self {
            record,
            root: Node::default(),
            block: BLOCK,
            unit,
            blocks: Stream::default(),
            used: Bits(Vec::new()),
            fixed: None,
            head,
        }
    }

    /// The value of the root attribute.
    pub(super) fn root_value(&self) -> Vec<u8> {
        let size = INDEX_HEADER + self.root.len();
        [&self.head[..], &self.root.to_bytes(INDEX_HEADER, size)].concat()
    }

    /// Bytes of entries that a block holds.
    pub(super) fn capacity(&self) -> usize {
        self.block - BLOCK_HEADER - self.first_entry()
    }

    /// Entries begin here, counted from the index header.
    fn first_entry(&self) -> usize {
        align8(0x28 + 2 * (self.block / 512 + 1)) - BLOCK_HEADER
    }

    pub(super) fn block_bytes(&self, vcn: u64, node: &Node, update: u16) -> Result<Vec<u8>, NtfsError> {
        let mut bytes = vec![0; BLOCK_HEADER];
        put(&mut bytes, 0, b"INDX");
        put(&mut bytes, 4, &0x28_u16.to_le_bytes());
        put(&mut bytes, 6, &((self.block / 512 + 1) as u16).to_le_bytes());
        put(&mut bytes, 16, &vcn.to_le_bytes());
        bytes.extend(node.to_bytes(self.first_entry(), self.block - BLOCK_HEADER));
        fixup::close(&mut bytes, update)?;
        Ok(bytes)
    }

    /// The names of block `vcn`, and its update sequence number.
    pub(super) fn read_block(&self, volume: &Volume<'_>, vcn: u64) -> Result<(Node, u16), NtfsError> {
        let at = vcn.checked_mul(self.unit).filter(|at| {
            at.checked_add(self.block as u64)
                .is_some_and(|end| end <= self.blocks.size)
        });
        let at = at.ok_or_else(|| damaged("a directory points outside its blocks"))?;
        let mut bytes = vec![0; self.block];
        volume.read_stream(&self.blocks, at, &mut bytes)?;
        let update = u16_at(&bytes, usize::from(u16_at(&bytes, 4)?))?;
        fixup::open(&mut bytes, b"INDX")?;
        if u64_at(&bytes, 16)? != vcn {
            return Err(damaged("a directory block with another's number"));
        }
        let node = Node::parse(&bytes[BLOCK_HEADER..])?;
        Ok((node, update))
    }

    /// Looks for `name`: the entry, or the way to where it belongs.
    pub(super) fn find(
        &self,
        volume: &Volume<'_>,
        upcase: &Upcase,
        name: &str,
    ) -> Result<Result<Entry, Path>, NtfsError> {
        let name: Vec<u16> = name.encode_utf16().collect();
        let mut path: Path = Vec::new();
        let (mut vcn, mut node) = (None, self.root.clone());
        loop {
            let mut place = node.entries.len();
            for (index, entry) in node.entries.iter().enumerate() {
                let own = entry.name()?;
                if upcase.same(&own, &name) {
                    return Ok(Ok(entry.clone()));
                }
                if upcase.order(&own, &name) == Ordering::Greater {
                    place = index;
                    break;
                }
            }
            let child = node.entries.get(place).map_or(node.last_child, |entry| entry.child);
            path.push((vcn, node, place));
            let Some(child) = child else {
                return Ok(Err(path));
            };
            if path.len() > MAX_DEPTH {
                return Err(damaged("a directory that runs in circles"));
            }
            vcn = Some(child);
            node = self.read_block(volume, child)?.0;
        }
    }

    /// All entries in order, and refuses more than `limit`.
    pub(super) fn all(&self, volume: &Volume<'_>, limit: usize) -> Result<Vec<Entry>, NtfsError> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        self.collect(volume, &self.root, limit, &mut seen, &mut found)?;
        Ok(found)
    }

    fn collect(
        &self,
        volume: &Volume<'_>,
        node: &Node,
        limit: usize,
        seen: &mut BTreeSet<u64>,
        found: &mut Vec<Entry>,
    ) -> Result<(), NtfsError> {
        let children = node.entries.iter().map(|entry| (entry.child, Some(entry)));
        for (child, entry) in children.chain([(node.last_child, None)]) {
            if let Some(vcn) = child {
                if !seen.insert(vcn) || seen.len() > limit {
                    return Err(damaged("a directory that runs in circles or is too large to rebuild"));
                }
                let (node, _) = self.read_block(volume, vcn)?;
                self.collect(volume, &node, limit, seen, found)?;
            }
            if let Some(entry) = entry {
                found.push(Entry {
                    child: None,
                    ..entry.clone()
                });
            }
            if found.len() > limit {
                return Err(NtfsError::Unsupported(format!(
                    "a directory of more than {limit} names has to be rebuilt"
                )));
            }
        }
        Ok(())
    }
}
