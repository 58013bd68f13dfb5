//! Damaged and hostile volumes: an error or a success, never a panic or a loop.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod ntfs_support;

use std::sync::OnceLock;

use fve::io::MemoryDevice;
use fve::ntfs::{self, NtfsError};
use ntfs_support::{NOW, REQUEST, Volume, populate};
use proptest::prelude::*;

/// A volume with a large root directory and our files, and its sectors in use.
fn image() -> &'static (Vec<u8>, Vec<usize>) {
    static IMAGE: OnceLock<(Vec<u8>, Vec<usize>)> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let volume = Volume::make(8, 512, 4096);
        volume.mounted(|root| populate(root, 60));
        let device = volume.device();
        ntfs::plan(&device, &REQUEST, NOW).unwrap().apply(&device).unwrap();
        let bytes = std::fs::read(volume.path()).unwrap();
        let structure = |sector: &[u8]| {
            [&b"NTFS"[..], b"FILE", b"INDX", b"RSTR"]
                .iter()
                .any(|magic| sector[..8].windows(4).any(|part| part == *magic))
        };
        let sectors = bytes
            .chunks(512)
            .enumerate()
            .filter(|(_, sector)| structure(sector))
            .flat_map(|(at, _)| [at, (at + 1).min(bytes.len() / 512 - 1)]);
        let sectors = sectors.collect::<Vec<_>>();
        (bytes, sectors)
    })
}

/// Everything there is to call, on a volume that may hold anything.
fn exercise(bytes: Vec<u8>) {
    let device = MemoryDevice::new(bytes);
    let _ = ntfs::probe(&device);
    let _ = ntfs::used_extents(&device);
    let _ = ntfs::plan(&device, &REQUEST, NOW);
    if ntfs::release(&device).is_ok()
        && let Ok(plan) = ntfs::plan(&device, &REQUEST, NOW)
    {
        assert!(plan.describe().len() < 1000);
        plan.apply(&device).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn flipped_bits_are_survived(flips in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..512, 0_u8..8), 1..6)) {
        let (bytes, sectors) = image();
        let mut bytes = bytes.clone();
        for (sector, byte, bit) in flips {
            bytes[sectors[sector.index(sectors.len())] * 512 + byte] ^= 1 << bit;
        }
        exercise(bytes);
    }

    #[test]
    fn fields_with_extreme_values_are_survived(sector in any::<prop::sample::Index>(), field in 0_usize..128, value in prop::sample::select(vec![0, 1, 0x7F, 0x8000_0000, u32::MAX, u32::MAX - 7])) {
        let (bytes, sectors) = image();
        let mut bytes = bytes.clone();
        let at = sectors[sector.index(sectors.len())] * 512 + 4 * field;
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        exercise(bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn truncated_volumes_are_refused(len in 0_usize..8 << 20) {
        let (bytes, _) = image();
        let device = MemoryDevice::new(bytes[..len.min(bytes.len() - 8192)].to_vec());
        let refused = matches!(ntfs::plan(&device, &REQUEST, NOW), Err(NtfsError::Damaged(_) | NtfsError::NotNtfs { .. }));
        prop_assert!(refused);
        prop_assert!(ntfs::used_extents(&device).is_err());
    }
}
