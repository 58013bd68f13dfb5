//! Directories: changing their B-tree.
//!
//! A change that fits its block is one write of that block. Any other is made in
//! unused blocks, all the way up, and takes effect with one write of the
//! directory's record; until then nothing points at the new blocks.

use super::boot::Geometry;
use super::grow::take;
use super::index::{Directory, Entry, I30, Node, Path};
use super::record::{Attr, BITMAP, DIRECTORY, INDEX_ALLOCATION, INDEX_ROOT};
use super::volume::{Volume, damaged};
use super::{NtfsError, fixup};
use crate::inner::bits::Bits;

/// How a directory changes.
pub(super) struct IndexChange {
    /// The directory afterwards.
    pub(super) directory: Directory,
    /// New blocks, to be written before `commit`.
    pub(super) fresh: Vec<(u64, Vec<u8>)>,
    pub(super) commit: Commit,
    /// Clusters that the directory no longer needs.
    pub(super) freed: Vec<(u64, u64)>,
}

/// The one write that makes the change.
pub(super) enum Commit {
    /// The directory's record.
    Record,
    /// This block, in place.
    Block(u64, Vec<u8>),
}

impl IndexChange {
    /// Stages the blocks that nothing points at yet.
    pub(super) fn stage_fresh(&self, volume: &mut Volume<'_>, what: &str) -> Result<(), NtfsError> {
        for (vcn, bytes) in &self.fresh {
            volume.write_stream(&self.directory.blocks, vcn * self.directory.unit, bytes, what)?;
        }
        Ok(())
    }

    /// Stages the deciding write.
    pub(super) fn stage_commit(&self, volume: &mut Volume<'_>, what: &str) -> Result<(), NtfsError> {
        match &self.commit {
            Commit::Record => volume.write_record(&self.directory.record, what),
            Commit::Block(vcn, bytes) => {
                volume.write_stream(&self.directory.blocks, vcn * self.directory.unit, bytes, what)
            }
        }
    }
}

/// Adds `entry` at `path`, as [`Directory::find`] gave it. New clusters are taken
/// from `clusters`.
pub(super) fn insert(
    volume: &Volume<'_>,
    directory: &Directory,
    mut path: Path,
    entry: Entry,
    clusters: &mut Bits,
) -> Result<IndexChange, NtfsError> {
    let (vcn, mut leaf, place) = path.pop().ok_or_else(|| damaged("a directory without a root"))?;
    leaf.entries.insert(place, entry);
    if let Some(vcn) = vcn
        && leaf.len() <= directory.capacity()
    {
        let (_, update) = directory.read_block(volume, vcn)?;
        let bytes = directory.block_bytes(vcn, &leaf, fixup::next(update))?;
        return Ok(IndexChange {
            directory: directory.clone(),
            fresh: Vec::new(),
            commit: Commit::Block(vcn, bytes),
            freed: Vec::new(),
        });
    }
    let mut builder = Builder::new(volume.geo, directory, clusters)?;
    let mut node = leaf;
    let mut replaced = vcn;
    while let Some((parent_vcn, mut parent, place)) = path.pop() {
        let above = builder.spread(node)?;
        builder.retired.extend(replaced);
        match parent.entries.get_mut(place) {
            Some(next) => next.child = above.last_child,
            None => parent.last_child = above.last_child,
        }
        parent.entries.splice(place..place, above.entries);
        node = parent;
        replaced = parent_vcn;
    }
    builder.finish(node)
}

/// Replaces all names of `directory` by `entries`, which are in order.
pub(super) fn rebuild(
    geo: Geometry,
    directory: &Directory,
    entries: Vec<Entry>,
    clusters: &mut Bits,
) -> Result<IndexChange, NtfsError> {
    let mut builder = Builder::new(geo, directory, clusters)?;
    // The size is the volume's word; the bitmap is there, and beyond its end no block is used.
    let blocks = (directory.blocks.size / directory.block as u64).min(directory.used.count());
    let used = (0..blocks).filter(|&block| directory.used.get(block));
    builder.retired = used
        .map(|block| block * directory.block as u64 / directory.unit)
        .collect();
    builder.finish(Node {
        entries,
        last_child: None,
    })
}

struct Builder<'c> {
    geo: Geometry,
    directory: Directory,
    clusters: &'c mut Bits,
    fresh: Vec<(u64, Vec<u8>)>,
    /// Blocks that are unused once the change is made.
    retired: Vec<u64>,
}

impl<'c> Builder<'c> {
    fn new(geo: Geometry, directory: &Directory, clusters: &'c mut Bits) -> Result<Self, NtfsError> {
        if let Some(why) = directory.fixed {
            return Err(NtfsError::Unsupported(format!(
                "directory {} cannot be rearranged: {why}",
                directory.record.number
            )));
        }
        Ok(Self {
            geo,
            directory: directory.clone(),
            clusters,
            fresh: Vec::new(),
            retired: Vec::new(),
        })
    }

    /// Moves root nodes down until the root fits its record.
    fn finish(mut self, mut root: Node) -> Result<IndexChange, NtfsError> {
        loop {
            let mut done = self.directory.clone();
            done.root = root.clone();
            let freed = self.settle(&mut done);
            if done.record.to_bytes(self.geo.record).is_some() {
                return Ok(IndexChange {
                    directory: done,
                    fresh: self.fresh,
                    commit: Commit::Record,
                    freed,
                });
            }
            if root.entries.is_empty() {
                return Err(super::volume::no_room(done.record.number));
            }
            root = self.spread(root)?;
        }
    }

    /// Writes root, blocks and bitmap into the record of `done`.
    fn settle(&self, done: &mut Directory) -> Vec<(u64, u64)> {
        let block = |vcn: u64| vcn * done.unit / done.block as u64;
        for &vcn in &self.retired {
            done.used.set(block(vcn), false);
        }
        let mut freed = Vec::new();
        done.record.flags |= DIRECTORY;
        done.record
            .replace(Attr::resident(INDEX_ROOT, I30, &done.root_value(), false));
        if done.root.last_child.is_some() {
            done.record.replace(Attr::non_resident(
                INDEX_ALLOCATION,
                I30,
                &done.blocks,
                self.geo.cluster,
            ));
            done.record.replace(Attr::resident(BITMAP, I30, &done.used.0, false));
        } else {
            freed.extend(
                done.blocks
                    .runs
                    .iter()
                    .filter_map(|run| run.lcn.map(|lcn| (lcn, run.len))),
            );
            done.record.remove(INDEX_ALLOCATION, I30);
            done.record.remove(BITMAP, I30);
        }
        freed
    }

    /// Moves `node` into unused blocks and gives back what points at them: names
    /// between the blocks, and the last block.
    fn spread(&mut self, node: Node) -> Result<Node, NtfsError> {
        let capacity = self.directory.capacity();
        let total = node.len();
        // Two halves rather than one full block and a stub; rebuilt ones are packed.
        let limit = if total > capacity && total < 2 * capacity {
            capacity.min(total / 2 + 24)
        } else {
            capacity
        };
        let mut above = Node::default();
        let mut current = Node::default();
        let mut rest = node.entries.into_iter().peekable();
        while let Some(mut entry) = rest.next() {
            let full = current.len() + entry.len() + 8 > limit && !current.entries.is_empty();
            if !full {
                current.entries.push(entry);
                continue;
            }
            // A last entry must not leave an empty block behind itself.
            let last = if rest.peek().is_none() {
                current.entries.pop()
            } else {
                None
            };
            let follower = last.map(|between| std::mem::replace(&mut entry, between));
            current.last_child = entry.child.take();
            entry.child = Some(self.add(&std::mem::take(&mut current))?);
            above.entries.push(entry);
            current.entries.extend(follower);
        }
        current.last_child = node.last_child;
        above.last_child = Some(self.add(&current)?);
        Ok(above)
    }

    fn add(&mut self, node: &Node) -> Result<u64, NtfsError> {
        if node.len() > self.directory.capacity() {
            return Err(damaged("a directory entry larger than a block"));
        }
        let block = self.unused()?;
        self.directory.used.set(block, true);
        let vcn = block * self.directory.block as u64 / self.directory.unit;
        let bytes = self.directory.block_bytes(vcn, node, 1)?;
        self.fresh.push((vcn, bytes));
        Ok(vcn)
    }

    /// The number of an unused block, growing the directory when there is none.
    fn unused(&mut self) -> Result<u64, NtfsError> {
        let directory = &mut self.directory;
        let size = directory.block as u64;
        let count = directory.blocks.size / size;
        if let Some(block) = directory.used.next(0, count, false) {
            return Ok(block);
        }
        let allocated = directory.blocks.clusters() * self.geo.cluster;
        if allocated < (count + 1) * size {
            let needed = ((count + 1) * size - allocated).div_ceil(self.geo.cluster);
            take(
                self.clusters,
                &self.geo,
                (0, needed, 1),
                "directory",
                &mut directory.blocks.runs,
            )?;
        }
        directory.blocks.size += size;
        directory.blocks.initialised = directory.blocks.size;
        if directory.used.0.len() as u64 * 8 <= count {
            directory.used.0.extend([0; 8]);
        }
        Ok(count)
    }
}
