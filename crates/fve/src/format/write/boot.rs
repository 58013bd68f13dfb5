//! The boot sector (BitLocker format notes §2).

use crate::format::constants::{LAYOUT_NORMAL, SIGNATURE};

/// Builds the first sector of a fixed-disk volume: 512 bytes, to be followed by
/// zeros on larger sectors. `inner` is the inner file system's own boot sector, whose
/// geometry fields are kept.
#[must_use]
pub fn boot_sector(inner: &[u8; 512], sector_size: u16, metadata: [u64; 3]) -> [u8; 512] {
    let mut sector = [0; 512];
    let mut put = |offset: usize, bytes: &[u8]| sector[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(0x00, &[0xEB, 0x58, 0x90]);
    put(0x03, SIGNATURE);
    put(0x0B, &sector_size.to_le_bytes());
    put(0x0D, &inner[0x0D..0x0E]);
    put(0x15, &[0xF8]);
    put(0x18, &0x3F_u16.to_le_bytes());
    put(0x1A, &0xFF_u16.to_le_bytes());
    put(0x1C, &inner[0x1C..0x20]);
    put(0x24, &0x1FE0_u32.to_le_bytes());
    put(0x30, &[1, 0, 6, 0]);
    put(0x40, &[0x80, 0, 0x29]);
    put(0x47, b"NO NAME    FAT32   ");
    // Boot code: hlt, and again. A data volume is not booted from.
    put(0x5A, &[0xF4, 0xEB, 0xFD]);
    put(0xA0, LAYOUT_NORMAL.as_bytes());
    for (index, offset) in metadata.iter().enumerate() {
        put(0xB0 + 8 * index, &offset.to_le_bytes());
    }
    put(0x1FE, &[0x55, 0xAA]);
    sector
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::read::{Layout, read_boot_sector};

    #[test]
    fn a_written_boot_sector_reads_back() {
        let read = read_boot_sector(&boot_sector(&[0; 512], 4096, [1, 2, 3])).unwrap();
        assert_eq!(
            (read.layout, read.sector_size, read.metadata),
            (Layout::Fixed, 4096, [1, 2, 3])
        );
    }
}
