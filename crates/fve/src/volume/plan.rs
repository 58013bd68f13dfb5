//! What an operation on the metadata would write: plain data, told before anything happens.

use std::ops::Range;

use super::unlocked::State;
use crate::Error;
use crate::format::constants::{BLOCK_HEADER_LEN, DATASET_HEADER_LEN, METADATA_LEN, VALIDATION_LEN};
use crate::guid::Guid;
use crate::protector::{ProtectorInfo, ProtectorKind};

/// A protector, as plans name it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ProtectorSummary {
    /// Its GUID.
    pub id: Guid,
    /// Its kind.
    pub kind: ProtectorKind,
    /// Its friendly name.
    pub name: Option<String>,
}

impl From<&ProtectorInfo> for ProtectorSummary {
    fn from(info: &ProtectorInfo) -> Self {
        Self {
            id: info.id,
            kind: info.kind,
            name: info.name.clone(),
        }
    }
}

impl std::fmt::Display for ProtectorSummary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.id)?;
        match &self.name {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

/// The part of every plan that says what is written to the metadata.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MetadataTouched {
    /// The volume.
    pub volume: Guid,
    /// Byte ranges of the copies in the order in which they are written, each made durable before the next.
    pub copies: Vec<Range<u64>>,
    /// Places of copies that are damaged or differ, and are set right on the way.
    pub healed: Vec<u64>,
    /// Bytes in use in each area of 65536, before and after.
    pub used: [usize; 2],
    /// The nonce counter before; it grows by one for each thing that is wrapped.
    pub nonce_counter: u32,
}

impl MetadataTouched {
    /// A sentence for each line.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let mut lines: Vec<_> = self
            .copies
            .iter()
            .map(|range| format!("write the metadata copy at {}..{}", range.start, range.end))
            .collect();
        lines.extend(
            self.healed
                .iter()
                .map(|at| format!("the copy at {at} is damaged or differs: it is set right")),
        );
        lines.push(format!(
            "{} of {METADATA_LEN} bytes are in use before, {} after",
            self.used[0], self.used[1]
        ));
        lines
    }
}

/// Bytes that an area needs for datums of `len` bytes together.
pub(super) fn area_len(len: usize) -> usize {
    (BLOCK_HEADER_LEN + DATASET_HEADER_LEN + len).next_multiple_of(16) + VALIDATION_LEN
}

/// What one metadata update with `len` bytes of datums would touch.
pub(crate) fn touched(state: &State, len: usize) -> Result<MetadataTouched, Error> {
    let needed = area_len(len);
    if needed > METADATA_LEN {
        return Err(Error::MetadataFull { needed });
    }
    let area = METADATA_LEN as u64;
    let before = state.metadata.datums.iter().map(crate::format::Datum::len).sum();
    let range = |index: &usize| {
        let offset = state.copies[*index].offset;
        offset..offset.saturating_add(area)
    };
    Ok(MetadataTouched {
        volume: state.metadata.dataset.volume,
        copies: state.write_order().iter().map(range).collect(),
        healed: state
            .copies
            .iter()
            .filter(|copy| !copy.current)
            .map(|copy| copy.offset)
            .collect(),
        used: [area_len(before), needed],
        nonce_counter: state.metadata.dataset.next_nonce,
    })
}
