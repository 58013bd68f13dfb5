//! The whole way over FAT16, FAT32 and exFAT, whose regions belong to files of theirs. libbde is no judge of
//! them: it takes the size of the volume from an inner NTFS and opens nothing else in the form of a fixed disk.

use std::path::PathBuf;

use fve::io::FileDevice;
use fve::{
    ConversionMode, ConversionStatus, CreateOptions, Error, InitOptions, NewProtector, RecoveryPassword, create,
    initialise,
};

use crate::common::oracle::{self, Secret};
use crate::common::{World, all_of, load, sum_of};
use crate::fat_support::{Form, Volume, sample};

fn there_and_back(form: Form, mode: ConversionMode) {
    let mut world = World::new(50);
    // mtools believes in FAT32 from 65525 clusters on.
    let fat32 = matches!(form, Form::Fat(32, ..));
    let inner = Volume::make(if fat32 { 34 } else { 11 }, form);
    inner.copy_in(sample(20).path());
    let files = inner.hashes();
    let image = inner.path();
    let volume = initialise(
        FileDevice::open_write(&image).unwrap(),
        &InitOptions::default(),
        &mut world.ctx(),
    )
    .unwrap();
    let seen = |bytes: &[u8], who: &str| {
        let plain = Volume::from_bytes(bytes, form);
        plain.check_clean();
        assert_eq!(plain.hashes(), files, "{who}, {form:?}");
    };
    seen(&all_of(&volume), "ours, still plain");
    let password = RecoveryPassword::generate(&mut world.rng);
    volume
        .add_recovery_password(&mut world.ctx(), Some(&password), None)
        .unwrap();
    volume.resume(&mut world.ctx()).unwrap();
    volume.begin_encryption(&mut world.ctx(), mode).unwrap();
    while !volume.convert_step(&mut world.ctx()).unwrap().finished {}
    assert_eq!(volume.conversion_status(), ConversionStatus::FullyEncrypted);
    seen(&all_of(&volume), "ours");

    let text = password.expose();
    let secret = Secret::Recovery(&text);
    let sum = sum_of(&volume);
    assert!(oracle::cryptsetup_opens(&image, secret));
    let (by_dislocker, plain) = oracle::dislocker(&image, secret).expect("dislocker opens");
    assert_eq!(by_dislocker, sum, "{form:?}");
    seen(&plain, "dislocker");
    // It is slow.
    if !fat32 {
        let plain = oracle::dissect(&image, secret).expect("dissect opens");
        seen(&plain, "dissect");
    }

    volume.begin_decryption(&mut world.ctx()).unwrap();
    while !volume.convert_step(&mut world.ctx()).unwrap().finished {}
    drop(volume.deinitialise().unwrap());
    inner.check_clean();
    assert_eq!(inner.hashes(), files);
    assert!(!fve::is_fve(&load(&image)).unwrap());
    initialise(load(&image), &InitOptions::default(), &mut world.ctx()).unwrap();
}

#[test]
fn files_on_fat32_survive_full_encryption_and_decryption() {
    there_and_back(Form::Fat(32, 512, 1, 2), ConversionMode::Full);
}

#[test]
fn files_on_fat16_survive_used_space_encryption_and_decryption() {
    there_and_back(Form::Fat(16, 512, 4, 2), ConversionMode::UsedSpaceOnly);
}

#[test]
fn files_on_exfat_survive_used_space_encryption_and_decryption() {
    there_and_back(Form::ExFat(4096), ConversionMode::UsedSpaceOnly);
}

#[test]
fn files_on_exfat_with_large_clusters_survive_full_encryption() {
    there_and_back(Form::ExFat(32768), ConversionMode::Full);
}

#[test]
fn an_encrypted_exfat_is_created_from_an_image_with_its_used_space_only() {
    let mut world = World::new(51);
    let form = Form::ExFat(4096);
    let inner = Volume::make(20, form);
    inner.copy_in(sample(20).path());
    let image: PathBuf = world.path("created.img");
    std::fs::File::create(&image).unwrap().set_len(20 << 20).unwrap();
    let password = RecoveryPassword::generate(&mut world.rng);
    let options = CreateOptions {
        protectors: &[NewProtector::RecoveryPassword(&password)],
        used_space_only: true,
        ..CreateOptions::default()
    };
    let device = FileDevice::open_write(&image).unwrap();
    create(device, &load(&inner.path()), &options, &mut world.ctx()).unwrap();
    let text = password.expose();
    let (_, plain) = oracle::dislocker(&image, Secret::Recovery(&text)).expect("dislocker opens");
    let plain = Volume::from_bytes(&plain, form);
    plain.check_clean();
    assert_eq!(plain.hashes(), inner.hashes());
    let untouched = std::fs::read(&image).unwrap();
    let empty = untouched.chunks(4096).filter(|page| page.iter().all(|&byte| byte == 0));
    assert!(empty.count() > 2500);
}

#[test]
fn other_file_systems_are_refused_by_their_name_and_not_touched() {
    let mut world = World::new(52);
    for (name, at, magic) in [
        ("ReFS", 3, &b"ReFS\0\0\0\0"[..]),
        ("APFS", 32, b"NXSB"),
        ("XFS", 0, b"XFSB"),
        ("nothing known", 0, b"something"),
        ("an empty sector", 0, b""),
    ] {
        let mut bytes = vec![0; 4 << 20];
        bytes[at..at + magic.len()].copy_from_slice(magic);
        let device = fve::io::MemoryDevice::new(bytes.clone());
        match initialise(&device, &InitOptions::default(), &mut world.ctx()) {
            Err(Error::UnknownFileSystem(found)) => assert_eq!(found, name),
            Err(other) => panic!("{name}: {other}"),
            Ok(_) => panic!("{name} was taken"),
        }
        assert!(device.to_vec() == bytes);
    }
    let path = world.path("ext4.img");
    std::fs::File::create(&path).unwrap().set_len(4 << 20).unwrap();
    crate::common::run(std::process::Command::new("mkfs.ext4").arg("-q").arg(&path));
    match initialise(load(&path), &InitOptions::default(), &mut world.ctx()) {
        Err(Error::UnknownFileSystem(found)) => assert_eq!(found, "ext4"),
        _ => panic!("ext4 was taken"),
    }
}
