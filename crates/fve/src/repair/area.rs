//! Metadata areas as they are found: whole, put together from parts of several copies, or damaged.

use crate::format::Metadata;
use crate::format::constants::{METADATA_LEN, VALIDATION_LEN};
use crate::format::read::{Bytes, read_damaged_metadata, read_metadata};
use crate::io::ReadAt;
use crate::protector;

const SECTOR: usize = 512;

/// The bytes of one metadata area, sector by sector; sectors that could not be read are missing.
#[derive(Clone, Debug)]
pub(super) struct RawArea {
    pub(super) bytes: Vec<u8>,
    missing: Vec<bool>,
}

impl RawArea {
    /// Reads as much of an area as the device gives out.
    pub(super) fn read(device: &dyn ReadAt, offset: u64) -> Self {
        let mut area = Self {
            bytes: vec![0; METADATA_LEN],
            missing: vec![false; METADATA_LEN / SECTOR],
        };
        if device.read_at(offset, &mut area.bytes).is_ok() {
            return area;
        }
        for (index, sector) in area.bytes.chunks_exact_mut(SECTOR).enumerate() {
            let place = offset.checked_add((index * SECTOR) as u64);
            if place.is_none_or(|place| device.read_at(place, sector).is_err()) {
                sector.fill(0);
                area.missing[index] = true;
            }
        }
        area
    }

    /// A backup: bytes that lie in a file.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut area = Self {
            bytes: bytes[..bytes.len().min(METADATA_LEN)].to_vec(),
            missing: vec![false; METADATA_LEN / SECTOR],
        };
        area.bytes.resize(METADATA_LEN, 0);
        area
    }

    pub(super) fn unreadable_sectors(&self) -> usize {
        self.missing.iter().filter(|&&missing| missing).count()
    }

    /// The sound metadata in it, or what is wrong.
    pub(super) fn sound(&self) -> Result<Metadata, String> {
        if self.missing.first() == Some(&true) {
            return Err("its first sector cannot be read".to_owned());
        }
        // Behind the integrity datum there are only zeros, which were filled in.
        let metadata = read_metadata(&self.bytes).map_err(|error| match self.unreadable_sectors() {
            0 => error.to_string(),
            count => format!("{count} of its sectors cannot be read"),
        })?;
        protector::list(&metadata).map_err(|error| error.to_string())?;
        Ok(metadata)
    }

    /// What can be made out in damaged metadata.
    pub(super) fn damaged(&self) -> Option<Metadata> {
        read_damaged_metadata(&self.bytes).ok()
    }

    /// How much of it matters: what is hashed, and the validation behind that.
    fn used_len(&self) -> usize {
        let sixteenths = Bytes::new(&self.bytes, "the metadata").u16(8).unwrap_or_default();
        (usize::from(sixteenths) * 16 + VALIDATION_LEN).clamp(SECTOR, METADATA_LEN)
    }

    fn sector(&self, index: usize) -> Option<&[u8]> {
        let readable = self.missing.get(index).is_some_and(|missing| !missing);
        readable
            .then(|| self.bytes.get(index * SECTOR..(index + 1) * SECTOR))
            .flatten()
    }
}

/// More combinations of sectors are not tried.
const MAX_COMBINATIONS: usize = 4096;

/// Puts one sound area together from the good sectors of several damaged copies: each sector is taken from
/// whichever copy makes the checksum right.
pub(super) fn reconstruct(copies: &[&RawArea]) -> Option<Metadata> {
    let used = copies.iter().map(|copy| copy.used_len()).max()?;
    let sectors = used.div_ceil(SECTOR);
    let mut choices: Vec<Vec<&[u8]>> = Vec::with_capacity(sectors);
    let mut combinations = 1_usize;
    for index in 0..sectors {
        let mut distinct: Vec<&[u8]> = Vec::new();
        for sector in copies.iter().filter_map(|copy| copy.sector(index)) {
            if !distinct.contains(&sector) {
                distinct.push(sector);
            }
        }
        // Nothing but zeros lies behind what is used, and a sector beyond that may be missing.
        if distinct.is_empty() {
            distinct.push(&[0; SECTOR]);
        }
        combinations = combinations.saturating_mul(distinct.len());
        choices.push(distinct);
    }
    let mut area = vec![0; METADATA_LEN];
    for combination in 0..combinations.min(MAX_COMBINATIONS) {
        let mut rest = combination;
        for (index, distinct) in choices.iter().enumerate() {
            let sector = distinct[rest % distinct.len()];
            rest /= distinct.len();
            area[index * SECTOR..][..SECTOR].copy_from_slice(sector);
        }
        if let Ok(metadata) = read_metadata(&area)
            && protector::list(&metadata).is_ok()
        {
            return Some(metadata);
        }
    }
    None
}
