//! What shows that an opened volume is the right one, opened rightly.

use crate::io::ReadAt;

/// What is known of a rescued volume once it is unlocked.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Proof {
    /// The file system whose boot sector came out of decryption; `None` when none did.
    pub inner: Option<&'static str>,
    /// Whether the volume master key vouches for the metadata in use.
    pub integrity: bool,
    /// What cannot be vouched for, and what was assumed.
    pub notes: Vec<String>,
}

/// The file system that begins with this boot sector.
pub(super) fn inner_kind(sector: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, wanted: &[u8]| sector.get(offset..).is_some_and(|rest| rest.starts_with(wanted));
    if at(3, b"ReFS\0\0\0\0") {
        return Some("ReFS");
    }
    if !at(0x1FE, &[0x55, 0xAA]) {
        return None;
    }
    [
        (3, b"NTFS    ".as_slice(), "NTFS"),
        (3, b"EXFAT   ", "exFAT"),
        (0x52, b"FAT32   ", "FAT32"),
        (0x36, b"FAT16   ", "FAT16"),
        (0x36, b"FAT12   ", "FAT12"),
    ]
    .into_iter()
    .find_map(|(offset, wanted, name)| at(offset, wanted).then_some(name))
}

/// The file system whose boot sector lies at `offset`.
pub(super) fn inner_at(device: &dyn ReadAt, offset: u64) -> Option<&'static str> {
    let mut sector = [0; 512];
    device.read_at(offset, &mut sector).ok()?;
    inner_kind(&sector)
}
