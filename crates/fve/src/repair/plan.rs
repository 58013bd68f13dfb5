//! What mending would write, and the boot sector made anew.

use super::undo::Undo;
use crate::format::constants::{LAYOUT_EOW, METADATA_LEN};
use crate::format::read::{BootSector, Layout};
use crate::io::ReadAt;

/// Everything that mending would change, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Plan {
    /// Where the volume begins on the device; offsets count from there.
    pub start: u64,
    /// One write each. Empty when there is nothing to mend.
    pub steps: Vec<Step>,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// A metadata copy is written anew, 64 KiB.
    WriteCopy {
        /// 0 to 2.
        index: u8,
        /// Where, from the volume's start.
        offset: u64,
        /// What is wrong with what lies there.
        why: String,
    },
    /// The boot sector is written anew, the volume's first sector.
    WriteBootSector {
        /// From a backup, byte for byte; otherwise made anew, without the boot code or discovery volume that was there.
        exact: bool,
    },
}

impl Plan {
    /// The plan in words, with the bytes that each step touches.
    #[must_use]
    pub fn describe(&self) -> Vec<String> {
        let line = |step: &Step| match step {
            Step::WriteCopy { index, offset, why } => {
                let start = self.start.saturating_add(*offset);
                let end = start.saturating_add(METADATA_LEN as u64);
                format!("bytes {start} to {end}: metadata copy {index} is written anew ({why})")
            }
            Step::WriteBootSector { exact } => format!(
                "the sector at byte {}: the boot sector is {}",
                self.start,
                if *exact {
                    "put back from the backup"
                } else {
                    "made anew from the metadata"
                }
            ),
        };
        self.steps.iter().map(line).collect()
    }

    /// What lies now where the steps would write; what cannot be read is left out.
    pub fn undo(&self, device: &dyn ReadAt, start: u64) -> Undo {
        const PIECE: usize = 4096;
        let mut undo = Undo::default();
        for step in &self.steps {
            let (offset, len) = match step {
                Step::WriteCopy { offset, .. } => (*offset, METADATA_LEN),
                Step::WriteBootSector { .. } => (0, PIECE),
            };
            for at in (0..len).step_by(PIECE) {
                let mut bytes = vec![0; PIECE];
                let place = start.saturating_add(offset).saturating_add(at as u64);
                if device.read_at(place, &mut bytes).is_ok() {
                    undo.patches.push((place, bytes));
                }
            }
        }
        undo
    }
}

/// Why the area at `offset` has to be written anew; `None` when it is as it should be.
pub(super) fn replaced(device: &dyn ReadAt, offset: u64, area: &[u8]) -> Option<String> {
    let mut found = vec![0; area.len()];
    match device.read_at(offset, &mut found) {
        Err(error) => Some(error.to_string()),
        Ok(()) if found == area => None,
        Ok(()) => Some("it is damaged, lost or older".to_owned()),
    }
}

/// A boot sector made anew, as long as a sector.
pub(super) fn boot_sector(inner: &[u8; 512], boot: &BootSector) -> Vec<u8> {
    let size = u16::try_from(boot.sector_size).unwrap_or(512);
    let mut sector = crate::format::write::boot_sector(inner, size, boot.metadata).to_vec();
    if boot.layout == Layout::Eow {
        sector[0xA0..0xB0].copy_from_slice(LAYOUT_EOW.as_bytes());
        for (index, offset) in boot.eow_info.iter().enumerate() {
            sector[0xC8 + 8 * index..][..8].copy_from_slice(&offset.to_le_bytes());
        }
    }
    sector.resize(usize::from(size), 0);
    sector
}
