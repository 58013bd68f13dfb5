//! Where the regions go.
//!
//! First into free runs. Where there is none long enough, and the file system can
//! move files, into the run that holds the fewest clusters of theirs.

use std::collections::BTreeMap;
use std::ops::Range;

use super::bits::Bits;
use super::role::{Role, lengths};
use super::{PlaceError, RegionRequest, Regions};

/// Windows puts nothing before this (BitLocker format notes §3).
const BASE: u64 = 33 << 20;

/// The clusters of a file system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space {
    /// Bytes per cluster.
    pub(crate) cluster: u64,
    /// How many there are.
    pub(crate) clusters: u64,
    /// Where on the volume the first one begins.
    pub(crate) origin: u64,
}

/// Where each file begins and how many clusters it has.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    pub(crate) regions: Regions,
    /// First cluster and length in bytes.
    pub(crate) files: BTreeMap<Role, (u64, u64)>,
    /// Runs of clusters of which some are in use and have to be moved away.
    pub(crate) cleared: Vec<Range<u64>>,
}

/// The regions of files that begin at these volume offsets.
pub(crate) fn regions(request: &RegionRequest, start: impl Fn(Role) -> u64) -> Regions {
    Regions {
        metadata: [
            start(Role::Metadata(0)),
            start(Role::Metadata(1)),
            start(Role::Metadata(2)),
        ],
        header: start(Role::Header),
        ice: start(Role::Header) + request.header_len,
        log: start(Role::Log),
    }
}

/// Takes room for all regions from `used`, the bitmap. `movable` are clusters in
/// use that could be moved away.
pub(crate) fn place(
    space: &Space,
    used: &mut Bits,
    movable: Option<&Bits>,
    request: &RegionRequest,
) -> Result<Placement, PlaceError> {
    let lengths = lengths(request, space.cluster);
    let count = |role: Role| lengths.get(&role).map_or(0, |len| len.div_ceil(space.cluster));
    let needed: u64 = lengths.keys().map(|&role| count(role)).sum();
    let free: u64 = used.clear_runs(0, space.clusters).map(|run| run.1).sum();
    if needed > free {
        return Err(PlaceError::NoSpace {
            needed: needed * space.cluster,
            free: free * space.cluster,
        });
    }
    let mut finder = Finder {
        space,
        used: used.clone(),
        movable: movable.cloned(),
        cleared: Vec::new(),
    };
    let header_len = count(Role::Header) + count(Role::Ice);
    let mut starts: BTreeMap<Role, u64> = Role::ALL.into_iter().map(|role| (role, 0)).collect();
    // The longest run is the hardest to clear.
    if movable.is_some() {
        let log = finder.need(Role::Log, finder.target(0), count(Role::Log))?;
        starts.insert(Role::Log, log);
    }
    // Metadata copy and header in one piece, as Windows 10 has them, if possible.
    let first = finder.target(0);
    let together = count(Role::Metadata(0)) + header_len;
    if let Some(start) = (together > 0).then(|| finder.take(first, together)).flatten() {
        starts.insert(Role::Metadata(0), start);
        starts.insert(Role::Header, start + count(Role::Metadata(0)));
    } else {
        let copy = finder.need(Role::Metadata(0), first, count(Role::Metadata(0)))?;
        starts.insert(Role::Metadata(0), copy);
        starts.insert(Role::Header, finder.need(Role::Header, first, header_len)?);
    }
    starts.insert(Role::Ice, starts[&Role::Header] + count(Role::Header));
    for copy in [1, 2] {
        let role = Role::Metadata(copy);
        starts.insert(role, finder.need(role, finder.target(copy as u64), count(role))?);
    }
    if movable.is_none() {
        let log = finder.need(Role::Log, starts[&Role::Header], count(Role::Log))?;
        starts.insert(Role::Log, log);
    }
    *used = finder.used;
    Ok(Placement {
        regions: regions(request, |role| {
            if count(role) == 0 {
                0
            } else {
                space.origin + starts[&role] * space.cluster
            }
        }),
        files: lengths
            .iter()
            .map(|(&role, &len)| (role, (starts[&role], len)))
            .collect(),
        cleared: finder.cleared,
    })
}

struct Finder<'a> {
    space: &'a Space,
    used: Bits,
    movable: Option<Bits>,
    cleared: Vec<Range<u64>>,
}

impl Finder<'_> {
    /// The wished first cluster of a metadata copy.
    fn target(&self, copy: u64) -> u64 {
        let size = self.space.origin + self.space.clusters * self.space.cluster;
        let base = if size >= 3 * BASE { BASE } else { size / 4 };
        (base + copy * ((size - base) / 3))
            .saturating_sub(self.space.origin)
            .div_ceil(self.space.cluster)
    }

    /// The first fit from `from` on, or else anywhere.
    fn take(&mut self, from: u64, len: u64) -> Option<u64> {
        let limit = self.space.clusters;
        let start = self
            .used
            .find_clear(from, limit, len)
            .or_else(|| self.used.find_clear(0, limit, len))?;
        self.used.set_run(start, len, true);
        Some(start)
    }

    /// Like [`take`](Self::take), clearing a run if need be; 0 for nothing.
    fn need(&mut self, role: Role, from: u64, len: u64) -> Result<u64, PlaceError> {
        if len == 0 {
            return Ok(0);
        }
        if let Some(start) = self.take(from, len).or_else(|| self.clear(len)) {
            return Ok(start);
        }
        // The longest run that is free or could be cleared.
        let mut fixed = self.used.clone();
        if let Some(movable) = &self.movable {
            for (byte, movable) in fixed.0.iter_mut().zip(&movable.0) {
                *byte &= !movable;
            }
        }
        Err(PlaceError::NoRun {
            what: role.what(),
            needed: len * self.space.cluster,
            longest: fixed.longest_clear(self.space.clusters) * self.space.cluster,
        })
    }

    /// The run of `len` clusters that is cheapest to clear.
    fn clear(&mut self, len: u64) -> Option<u64> {
        let start = cheapest(&self.used, self.movable.as_ref()?, self.space.clusters, len)?;
        self.used.set_run(start, len, true);
        if let Some(movable) = &mut self.movable {
            movable.set_run(start, len, false);
        }
        self.cleared.push(start..start + len);
        Some(start)
    }
}

/// The first of the runs of `len` clusters that have the fewest in use, none of
/// them immovable.
fn cheapest(used: &Bits, movable: &Bits, clusters: u64, len: u64) -> Option<u64> {
    let mut best: Option<(u64, u64)> = None;
    let (mut start, mut cost) = (0, 0);
    for cluster in 0..clusters {
        match (used.get(cluster), movable.get(cluster)) {
            (true, false) => {
                start = cluster + 1;
                cost = 0;
                continue;
            }
            (in_use, _) => cost += u64::from(in_use),
        }
        if cluster + 1 - start > len {
            cost -= u64::from(used.get(start));
            start += 1;
        }
        if cluster + 1 - start == len && best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, start));
        }
    }
    best.map(|(_, start)| start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_cheapest_run_is_what_trying_all_finds(used in prop::collection::vec(any::<u8>(), 8), fixed in prop::collection::vec(any::<u8>(), 8), len in 1_u64..20) {
            let (used, fixed) = (Bits(used), Bits(fixed.iter().map(|byte| byte & byte.rotate_left(3) & 0x5B).collect()));
            let movable = Bits(used.0.iter().zip(&fixed.0).map(|(used, fixed)| used & !fixed).collect());
            let cost = |start: u64| (start..start + len).map(|at| match (used.get(at), movable.get(at)) {
                (true, false) => None,
                (in_use, _) => Some(u64::from(in_use)),
            }).sum::<Option<u64>>();
            let wanted = (0..=64 - len).filter_map(|start| cost(start).map(|cost| (cost, start))).min();
            prop_assert_eq!(cheapest(&used, &movable, 64, len), wanted.map(|(_, start)| start));
        }
    }
}
