//! Which parts of a volume are encrypted while Windows 10 converts it (BitLocker format notes §11).

use std::ops::Range;

use crate::format::read::{BootSector, Bytes, EowBitmap, FormatError, Layout, read_eow_bitmap, read_eow_info};
use crate::io::ReadAt;

/// The regions with their bitmaps, ascending.
#[derive(Clone, Debug)]
pub(crate) struct EowMap {
    regions: Vec<EowBitmap>,
    chunk: u64,
    zero: Vec<Range<u64>>,
}

/// A bitmap's area: header sector and two records.
const BITMAP_LEN: usize = 1536;
/// The usual cluster.
const CLUSTER: u64 = 4096;

impl EowMap {
    /// Reads the map of an EOW volume; `None` on others.
    pub(crate) fn read(device: &dyn ReadAt, boot: &BootSector) -> Option<Result<Self, FormatError>> {
        if boot.layout != Layout::Eow {
            return None;
        }
        let [first, second] = boot.eow_info.map(|offset| Self::read_at(device, boot, offset));
        Some(first.or(second))
    }

    fn read_at(device: &dyn ReadAt, boot: &BootSector, offset: u64) -> Result<Self, FormatError> {
        let mut sector = vec![0; boot.sector_size as usize];
        let unreadable = |_| FormatError::Truncated {
            what: "the EOW information",
        };
        device.read_at(offset, &mut sector).map_err(unreadable)?;
        // With many regions it is longer than a sector.
        let total = usize::from(Bytes::new(&sector, "the EOW information").u16(10)?);
        let info_len = total.next_multiple_of(sector.len());
        if total > sector.len() {
            sector.resize(info_len, 0);
            device.read_at(offset, &mut sector).map_err(unreadable)?;
        }
        let info = read_eow_info(&sector)?;
        let sector_size = u64::from(boot.sector_size);
        if info.chunk_size == 0 || !u64::from(info.chunk_size).is_multiple_of(sector_size) {
            return Err(FormatError::Range {
                what: "the EOW chunk size",
                value: info.chunk_size.into(),
            });
        }
        // These places are files of the inner file system: what is left of their last cluster holds nothing either.
        let padded =
            |offset: u64, len: u64| offset..offset.saturating_add(len.next_multiple_of(sector_size.max(CLUSTER)));
        let mut zero: Vec<_> = boot
            .eow_info
            .iter()
            .map(|&offset| padded(offset, (total as u64).max(1)))
            .collect();
        let mut regions = Vec::with_capacity(info.bitmaps.len());
        for offset in info.bitmaps {
            let mut area = vec![0; BITMAP_LEN];
            device.read_at(offset, &mut area).map_err(unreadable)?;
            let bitmap = read_eow_bitmap(&area)?;
            if !bitmap.region_offset.is_multiple_of(sector_size) {
                return Err(FormatError::Range {
                    what: "the place of an EOW region",
                    value: bitmap.region_offset,
                });
            }
            zero.push(padded(offset, bitmap.len.into()));
            if bitmap.log_offset != 0 {
                zero.push(padded(bitmap.log_offset, info.log_len.into()));
            }
            regions.push(bitmap);
        }
        regions.sort_by_key(|region| region.region_offset);
        Ok(Self {
            regions,
            chunk: info.chunk_size.into(),
            zero,
        })
    }

    /// Ranges of the inner view that read as zeros.
    pub(crate) fn zero(&self) -> &[Range<u64>] {
        &self.zero
    }

    /// Whether the byte at `offset` is encrypted, and up to where (at least one byte on) that holds.
    pub(crate) fn at(&self, offset: u64) -> (bool, u64) {
        let next = self.regions.partition_point(|region| region.region_offset <= offset);
        let limit = self.regions.get(next).map_or(u64::MAX, |region| region.region_offset);
        let Some(region) = next.checked_sub(1).and_then(|index| self.regions.get(index)) else {
            return (false, limit);
        };
        let within = offset - region.region_offset;
        if within >= region.region_len {
            return (false, limit);
        }
        let chunk = within / self.chunk;
        let end = region
            .region_offset
            .saturating_add((chunk + 1).saturating_mul(self.chunk).min(region.region_len));
        (bit(region, chunk), end.min(limit))
    }

    /// Bytes that are encrypted.
    pub(crate) fn encrypted_bytes(&self) -> u64 {
        self.regions.iter().fold(0, |sum: u64, region| {
            let chunks = 0..u64::from(region.bit_count).min(region.region_len.div_ceil(self.chunk));
            let bytes = chunks.filter(|&chunk| bit(region, chunk)).fold(0, |sum: u64, chunk| {
                let start = chunk.saturating_mul(self.chunk);
                // The last chunk of a region may be shorter.
                sum.saturating_add(self.chunk.min(region.region_len.saturating_sub(start)))
            });
            sum.saturating_add(bytes)
        })
    }

    /// Bytes that the bitmaps speak of: the whole volume but its outer header.
    pub(crate) fn covered_bytes(&self) -> u64 {
        self.regions
            .iter()
            .fold(0, |sum: u64, region| sum.saturating_add(region.region_len))
    }

    /// Bytes that one bit stands for.
    pub(crate) fn chunk_size(&self) -> u64 {
        self.chunk
    }

    /// How many regions there are.
    pub(crate) fn regions(&self) -> usize {
        self.regions.len()
    }
}

fn bit(region: &EowBitmap, chunk: u64) -> bool {
    let byte = usize::try_from(chunk / 8).ok().and_then(|index| region.bits.get(index));
    chunk < u64::from(region.bit_count) && byte.is_some_and(|byte| byte >> (chunk % 8) & 1 == 1)
}
