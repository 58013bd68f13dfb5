//! Damaged and hostile volumes: an error, never a panic, never anything without end.

use std::sync::OnceLock;

use fve::io::{MemoryDevice, ReadAt};
use fve::{Bek, CreateOptions, Credential, NewProtector, RecoveryPassword, Volume, VolumeMasterKey, create, verify};
use proptest::prelude::*;

use crate::common::{World, free_regions};

const SIZE: usize = 12 << 20;

/// A small volume of noise, its key, and where its metadata is.
fn sample() -> &'static (Vec<u8>, VolumeMasterKey, [usize; 3]) {
    static SAMPLE: OnceLock<(Vec<u8>, VolumeMasterKey, [usize; 3])> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let mut world = World::new(30);
        let password = RecoveryPassword::from_bytes([7; 16]);
        let options = CreateOptions {
            protectors: &[NewProtector::ClearKey, NewProtector::RecoveryPassword(&password)],
            placement: free_regions(512),
            ..CreateOptions::default()
        };
        let inner = MemoryDevice::new(vec![0; SIZE]);
        let volume = create(MemoryDevice::new(vec![0; SIZE]), &inner, &options, &mut world.ctx()).unwrap();
        let (vmk, offsets) = (
            volume.master_key().clone(),
            volume.copies().map(|copy| copy.offset as usize),
        );
        (volume.into_device().to_vec(), vmk, offsets)
    })
}

/// A device that shows the sample with a few bytes changed or its end cut off.
struct Changed {
    changes: Vec<(usize, u8)>,
    len: usize,
}

impl ReadAt for Changed {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        let start = usize::try_from(offset).map_err(std::io::Error::other)?;
        let end = start
            .checked_add(buf.len())
            .filter(|&end| end <= self.len)
            .ok_or(std::io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(&sample().0[start..end]);
        for &(at, byte) in self.changes.iter().filter(|(at, _)| (start..end).contains(at)) {
            buf[at - start] = byte;
        }
        Ok(())
    }

    fn size(&self) -> u64 {
        self.len as u64
    }
}

/// Everything a reader does.
fn exercise(device: Changed) {
    let Ok(volume) = Volume::open(device) else { return };
    let info = volume.info();
    serde_json::to_string(&info).unwrap();
    for credential in [Credential::ClearKey, Credential::Vmk(&sample().1)] {
        let device = Changed {
            changes: volume.device().changes.clone(),
            len: volume.device().len,
        };
        let Ok(unlocked) = Volume::open(device).and_then(|volume| volume.unlock(&credential)) else {
            continue;
        };
        for offset in [0, 8191, 5 << 20, 10 << 20, unlocked.size().saturating_sub(512)] {
            let _ = unlocked.read_at(offset, &mut [0; 5000]);
        }
    }
}

/// Gives a metadata copy a right CRC again, so that damage reaches the parsers behind it.
fn mend_crc(area: &mut [u8]) {
    let len = usize::from(u16::from_le_bytes([area[8], area[9]])) * 16;
    if len + 8 <= area.len() {
        let crc = crc32fast::hash(&area[..len]).to_le_bytes();
        area[len + 4..len + 8].copy_from_slice(&crc);
    }
}

fn metadata_with(changes: &[(usize, u8)]) -> Vec<u8> {
    let (image, _, offsets) = sample();
    let mut area = image[offsets[0]..][..65536].to_vec();
    for &(at, byte) in changes {
        area[at % 2048] = byte;
    }
    mend_crc(&mut area);
    area
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_metadata_with_a_right_checksum_never_panics(changes in prop::collection::vec((0..1400_usize, any::<u8>()), 1..12)) {
        let area = metadata_with(&changes);
        let (_, _, offsets) = sample();
        let differing: Vec<_> = offsets
            .iter()
            .flat_map(|offset| area[..2048].iter().enumerate().map(move |(at, &byte)| (offset + at, byte)))
            .collect();
        exercise(Changed { changes: differing, len: SIZE });
    }

    #[test]
    fn a_changed_boot_sector_never_panics(changes in prop::collection::vec((0..512_usize, any::<u8>()), 1..6)) {
        exercise(Changed { changes, len: SIZE });
    }

    #[test]
    fn a_truncated_volume_never_panics(len in 0..SIZE) {
        exercise(Changed { changes: Vec::new(), len });
    }

    #[test]
    fn noise_is_no_metadata_and_no_key_file(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(verify(&bytes, &RecoveryPassword::from_bytes([0; 16])).is_err());
        prop_assert!(Bek::parse(&bytes).is_err());
        prop_assert!(fve::format::read::read_eow_info(&bytes).is_err());
        prop_assert!(fve::format::read::read_eow_bitmap(&bytes).is_err());
    }
}

#[test]
fn any_single_changed_bit_of_the_metadata_is_noticed() {
    let (image, vmk, offsets) = sample();
    let hashed = usize::from(u16::from_le_bytes([image[offsets[0] + 8], image[offsets[0] + 9]])) * 16;
    for bit in (0..hashed * 8).step_by(7) {
        // All copies alike, with the right CRC: only the integrity hash can notice.
        let at = bit / 8;
        let mut area = image[offsets[0]..][..65536].to_vec();
        area[at] ^= 1 << (bit % 8);
        mend_crc(&mut area);
        let changes = offsets.iter().flat_map(|offset| {
            area[..2048]
                .iter()
                .enumerate()
                .map(move |(at, &byte)| (offset + at, byte))
        });
        let device = Changed {
            changes: changes.collect(),
            len: SIZE,
        };
        let opened = Volume::open(device).and_then(|volume| volume.unlock(&Credential::Vmk(vmk)));
        assert!(opened.is_err(), "byte {at}");
    }
}

#[test]
fn damaged_copies_are_stepped_over_and_reported() {
    let (_, vmk, offsets) = sample();
    for damaged in [&[0][..], &[1], &[0, 1], &[1, 2], &[0, 2]] {
        let changes = damaged
            .iter()
            .map(|&copy: &usize| (offsets[copy] + 200, 0x5A))
            .collect();
        let volume = Volume::open(Changed { changes, len: SIZE }).unwrap();
        for (index, copy) in volume.info().copies.iter().enumerate() {
            assert_eq!(
                (copy.problem.is_some(), copy.current),
                (damaged.contains(&index), !damaged.contains(&index))
            );
        }
        volume.unlock(&Credential::Vmk(vmk)).unwrap();
    }
    let changes = offsets.iter().map(|offset| (offset + 200, 0x5A)).collect();
    let error = Volume::open(Changed { changes, len: SIZE }).unwrap_err();
    assert!(matches!(error, fve::Error::NoSoundMetadata(_)), "{error}");
}

#[test]
fn a_forged_copy_with_a_higher_counter_does_not_win_over_an_authentic_one() {
    let (image, vmk, offsets) = sample();
    let mut area = image[offsets[1]..][..65536].to_vec();
    area[0x40 + 0x20] = 0xFF;
    mend_crc(&mut area);
    let changes = area[..2048]
        .iter()
        .enumerate()
        .map(|(at, &byte)| (offsets[1] + at, byte))
        .collect();
    let volume = Volume::open(Changed { changes, len: SIZE }).unwrap();
    assert_eq!(
        volume.info().next_nonce,
        0xFF,
        "unauthenticated, the forgery is believed"
    );
    let volume = volume.unlock(&Credential::Vmk(vmk)).unwrap();
    assert!(
        verify(&volume.metadata_bytes(), &RecoveryPassword::from_bytes([7; 16])).is_ok(),
        "unlocking chose an authentic copy"
    );
}

#[test]
fn evidence_tells_three_failures_apart() {
    let (image, _, offsets) = sample();
    let evidence = &image[offsets[0]..][..65536];
    let password = RecoveryPassword::from_bytes([7; 16]);
    assert!(verify(evidence, &password).is_ok());
    assert_eq!(
        verify(evidence, &RecoveryPassword::from_bytes([8; 16])),
        Err(fve::EvidenceError::NoSuchProtectorOpens)
    );
    let mut damaged = evidence.to_vec();
    damaged[0x70] ^= 1;
    assert!(matches!(
        verify(&damaged, &password),
        Err(fve::EvidenceError::Malformed(_))
    ));
    // The creation time is part of no key, only of the hash.
    let mut forged = evidence.to_vec();
    forged[0x40 + 0x28] ^= 1;
    mend_crc(&mut forged);
    assert_eq!(verify(&forged, &password), Err(fve::EvidenceError::IntegrityFailed));
}
