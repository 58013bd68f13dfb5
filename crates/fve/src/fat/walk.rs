//! Who owns which cluster: all directories are walked.

use super::FatError;
use super::boot::{Kind, Root};
use super::directory::{Directory, Item, Place};
use super::error::damaged;
use super::volume::{Entry, Volume};
use crate::inner::bits::Bits;

/// The clusters of everything that is not deleted. `skip` are offsets of slots
/// whose entries do not count.
pub(super) fn owned(volume: &Volume<'_>, skip: &[u64]) -> Result<Bits, FatError> {
    let mut walk = Walk {
        volume,
        owned: Bits::clear(volume.geo.clusters),
    };
    let cluster = volume.geo.cluster;
    for &(first, len) in &volume.system {
        walk.chain(first, Some(len.div_ceil(cluster)))?;
    }
    if let Root::Chain(first) = volume.geo.root {
        walk.chain(first, None)?;
    }
    let mut pending = vec![volume.root()?];
    while let Some(directory) = pending.pop() {
        for item in directory.items() {
            if !item.live || skip.contains(&directory.slots[item.place.start].0) {
                continue;
            }
            walk.claim(&item)?;
            if item.is_directory() && item.first != 0 {
                pending.push(Directory::open(volume, item.as_place(cluster))?);
            }
        }
    }
    Ok(walk.owned)
}

struct Walk<'v, 'd> {
    volume: &'v Volume<'d>,
    owned: Bits,
}

impl Walk<'_, '_> {
    fn claim(&mut self, item: &Item) -> Result<(), FatError> {
        if item.first == 0 {
            return Ok(());
        }
        match item.as_place(self.volume.geo.cluster) {
            Place::Contiguous(first, count) => {
                let start = u64::from(first).checked_sub(2);
                let end = start.and_then(|start| start.checked_add(count));
                let (Some(start), Some(end)) = (start, end.filter(|&end| end <= self.volume.geo.clusters)) else {
                    return Err(damaged(format!("{:?} lies beyond the volume", item.name)));
                };
                (start..end).try_for_each(|index| self.take(index as u32 + 2))
            }
            _ => self.chain(item.first, None),
        }
    }

    /// Claims a chain; a directory that contains itself, or two files with common clusters, are found here.
    fn chain(&mut self, first: u32, limit: Option<u64>) -> Result<(), FatError> {
        let mut cluster = first;
        let mut count = 0;
        loop {
            self.take(cluster)?;
            count += 1;
            // exFAT's own files need no chain in the table.
            if self.volume.geo.kind == Kind::ExFat && limit == Some(count) {
                return Ok(());
            }
            match self.volume.entry(cluster)? {
                Entry::Next(next) => cluster = next,
                Entry::End => return Ok(()),
                _ => return Err(damaged(format!("the chain of cluster {first} has no end"))),
            }
        }
    }

    fn take(&mut self, cluster: u32) -> Result<(), FatError> {
        self.volume.geo.offset(cluster)?;
        let index = u64::from(cluster) - 2;
        if self.owned.get(index) {
            return Err(damaged(format!("cluster {cluster} belongs to two files")));
        }
        self.owned.set(index, true);
        Ok(())
    }
}
