//! Volumes that lie on purpose, with right checksums.

use crate::bad_volumes::show;
use crate::sample::{Folder, METADATA, SIZE, mend_checksum, sample};

/// Offsets that point nowhere good.
const BAD_OFFSETS: [u64; 10] = [
    0,
    1,
    511,
    METADATA[1] as u64,
    METADATA[1] as u64 + 512,
    SIZE as u64 - 512,
    SIZE as u64,
    SIZE as u64 + 65536,
    i64::MAX as u64,
    u64::MAX,
];

/// Changes all three copies alike.
fn with_metadata(change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut image = sample().image.clone();
    for offset in METADATA {
        let area = &mut image[offset..offset + 65536];
        change(area);
        mend_checksum(area);
    }
    image
}

/// Where the boot sector lists the metadata copies.
fn boot_offsets() -> usize {
    let first = (METADATA[0] as u64).to_le_bytes();
    let found = sample().image[..512].windows(8).position(|window| window == first);
    found.expect("the boot sector lists the metadata copies")
}

#[test]
fn metadata_said_to_be_elsewhere_is_not_followed_into_trouble() {
    let folder = Folder::new();
    let listed = boot_offsets();
    for bad in BAD_OFFSETS {
        for copies in [&[0][..], &[2], &[0, 1, 2]] {
            // In the boot sector alone, and in agreement with the metadata.
            for agree in [false, true] {
                let change = |area: &mut [u8]| {
                    for copy in copies.iter().filter(|_| agree) {
                        area[0x20 + 8 * copy..][..8].copy_from_slice(&bad.to_le_bytes());
                    }
                };
                let mut image = with_metadata(change);
                for copy in copies {
                    image[listed + 8 * copy..][..8].copy_from_slice(&bad.to_le_bytes());
                }
                let verdict = show(&folder, &image);
                let same = copies.len() == 1 && bad == METADATA[1] as u64;
                assert!(verdict.plain.is_none() || same, "{bad:#x} {copies:?} {agree}");
            }
        }
    }
}

#[test]
fn a_relocated_header_anywhere_and_of_any_size_is_refused() {
    let folder = Folder::new();
    for bad in BAD_OFFSETS {
        let image = with_metadata(|area| area[0x38..0x40].copy_from_slice(&bad.to_le_bytes()));
        assert!(show(&folder, &image).plain.is_none(), "{bad:#x}");
    }
    for bad in [0, 1, 0xFFFF, u32::MAX] {
        let image = with_metadata(|area| area[0x1C..0x20].copy_from_slice(&bad.to_le_bytes()));
        assert!(show(&folder, &image).plain.is_none(), "{bad:#x}");
    }
}

#[test]
fn states_beyond_sense_are_refused() {
    let folder = Folder::new();
    for bad in [0, 6, 0x8000, u16::MAX] {
        for at in [0x0C, 0x0E] {
            let image = with_metadata(|area| area[at..at + 2].copy_from_slice(&bad.to_le_bytes()));
            assert!(show(&folder, &image).plain.is_none(), "{bad:#x} at {at:#x}");
        }
    }
    // The watermark of a volume that is encrypted to its end is its size.
    for bad in BAD_OFFSETS.into_iter().filter(|&bad| bad != SIZE as u64) {
        let image = with_metadata(|area| area[0x10..0x18].copy_from_slice(&bad.to_le_bytes()));
        assert!(show(&folder, &image).plain.is_none(), "{bad:#x}");
    }
}

#[test]
fn lengths_beyond_the_area_or_running_backwards_are_refused() {
    let folder = Folder::new();
    // The metadata's own length in units of 16 bytes; the dataset's size, start and end.
    for bad in [0, 1, 6, 7, 8, 0x1000, u16::MAX] {
        let image = with_metadata(|area| area[8..10].copy_from_slice(&bad.to_le_bytes()));
        let verdict = show(&folder, &image);
        assert!(!verdict.told && verdict.plain.is_none(), "{bad:#x}");
    }
    for bad in [0, 1, 47, 49, 0x7FFF_FFFF, u32::MAX] {
        for at in [0x40, 0x48, 0x4C] {
            let image = with_metadata(|area| area[at..at + 4].copy_from_slice(&bad.to_le_bytes()));
            assert!(show(&folder, &image).plain.is_none(), "{bad:#x} at {at:#x}");
        }
    }
    // The first datum's.
    for bad in [0, 1, 7, 8, 9, 0x7FFF, u16::MAX] {
        let image = with_metadata(|area| area[0x70..0x72].copy_from_slice(&bad.to_le_bytes()));
        assert!(show(&folder, &image).plain.is_none(), "{bad:#x}");
    }
}

#[test]
fn sectors_of_any_other_size_are_refused() {
    let folder = Folder::new();
    for bad in [1_u16, 511, 513, 1024, 8192, 0x8000, u16::MAX] {
        let mut image = sample().image.clone();
        image[0x0B..0x0D].copy_from_slice(&bad.to_le_bytes());
        let verdict = show(&folder, &image);
        assert!(
            !verdict.told && verdict.refusal.contains("the sector size"),
            "{}",
            verdict.refusal
        );
    }
}

#[test]
fn a_huge_sparse_volume_takes_no_huge_time() {
    let folder = Folder::new();
    let image = folder.put("huge.img", &sample().image);
    std::fs::OpenOptions::new()
        .write(true)
        .open(&image)
        .unwrap()
        .set_len(1 << 42)
        .unwrap();
    let info = crate::program::claviger(["volume", "info", "--json"]).arg(&image).end();
    let info: serde_json::Value = serde_json::from_slice(info.done()).unwrap();
    assert_eq!(info["size"], 1_u64 << 42);
}
