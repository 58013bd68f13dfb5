//! Where the parts of a volume are, checked once against the device.

use std::ops::Range;

use crate::Error;
use crate::format::constants::METADATA_LEN;
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
    /// What Windows 10 and later add.
    pub(crate) extended: Option<ExtendedInfo>,
}

/// A relocated header is 8 KiB, or 5 MiB on To-Go volumes; more is hostile.
const MAX_HEADER_LEN: u64 = 64 << 20;

impl Geometry {
    pub(crate) fn new(boot: &BootSector, metadata: &Metadata, device_size: u64) -> Result<Self, Error> {
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
            match start.checked_add(area_len) {
                Some(end) if end <= size && start.is_multiple_of(sector) => areas.push(start..end),
                _ => return Err(Error::Unsupported("the place of a metadata copy")),
            }
        }
        let metadata = areas
            .try_into()
            .map_err(|_| Error::Unsupported("the number of metadata copies"))?;
        Ok(Self {
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
