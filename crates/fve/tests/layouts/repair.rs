//! What is left of damaged volumes: found, opened, proven, mended.

use std::ops::ControlFlow;

use fve::io::{MemoryDevice, ReadAt};
use fve::repair::{
    AreaSource, BootCondition, ExamineOptions, Extent, Findings, RescueOptions, ScanMode, Step, Undo, examine, rescue,
};
use fve::{Context, Credential, Error, FileTime, Volume, is_fve};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use sha2::{Digest, Sha256};

use crate::builder::{Builder, clear_key, datum, utf16, validate, vmk};
use crate::foreign::all_of;
use crate::salvage::{Faulty, one};

fn look(device: &dyn ReadAt, backups: &[&[u8]]) -> Findings {
    let options = ExamineOptions {
        backups,
        ..ExamineOptions::default()
    };
    examine(device, &options, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn with_ctx<T>(work: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    work(&mut Context {
        now: FileTime(134_000_000_000_000_000),
        rng: &mut rng,
    })
}

/// Opens what is left, compares the view, mends the device and opens it as if nothing had been; taking it back restores the damage.
fn assert_mends(damaged: &[u8], backups: &[&[u8]], plain: &[u8], options: &RescueOptions) -> Vec<String> {
    let device = MemoryDevice::new(damaged.to_vec());
    let findings = look(&device, backups);
    let rescued = rescue(&device, &findings, options)
        .unwrap()
        .unlock(&Credential::Vmk(&vmk()))
        .unwrap();
    assert_eq!(rescued.proof().inner, Some("NTFS"), "{:?}", rescued.proof());
    assert!(all_of(rescued.volume()) == plain);
    assert!(device.to_vec() == damaged, "nothing was written yet");
    assert!(!rescued.plan().steps.is_empty());
    assert_eq!(rescued.plan().steps.len(), rescued.plan().describe().len());
    let notes = rescued.proof().notes.clone();
    let undo = with_ctx(|ctx| rescued.apply(ctx)).unwrap();
    let volume = Volume::open(&device).unwrap();
    assert!(
        volume.info().copies.iter().all(|copy| copy.current),
        "{:?}",
        volume.info().copies
    );
    let volume = volume.unlock(&Credential::ClearKey).unwrap();
    assert!(all_of(&volume) == plain);
    assert!(look(&device, &[]).healthy(), "{:?}", look(&device, &[]).describe());
    let mut longer = undo.to_bytes();
    longer.truncate(longer.len() - 32);
    longer.push(0);
    longer.extend_from_slice(&Sha256::digest(&longer));
    let refusal = Undo::parse(&longer).unwrap_err().to_string();
    assert!(
        refusal.contains("the length of the undo file is out of range"),
        "{refusal}"
    );
    let undo = Undo::parse(&undo.to_bytes()).unwrap();
    undo.revert(&device).unwrap();
    assert!(device.to_vec() == damaged);
    notes
}

const ALL: [(u16, u64); 8] = [
    (0x8000, 512),
    (0x8001, 4096),
    (0x8002, 512),
    (0x8003, 4096),
    (0x8004, 512),
    (0x8004, 4096),
    (0x8005, 512),
    (0x8005, 4096),
];

#[test]
fn a_healthy_volume_needs_nothing() {
    let builder = Builder::new(0x8004, 512);
    let device = MemoryDevice::new(builder.image());
    let findings = look(&device, &[]);
    assert!(findings.healthy());
    assert!(findings.scan.is_none());
    let rescued = rescue(&device, &findings, &RescueOptions::default()).unwrap();
    let rescued = rescued.unlock(&Credential::ClearKey).unwrap();
    assert!(rescued.plan().steps.is_empty() && rescued.proof().integrity);
}

#[test]
fn a_lost_boot_sector_is_made_anew_from_the_metadata() {
    for (method, sector) in ALL {
        let builder = Builder::new(method, sector);
        let mut image = builder.image();
        image[..8192].fill(0);
        assert_mends(&image, &[], &builder.plain(), &RescueOptions::default());
    }
}

#[test]
fn a_lost_boot_sector_of_a_windows_7_volume_is_made_anew_too() {
    let mut builder = Builder::new(0x8001, 4096);
    (builder.extended, builder.virtualization_first) = (None, true);
    let mut image = builder.image();
    image[..512].fill(0x5A);
    assert_mends(&image, &[], &builder.plain(), &RescueOptions::default());
}

#[test]
fn one_or_two_lost_copies_are_healed_from_what_is_left() {
    let builder = Builder::new(0x8005, 512);
    for lost in [&[0][..], &[1], &[2], &[0, 1], &[0, 2], &[1, 2]] {
        let mut image = builder.image();
        for &copy in lost {
            image[builder.copies[copy] as usize..][..65536].fill(0xAA);
        }
        assert_mends(&image, &[], &builder.plain(), &RescueOptions::default());
        // The boot sector as well.
        image[..512].fill(0);
        assert_mends(&image, &[], &builder.plain(), &RescueOptions::default());
    }
}

#[test]
fn three_damaged_copies_are_put_together_from_their_good_sectors() {
    let mut builder = Builder::new(0x8004, 512);
    builder.datums.push(datum(0x99, 0x99, &[0x77; 2000]));
    let mut image = builder.image();
    for (index, copy) in builder.copies.iter().enumerate() {
        image[*copy as usize + 512 * (index + 1) + 40] ^= 0x10;
    }
    let findings = look(&MemoryDevice::new(image.clone()), &[]);
    assert!(
        findings
            .areas
            .iter()
            .any(|area| area.source == AreaSource::Reconstructed)
    );
    assert_mends(&image, &[], &builder.plain(), &RescueOptions::default());
}

#[test]
fn unreadable_sectors_in_all_three_copies_are_filled_from_each_other() {
    let mut builder = Builder::new(0x8004, 512);
    builder.datums.push(datum(0x99, 0x99, &[0x77; 2000]));
    let bad = builder
        .copies
        .iter()
        .zip(1..)
        .map(|(copy, n)| copy + 512 * n..copy + 512 * n + 512);
    let device = Faulty::new(builder.image(), bad.collect());
    let findings = look(&device, &[]);
    let rescued = rescue(&device, &findings, &RescueOptions::default()).unwrap();
    let rescued = rescued.unlock(&Credential::ClearKey).unwrap();
    assert!(rescued.proof().integrity);
    let mut boot = [0; 512];
    rescued.volume().read_at(0, &mut boot).unwrap();
    assert_eq!(boot, builder.plain()[..512]);
}

#[test]
fn with_all_copies_lost_a_backup_opens_the_volume() {
    for (method, sector) in ALL {
        let builder = Builder::new(method, sector);
        let evidence = builder.metadata();
        let mut image = builder.image();
        for copy in builder.copies {
            image[copy as usize..][..65536].fill(0);
        }
        let notes = assert_mends(&image, &[&evidence], &builder.plain(), &RescueOptions::default());
        assert!(notes.iter().any(|note| note.contains("backup")));
        image[..512].fill(0);
        assert_mends(&image, &[&evidence], &builder.plain(), &RescueOptions::default());
    }
}

#[test]
fn a_backup_from_before_encryption_opens_the_encrypted_volume() {
    for sector in [512, 4096] {
        let builder = Builder::new(0x8004, sector);
        // Escrow comes first: the server's evidence says that nothing is encrypted yet.
        let mut early = builder.clone();
        (early.states, early.watermark) = ([1, 1], 8192);
        let mut image = builder.image();
        for copy in builder.copies {
            image[copy as usize..][..65536].fill(0);
        }
        let notes = assert_mends(
            &image,
            &[&early.metadata()],
            &builder.plain(),
            &RescueOptions::default(),
        );
        assert!(
            notes.iter().any(|note| note.contains("decryption shows that all are")),
            "{notes:?}"
        );
    }
}

#[test]
fn a_backup_from_when_it_was_encrypted_opens_the_decrypted_volume() {
    let mut builder = Builder::new(0x8004, 512);
    let late = builder.metadata();
    builder.watermark = 0;
    let mut image = builder.image();
    for copy in builder.copies {
        image[copy as usize..][..65536].fill(0);
    }
    let device = MemoryDevice::new(image);
    let rescued = rescue(&device, &look(&device, &[&late]), &RescueOptions::default()).unwrap();
    let rescued = rescued.unlock(&Credential::ClearKey).unwrap();
    assert!(all_of(rescued.volume()) == builder.plain());
    let options = RescueOptions {
        extent: Some(Extent::Watermark(0)),
        ..RescueOptions::default()
    };
    let rescued = rescue(&device, &look(&device, &[&late]), &options).unwrap();
    assert!(all_of(rescued.unlock(&Credential::ClearKey).unwrap().volume()) == builder.plain());
}

#[test]
fn the_copy_on_the_device_is_preferred_to_an_older_backup() {
    let mut builder = Builder::new(0x8004, 512);
    let old = builder.metadata();
    builder.next_nonce = 20;
    builder.datums[0] = datum(7, 2, &utf16("newer"));
    let mut image = builder.image();
    for copy in &builder.copies[..2] {
        image[*copy as usize..][..65536].fill(0);
    }
    let device = MemoryDevice::new(image);
    let rescue = rescue(&device, &look(&device, &[&old]), &RescueOptions::default()).unwrap();
    assert_eq!(rescue.info().unwrap().description.as_deref(), Some("newer"));
}

#[test]
fn a_wrong_checksum_is_believed_only_on_request_and_then_said() {
    let builder = Builder::new(0x8004, 512);
    let mut image = builder.image();
    for copy in builder.copies {
        // In the description, the same in all copies: nothing to put together.
        image[copy as usize + 0x70 + 10] ^= 0x20;
    }
    let device = MemoryDevice::new(image.clone());
    let findings = look(&device, &[]);
    let refused = rescue(&device, &findings, &RescueOptions::default()).unwrap_err();
    assert!(matches!(refused, Error::NoSoundMetadata(_)));
    let force = RescueOptions {
        accept_damaged: true,
        ..RescueOptions::default()
    };
    let notes = assert_mends(&image, &[], &builder.plain(), &force);
    assert!(notes.iter().any(|note| note.contains("integrity hash")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("checksum")), "{notes:?}");
}

#[test]
fn keys_are_found_in_metadata_whose_lengths_are_damaged() {
    let builder = Builder::new(0x8004, 512);
    for at in [8, 0x40, 0x48, 0x4C, 0x70, 0x70 + 48] {
        let mut image = builder.image();
        for copy in builder.copies {
            image[copy as usize + at] ^= 0x55;
        }
        let device = MemoryDevice::new(image);
        let force = RescueOptions {
            accept_damaged: true,
            ..RescueOptions::default()
        };
        let rescued = rescue(&device, &look(&device, &[]), &force).unwrap();
        let Ok(rescued) = rescued.unlock(&Credential::ClearKey) else {
            assert_eq!(at, 0x70 + 48, "only the protector's own length hides the protector");
            continue;
        };
        assert!(all_of(rescued.volume()) == builder.plain(), "{at:#x}");
        assert!(!rescued.proof().integrity);
    }
}

#[test]
fn a_damaged_volume_key_is_taken_from_another_copy() {
    let builder = Builder::new(0x8004, 512);
    let metadata = builder.metadata();
    let fvek = metadata
        .windows(8)
        .position(|window| window == [100 - 28, 0, 3, 0, 5, 0, 1, 0]);
    let fvek = fvek.or_else(|| {
        metadata
            .windows(6)
            .position(|window| window == [3, 0, 5, 0, 1, 0])
            .map(|at| at - 2)
    });
    let at = fvek.unwrap() + 50;
    let mut image = builder.image();
    // Copy 0 has a damaged key, the others a damaged clear key: only together they open the volume.
    image[builder.copies[0] as usize + at] ^= 1;
    for copy in &builder.copies[1..] {
        let clear = metadata.windows(32).position(|window| window == [1; 32]).unwrap();
        image[*copy as usize + clear] ^= 1;
    }
    let device = MemoryDevice::new(image);
    let findings = look(&device, &[]);
    let force = RescueOptions {
        accept_damaged: true,
        ..RescueOptions::default()
    };
    let rescued = rescue(&device, &findings, &force)
        .unwrap()
        .unlock(&Credential::ClearKey)
        .unwrap();
    assert!(all_of(rescued.volume()) == builder.plain());
}

#[test]
fn a_volume_whose_partition_table_is_lost_is_found_by_its_metadata() {
    for lose_boot in [false, true] {
        let builder = Builder::new(0x8004, 512);
        let mut image = builder.image();
        if lose_boot {
            image[..512].fill(0);
        }
        let mut disk = vec![0; 1 << 20];
        disk.extend_from_slice(&image);
        disk.extend_from_slice(&[0; 3 << 20]);
        let device = MemoryDevice::new(disk);
        let findings = look(&device, &[]);
        assert_eq!(findings.boot.condition, BootCondition::NotBitLocker);
        assert_eq!(findings.volumes[0].start, 1 << 20);
        let rescued = rescue(&device, &findings, &RescueOptions::default()).unwrap();
        let rescued = rescued.unlock(&Credential::ClearKey).unwrap();
        let view = all_of(rescued.volume());
        assert!(view[..builder.size as usize] == builder.plain());
        assert_eq!(!rescued.plan().steps.is_empty(), lose_boot);
        with_ctx(|ctx| rescued.apply(ctx)).unwrap();
        let partition = MemoryDevice::new(device.to_vec()[1 << 20..3 << 20].to_vec());
        assert!(is_fve(&partition).unwrap());
        Volume::open(partition).unwrap().unlock(&Credential::ClearKey).unwrap();
    }
}

#[test]
fn two_volumes_on_one_disk_are_told_apart() {
    let first = Builder::new(0x8004, 512);
    let mut second = Builder::new(0x8005, 512);
    second.datums = vec![clear_key(9)];
    let mut other = second.image();
    for copy in second.copies {
        let mut area = second.metadata();
        let hashed = usize::from(u16::from_le_bytes([area[8], area[9]])) * 16;
        area.truncate(hashed);
        area[0x50..0x60].fill(0x21);
        other[copy as usize..][..65536].copy_from_slice(&validate(area));
    }
    let disk = [vec![0; 1 << 20], first.image(), vec![0; 1 << 20], other].concat();
    let device = MemoryDevice::new(disk);
    let findings = look(&device, &[]);
    assert_eq!(
        findings.volumes.iter().map(|found| found.start).collect::<Vec<_>>(),
        [1 << 20, 4 << 20]
    );
    let options = RescueOptions {
        volume: Some(findings.volumes[1].volume),
        ..RescueOptions::default()
    };
    let rescued = rescue(&device, &findings, &options)
        .unwrap()
        .unlock(&Credential::ClearKey)
        .unwrap();
    assert!(all_of(rescued.volume()) == second.plain());
}

#[test]
fn an_interrupted_scan_goes_on_where_it_stopped() {
    let builder = Builder::new(0x8004, 512);
    let mut disk = vec![0; 9 << 20];
    disk.extend_from_slice(&builder.image());
    let device = Faulty::new(disk, one(5 << 20, 1024));
    let options = ExamineOptions::default();
    let findings = examine(&device, &options, &mut |_| ControlFlow::Break(())).unwrap();
    assert!(!findings.scan_finished && findings.volumes.is_empty());
    let saved = serde_json::to_string(&findings.scan).unwrap();
    device.reads.lock().unwrap().clear();
    let options = ExamineOptions {
        resume: serde_json::from_str(&saved).unwrap(),
        ..ExamineOptions::default()
    };
    let findings = examine(&device, &options, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(findings.scan_finished);
    assert_eq!(findings.volumes[0].start, 9 << 20);
    assert_eq!(findings.scan.unwrap().unreadable, one(5 << 20, 1024));
    let again = device
        .reads
        .lock()
        .unwrap()
        .iter()
        .any(|read| (1..4 << 20).contains(&read.start));
    assert!(!again, "what was looked at is not read again");
}

#[test]
fn nothing_is_written_without_proof() {
    let builder = Builder::new(0x8004, 512);
    let mut image = builder.image();
    image[..512].fill(0);
    // The relocated header is lost: what decrypts there is noise.
    image[builder.header as usize..][..8192].fill(0x33);
    let device = MemoryDevice::new(image.clone());
    let rescued = rescue(&device, &look(&device, &[]), &RescueOptions::default()).unwrap();
    let rescued = rescued.unlock(&Credential::ClearKey).unwrap();
    assert_eq!(rescued.proof().inner, None);
    assert!(with_ctx(|ctx| rescued.apply(ctx)).is_err());
    assert!(device.to_vec() == image);
    // What is behind the header can be read all the same.
    let mut piece = [0; 4096];
    rescued.volume().read_at(100 << 10, &mut piece).unwrap();
    assert_eq!(piece, builder.plain()[100 << 10..][..4096]);
}

#[test]
fn a_wrong_key_is_a_wrong_key_and_a_stranger_s_backup_is_of_no_use() {
    let builder = Builder::new(0x8004, 512);
    let device = MemoryDevice::new(builder.image());
    let wrong = fve::VolumeMasterKey::from_bytes([9; 32]);
    let rescue_of = |findings: &Findings| rescue(&device, findings, &RescueOptions::default()).unwrap();
    let error = rescue_of(&look(&device, &[]))
        .unlock(&Credential::Vmk(&wrong))
        .unwrap_err();
    assert!(matches!(error, Error::WrongCredential));
    let not_a_backup = examine(
        &device,
        &ExamineOptions {
            scan: ScanMode::Never,
            backups: &[b"hello"],
            resume: None,
        },
        &mut |_| ControlFlow::Continue(()),
    );
    assert!(matches!(not_a_backup, Err(Error::InvalidArgument(_))));
}

#[test]
fn the_plan_names_copies_before_the_boot_sector() {
    let builder = Builder::new(0x8004, 512);
    let mut image = builder.image();
    image[..512].fill(0);
    image[builder.copies[1] as usize] = 0;
    let device = MemoryDevice::new(image);
    let rescued = rescue(&device, &look(&device, &[]), &RescueOptions::default()).unwrap();
    let rescued = rescued.unlock(&Credential::ClearKey).unwrap();
    let steps = &rescued.plan().steps;
    assert!(
        matches!(
            steps[..],
            [Step::WriteCopy { index: 1, .. }, Step::WriteBootSector { exact: false }]
        ),
        "{steps:?}"
    );
}
