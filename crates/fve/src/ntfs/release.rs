//! Taking the reservation back.
//!
//! Order: one write takes our files out of their directory; their records are
//! marked unused; their clusters are freed; then their records.

use super::index_write::rebuild;
use super::record::{ATTRIBUTE_LIST, DIRECTORY, IN_USE, OBJECT_ID, REPARSE_POINT};
use super::reserve::{MAX_NAMES, Tree};
use super::scan::{Whose, scan};
use super::volume::{RECORD_NUMBER, Volume, damaged};
use super::{NtfsError, clean};
use crate::inner::role::is_bitlocker_name;
use crate::inner::stage::Change;
use crate::io::ReadAt;

/// What no file of BitLocker has, and what cannot be removed with one record alone.
const FOREIGN: [u32; 3] = [ATTRIBUTE_LIST, OBJECT_ID, REPARSE_POINT];

/// The changes that remove our files, also those of an interrupted change.
pub(super) fn plan(inner: &dyn ReadAt) -> Result<Change, NtfsError> {
    let mut volume = Volume::open(inner)?;
    let tree = Tree::open(&volume)?;
    clean::check(&volume, &tree.root, &tree.upcase)?;
    volume.heal_mirror()?;
    volume.stage.barrier();
    let system = tree.system_number();
    let linked = tree.linked_by(&volume, is_bitlocker_name)?;
    let mut scan = scan(&volume, system, Whose::AnyBitLocker)?;
    scan.settle(system, |number| system == Some(number))?;
    if let Some(lost) = linked
        .iter()
        .find(|&&number| !scan.ours.iter().any(|ours| ours.record.number == number))
    {
        return Err(damaged(&format!("our file in $MFT record {lost} is not there")));
    }
    if let Some(ours) = scan
        .ours
        .iter()
        .find(|ours| FOREIGN.iter().any(|&kind| ours.record.find(kind, "").is_some()))
    {
        return Err(NtfsError::Unsupported(format!(
            "BitLocker's file in $MFT record {} has attributes that refer to other files",
            ours.record.number
        )));
    }
    let (on_disk, bitmap) = volume.cluster_bitmap()?;
    scan.check(&on_disk)?;
    let mut clusters = on_disk.clone();
    let mut unlisted = None;
    if let (Ok(directory), false) = (&tree.system, linked.is_empty()) {
        let mut entries = directory.all(&volume, MAX_NAMES)?;
        // A file may have a short name besides its long one.
        entries.retain(|entry| !linked.contains(&(entry.file & RECORD_NUMBER)));
        let change = rebuild(volume.geo, directory, entries, &mut clusters)?;
        change.stage_fresh(&mut volume, "block of System Volume Information")?;
        volume.stage.barrier();
        volume.write_bits(&bitmap, &clusters, "$Bitmap (room for the directory)")?;
        volume.stage.barrier();
        change.stage_commit(&mut volume, "the files leave System Volume Information")?;
        volume.stage.barrier();
        unlisted = Some(change);
    }

    let (mut records, record_bitmap) = volume.record_bitmap()?;
    for ours in &scan.ours {
        if ours.record.in_use() {
            volume.write_record(
                &ours.record.with_flags(ours.record.flags & DIRECTORY & !IN_USE),
                "marked unused",
            )?;
        }
        records.set(ours.record.number, false);
    }
    volume.stage.barrier();
    scan.reclaim(&volume, &mut clusters)?;
    for &(lcn, len) in unlisted.iter().flat_map(|change| &change.freed) {
        clusters.set_run(lcn, len, false);
    }
    volume.write_bits(&bitmap, &clusters, "$Bitmap (clusters given back)")?;
    volume.stage.barrier();
    volume.write_bits(&record_bitmap, &records, "$MFT bitmap (records given back)")?;
    volume.stage.barrier();
    Ok(volume.stage.into_change()?)
}
