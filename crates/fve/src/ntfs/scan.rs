//! One pass over all $MFT records: who owns which cluster, and what we left.

use super::bits::Bits;
use super::index::BLOCK;
use super::names::{Role, SYSTEM_DIRECTORY, SYSTEM_ONLY, key_name, key_parent};
use super::record::{FILE_NAME, Record, SECURITY_DESCRIPTOR};
use super::volume::{RECORD_NUMBER, ROOT, Volume};
use super::{NtfsError, fixup};

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
    /// None for the directory.
    pub(super) role: Option<Role>,
    parent: u64,
    pub(super) runs: Vec<(u64, u64)>,
}

/// Reads all records. `directory` is the record of `System Volume Information`.
pub(super) fn scan(volume: &Volume<'_>, directory: Option<u64>) -> Result<Scan, NtfsError> {
    let records = volume.records();
    let (allocated, _) = volume.record_bitmap()?;
    let mut scan = Scan {
        owned: Bits::clear(volume.geo.clusters),
        in_use: Bits::clear(records),
        ours: Vec::new(),
    };
    let size = volume.geo.record;
    let mut chunk = Vec::new();
    for first in (0..records).step_by(256) {
        let count = 256.min(records - first);
        chunk.resize(size * count as usize, 0);
        volume.read_stream(&volume.mft, first * size as u64, &mut chunk)?;
        for (number, raw) in (first..).zip(chunk.chunks_exact(size)) {
            match Record::parse(raw.to_vec(), number) {
                Ok(record) => scan.take(record, volume.geo.clusters, directory)?,
                Err(error) if allocated.get(number) => return Err(error),
                Err(_) => {}
            }
        }
    }
    Ok(scan)
}

impl Scan {
    fn take(&mut self, record: Record, clusters: u64, directory: Option<u64>) -> Result<(), NtfsError> {
        let ours = is_ours(&record, directory);
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
        if let Some((role, parent)) = ours {
            self.ours.push(Ours {
                record,
                role,
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
            .filter(|ours| ours.role.is_none())
            .map(|ours| ours.record.number)
            .collect();
        parents.extend(directory);
        let elsewhere = |ours: &Ours| ours.record.in_use() && ours.role.is_some() && !parents.contains(&ours.parent);
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

/// The role and the directory of a record that is ours.
fn is_ours(record: &Record, directory: Option<u64>) -> Option<(Option<Role>, u64)> {
    if record.number < FIRST_USER_RECORD || record.base != 0 {
        return None;
    }
    let key = record.find(FILE_NAME, "")?.value().ok()?;
    let name = String::from_utf16(&key_name(key).ok()?).ok()?;
    let own_descriptor =
        record.find(SECURITY_DESCRIPTOR, "").and_then(|attr| attr.value().ok()) == Some(&SYSTEM_ONLY[..]);
    let parent = key_parent(key).ok()? & RECORD_NUMBER;
    if name == SYSTEM_DIRECTORY && own_descriptor && parent == ROOT {
        return Some((None, parent));
    }
    let in_directory = record.in_use() && directory == Some(parent);
    Role::by_name(&name)
        .filter(|_| own_descriptor || in_directory)
        .map(|role| (Some(role), parent))
}
