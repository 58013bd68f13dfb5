//! The boot sector (BitLocker format notes §2).

use super::{Bytes, FormatError};
use crate::format::constants::{LAYOUT_EOW, LAYOUT_NORMAL, SIGNATURE, TO_GO_SIGNATURE};

/// How the volume is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// An ordinary volume.
    Fixed,
    /// A removable drive with a discovery volume around it.
    ToGo,
    /// A Windows 10 conversion in progress ("encrypt on write").
    Eow,
}

/// What the boot sector says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootSector {
    /// How the volume is laid out.
    pub layout: Layout,
    /// 512 or 4096.
    pub sector_size: u32,
    /// Where the metadata copies are.
    pub metadata: [u64; 3],
    /// Where the two EOW information sectors are ([`Layout::Eow`] only).
    pub eow_info: [u64; 2],
}

const TO_GO_GUID_OFFSET: usize = 0x1A8;

/// Reads the first 512 bytes of a volume.
pub fn read_boot_sector(sector: &[u8; 512]) -> Result<BootSector, FormatError> {
    let bytes = Bytes::new(sector, "the boot sector");
    let oem = bytes.slice(3, 8)?;
    let (layout, guid_offset) = if oem == SIGNATURE {
        let guid_offset = find_layout_guid(bytes)?;
        let layout = if bytes.guid(guid_offset)? == LAYOUT_EOW {
            Layout::Eow
        } else {
            Layout::Fixed
        };
        (layout, guid_offset)
    } else if oem == TO_GO_SIGNATURE && bytes.guid(TO_GO_GUID_OFFSET)? == LAYOUT_NORMAL {
        (Layout::ToGo, TO_GO_GUID_OFFSET)
    } else {
        return Err(FormatError::Signature {
            what: "the boot sector",
        });
    };
    let sector_size = match bytes.u16(0x0B)? {
        // Windows 10 1903 and later write 0 around exFAT.
        0 | 512 => 512,
        4096 => 4096,
        other => {
            return Err(FormatError::Range {
                what: "the sector size",
                value: other.into(),
            });
        }
    };
    let offsets = guid_offset + 16;
    let mut metadata = [0; 3];
    for (index, offset) in metadata.iter_mut().enumerate() {
        *offset = bytes.u64(offsets + 8 * index)?;
    }
    let eow_info = if layout == Layout::Eow {
        [bytes.u64(offsets + 24)?, bytes.u64(offsets + 32)?]
    } else {
        [0; 2]
    };
    Ok(BootSector {
        layout,
        sector_size,
        metadata,
        eow_info,
    })
}

/// Windows finds the GUID by looking for it, so its place is not taken on trust.
fn find_layout_guid(bytes: Bytes<'_>) -> Result<usize, FormatError> {
    const USUAL: usize = 0xA0;
    let is_layout = |&offset: &usize| {
        bytes
            .guid(offset)
            .is_ok_and(|guid| guid == LAYOUT_NORMAL || guid == LAYOUT_EOW)
    };
    if is_layout(&USUAL) {
        return Ok(USUAL);
    }
    (0x5A..0x1D0).find(is_layout).ok_or_else(|| match bytes.u8(1) {
        // Vista: jump EB 52, no GUID.
        Ok(0x52) => FormatError::Version { version: 1 },
        _ => FormatError::Missing {
            what: "the layout GUID of the boot sector",
        },
    })
}
