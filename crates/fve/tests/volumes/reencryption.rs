//! Re-encryption in place: new methods, new keys, volumes made by Windows.

use std::path::{Path, PathBuf};

use fve::io::{FileDevice, MemoryDevice, ReadAt, WriteAt};
use fve::{
    ConversionMode, ConversionStatus, Credential, EncryptionMethod, Error, InitOptions, LogPlace, MasterKeyRotation,
    Passphrase, RecoveryPassword, ReencryptOptions, UnlockedVolume, Volume, initialise, verify,
};
use rand::Rng;

use crate::common::oracle::{self, Secret};
use crate::common::{World, all_of, expected_view, free_regions, load, sum_of, view_of};

struct Encrypted {
    image: PathBuf,
    volume: UnlockedVolume<FileDevice>,
    expected: Vec<u8>,
    recovery: RecoveryPassword,
}

fn encrypted(world: &mut World, method: EncryptionMethod, sector_size: u32) -> Encrypted {
    let image = world.ntfs("volume.img", 12, sector_size);
    world.sprinkle(&image);
    let expected = expected_view(&std::fs::read(&image).unwrap());
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
    volume.begin_encryption(&mut world.ctx(), ConversionMode::Full).unwrap();
    to_the_end(world, &volume);
    Encrypted {
        image,
        volume,
        expected,
        recovery,
    }
}

fn to_the_end<D: WriteAt>(world: &mut World, volume: &UnlockedVolume<D>) {
    while !volume.convert_step(&mut world.ctx()).unwrap().finished {}
}

/// `thorough`: dissect as well, which is slow.
fn every_other_reader_refuses(image: &Path, secret: Secret<'_>, when: &str, thorough: bool) {
    assert!(!oracle::cryptsetup_opens(image, secret), "cryptsetup, {when}");
    assert!(oracle::libbde(image, secret).is_none(), "libbde, {when}");
    assert!(oracle::dislocker(image, secret).is_none(), "dislocker, {when}");
    assert!(!thorough || oracle::dissect(image, secret).is_none(), "dissect, {when}");
}

fn every_other_reader_agrees(image: &Path, secret: Secret<'_>, volume: &dyn ReadAt, thorough: bool) {
    let sum = sum_of(volume);
    assert!(oracle::cryptsetup_opens(image, secret), "cryptsetup");
    assert_eq!(oracle::libbde(image, secret).expect("libbde opens").0, sum);
    assert_eq!(oracle::dislocker(image, secret).expect("dislocker opens").0, sum);
    if thorough {
        assert!(oracle::dissect(image, secret).expect("dissect opens") == all_of(volume));
    }
}

const WAYS: [(EncryptionMethod, EncryptionMethod, u32); 5] = [
    (EncryptionMethod::AesXts128, EncryptionMethod::AesXts256, 512),
    (EncryptionMethod::AesXts128, EncryptionMethod::AesXts128, 4096),
    (EncryptionMethod::AesCbc128, EncryptionMethod::AesXts128, 512),
    (EncryptionMethod::AesCbc256, EncryptionMethod::AesXts256, 4096),
    (EncryptionMethod::AesXts256, EncryptionMethod::AesCbc128, 512),
];

#[test]
fn a_volume_on_its_way_to_another_key_reads_and_writes_right_and_nobody_else_takes_it_for_something_it_is_not() {
    for (index, (from, to, sector_size)) in WAYS.into_iter().enumerate() {
        let mut world = World::new(60 + index as u64);
        let Encrypted {
            image,
            volume,
            mut expected,
            recovery,
        } = encrypted(&mut world, from, sector_size);
        let text = recovery.expose();
        let before = all_of(volume.device());
        let plan = volume.reencryption_plan(to, &ReencryptOptions::default()).unwrap();
        let mut volume = volume
            .begin_reencryption(&mut world.ctx(), to, &ReencryptOptions::default())
            .unwrap();
        let stop = world.rng.random_range(1 << 20..11 << 20);
        while volume.progress().done_bytes < stop {
            volume.convert_step(&mut world.ctx()).unwrap();
            assert!(view_of(&volume) == expected, "{from} to {to}");
        }
        assert_eq!(volume.conversion_status(), ConversionStatus::ReencryptionInProgress);
        let thorough = index < 2;
        if thorough {
            every_other_reader_refuses(&image, Secret::Recovery(&text), "in progress", true);
        }

        // On both sides of the watermark, and across it, what is written is read.
        let meeting = volume.progress().done_bytes;
        for offset in [(6 << 20) + 100, meeting - 2500, (11 << 20) + 7] {
            let data = vec![0x5A; 5000];
            if volume.write_at(offset, &data).is_ok() {
                expected[offset as usize..][..5000].copy_from_slice(&data);
            }
        }
        // Protectors may change, the method may not, nor the direction.
        let other = volume
            .add_passphrase(&mut world.ctx(), &Passphrase::new("another way"), None)
            .unwrap();
        assert!(matches!(
            volume.begin_decryption(&mut world.ctx()),
            Err(Error::InvalidState(_))
        ));
        assert!(matches!(
            volume.begin_encryption(&mut world.ctx(), ConversionMode::Full),
            Err(Error::InvalidState(_))
        ));
        volume.pause(&mut world.ctx()).unwrap();
        assert!(volume.convert_step(&mut world.ctx()).is_err());
        every_other_reader_refuses(&image, Secret::Recovery(&text), "paused", thorough);

        let locked = Volume::open(FileDevice::open_write(&image).unwrap()).unwrap();
        let info = locked.info();
        assert_eq!((info.status, info.percent), (ConversionStatus::ReencryptionPaused, 100));
        let way = info.reencryption.unwrap();
        assert_eq!((way.from, way.to, way.done_bytes), (from, to, meeting));
        assert_eq!(verify(&locked.metadata_bytes(), &recovery).unwrap().method, to);
        volume = locked.unlock(&Credential::RecoveryPassword(&recovery)).unwrap();
        assert!(view_of(&volume) == expected, "opened anew");
        volume
            .rotate_master_key(&mut world.ctx(), &MasterKeyRotation::default())
            .unwrap();
        volume.resume_conversion(&mut world.ctx()).unwrap();
        let device = volume.into_device();
        volume = Volume::open(device)
            .unwrap()
            .unlock(&Credential::Passphrase(&Passphrase::new("another way")))
            .unwrap();
        to_the_end(&mut world, &volume);
        assert_eq!(
            (volume.conversion_status(), volume.method()),
            (ConversionStatus::FullyEncrypted, to)
        );
        assert!(view_of(&volume) == expected, "at the end");
        volume.remove_protector(&mut world.ctx(), other).unwrap();
        every_other_reader_agrees(&image, Secret::Recovery(&text), &volume, thorough);

        // Every sector but those that the plan names has changed, and only those.
        let after = all_of(volume.device());
        for start in (0..after.len() as u64).step_by(4096) {
            let (a, b) = (&before[start as usize..][..4096], &after[start as usize..][..4096]);
            let planned = plan
                .ranges
                .iter()
                .any(|range| range.start <= start && start + 4096 <= range.end);
            let kept = plan.untouched.iter().any(|range| range.contains(&start));
            assert!(planned != kept, "{start} is either to be rewritten or not");
            assert!(!planned || a != b, "{start} still has the old key");
        }
    }
}

#[test]
fn a_new_master_key_comes_with_a_new_volume_key_in_one_call() {
    let mut world = World::new(70);
    let Encrypted {
        volume,
        expected,
        recovery,
        ..
    } = encrypted(&mut world, EncryptionMethod::AesXts128, 512);
    let old = volume.master_key().clone();
    let options = ReencryptOptions {
        new_master_key: Some(MasterKeyRotation::default()),
        ..ReencryptOptions::default()
    };
    let volume = volume
        .begin_reencryption(&mut world.ctx(), EncryptionMethod::AesXts128, &options)
        .unwrap();
    to_the_end(&mut world, &volume);
    let locked = || Volume::open(MemoryDevice::new(all_of(volume.device()))).unwrap();
    assert!(
        locked().unlock(&Credential::Vmk(&old)).is_err(),
        "the old master key opens nothing"
    );
    let again = locked().unlock(&Credential::RecoveryPassword(&recovery)).unwrap();
    assert!(view_of(&again) == expected);
}

#[test]
fn used_space_only_re_encrypts_what_is_used_and_leaves_the_rest_alone() {
    let mut world = World::new(71);
    let Encrypted { volume, expected, .. } = encrypted(&mut world, EncryptionMethod::AesXts128, 512);
    let before = all_of(volume.device());
    let options = ReencryptOptions {
        mode: ConversionMode::UsedSpaceOnly,
        ..ReencryptOptions::default()
    };
    let used = fve::ntfs::used_extents(&volume).unwrap();
    let volume = volume
        .begin_reencryption(&mut world.ctx(), EncryptionMethod::AesXts256, &options)
        .unwrap();
    to_the_end(&mut world, &volume);
    let (after, view) = (all_of(volume.device()), view_of(&volume));
    for range in &used {
        let range = range.start as usize..range.end as usize;
        assert!(
            view[range.clone()] == expected[range.clone()],
            "{range:?} is read as before"
        );
    }
    // The noise at 2.5 MiB lies in free space, far from everything.
    assert!(
        before[5 << 19..11 << 18] == after[5 << 19..11 << 18],
        "free space is as it was"
    );
}

#[test]
fn the_diffuser_is_not_written() {
    let mut world = World::new(72);
    for method in [EncryptionMethod::AesCbc128Elephant, EncryptionMethod::AesCbc256Elephant] {
        let options = InitOptions {
            method,
            placement: free_regions(512),
            ..InitOptions::default()
        };
        let plain = world.ntfs("plain.img", 12, 512);
        let refused = initialise(load(&plain), &options, &mut world.ctx()).unwrap_err();
        assert!(refused.to_string().contains("read only"), "{refused}");
        let Encrypted { volume, .. } = encrypted(&mut world, EncryptionMethod::AesCbc128, 512);
        let refused = volume.begin_reencryption(&mut world.ctx(), method, &ReencryptOptions::default());
        assert!(matches!(refused, Err(Error::Unsupported(_))));
    }
}

/// A volume that Windows made: name, its password, to which method.
const WINDOWS: [(&str, &str, EncryptionMethod); 3] = [
    (
        "bitlk-aes-cbc-elephant-128",
        "529573-278784-259347-197835-171457-264044-610280-313269",
        EncryptionMethod::AesXts128,
    ),
    (
        "bitlk-aes-cbc-256",
        "616319-601744-502117-534017-367994-176748-607299-663201",
        EncryptionMethod::AesXts256,
    ),
    (
        "bitlk-aes-xts-128",
        "235818-357951-253979-013365-241120-245575-342914-591910",
        EncryptionMethod::AesXts128,
    ),
];

/// A place in these images where there is nothing.
const LOG: LogPlace = LogPlace::At {
    offset: 80 << 20,
    len: 2 << 20,
};

fn windows(world: &World, name: &str) -> PathBuf {
    let directory = std::env::var_os("CLAVIGER_WINDOWS_IMAGES")
        .expect("CLAVIGER_WINDOWS_IMAGES is not set: run ./test, which fetches the Windows-made images and sets it");
    let copy = world.path("windows.img");
    std::fs::copy(PathBuf::from(directory).join(format!("{name}.img")), &copy).unwrap();
    copy
}

#[test]
fn volumes_that_windows_made_are_adopted_and_re_encrypted_in_place() {
    for (name, password, to) in WINDOWS {
        let mut world = World::new(73);
        let image = windows(&world, name);
        let recovery = RecoveryPassword::parse(password).unwrap();
        let unlock = || {
            let locked = Volume::open(FileDevice::open_write(&image).unwrap()).unwrap();
            locked.unlock(&Credential::RecoveryPassword(&recovery)).unwrap()
        };
        let volume = unlock();
        let mut expected = all_of(&volume);
        assert!(
            matches!(volume.decryption_plan(), Err(Error::Unsupported(_))),
            "no log yet"
        );
        // The NTFS inside of these images is not whole.
        let refused = volume.adopt(&mut world.ctx(), LogPlace::InFileSystem).unwrap_err();
        assert!(
            matches!(refused, Error::Ntfs(_) | Error::UnknownFileSystem(_)),
            "{refused}"
        );
        assert!(all_of(&volume) == expected && volume.device().size() == expected.len() as u64);

        let plan = volume.adoption_plan(crate::common::NOW, LOG).unwrap().unwrap();
        assert_eq!(plan.log, 80 << 20..82 << 20);
        volume.adopt(&mut world.ctx(), LOG).unwrap();
        // The log's page is an ordinary page, its ring reads as zeros; what lay there was nobody's.
        expected[80 << 20..(80 << 20) + 4096].copy_from_slice(&all_of(&volume)[80 << 20..(80 << 20) + 4096]);
        expected[(80 << 20) + 4096..82 << 20].fill(0);
        assert!(all_of(&volume) == expected, "{name}: adopted");
        let volume = volume
            .begin_reencryption(&mut world.ctx(), to, &ReencryptOptions::default())
            .unwrap();
        for _ in 0..20 {
            volume.convert_step(&mut world.ctx()).unwrap();
        }
        drop(volume);
        let volume = unlock();
        assert!(all_of(&volume) == expected, "{name}: on the way");
        to_the_end(&mut world, &volume);
        drop(volume);
        let volume = unlock();
        assert!(
            all_of(&volume) == expected && volume.method() == to,
            "{name}: at the end"
        );
        let sum = sum_of(&volume);
        let secret = Secret::Recovery(password);
        assert!(oracle::cryptsetup_opens(&image, secret), "{name}: cryptsetup");
        assert_eq!(oracle::libbde(&image, secret).expect("libbde opens").0, sum, "{name}");
        assert_eq!(
            oracle::dislocker(&image, secret).expect("dislocker opens").0,
            sum,
            "{name}"
        );
    }
}

#[test]
fn a_volume_that_windows_made_is_decrypted_in_place() {
    let mut world = World::new(74);
    let (name, password, _) = WINDOWS[0];
    let image = windows(&world, name);
    let recovery = RecoveryPassword::parse(password).unwrap();
    let volume = Volume::open(FileDevice::open_write(&image).unwrap()).unwrap();
    let volume = volume.unlock(&Credential::RecoveryPassword(&recovery)).unwrap();
    volume.adopt(&mut world.ctx(), LOG).unwrap();
    let expected = all_of(&volume);
    volume.begin_decryption(&mut world.ctx()).unwrap();
    for _ in 0..10 {
        volume.convert_step(&mut world.ctx()).unwrap();
    }
    assert!(all_of(&volume) == expected, "on the way");
    volume.pause(&mut world.ctx()).unwrap();
    // It would have to be written with the diffuser.
    assert!(matches!(
        volume.begin_encryption(&mut world.ctx(), ConversionMode::Full),
        Err(Error::Unsupported(_))
    ));
    volume.resume_conversion(&mut world.ctx()).unwrap();
    to_the_end(&mut world, &volume);
    assert!(all_of(&volume) == expected, "at the end");
    let info = Volume::open(FileDevice::open_read(&image).unwrap()).unwrap().info();
    assert_eq!(info.status, ConversionStatus::FullyDecrypted);
    let raw = std::fs::read(&image).unwrap();
    let (header, metadata) = (
        info.header_offset as usize,
        info.copies.each_ref().map(|copy| copy.offset as usize),
    );
    for start in (8192..raw.len()).step_by(4096) {
        let ours =
            (header..header + 8192).contains(&start) || metadata.iter().any(|&at| (at..at + 65536).contains(&start));
        assert!(
            ours || raw[start..start + 4096] == expected[start..start + 4096],
            "plain at {start}"
        );
    }
}

#[test]
fn a_finished_volume_without_a_log_gets_one_as_a_file_and_is_decrypted_and_taken_off() {
    let mut world = World::new(75);
    let image = world.ntfs("volume.img", 48, 512);
    let device = load(&image);
    // As Windows leaves it: regions in files, and no log of ours.
    let request = fve::inner::RegionRequest {
        metadata_len: 65536,
        header_len: 8192,
        ice_len: 65536,
        log_len: 0,
    };
    let plan = fve::ntfs::plan(&device, &request, crate::common::NOW).unwrap();
    plan.apply(&device).unwrap();
    let options = fve::CreateOptions {
        method: EncryptionMethod::AesCbc256,
        placement: fve::Placement::At {
            regions: plan.regions(),
            sector_size: 512,
            log_len: 0,
        },
        ..fve::CreateOptions::default()
    };
    let target = MemoryDevice::new(vec![0; device.size() as usize]);
    let volume = fve::create(target, &device, &options, &mut world.ctx()).unwrap();
    assert!(matches!(
        volume.begin_decryption(&mut world.ctx()),
        Err(Error::Unsupported(_))
    ));
    let plan = volume
        .adoption_plan(crate::common::NOW, LogPlace::InFileSystem)
        .unwrap()
        .unwrap();
    assert!(!plan.file_system.is_empty());
    volume.adopt(&mut world.ctx(), LogPlace::InFileSystem).unwrap();
    assert!(
        volume
            .adoption_plan(crate::common::NOW, LogPlace::InFileSystem)
            .unwrap()
            .is_none()
    );
    let volume = volume
        .begin_reencryption(
            &mut world.ctx(),
            EncryptionMethod::AesXts128,
            &ReencryptOptions::default(),
        )
        .unwrap();
    to_the_end(&mut world, &volume);
    fve::ntfs::check_clean(&volume).unwrap();

    // The log went out of the metadata with the end; its file is used again.
    let volume = Volume::open(volume.into_device())
        .unwrap()
        .unlock(&Credential::ClearKey)
        .unwrap();
    assert!(matches!(
        volume.begin_decryption(&mut world.ctx()),
        Err(Error::Unsupported(_))
    ));
    let again = volume
        .adoption_plan(crate::common::NOW, LogPlace::InFileSystem)
        .unwrap()
        .unwrap();
    assert_eq!((again.log, again.file_system.len()), (plan.log, 0));
    volume.adopt(&mut world.ctx(), LogPlace::InFileSystem).unwrap();
    volume.begin_decryption(&mut world.ctx()).unwrap();
    to_the_end(&mut world, &volume);
    let plain = volume.deinitialise().unwrap();
    assert!(!fve::is_fve(&plain).unwrap());
    fve::ntfs::check_clean(&plain).unwrap();
    let fresh = fve::inner::RegionRequest {
        log_len: 1 << 20,
        ..request
    };
    assert!(
        fve::ntfs::plan(&plain, &fresh, crate::common::NOW).is_ok(),
        "none of our files is left"
    );
}
