//! Encrypting and decrypting in place.

use fve::io::{FileDevice, MemoryDevice, ReadAt, WriteAt};
use fve::{
    ConversionMode, ConversionStatus, Credential, EncryptionMethod, Error, InitOptions, RecoveryPassword,
    UnlockedVolume, Volume, initialise,
};

use rand::Rng;

use crate::common::oracle::{self, Secret};
use crate::common::{World, all_of, expected_view, free_regions, load, sum_of, view_of};

pub(crate) struct Started {
    pub(crate) volume: UnlockedVolume<FileDevice>,
    image: std::path::PathBuf,
    pub(crate) plain: Vec<u8>,
    recovery: RecoveryPassword,
}

pub(crate) fn start(world: &mut World, sector_size: u32) -> Started {
    let image = world.ntfs("volume.img", 12, sector_size);
    world.sprinkle(&image);
    let plain = std::fs::read(&image).unwrap();
    let options = InitOptions {
        placement: free_regions(sector_size),
        description: Some("MACHINE DATA"),
        ..InitOptions::default()
    };
    let volume = initialise(FileDevice::open_write(&image).unwrap(), &options, &mut world.ctx()).unwrap();
    let recovery = RecoveryPassword::generate(&mut world.rng);
    volume
        .add_recovery_password(&mut world.ctx(), Some(&recovery), None)
        .unwrap();
    Started {
        volume,
        image,
        plain,
        recovery,
    }
}

fn convert_all<D: WriteAt>(world: &mut World, volume: &UnlockedVolume<D>) {
    while !volume.convert_step(&mut world.ctx()).unwrap().finished {}
}

#[test]
fn an_initialised_volume_holds_protectors_while_every_sector_is_still_plain() {
    let mut world = World::new(10);
    let Started {
        volume,
        image,
        plain,
        recovery,
    } = start(&mut world, 512);
    assert_eq!(volume.conversion_status(), ConversionStatus::FullyDecrypted);
    assert!(volume.is_suspended().unwrap());
    assert!(view_of(&volume) == expected_view(&plain));
    let info = Volume::open(FileDevice::open_read(&image).unwrap()).unwrap().info();
    assert_eq!(
        (info.percent, info.encrypted_bytes, info.protectors.len()),
        (0, 8192, 2)
    );
    let on_disk = std::fs::read(&image).unwrap();
    assert!(
        on_disk[3 << 20..4 << 20] == plain[3 << 20..4 << 20],
        "data lies there as before"
    );
    // libbde and dissect understand it; dislocker gives what lies below the watermark: the header.
    let secret = recovery.expose();
    assert_eq!(
        oracle::libbde(&image, Secret::Recovery(&secret))
            .expect("libbde opens")
            .0,
        sum_of(&volume)
    );
    let by_dissect = oracle::dissect(&image, Secret::Recovery(&secret)).expect("dissect opens");
    assert!(by_dissect == all_of(&volume), "dissect");
    let (_, header) = oracle::dislocker(&image, Secret::Recovery(&secret)).expect("dislocker opens");
    assert!(header == plain[..8192], "dislocker");
}

#[test]
fn a_conversion_paused_half_way_reads_right_in_every_reader_and_ends_as_a_finished_volume() {
    for sector_size in [512, 4096] {
        let mut world = World::new(11);
        let Started {
            volume,
            image,
            plain,
            recovery,
        } = start(&mut world, sector_size);
        let text = recovery.expose();
        let secret = Secret::Recovery(&text);
        volume.resume(&mut world.ctx()).unwrap();
        volume.begin_encryption(&mut world.ctx(), ConversionMode::Full).unwrap();
        while volume.progress().done_bytes < 6 << 20 {
            volume.convert_step(&mut world.ctx()).unwrap();
            assert!(view_of(&volume) == expected_view(&plain));
        }
        volume.pause(&mut world.ctx()).unwrap();
        assert_eq!(volume.conversion_status(), ConversionStatus::EncryptionPaused);
        assert!(matches!(
            volume.convert_step(&mut world.ctx()),
            Err(Error::InvalidState(_))
        ));
        let sum = sum_of(&volume);
        assert!(view_of(&volume) == expected_view(&plain));
        assert_eq!(oracle::libbde(&image, secret).expect("libbde opens").0, sum);
        assert!(oracle::dissect(&image, secret).expect("dissect opens") == all_of(&volume));
        let (_, beginning) = oracle::dislocker(&image, secret).expect("dislocker opens");
        assert!(
            !beginning.is_empty() && beginning == all_of(&volume)[..beginning.len()],
            "dislocker reads up to the watermark"
        );

        volume.resume_conversion(&mut world.ctx()).unwrap();
        convert_all(&mut world, &volume);
        assert_eq!(volume.conversion_status(), ConversionStatus::FullyEncrypted);
        let sum = sum_of(&volume);
        assert!(view_of(&volume) == expected_view(&plain));
        assert!(oracle::cryptsetup_opens(&image, secret));
        assert_eq!(oracle::libbde(&image, secret).expect("libbde opens").0, sum);
        assert_eq!(oracle::dislocker(&image, secret).expect("dislocker opens").0, sum);
        assert!(oracle::dissect(&image, secret).expect("dissect opens") == all_of(&volume));
        let on_disk = std::fs::read(&image).unwrap();
        for start in (0..plain.len()).step_by(4096) {
            let sector = &plain[start..start + 4096];
            assert!(
                sector != &on_disk[start..start + 4096] || sector.iter().all(|&byte| byte == 0),
                "plain text left at {start}"
            );
        }
    }
}

#[test]
fn decryption_paused_half_way_reads_right_and_at_its_end_the_plain_volume_comes_back() {
    let mut world = World::new(12);
    let Started {
        volume,
        image,
        plain,
        recovery,
    } = start(&mut world, 512);
    let text = recovery.expose();
    let secret = Secret::Recovery(&text);
    volume.begin_encryption(&mut world.ctx(), ConversionMode::Full).unwrap();
    convert_all(&mut world, &volume);
    volume.begin_decryption(&mut world.ctx()).unwrap();
    while volume.progress().done_bytes < 6 << 20 {
        volume.convert_step(&mut world.ctx()).unwrap();
        assert!(view_of(&volume) == expected_view(&plain));
    }
    volume.pause(&mut world.ctx()).unwrap();
    assert_eq!(volume.conversion_status(), ConversionStatus::DecryptionPaused);
    let sum = sum_of(&volume);
    assert_eq!(oracle::libbde(&image, secret).expect("libbde opens").0, sum);
    assert!(oracle::dissect(&image, secret).expect("dissect opens") == all_of(&volume));
    volume.resume_conversion(&mut world.ctx()).unwrap();
    convert_all(&mut world, &volume);
    assert_eq!(volume.conversion_status(), ConversionStatus::FullyDecrypted);
    drop(volume.deinitialise().unwrap());
    let back = std::fs::read(&image).unwrap();
    assert!(back[..8192] == plain[..8192], "the header is back in its place");
    assert!(
        expected_view(&back) == expected_view(&plain),
        "outside of the regions the volume is as before"
    );
}

#[test]
fn a_conversion_turns_round_and_takes_writes_on_both_sides_of_the_watermark() {
    let mut world = World::new(13);
    let Started { volume, plain, .. } = start(&mut world, 512);
    let mut expected = expected_view(&plain);
    volume.begin_encryption(&mut world.ctx(), ConversionMode::Full).unwrap();
    for round in 0..50_u8 {
        volume.convert_step(&mut world.ctx()).unwrap();
        // Unaligned, below and above the watermark and across it.
        let watermark = volume.progress().done_bytes.min(volume.size() - 5000);
        for offset in [6 << 20, 11 << 20, watermark.saturating_sub(2500)] {
            let data = vec![round; 5000];
            if volume.write_at(offset, &data).is_ok() {
                expected[offset as usize..][..5000].copy_from_slice(&data);
            } else {
                expected = view_of(&volume);
            }
        }
        match round {
            15 => volume.begin_decryption(&mut world.ctx()).unwrap(),
            19 => volume.begin_encryption(&mut world.ctx(), ConversionMode::Full).unwrap(),
            _ => {}
        }
        assert!(view_of(&volume) == expected, "round {round}");
    }
}

#[test]
fn metadata_regions_take_zeros_and_refuse_everything_else() {
    let mut world = World::new(14);
    let Started { volume, .. } = start(&mut world, 512);
    volume.write_at(5 << 20, &[0; 512]).unwrap();
    let refused = volume.write_at((5 << 20) - 512, &[1; 1024]).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    assert!(volume.read_at(volume.size() - 100, &mut [0; 101]).is_err());
}

#[test]
fn a_foreign_volume_without_our_log_is_not_converted() {
    let mut world = World::new(15);
    let plain = world.ntfs("volume.img", 12, 512);
    let fve::Placement::At {
        regions, sector_size, ..
    } = free_regions(512)
    else {
        unreachable!("free_regions gives places")
    };
    let options = InitOptions {
        placement: fve::Placement::At {
            regions,
            sector_size,
            log_len: 0,
        },
        ..InitOptions::default()
    };
    let volume = initialise(load(&plain), &options, &mut world.ctx()).unwrap();
    assert!(matches!(
        volume.begin_encryption(&mut world.ctx(), ConversionMode::Full),
        Err(Error::Unsupported(_))
    ));
    let again = initialise(MemoryDevice::new(all_of(volume.device())), &options, &mut world.ctx());
    assert!(matches!(again, Err(Error::InvalidState(_))));
    let reopened = Volume::open(MemoryDevice::new(all_of(volume.device()))).unwrap();
    assert!(reopened.unlock(&Credential::ClearKey).is_ok());
}

/// Encrypts and decrypts, pausing at a place drawn by lot each way.
fn there_and_back(seed: u64, method: EncryptionMethod, sector_size: u32, mode: ConversionMode) {
    let mut world = World::new(seed);
    let image = world.ntfs("volume.img", 12, sector_size);
    world.sprinkle(&image);
    let plain = std::fs::read(&image).unwrap();
    let used = match mode {
        ConversionMode::Full => Vec::from([std::ops::Range {
            start: 0,
            end: plain.len() as u64,
        }]),
        ConversionMode::UsedSpaceOnly => fve::ntfs::used_extents(&load(&image)).unwrap(),
    };
    let options = InitOptions {
        method,
        placement: free_regions(sector_size),
        ..InitOptions::default()
    };
    let volume = initialise(FileDevice::open_write(&image).unwrap(), &options, &mut world.ctx()).unwrap();
    let recovery = RecoveryPassword::generate(&mut world.rng);
    volume
        .add_recovery_password(&mut world.ctx(), Some(&recovery), None)
        .unwrap();
    volume.resume(&mut world.ctx()).unwrap();
    let expected = expected_view(&plain);
    let same = |view: &[u8], what: &str| {
        for range in &used {
            let range = range.start as usize..range.end as usize;
            assert!(view[range.clone()] == expected[range], "{what}");
        }
    };
    let text = recovery.expose();
    let secret = Secret::Recovery(&text);
    for back in [false, true] {
        let what = format!("seed {seed}, {method}, {sector_size}, {mode:?}, back: {back}");
        if back {
            volume.begin_decryption(&mut world.ctx()).unwrap();
        } else {
            let plan = volume.encryption_plan(mode).unwrap();
            assert_eq!(plan.to, Some(method));
            volume.begin_encryption(&mut world.ctx(), mode).unwrap();
        }
        let stop = world.rng.random_range(8192..11_u64 << 20);
        while !volume.progress().finished && volume.progress().done_bytes < stop {
            volume.convert_step(&mut world.ctx()).unwrap();
        }
        if !volume.progress().finished {
            volume.pause(&mut world.ctx()).unwrap();
            same(&view_of(&volume), &what);
            if mode == ConversionMode::Full && !back {
                let (sum, _) = oracle::libbde(&image, secret).expect("libbde opens");
                assert_eq!(sum, sum_of(&volume), "{what}");
            }
            volume.resume_conversion(&mut world.ctx()).unwrap();
            convert_all(&mut world, &volume);
        }
        same(&view_of(&volume), &what);
        if !back {
            let sum = sum_of(&volume);
            assert!(oracle::cryptsetup_opens(&image, secret), "{what}");
            assert_eq!(oracle::libbde(&image, secret).expect("libbde opens").0, sum, "{what}");
            assert_eq!(
                oracle::dislocker(&image, secret).expect("dislocker opens").0,
                sum,
                "{what}"
            );
        }
    }
    drop(volume.deinitialise().unwrap());
    let back = expected_view(&std::fs::read(&image).unwrap());
    same(&back, "plain again");
}

#[test]
fn every_method_sector_size_and_extent_goes_there_and_back() {
    let mut seed = 90;
    for method in [
        EncryptionMethod::AesCbc128,
        EncryptionMethod::AesCbc256,
        EncryptionMethod::AesXts128,
        EncryptionMethod::AesXts256,
    ] {
        for sector_size in [512, 4096] {
            for mode in [ConversionMode::Full, ConversionMode::UsedSpaceOnly] {
                there_and_back(seed, method, sector_size, mode);
                seed += 1;
            }
        }
    }
}
