//! A volume that holds no keys: decrypted, its BitLocker structures still in place.

use std::io;

use super::open::Volume;
use crate::Error;
use crate::format::constants::{kind, role};
use crate::io::ReadAt;

/// The inner view of a volume without keys: nothing is encrypted, and no credential is needed. The file system's header
/// comes from where it was relocated to, and metadata reads as zeros.
#[derive(Debug)]
pub struct KeylessVolume<D> {
    volume: Volume<D>,
    zero: Vec<std::ops::Range<u64>>,
}

impl<D: ReadAt> Volume<D> {
    /// Whether the volume holds no keys at all (BitLocker format notes §4.3): Windows leaves such volumes behind when it has
    /// decrypted them.
    pub fn is_keyless(&self) -> bool {
        let datums = &self.metadata.datums;
        !datums
            .iter()
            .any(|d| (d.role == role::FVEK && d.kind == kind::AES_CCM) || d.kind == kind::VMK_INFO)
    }

    /// The inner view of a volume without keys.
    ///
    /// # Errors
    /// [`Error::InvalidState`] for a volume that has keys, or of whose conversion nothing can be told.
    pub fn into_keyless(self) -> Result<KeylessVolume<D>, Error> {
        let decrypted = self.metadata.header.current_state == crate::format::constants::state::DECRYPTED;
        if !self.is_keyless() || !decrypted {
            return Err(Error::InvalidState("the volume has keys: it is to be unlocked"));
        }
        let mut zero = self.geometry.always_zero();
        if let Some(Ok(map)) = &self.eow {
            zero.extend_from_slice(map.zero());
        }
        Ok(KeylessVolume {
            zero: super::normalise(zero),
            volume: self,
        })
    }
}

impl<D: ReadAt> ReadAt for KeylessVolume<D> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let geometry = &self.volume.geometry;
        let end = offset.checked_add(buf.len() as u64).filter(|&end| end <= geometry.size);
        let end =
            end.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the range ends beyond the volume"))?;
        let header_len = geometry.header.end - geometry.header.start;
        let split = usize::try_from(header_len.clamp(offset, end) - offset).map_err(io::Error::other)?;
        let (front, back) = buf.split_at_mut(split);
        if !front.is_empty() {
            self.volume.device.read_at(geometry.header.start + offset, front)?;
        }
        let start = offset + front.len() as u64;
        self.volume.device.read_at(start, back)?;
        for range in &self.zero {
            let (from, to) = (range.start.clamp(start, end), range.end.clamp(start, end));
            let within = |at: u64| usize::try_from(at - start).map_err(io::Error::other);
            back[within(from)?..within(to)?].fill(0);
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.volume.geometry.size
    }
}
