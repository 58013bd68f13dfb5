//! What a conversion would touch, told before anything happens.

use std::ops::Range;

use super::log::{ConversionMode, Direction, LogArea};
use super::plan::Terrain;
use super::reencrypt::ReencryptOptions;
use crate::Error;
use crate::format::{Datum, EncryptionMethod};
use crate::io::ReadAt;
use crate::volume::{MetadataTouched, State, UnlockedVolume, normalise, touched};

/// What is to be done with the sectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConversionOperation {
    /// Encrypt in place.
    Encrypt,
    /// Decrypt in place.
    Decrypt,
    /// Give the volume a new volume encryption key in place.
    Reencrypt,
    /// Overwrite what the inner file system does not use.
    WipeFreeSpace,
}

/// What a conversion would do. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ConversionPlan {
    /// What.
    pub operation: ConversionOperation,
    /// The method before; `None` for plain.
    pub from: Option<EncryptionMethod>,
    /// The method afterwards; `None` for plain.
    pub to: Option<EncryptionMethod>,
    /// The byte ranges that are rewritten where they lie.
    pub ranges: Vec<Range<u64>>,
    /// Their length together.
    pub bytes: u64,
    /// The conversion log, through which each of these bytes passes.
    pub log: Option<Range<u64>>,
    /// Byte ranges that are left as they are: metadata, and the place of the relocated header.
    pub untouched: Vec<Range<u64>>,
    /// The metadata, written at the beginning, at the end and once for each lap of the log.
    pub metadata: Option<MetadataTouched>,
    /// How many times the metadata is written.
    pub metadata_updates: u64,
}

/// Ranges named one by one; the rest are counted.
const NAMED: usize = 24;

impl ConversionPlan {
    /// The plan for a person, a sentence each.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let name = |method: Option<EncryptionMethod>| method.map_or("plain".to_owned(), |method| method.to_string());
        let mut lines = vec![match self.operation {
            ConversionOperation::WipeFreeSpace => format!("overwrite {} bytes of free space", self.bytes),
            _ => format!(
                "rewrite {} bytes: {} becomes {}",
                self.bytes,
                name(self.from),
                name(self.to)
            ),
        }];
        let mut list = |text: &str, ranges: &[Range<u64>]| {
            let named = ranges.iter().take(NAMED);
            lines.extend(named.map(|range| format!("{text} {}..{}", range.start, range.end)));
            if ranges.len() > NAMED {
                lines.push(format!("{text} {} further ranges", ranges.len() - NAMED));
            }
        };
        list("rewrite", &self.ranges);
        list("leave alone", &self.untouched);
        if let Some(log) = &self.log {
            list(
                "pass each chunk through the conversion log at",
                std::slice::from_ref(log),
            );
        }
        if let Some(metadata) = &self.metadata {
            lines.push(format!("write the metadata {} times:", self.metadata_updates));
            lines.extend(metadata.describe());
        }
        lines
    }
}

impl<D: ReadAt> UnlockedVolume<D> {
    /// What encrypting would do.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without a conversion log, and for methods that are only read; [`Error::Ntfs`] and the like when
    /// it cannot be told what is in use.
    pub fn encryption_plan(&self, mode: ConversionMode) -> Result<ConversionPlan, Error> {
        if !self.method().can_create() {
            return Err(Error::Unsupported(EncryptionMethod::READ_ONLY));
        }
        self.plan(ConversionOperation::Encrypt, None, Some(self.method()), mode)
    }

    /// What decrypting would do.
    ///
    /// # Errors
    /// [`Error::Unsupported`] without a conversion log.
    pub fn decryption_plan(&self) -> Result<ConversionPlan, Error> {
        self.plan(
            ConversionOperation::Decrypt,
            Some(self.method()),
            None,
            ConversionMode::Full,
        )
    }

    /// What re-encrypting would do. A new master key comes on top:
    /// [`rotate_master_key_plan`](Self::rotate_master_key_plan).
    ///
    /// # Errors
    /// As [`encryption_plan`](Self::encryption_plan).
    pub fn reencryption_plan(
        &self,
        method: EncryptionMethod,
        options: &ReencryptOptions<'_>,
    ) -> Result<ConversionPlan, Error> {
        if !method.can_create() {
            return Err(Error::Unsupported(EncryptionMethod::READ_ONLY));
        }
        let from = Some(self.method());
        self.plan(ConversionOperation::Reencrypt, from, Some(method), options.mode)
    }

    /// What [`wipe_free_space`](UnlockedVolume::wipe_free_space) would do.
    ///
    /// # Errors
    /// As `wipe_free_space`.
    pub fn wipe_plan(&self) -> Result<ConversionPlan, Error> {
        let ranges = self.free_ranges(&mut self.write_state())?;
        let method = Some(self.method());
        Ok(ConversionPlan {
            operation: ConversionOperation::WipeFreeSpace,
            from: method,
            to: method,
            bytes: total(&ranges),
            ranges,
            log: None,
            untouched: Vec::new(),
            metadata: None,
            metadata_updates: 0,
        })
    }

    fn plan(
        &self,
        operation: ConversionOperation,
        from: Option<EncryptionMethod>,
        to: Option<EncryptionMethod>,
        mode: ConversionMode,
    ) -> Result<ConversionPlan, Error> {
        let state = self.state();
        let log = Self::log_of(&state)?;
        let untouched = self.reserved(&log);
        let size = self.geometry.size;
        let ranges = match mode {
            ConversionMode::UsedSpaceOnly => {
                let used = self.used_ranges(&state, Some(&log))?;
                self.chunks(&log, &untouched, &used)
            }
            ConversionMode::Full => without(vec![Range { start: 0, end: size }], &untouched),
        };
        let bytes = total(&ranges);
        let laps = bytes.div_ceil(log.chunk_len() * log.slots());
        Ok(ConversionPlan {
            operation,
            from,
            to,
            bytes,
            ranges,
            log: Some(log.whole()),
            untouched,
            metadata: Some(touched(&state, datums_len(&state))?),
            metadata_updates: laps + 2,
        })
    }

    /// What encrypting used space takes in: whole chunks, with the free space that they happen to hold.
    fn chunks(&self, log: &LogArea, reserved: &[Range<u64>], used: &[Range<u64>]) -> Vec<Range<u64>> {
        let terrain = Terrain {
            first: self.outer_header(),
            size: self.geometry.size,
            chunk: log.chunk_len(),
            reserved,
            used: Some(used),
        };
        let mut watermark = terrain.first;
        let mut ranges = Vec::new();
        while let Some(chunk) = terrain.next(watermark, Direction::Encrypt) {
            watermark = chunk.watermark;
            ranges.push(chunk.range);
        }
        normalise(ranges)
    }

    /// What no conversion touches: metadata, the log's ring, the outer header, whose content is relocated.
    pub(super) fn reserved(&self, log: &LogArea) -> Vec<Range<u64>> {
        let mut reserved = self.geometry.metadata.to_vec();
        reserved.push(log.ring.clone());
        reserved.push(0..self.outer_header());
        normalise(reserved)
    }
}

fn datums_len(state: &State) -> usize {
    state.metadata.datums.iter().map(Datum::len).sum()
}

fn total(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

/// `ranges` less `holes`; both sorted and apart.
fn without(ranges: Vec<Range<u64>>, holes: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut left = Vec::new();
    for range in ranges {
        let mut at = range.start;
        let first = holes.partition_point(|hole| hole.end <= at);
        for hole in holes.get(first..).unwrap_or_default() {
            if hole.start >= range.end {
                break;
            }
            left.push(at..hole.start.max(at));
            at = hole.end;
        }
        left.push(at..range.end.max(at));
    }
    left.retain(|range| !range.is_empty());
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_cut_out_of_ranges() {
        let cut = |ranges: &[Range<u64>]| without(ranges.to_vec(), &[0..10, 20..30, 50..60]);
        assert_eq!(cut(&[Range { start: 0, end: 100 }]), [10..20, 30..50, 60..100]);
        assert_eq!(cut(&[5..25, 29..40, 51..52, 70..80]), [10..20, 30..40, 70..80]);
    }
}
