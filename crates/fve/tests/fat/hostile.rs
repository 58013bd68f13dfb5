//! Damaged and hostile volumes: an error or a success, never a panic or a loop.

use std::sync::OnceLock;

use fve::fat;
use fve::inner;
use fve::io::MemoryDevice;
use proptest::prelude::*;

use crate::support::{Form, NOW, REQUEST, Volume, sample};

/// Volumes with files and regions, and the sectors that are not empty in them.
fn images() -> &'static Vec<(Vec<u8>, Vec<usize>)> {
    static IMAGES: OnceLock<Vec<(Vec<u8>, Vec<usize>)>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        [Form::Fat(32, 512, 1, 2), Form::Fat(16, 512, 4, 2), Form::ExFat(4096)]
            .into_iter()
            .map(|form| {
                let volume = Volume::make(if form == Form::Fat(32, 512, 1, 2) { 34 } else { 10 }, form);
                volume.copy_in(sample(12).path());
                volume.reserve();
                let bytes = volume.bytes();
                let sectors =
                    (0..bytes.len() / 512).filter(|at| bytes[at * 512..][..512].iter().any(|&byte| byte != 0));
                // The data of the files is less interesting.
                let sectors = sectors.take(400).collect();
                (bytes, sectors)
            })
            .collect()
    })
}

fn exercise(bytes: Vec<u8>) {
    let device = MemoryDevice::new(bytes);
    let _ = inner::identify(&device).unwrap();
    let _ = fat::probe(&device);
    let _ = fat::used_extents(&device);
    let _ = fat::plan(&device, &REQUEST, NOW);
    if fat::release(&device).is_ok()
        && let Ok(plan) = fat::plan(&device, &REQUEST, NOW)
    {
        assert!(plan.describe().len() < 2000);
        plan.apply(&device).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn flipped_bits_are_survived(which in 0_usize..3, flips in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..512, 0_u8..8), 1..6)) {
        let (bytes, sectors) = &images()[which];
        let mut bytes = bytes.clone();
        for (sector, byte, bit) in flips {
            bytes[sectors[sector.index(sectors.len())] * 512 + byte] ^= 1 << bit;
        }
        exercise(bytes);
    }

    #[test]
    fn fields_with_extreme_values_are_survived(which in 0_usize..3, sector in any::<prop::sample::Index>(), at in 0_usize..508, value in prop::sample::select(vec![0, 1, 0x7F, 0x8000_0000, u32::MAX, 0x0FFF_FFF7])) {
        let (bytes, sectors) = &images()[which];
        let mut bytes = bytes.clone();
        // The boot sector and the tables most often.
        let sector = sectors[sector.index(sectors.len()).min(sector.index(sectors.len() * 3) % sectors.len())];
        bytes[sector * 512 + at..][..4].copy_from_slice(&value.to_le_bytes());
        exercise(bytes);
    }

    #[test]
    fn boot_sectors_of_noise_are_survived(which in 0_usize..3, patches in prop::collection::vec((0_usize..120, any::<u8>()), 1..8)) {
        let mut bytes = images()[which].0.clone();
        for (at, value) in patches {
            bytes[at] = value;
        }
        exercise(bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn truncated_volumes_are_refused(which in 0_usize..3, len in 0_usize..10 << 20) {
        let (bytes, _) = &images()[which];
        let device = MemoryDevice::new(bytes[..len.min(bytes.len() - (1 << 20))].to_vec());
        prop_assert!(fat::plan(&device, &REQUEST, NOW).is_err());
        prop_assert!(fat::used_extents(&device).is_err());
    }
}
