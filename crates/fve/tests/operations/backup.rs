//! Metadata backups: what they are, and what is refused when they are put back.

use std::process::Command;

use fve::io::{MemoryDevice, ReadAt, WriteAt};
use fve::{
    BackupError, BootSectorPlan, ConversionMode, CreateOptions, Credential, EncryptionMethod, Error, InitOptions,
    MasterKeyRotation, MetadataBackup, NewProtector, RecoveryPassword, RestoreRefusal, UnlockedVolume, Volume, create,
    initialise, restore_metadata, restore_metadata_plan,
};
use sha2::{Digest, Sha256};

use crate::sequences::{NOW, Small, context};
use crate::windows::images;

/// A plain NTFS of 16 MiB in memory.
fn ntfs(sector_size: u32) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plain.img");
    std::fs::File::create(&path).unwrap().set_len(16 << 20).unwrap();
    let made = Command::new("mkntfs")
        .args([
            "-F",
            "-Q",
            "-q",
            "-s",
            &sector_size.to_string(),
            "-c",
            "4096",
            "-p",
            "0",
            "-H",
            "0",
            "-S",
            "0",
        ])
        .arg(&path)
        .output()
        .expect("mkntfs is installed");
    assert!(made.status.success());
    std::fs::read(path).unwrap()
}

struct Made {
    volume: UnlockedVolume<MemoryDevice>,
    recovery: RecoveryPassword,
    small: Small,
}

fn made(seed: u64, sector_size: u32) -> Made {
    let mut small = Small::new(seed);
    let plain = MemoryDevice::new(ntfs(sector_size));
    let recovery = RecoveryPassword::generate(&mut small.rng);
    let options = CreateOptions {
        protectors: &[NewProtector::RecoveryPassword(&recovery)],
        ..CreateOptions::default()
    };
    let device = MemoryDevice::new(vec![0; plain.size() as usize]);
    let volume = create(device, &plain, &options, &mut context(&mut small.rng)).unwrap();
    Made {
        volume,
        recovery,
        small,
    }
}

fn sum(device: &dyn ReadAt) -> [u8; 32] {
    let mut bytes = vec![0; device.size() as usize];
    device.read_at(0, &mut bytes).unwrap();
    Sha256::digest(bytes).into()
}

/// Overwrites the first sector and all metadata copies.
fn lose_everything(device: &MemoryDevice, copies: [u64; 3], sector_size: usize) {
    device.write_at(0, &vec![0; sector_size]).unwrap();
    for offset in copies {
        device.write_at(offset, &vec![0xEE; 65536]).unwrap();
    }
}

#[test]
fn a_backup_reads_back_and_every_damage_to_it_is_noticed() {
    let small = Small::new(20).unlock();
    let backup = small.backup_metadata(NOW).unwrap();
    let bytes = backup.to_bytes();
    assert_eq!(MetadataBackup::parse(&bytes).unwrap(), backup);
    assert_eq!((backup.taken(), backup.device_size()), (Some(NOW), Some(1 << 20)));
    assert_eq!(backup.area(), small.metadata_bytes());
    assert_eq!(backup.protectors(), small.protectors().unwrap());
    for at in (0..bytes.len()).step_by(97).chain(bytes.len() - 32..bytes.len()) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(MetadataBackup::parse(&damaged).is_err(), "byte {at}");
    }
    for len in [0, 7, 8, 40, 48, 600, bytes.len() - 1] {
        assert!(MetadataBackup::parse(&bytes[..len]).is_err(), "{len}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert!(matches!(
        MetadataBackup::parse(&longer),
        Err(BackupError::Length { .. })
    ));
    let mut newer = bytes.clone();
    newer[8] = 2;
    assert_eq!(MetadataBackup::parse(&newer), Err(BackupError::Version(2)));
    let mut reserved = bytes[..bytes.len() - 32].to_vec();
    reserved[12] = 1;
    reserved.extend_from_slice(&Sha256::digest(&reserved));
    assert_eq!(
        MetadataBackup::parse(&reserved).unwrap_err().to_string(),
        "what the backup holds is not sound: the reserved field of the backup is out of range: 1"
    );

    let bare = MetadataBackup::parse(&small.metadata_bytes()).unwrap();
    assert_eq!(
        (bare.taken(), bare.boot_sector(), bare.sector_size()),
        (None, None, Some(512))
    );
    assert_eq!(bare.to_bytes(), small.metadata_bytes());
}

#[test]
fn a_volume_that_lost_its_first_sector_and_all_metadata_comes_back_from_either_form_of_backup() {
    for (seed, sector_size) in [(21, 512), (22, 4096)] {
        let Made {
            volume,
            recovery,
            mut small,
        } = made(seed, sector_size);
        let before = sum(&volume);
        let copies = volume.copies().map(|copy| copy.offset);
        let container = volume.backup_metadata(NOW).unwrap().to_bytes();
        let area = volume.metadata_bytes();
        let counter = Volume::open(volume.device()).unwrap().info().next_nonce;
        let device = volume.into_device();
        let credential = Credential::RecoveryPassword(&recovery);
        for (backup, boot) in [(container, BootSectorPlan::FromBackup), (area, BootSectorPlan::Rebuild)] {
            lose_everything(&device, copies, sector_size as usize);
            assert!(Volume::open(&device).is_err());
            let backup = MetadataBackup::parse(&backup).unwrap();
            let plan = restore_metadata_plan(&device, &backup, &credential).unwrap();
            assert_eq!(
                (plan.file_system, plan.boot_sector, plan.disk_is_newer),
                ("NTFS", boot, false)
            );
            assert_eq!(plan.evidence.len(), 3);
            let lines = plan.describe();
            for offset in copies {
                let wanted = format!("write the metadata copy at {offset}..{}", offset + 65536);
                assert!(lines.iter().any(|line| line.starts_with(&wanted)), "{lines:#?}");
            }
            assert!(Volume::open(&device).is_err(), "a plan writes nothing");
            let restored = restore_metadata(&device, &backup, &credential, &mut context(&mut small.rng)).unwrap();
            assert_eq!(sum(&restored), before);
            let again = Volume::open(&device).unwrap();
            assert!(again.info().copies.iter().all(|copy| copy.current));
            assert!(again.info().next_nonce > counter);
            assert_eq!(sum(&again.unlock(&credential).unwrap()), before);
        }
    }
}

#[test]
fn the_wrong_backup_is_refused_with_the_reason_and_nothing_is_written() {
    let Made {
        volume,
        recovery,
        mut small,
    } = made(23, 512);
    let other = made(24, 512);
    let credential = Credential::RecoveryPassword(&recovery);
    let backup = volume.backup_metadata(NOW).unwrap();
    let foreign = other.volume.backup_metadata(NOW).unwrap();
    let by_other = Credential::RecoveryPassword(&other.recovery);
    let (own_guid, other_guid) = (volume.volume_guid(), other.volume.volume_guid());
    let copies = volume.copies().map(|copy| copy.offset);
    let device = volume.into_device();
    let image = device.to_vec();
    let refusal = |device: &dyn WriteAt, backup: &MetadataBackup, credential: &Credential<'_>, rng: &mut _| {
        match restore_metadata(device, backup, credential, &mut context(rng)) {
            Err(Error::RestoreRefused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        refusal(&device, &foreign, &by_other, &mut small.rng),
        RestoreRefusal::OtherVolume {
            disk: own_guid,
            backup: other_guid
        }
    );
    assert!(matches!(
        restore_metadata(&device, &backup, &by_other, &mut context(&mut small.rng)),
        Err(Error::WrongCredential)
    ));
    assert!(image == device.to_vec());

    let longer = MemoryDevice::new([image.as_slice(), &[0; 512]].concat());
    assert_eq!(
        refusal(&longer, &backup, &credential, &mut small.rng),
        RestoreRefusal::Size {
            device: image.len() as u64 + 512,
            backup: image.len() as u64
        }
    );
    // Metadata lost, and the backup is of a volume in the same places: its key decrypts nothing.
    lose_everything(&device, copies, 512);
    let lost = device.to_vec();
    let nothing = RestoreRefusal::NothingDecrypted("a file system");
    assert_eq!(refusal(&device, &foreign, &by_other, &mut small.rng), nothing);
    let bare = MetadataBackup::parse(foreign.area()).unwrap();
    assert_eq!(refusal(&device, &bare, &by_other, &mut small.rng), nothing);
    assert!(lost == device.to_vec());
    let plain = MemoryDevice::new(ntfs(512));
    assert_eq!(
        refusal(&plain, &backup, &credential, &mut small.rng),
        RestoreRefusal::PlainFileSystem
    );
}

#[test]
fn a_backup_from_before_a_conversion_step_is_refused_while_the_disk_still_says_so() {
    let mut small = Small::new(25);
    let volume = initialise(
        MemoryDevice::new(ntfs(512)),
        &InitOptions::default(),
        &mut context(&mut small.rng),
    )
    .unwrap();
    let backup = volume.backup_metadata(NOW).unwrap();
    volume
        .begin_encryption(&mut context(&mut small.rng), ConversionMode::Full)
        .unwrap();
    volume.convert_step(&mut context(&mut small.rng)).unwrap();
    let refused = restore_metadata_plan(volume.device(), &backup, &Credential::ClearKey);
    assert!(
        matches!(
            refused,
            Err(Error::RestoreRefused(RestoreRefusal::Changed {
                what: "the state",
                backup: 1,
                ..
            }))
        ),
        "{refused:?}"
    );
}

#[test]
fn a_backup_with_another_encryption_key_is_refused() {
    let mut small = Small::new(26);
    let mut volume = initialise(
        MemoryDevice::new(ntfs(512)),
        &InitOptions::default(),
        &mut context(&mut small.rng),
    )
    .unwrap();
    let backup = volume.backup_metadata(NOW).unwrap();
    for method in [EncryptionMethod::AesXts256, EncryptionMethod::AesXts128] {
        volume = volume.change_method(&mut context(&mut small.rng), method).unwrap();
    }
    assert!(matches!(
        restore_metadata_plan(volume.device(), &backup, &Credential::ClearKey),
        Err(Error::RestoreRefused(RestoreRefusal::OtherKey))
    ));
}

#[test]
fn an_older_backup_of_the_same_key_is_restored_and_the_plan_says_what_that_means() {
    let Made {
        mut volume,
        recovery,
        mut small,
    } = made(27, 512);
    let credential = Credential::RecoveryPassword(&recovery);
    let backup = volume.backup_metadata(NOW).unwrap();
    let added = volume
        .add_recovery_password(&mut context(&mut small.rng), None, None)
        .unwrap();
    volume
        .rotate_master_key(&mut context(&mut small.rng), &MasterKeyRotation::default())
        .unwrap();
    let counter = Volume::open(volume.device()).unwrap().info().next_nonce;
    let plan = restore_metadata_plan(volume.device(), &backup, &credential).unwrap();
    assert!(plan.disk_is_newer);
    assert!(plan.describe().iter().any(|line| line.contains("newer")));
    let restored = restore_metadata(volume.device(), &backup, &credential, &mut context(&mut small.rng)).unwrap();
    assert!(restored.protectors().unwrap().iter().all(|info| info.id != added));
    let info = Volume::open(volume.device()).unwrap().info();
    assert!(info.next_nonce > counter, "the counter never goes back");
}

#[test]
fn windows_made_volumes_come_back_from_a_backup() {
    let mut small = Small::new(28);
    for image in images().iter().filter(|image| !image.clear) {
        let device = image.device();
        let credential = image.credentials()[0];
        let volume = Volume::open(&device).unwrap();
        let backup = volume.backup_metadata(NOW).unwrap();
        let sector_size = backup.sector_size().unwrap();
        assert_eq!(
            MetadataBackup::parse(backup.area()).unwrap().sector_size(),
            Some(sector_size),
            "{}",
            image.name
        );
        let mut before = vec![0; 1 << 20];
        let volume = volume.unlock(&credential).unwrap();
        volume.read_at(0, &mut before).unwrap();
        // Passwords are slow.
        let vmk = volume.master_key().clone();
        let credential = Credential::Vmk(&vmk);
        device.write_at(0, &vec![0; sector_size as usize]).unwrap();
        for offset in restore_metadata_plan(&device, &backup, &credential)
            .unwrap()
            .copies
            .iter()
            .map(|copy| copy.0)
        {
            device.write_at(offset, &[0; 65536]).unwrap();
        }
        let restored = restore_metadata(&device, &backup, &credential, &mut context(&mut small.rng)).unwrap();
        let mut after = vec![0; 1 << 20];
        restored.read_at(0, &mut after).unwrap();
        assert!(before == after, "{}", image.name);
    }
}
