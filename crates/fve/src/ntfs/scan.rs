//! One pass over all $MFT records: who owns which cluster, and what we left.

use super::index::BLOCK;
use super::names::{SYSTEM_ONLY, key_name, key_parent};
use super::record::{FILE_NAME, Record, SECURITY_DESCRIPTOR};
use super::volume::{RECORD_NUMBER, ROOT, Volume};
use super::{NtfsError, fixup};
use crate::inner::bits::Bits;
use crate::inner::role::{Role, SYSTEM_DIRECTORY, is_bitlocker_name};

/// Records before this one are reserved by NTFS.
pub(super) const FIRST_USER_RECORD: u64 = 24;

/// What the records say.
pub(super) struct Scan {
    /// Clusters of everything in use, except of what is in `ours`.
    pub(super) owned: Bits,
    /// Records in use.
    pub(super) in_use: Bits,
    /// Our files and directory: in use, planned or given up.
    pub(super) ours: Vec<Ours>,
}

/// A record that was made for a region, or for the directory.
pub(super) struct Ours {
    pub(super) record: Record,
    /// Whether it is the directory.
    directory: bool,
    parent: u64,
    pub(super) runs: Vec<(u64, u64)>,
}

/// Reads all records. `directory` is the record of `System Volume Information`;
/// `whose` says which of the files in it count as ours.
pub(super) fn scan(volume: &Volume<'_>, directory: Option<u64>, whose: Whose) -> Result<Scan, NtfsError> {
    let mut scan = Scan {
        owned: Bits::clear(volume.geo.clusters),
        in_use: Bits::clear(volume.records()),
        ours: Vec::new(),
    };
    each_record(volume, |record| {
        scan.take(record, volume.geo.clusters, directory, whose)
    })?;
    Ok(scan)
}

/// Calls `visit` with every record that can be read. One that cannot, and is said to be in use, is an error.
pub(super) fn each_record(
    volume: &Volume<'_>,
    mut visit: impl FnMut(Record) -> Result<(), NtfsError>,
) -> Result<(), NtfsError> {
    let records = volume.records();
    let (allocated, _) = volume.record_bitmap()?;
    let size = volume.geo.record;
    let mut chunk = Vec::new();
    for first in (0..records).step_by(256) {
        let count = 256.min(records - first);
        chunk.resize(size * count as usize, 0);
        volume.read_stream(&volume.mft, first * size as u64, &mut chunk)?;
        for (number, raw) in (first..).zip(chunk.chunks_exact(size)) {
            match Record::parse(raw.to_vec(), number) {
                Ok(record) => visit(record)?,
                Err(error) if allocated.get(number) => return Err(error),
                Err(_) => {}
            }
        }
    }
    Ok(())
}

impl Scan {
    fn take(&mut self, record: Record, clusters: u64, directory: Option<u64>, whose: Whose) -> Result<(), NtfsError> {
        let ours = is_ours(&record, directory, whose);
        if !record.in_use() && ours.is_none() {
            return Ok(());
        }
        let mut runs = Vec::new();
        for attr in record.attrs.iter().filter(|attr| !attr.is_resident()) {
            runs.extend(
                attr.runs(clusters)?
                    .iter()
                    .filter_map(|run| run.lcn.map(|lcn| (lcn, run.len))),
            );
        }
        self.in_use.set(record.number, record.in_use());
        if let Some((directory, parent)) = ours {
            self.ours.push(Ours {
                record,
                directory,
                parent,
                runs,
            });
        } else {
            self.own(record.number, &runs)?;
        }
        Ok(())
    }

    /// Marks `runs` as owned by record `number`.
    fn own(&mut self, number: u64, runs: &[(u64, u64)]) -> Result<(), NtfsError> {
        for cluster in runs.iter().flat_map(|&(lcn, len)| lcn..lcn + len) {
            if self.owned.get(cluster) {
                return Err(NtfsError::Damaged(format!(
                    "cluster {cluster} belongs to $MFT record {number} and to another one"
                )));
            }
            self.owned.set(cluster, true);
        }
        Ok(())
    }

    /// Moves to the ordinary files what `linked` accepts, and what is in use under
    /// another directory than `directory` or one of our own; the rest are leftovers.
    pub(super) fn settle(
        &mut self,
        directory: Option<u64>,
        linked: impl Fn(u64) -> bool,
    ) -> Result<Vec<Ours>, NtfsError> {
        let mut parents: Vec<u64> = self
            .ours
            .iter()
            .filter(|ours| ours.directory)
            .map(|ours| ours.record.number)
            .collect();
        parents.extend(directory);
        let elsewhere = |ours: &Ours| ours.record.in_use() && !ours.directory && !parents.contains(&ours.parent);
        let (kept, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.ours)
            .into_iter()
            .partition(|ours| linked(ours.record.number) || elsewhere(ours));
        self.ours = rest;
        for ours in &kept {
            self.own(ours.record.number, &ours.runs)?;
        }
        Ok(kept)
    }

    /// Refuses a volume whose files own clusters that its bitmap calls free.
    pub(super) fn check(&self, bitmap: &Bits) -> Result<(), NtfsError> {
        match self
            .owned
            .0
            .iter()
            .zip(&bitmap.0)
            .position(|(owned, used)| owned & !used != 0)
        {
            Some(byte) => Err(NtfsError::Damaged(format!(
                "clusters {}.. are used by files but free in $Bitmap",
                byte * 8
            ))),
            None => Ok(()),
        }
    }

    /// Frees in `bitmap` what an interrupted change left allocated: clusters of
    /// our leftovers, and such that nobody owns and that hold empty $MFT records or
    /// directory blocks, which are written before they are allocated.
    pub(super) fn reclaim(&self, volume: &Volume<'_>, bitmap: &mut Bits) -> Result<(), NtfsError> {
        for cluster in self
            .ours
            .iter()
            .flat_map(|ours| &ours.runs)
            .flat_map(|&(lcn, len)| lcn..lcn + len)
        {
            if !self.owned.get(cluster) {
                bitmap.set(cluster, false);
            }
        }
        for byte in 0..self.owned.0.len() {
            if bitmap.0[byte] & !self.owned.0[byte] == 0 {
                continue;
            }
            for cluster in (byte as u64 * 8..byte as u64 * 8 + 8).filter(|&cluster| cluster < volume.geo.clusters) {
                if bitmap.get(cluster) && !self.owned.get(cluster) && prepared(volume, cluster)? {
                    bitmap.set(cluster, false);
                }
            }
        }
        Ok(())
    }
}

/// Whether a cluster holds something that we prepare before allocating it: an
/// empty record, or a directory block.
fn prepared(volume: &Volume<'_>, cluster: u64) -> Result<bool, NtfsError> {
    for size in [volume.geo.record, BLOCK] {
        // With clusters smaller than that it began some clusters before.
        for before in 0..(size as u64 / volume.geo.cluster).clamp(1, cluster + 1) {
            let mut bytes = vec![0; size];
            let start = (cluster - before) * volume.geo.cluster;
            if volume.stage.read(start, &mut bytes).is_err() {
                continue;
            }
            let empty_record =
                |bytes| Record::parse(bytes, 0).is_ok_and(|record| record.flags == 0 && record.attrs.is_empty());
            if fixup::open(&mut bytes.clone(), b"INDX").is_ok() || (size == volume.geo.record && empty_record(bytes)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Which files in the directory are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those of a region that we reserve.
    Regions,
    /// Whatever is named as BitLocker's files are, by whomever it was made.
    AnyBitLocker,
}

/// Whether a record that is ours is the directory, and the record of its parent.
fn is_ours(record: &Record, directory: Option<u64>, whose: Whose) -> Option<(bool, u64)> {
    if record.number < FIRST_USER_RECORD || record.base != 0 {
        return None;
    }
    let own_descriptor =
        record.find(SECURITY_DESCRIPTOR, "").and_then(|attr| attr.value().ok()) == Some(&SYSTEM_ONLY[..]);
    for attr in record.attrs.iter().filter(|attr| attr.kind() == FILE_NAME) {
        let key = attr.value().ok()?;
        let name = String::from_utf16(&key_name(key).ok()?).ok()?;
        let parent = key_parent(key).ok()? & RECORD_NUMBER;
        if name == SYSTEM_DIRECTORY && own_descriptor && parent == ROOT {
            return Some((true, parent));
        }
        let in_directory = record.in_use() && directory == Some(parent);
        let a_region = Role::by_name(&name).is_some() || name == Role::NOTE_OF_MOVES;
        if (a_region && (own_descriptor || in_directory))
            || (whose == Whose::AnyBitLocker && in_directory && is_bitlocker_name(&name))
        {
            return Some((false, parent));
        }
    }
    None
}
