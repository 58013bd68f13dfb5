//! Which files own given bytes.

use std::collections::BTreeMap;
use std::ops::Range;

use super::NtfsError;
use super::names::{key_name, key_parent};
use super::record::{FILE_NAME, Record};
use super::volume::{RECORD_NUMBER, ROOT, Volume};
use crate::io::ReadAt;

/// A file's path and the bytes it owns.
type Owned = (String, Vec<Range<u64>>);

/// Paths deeper than this are cut short: a directory that contains itself is damage.
const MAX_DEPTH: usize = 256;

/// The files that own any of the bytes in `ranges` (ascending), with what they own of them. Records that cannot be read
/// are passed over, for the volume may be damaged.
pub(crate) fn files_in(inner: &dyn ReadAt, ranges: &[Range<u64>]) -> Result<Vec<Owned>, NtfsError> {
    let volume = Volume::open(inner)?;
    let mut names = BTreeMap::<u64, (u64, String)>::new();
    let mut hit = BTreeMap::<u64, Vec<Range<u64>>>::new();
    for number in 0..volume.records() {
        let Ok(record) = volume.record(number) else { continue };
        if !record.in_use() {
            continue;
        }
        let base = if record.base == 0 {
            number
        } else {
            record.base & RECORD_NUMBER
        };
        if let Some(name) = name_of(&record) {
            names.entry(base).or_insert(name);
        }
        let lost = owned(&volume, &record, ranges);
        if !lost.is_empty() {
            hit.entry(base).or_default().extend(lost);
        }
    }
    Ok(hit
        .into_iter()
        .map(|(record, mut lost)| {
            lost.sort_by_key(|range| range.start);
            (path(&names, record), lost)
        })
        .collect())
}

/// The parent and the long name.
fn name_of(record: &Record) -> Option<(u64, String)> {
    /// Name space of short names that have a long one beside them.
    const DOS: u8 = 2;
    let keys = record.attrs.iter().filter(|attr| attr.kind() == FILE_NAME);
    keys.filter_map(|attr| attr.value().ok())
        .filter(|key| key.get(0x41) != Some(&DOS))
        .find_map(|key| {
            let name = String::from_utf16_lossy(&key_name(key).ok()?);
            Some((key_parent(key).ok()? & RECORD_NUMBER, name))
        })
}

/// What of `ranges` the record's attributes own.
fn owned(volume: &Volume<'_>, record: &Record, ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut owned = Vec::new();
    let runs = record
        .attrs
        .iter()
        .filter(|attr| !attr.is_resident())
        .filter_map(|attr| attr.runs(volume.geo.clusters).ok())
        .flatten();
    for run in runs {
        let Some(lcn) = run.lcn else { continue };
        let (start, end) = (
            lcn.saturating_mul(volume.geo.cluster),
            lcn.saturating_add(run.len).saturating_mul(volume.geo.cluster),
        );
        let first = ranges.partition_point(|range| range.end <= start);
        let hits = ranges.iter().skip(first).take_while(|range| range.start < end);
        owned.extend(hits.map(|range| range.start.max(start)..range.end.min(end)));
    }
    owned
}

fn path(names: &BTreeMap<u64, (u64, String)>, record: u64) -> String {
    let mut parts = Vec::new();
    let mut at = record;
    while at != ROOT && parts.len() < MAX_DEPTH {
        match names.get(&at) {
            Some((parent, name)) => {
                parts.push(name.clone());
                at = *parent;
            }
            None => {
                parts.push(format!("record {at}"));
                break;
            }
        }
    }
    parts.reverse();
    format!("\\{}", parts.join("\\"))
}
