//! More room in $MFT.
//!
//! The new records are written first, into clusters still free; then the
//! clusters are allocated; then record 0 makes them part of $MFT. An
//! interruption leaves clusters that [`Scan::reclaim`](super::scan::Scan) knows.

use super::NtfsError;
use super::boot::Geometry;
use super::record::{ATTRIBUTE_LIST, Attr, BITMAP, DATA, Record, Stream};
use super::runs::{self, Run};
use super::volume::{MFT, Volume};
use crate::inner::bits::Bits;

/// Stages $MFT with at least `missing` more records. Clusters come from `planned`
/// and are allocated in `on_disk` too, which is staged.
pub(super) fn grow(
    volume: &mut Volume<'_>,
    missing: u64,
    planned: &mut Bits,
    on_disk: &mut Bits,
    bitmap: &Stream,
) -> Result<(), NtfsError> {
    let mut own = volume.record(MFT)?;
    if own.find(ATTRIBUTE_LIST, "").is_some() {
        return Err(NtfsError::Unsupported(format!(
            "$MFT has {missing} unused records too few and is too fragmented to grow here"
        )));
    }
    let size = volume.geo.record as u64;
    let first = volume.mft.size / size;
    let mut mft = volume.mft.clone();
    let before = planned.clone();
    extend(volume, &mut mft, (first + missing) * size, planned)?;
    // Use all of the clusters: at most a few records more.
    let last = mft.clusters() * volume.geo.cluster / size;
    mft.size = last * size;
    mft.initialised = mft.size;

    let (_, mut records) = volume.record_bitmap()?;
    let zero_from = records.clusters();
    extend(volume, &mut records, last.div_ceil(64) * 8, planned)?;
    for cluster in zero_from..records.clusters() {
        let zeros = vec![0; volume.geo.cluster as usize];
        volume.write_stream(
            &records,
            cluster * volume.geo.cluster,
            &zeros,
            "new part of the $MFT bitmap",
        )?;
    }
    for number in first..last {
        let blank = Record::blank(number).to_bytes(volume.geo.record).unwrap_or_default();
        volume.write_stream(
            &mft,
            number * size,
            &blank,
            &format!("new $MFT record {number} (unused)"),
        )?;
    }
    volume.stage.barrier();

    for (byte, (new, old)) in planned.0.iter().zip(&before.0).enumerate() {
        on_disk.0[byte] |= new & !old;
    }
    volume.write_bits(bitmap, on_disk, "$Bitmap (room for $MFT)")?;
    volume.stage.barrier();

    own.replace(Attr::non_resident(DATA, "", &mft, volume.geo.cluster));
    own.replace(Attr::non_resident(BITMAP, "", &records, volume.geo.cluster));
    volume.write_record(&own, "$MFT grows")?;
    volume.stage.barrier();
    volume.mft = mft;
    Ok(())
}

/// Appends clusters to `runs`: in one run from `behind` on if it is free, in one anywhere else,
/// or in pieces of `unit` clusters.
pub(super) fn take(
    planned: &mut Bits,
    geo: &Geometry,
    (behind, needed, unit): (u64, u64, u64),
    what: &'static str,
    runs: &mut Vec<Run>,
) -> Result<(), NtfsError> {
    let whole = planned
        .find_clear(behind, (behind + needed).min(geo.clusters), needed)
        .or_else(|| planned.find_clear(0, geo.clusters, needed));
    let pieces = match whole {
        Some(lcn) => vec![(lcn, needed)],
        None => {
            let mut pieces = Vec::new();
            let (mut at, mut left) = (0, needed.next_multiple_of(unit));
            while let Some(lcn) = planned.find_clear(at, geo.clusters, unit).filter(|_| left > 0) {
                pieces.push((lcn, unit));
                at = lcn + unit;
                left -= unit;
            }
            if left > 0 {
                return Err(NtfsError::NoRun {
                    what,
                    needed: needed * geo.cluster,
                    longest: planned.longest_clear(geo.clusters) * geo.cluster,
                });
            }
            pieces
        }
    };
    for (lcn, len) in pieces {
        planned.set_run(lcn, len, true);
        runs::append(runs, lcn, len);
    }
    Ok(())
}

/// Lets `stream` reach `size` bytes, with clusters behind its own if they are free.
fn extend(volume: &Volume<'_>, stream: &mut Stream, size: u64, planned: &mut Bits) -> Result<(), NtfsError> {
    let geo = volume.geo;
    let needed = size.div_ceil(geo.cluster).saturating_sub(stream.clusters());
    if needed > 0 {
        let behind = stream
            .runs
            .last()
            .and_then(|run| run.lcn.map(|lcn| lcn + run.len))
            .unwrap_or(0);
        // A record is never spread over two runs.
        let unit = (geo.record as u64).div_ceil(geo.cluster);
        take(planned, &geo, (behind, needed, unit), "growing $MFT", &mut stream.runs)?;
    }
    stream.size = stream.size.max(size);
    stream.initialised = stream.size;
    Ok(())
}
