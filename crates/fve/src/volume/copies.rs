//! The three metadata copies: reading all, choosing one.

use crate::Error;
use crate::format::Metadata;
use crate::format::constants::METADATA_LEN;
use crate::format::read::{BootSector, read_metadata};
use crate::io::ReadAt;
use crate::protector;

/// One of the three metadata copies.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CopyInfo {
    /// Where it is.
    pub offset: u64,
    /// What is wrong with it; `None` for a sound copy.
    pub problem: Option<String>,
    /// Whether it is byte for byte the copy in use.
    pub current: bool,
}

/// The copies as they were found.
pub(crate) struct Copies {
    /// Sound ones are `Ok`.
    found: [Result<Metadata, String>; 3],
    offsets: [u64; 3],
}

impl Copies {
    /// Reads all three. Only failures of the device itself end early, and only
    /// when no copy could be read at all.
    pub(crate) fn read(device: &dyn ReadAt, boot: &BootSector) -> Self {
        Self {
            found: boot.metadata.map(|offset| read_copy(device, boot, offset)),
            offsets: boot.metadata,
        }
    }

    /// The sound copies, newest (highest nonce counter) first; of equals the lowest index first.
    pub(crate) fn by_age(&self) -> Vec<&Metadata> {
        let mut sound: Vec<_> = self.found.iter().filter_map(|copy| copy.as_ref().ok()).collect();
        sound.sort_by_key(|metadata| std::cmp::Reverse(metadata.dataset.next_nonce));
        sound.dedup_by(|a, b| a.area == b.area);
        sound
    }

    /// The copy to use.
    pub(crate) fn newest(&self) -> Result<&Metadata, Error> {
        self.by_age().first().copied().ok_or_else(|| {
            Error::NoSoundMetadata(Box::new(
                self.found
                    .each_ref()
                    .map(|copy| copy.as_ref().err().cloned().unwrap_or_default()),
            ))
        })
    }

    pub(crate) fn infos(&self, current: &Metadata) -> [CopyInfo; 3] {
        std::array::from_fn(|index| CopyInfo {
            offset: self.offsets[index],
            problem: self.found[index].as_ref().err().cloned(),
            current: self.found[index].as_ref().is_ok_and(|copy| copy.area == current.area),
        })
    }
}

fn read_copy(device: &dyn ReadAt, boot: &BootSector, offset: u64) -> Result<Metadata, String> {
    let mut area = vec![0; METADATA_LEN];
    device.read_at(offset, &mut area).map_err(|error| error.to_string())?;
    let metadata = read_metadata(&area).map_err(|error| error.to_string())?;
    if metadata.header.copies != boot.metadata {
        return Err("it names other places for the copies than the boot sector does".to_owned());
    }
    protector::list(&metadata).map_err(|error| error.to_string())?;
    Ok(metadata)
}
