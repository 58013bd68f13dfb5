//! Where the regions go.

use std::collections::BTreeMap;

use super::bits::Bits;
use super::boot::Geometry;
use super::names::Role;
use super::record::Stream;
use super::runs::Run;
use super::{NtfsError, RegionRequest, Regions};

/// Windows puts nothing before this (BitLocker format notes §3).
const BASE: u64 = 33 << 20;

/// The files to be made, each with its one run.
pub(super) struct Placement {
    pub(super) regions: Regions,
    pub(super) files: BTreeMap<Role, Stream>,
}

/// The length of each file. With clusters larger than the header, header and ICE
/// area share clusters and so one file, the header's.
pub(super) fn lengths(request: &RegionRequest, cluster: u64) -> BTreeMap<Role, u64> {
    let shared = !request.header_len.is_multiple_of(cluster);
    let mut files: BTreeMap<Role, u64> = (0..3)
        .map(|copy| (Role::Metadata(copy), request.metadata_len))
        .collect();
    files.insert(
        Role::Header,
        request.header_len + if shared { request.ice_len } else { 0 },
    );
    if !shared {
        files.insert(Role::Ice, request.ice_len);
    }
    files.insert(Role::Log, request.log_len);
    files.retain(|_, len| *len > 0);
    files
}

/// The regions of files that begin at these volume offsets.
pub(super) fn regions(request: &RegionRequest, start: impl Fn(Role) -> u64) -> Regions {
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

/// Takes room for all regions from `clusters`.
pub(super) fn place(geo: &Geometry, clusters: &mut Bits, request: &RegionRequest) -> Result<Placement, NtfsError> {
    let lengths = lengths(request, geo.cluster);
    let count = |role: Role| lengths.get(&role).map_or(0, |len| len.div_ceil(geo.cluster));
    let needed: u64 = lengths.keys().map(|&role| count(role)).sum();
    let free: u64 = clusters.clear_runs(0, geo.clusters).map(|run| run.1).sum();
    if needed > free {
        return Err(NtfsError::NoSpace {
            needed: needed * geo.cluster,
            free: free * geo.cluster,
        });
    }
    let mut finder = Finder { geo, clusters };
    let header_len = count(Role::Header) + count(Role::Ice);
    let mut starts: BTreeMap<Role, u64> = Role::ALL.into_iter().map(|role| (role, 0)).collect();
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
    let log = finder.need(Role::Log, starts[&Role::Header], count(Role::Log))?;
    starts.insert(Role::Log, log);
    let files = lengths.iter().map(|(&role, &len)| {
        let run = Run {
            lcn: Some(starts[&role]),
            len: count(role),
        };
        (
            role,
            Stream {
                runs: vec![run],
                size: len,
                initialised: len,
            },
        )
    });
    Ok(Placement {
        files: files.collect(),
        regions: regions(request, |role| starts[&role] * geo.cluster),
    })
}

struct Finder<'a> {
    geo: &'a Geometry,
    clusters: &'a mut Bits,
}

impl Finder<'_> {
    /// The wished first cluster of a metadata copy.
    fn target(&self, copy: u64) -> u64 {
        let size = self.geo.clusters * self.geo.cluster;
        let base = if size >= 3 * BASE { BASE } else { size / 4 };
        (base + copy * ((size - base) / 3)).div_ceil(self.geo.cluster)
    }

    /// The first fit from `from` on, or else anywhere.
    fn take(&mut self, from: u64, len: u64) -> Option<u64> {
        let limit = self.geo.clusters;
        let start = self
            .clusters
            .find_clear(from, limit, len)
            .or_else(|| self.clusters.find_clear(0, limit, len))?;
        self.clusters.set_run(start, len, true);
        Some(start)
    }

    /// Like [`take`](Self::take); 0 for nothing.
    fn need(&mut self, role: Role, from: u64, len: u64) -> Result<u64, NtfsError> {
        if len == 0 {
            return Ok(0);
        }
        self.take(from, len).ok_or_else(|| NtfsError::NoRun {
            what: role.what(),
            needed: len * self.geo.cluster,
            longest: self.clusters.longest_clear(self.geo.clusters) * self.geo.cluster,
        })
    }
}
