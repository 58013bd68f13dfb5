//! Where the parts of a volume are, checked once against the device.

use std::ops::Range;

use crate::Error;
use crate::format::constants::{METADATA_LEN, state};
use crate::format::read::{BootSector, virtualization_info};
use crate::format::{ExtendedInfo, Metadata};

/// The places that matter for reading, all within the device and on sector boundaries.
#[derive(Clone, Debug)]
pub(crate) struct Geometry {
    /// 512 or 4096.
    pub(crate) sector_size: u32,
    /// Whole sectors of the device in bytes.
    pub(crate) size: u64,
    /// The relocated header; it stands in for the first bytes of the inner view.
    pub(crate) header: Range<u64>,
    /// The metadata copies.
    pub(crate) metadata: [Range<u64>; 3],
    /// The log that Windows 7 keeps at the watermark while it converts; empty otherwise.
    pub(crate) dirty_log: Range<u64>,
    /// What Windows 10 and later add.
    pub(crate) extended: Option<ExtendedInfo>,
}

/// A relocated header is 8 KiB, or 5 MiB on To-Go volumes; more is hostile.
const MAX_HEADER_LEN: u64 = 64 << 20;

impl Geometry {
    pub(crate) fn new(boot: &BootSector, metadata: &Metadata, device_size: u64) -> Result<Self, Error> {
        let metadata_header = metadata.header;
        let sector = u64::from(boot.sector_size);
        let size = device_size - device_size % sector;
        let virtualization = virtualization_info(&metadata.datums)?;
        let header_len = match virtualization {
            Some(info) if info.header_len != 0 => info.header_len,
            _ => u64::from(metadata.header.header_sectors) * sector,
        };
        let start = metadata.header.header_offset;
        let end = start.checked_add(header_len).filter(|&end| end <= size);
        let header = match end {
            Some(end)
                if start.is_multiple_of(sector)
                    && header_len.is_multiple_of(sector)
                    && header_len <= MAX_HEADER_LEN =>
            {
                start..end
            }
            _ => return Err(Error::Unsupported("the place of the relocated header")),
        };
        let area_len = METADATA_LEN as u64;
        let mut areas = Vec::with_capacity(3);
        for start in metadata.header.copies {
            // The image of a volume may be cut short: a copy beyond its end is lost, the rest is not.
            match start.checked_add(area_len) {
                Some(end) if start.is_multiple_of(sector) => areas.push(start.min(size)..end.min(size)),
                _ => return Err(Error::Unsupported("the place of a metadata copy")),
            }
        }
        let metadata = areas
            .try_into()
            .map_err(|_| Error::Unsupported("the number of metadata copies"))?;
        let dirty = matches!(metadata_header.current_state, state::SWITCHING_DIRTY);
        let log_start = metadata_header.state_offset.min(size);
        let log_len = u64::from(if dirty { metadata_header.state_size } else { 0 });
        let log_end = log_start.saturating_add(log_len.next_multiple_of(sector)).min(size);
        Ok(Self {
            dirty_log: log_start - log_start % sector..log_end,
            sector_size: boot.sector_size,
            size,
            header,
            metadata,
            extended: virtualization.and_then(|v| v.extended),
        })
    }

    /// The ranges of the inner view that read as zeros in every state.
    pub(crate) fn always_zero(&self) -> Vec<Range<u64>> {
        let mut ranges = self.metadata.to_vec();
        ranges.push(self.header.clone());
        ranges.push(self.dirty_log.clone());
        ranges
    }
}

/// Sorts ranges and joins those that touch, so that a walk over them advances.
pub(crate) fn normalise(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.retain(|range| range.start < range.end);
    ranges.sort_by_key(|range| range.start);
    ranges.dedup_by(|next, kept| {
        let touches = next.start <= kept.end;
        if touches {
            kept.end = kept.end.max(next.end);
        }
        touches
    });
    ranges
}
