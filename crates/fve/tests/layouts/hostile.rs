//! Volumes, backups, maps and undo files made to do harm: an error or nonsense, never a panic, never without end, never more
//! memory than a bound.

use std::ops::ControlFlow;

use fve::io::{MemoryDevice, ReadAt};
use fve::repair::{ExamineOptions, Map, RescueOptions, ScanMode, Undo, affected_files, examine, rescue};
use fve::{Credential, Volume};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::builder::{Builder, clear_key, datum, sealed, utf16, vmk};
use crate::eow::Eow;
use crate::memory::peak_of;

/// Opening, showing, unlocking and reading a volume of 2 MiB takes less than this, whatever it says of itself.
const MEMORY: usize = 48 << 20;

/// A checksum that is right again reaches the parsers behind it; so does a hash.
fn mend(area: &mut [u8], with_hash: bool) {
    let len = usize::from(u16::from_le_bytes([area[8], area[9]])) * 16;
    if len + 96 > area.len() {
        return;
    }
    let crc = crc32fast::hash(&area[..len]).to_le_bytes();
    area[len + 4..len + 8].copy_from_slice(&crc);
    if with_hash {
        let hash = Sha256::digest(&area[..len]);
        let key = crate::builder::key(0, 0x2005, &hash);
        let datum = sealed(0, &crate::builder::VMK, &key);
        area[len + 8..len + 8 + datum.len()].copy_from_slice(&datum);
    }
}

/// Everything a reader and a rescuer do with a device.
fn exercise(image: Vec<u8>) {
    let device = MemoryDevice::new(image);
    let peak = peak_of(|| {
        if let Ok(volume) = Volume::open(&device) {
            serde_json::to_string(&volume.info()).unwrap();
            if let Ok(view) = Volume::open(&device).and_then(Volume::into_keyless) {
                touch(&view);
            }
            for credential in [Credential::ClearKey, Credential::Vmk(&vmk())] {
                let unlocked = Volume::open(&device).and_then(|volume| volume.unlock(&credential));
                unlocked.iter().for_each(|volume| touch(volume));
            }
        }
        let options = ExamineOptions {
            scan: ScanMode::Never,
            ..ExamineOptions::default()
        };
        let findings = examine(&device, &options, &mut |_| ControlFlow::Continue(())).unwrap();
        assert!(!findings.describe().is_empty());
        let force = RescueOptions {
            accept_damaged: true,
            ..RescueOptions::default()
        };
        if let Ok(rescue) = rescue(&device, &findings, &force) {
            let _ = rescue.info();
            if let Ok(rescued) = rescue.unlock(&Credential::Vmk(&vmk())) {
                touch(rescued.volume());
                assert_eq!(rescued.plan().describe().len(), rescued.plan().steps.len());
                let _ = rescued.undo();
            }
        }
    });
    assert!(peak < MEMORY, "{peak} bytes");
}

fn touch(view: &dyn ReadAt) {
    let size = view.size();
    for offset in [
        0,
        8191,
        640 << 10,
        1 << 20,
        size / 2,
        size.saturating_sub(4096),
        u64::MAX,
    ] {
        let _ = view.read_at(offset, &mut [0; 5000]);
    }
    let _ = affected_files(view, &[0..4096, 8192..u64::MAX]);
}

fn sample() -> Builder {
    let mut builder = Builder::new(0x8004, 512);
    builder.datums.push(datum(0, 0x15, &[4; 20]));
    builder
        .datums
        .push(sealed(0xE, &crate::builder::VMK, &datum(0, 2, &utf16("field"))));
    builder.datums.push(clear_key(5));
    builder
}

/// Changes that are likely to matter: small numbers, borders, and any byte.
fn changes(range: std::ops::Range<usize>) -> impl Strategy<Value = Vec<(usize, u8)>> {
    let byte = prop_oneof![Just(0), Just(1), Just(0x7F), Just(0x80), Just(0xFF), any::<u8>()];
    prop::collection::vec((range, byte), 1..10)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_metadata_that_its_key_seems_to_vouch_for(changes in changes(0..1100), hash in any::<bool>()) {
        let builder = sample();
        let mut area = builder.metadata();
        changes.iter().for_each(|&(at, byte)| area[at] = byte);
        mend(&mut area, hash);
        let mut image = builder.image_with(|_| false);
        for copy in builder.copies {
            image[copy as usize..][..65536].copy_from_slice(&area);
        }
        exercise(image);
    }

    #[test]
    fn changed_conversion_bitmaps_with_right_checksums(
        region in 0..4_usize,
        header in changes(0..60),
        record in changes(0..80),
        info in changes(0..96),
        which in 0..8_u8,
    ) {
        let eow = Eow::new(0x8004, 512);
        let mut image = eow.image();
        let bitmap = eow.regions[region].bitmap as usize;
        let mut change = |base: usize, len: usize, field: usize, changes: &[(usize, u8)]| {
            changes.iter().for_each(|&(at, byte)| image[base + at] = byte);
            image[base + field..base + field + 4].fill(0);
            let crc = crc32fast::hash(&image[base..base + len]);
            image[base + field..base + field + 4].copy_from_slice(&crc.to_le_bytes());
        };
        if which & 1 != 0 {
            change(bitmap, 512, 56, &header);
        }
        if which & 2 != 0 {
            change(bitmap + 0x200, 512, 32, &record);
            change(bitmap + 0x400, 512, 32, &record);
        }
        if which & 4 != 0 {
            for base in eow.infos {
                let total = 56 + 8 * 4;
                change(base as usize, total, 36, &info);
            }
        }
        exercise(image);
    }

    #[test]
    fn changed_boot_sectors(changes in changes(0..512)) {
        let builder = sample();
        let mut image = builder.image_with(|_| false);
        changes.iter().for_each(|&(at, byte)| image[at] = byte);
        exercise(image);
    }

    #[test]
    fn backups_undo_files_and_maps_that_are_none(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[0-9a-fx+*/?#\n -]{0,200}") {
        let _ = Undo::parse(&bytes);
        let _ = Undo::parse(&[b"CLAVUNDO", bytes.as_slice()].concat());
        if let Ok(map) = Map::parse(&text) {
            prop_assert_eq!(Map::parse(&map.to_string()), Ok(map));
        }
        let device = MemoryDevice::new(bytes.clone());
        let options = ExamineOptions { backups: &[&bytes], ..ExamineOptions::default() };
        let _ = examine(&device, &options, &mut |_| ControlFlow::Continue(()));
    }
}

#[test]
fn a_disk_full_of_metadata_areas_is_looked_at_within_bounds() {
    let builder = Builder::new(0x8004, 512);
    let area = builder.metadata();
    let mut disk = vec![0; 8 << 20];
    for (index, sector) in disk.chunks_exact_mut(512).enumerate() {
        sector.copy_from_slice(&area[..512]);
        // Each names other places, so that each leads to three more.
        sector[0x20..0x28].copy_from_slice(&(index as u64 * 7 * 512).to_le_bytes());
    }
    let device = MemoryDevice::new(disk);
    let mut volumes = 0;
    let peak = peak_of(|| {
        let findings = examine(&device, &ExamineOptions::default(), &mut |_| ControlFlow::Continue(())).unwrap();
        volumes = findings.volumes.len();
    });
    assert!(peak < 128 << 20, "{peak} bytes");
    assert!(volumes <= 256);
}
