//! The whole way over an NTFS with files in it, whose regions belong to files of that NTFS.

use std::path::{Path, PathBuf};
use std::process::Command;

use fve::io::{FileDevice, ReadAt};
use fve::{
    ConversionMode, ConversionStatus, CreateOptions, Credential, EncryptionMethod, InitOptions, NewProtector,
    RecoveryPassword, UnlockedVolume, Volume, create, initialise,
};
use rand::RngCore;

use crate::common::oracle::{self, Secret};
use crate::common::{World, all_of, load, run, sum_of};

/// An NTFS with a few files, and their content.
fn filled(world: &mut World, sector_size: u32) -> (PathBuf, Vec<(String, Vec<u8>)>) {
    let image = world.ntfs("volume.img", 48, sector_size);
    let mut files = Vec::new();
    for (index, len) in [100, 5_000, 70_000, 3_000_000, 9_000_000].into_iter().enumerate() {
        let mut content = vec![0; len];
        world.rng.fill_bytes(&mut content);
        let (name, source) = (format!("file{index}"), world.path("source"));
        std::fs::write(&source, &content).unwrap();
        run(Command::new("ntfscp")
            .arg("-f")
            .arg("-q")
            .arg(&image)
            .arg(&source)
            .arg(&name));
        files.push((name, content));
    }
    (image, files)
}

fn check_files(plain: &Path, files: &[(String, Vec<u8>)]) {
    for (name, content) in files {
        let output = Command::new("ntfscat")
            .arg("-f")
            .arg(plain)
            .arg(name)
            .output()
            .expect("ntfscat runs");
        assert!(
            output.stdout == *content,
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn check_view(world: &World, volume: &dyn ReadAt, files: &[(String, Vec<u8>)]) {
    let plain = world.path("view.img");
    std::fs::write(&plain, all_of(volume)).unwrap();
    check_files(&plain, files);
}

fn encrypt(world: &mut World, volume: &UnlockedVolume<FileDevice>, mode: ConversionMode) {
    volume.begin_encryption(&mut world.ctx(), mode).unwrap();
    while !volume.convert_step(&mut world.ctx()).unwrap().finished {}
    assert_eq!(volume.conversion_status(), ConversionStatus::FullyEncrypted);
}

fn there_and_back(mode: ConversionMode, sector_size: u32) {
    let mut world = World::new(40);
    let (image, files) = filled(&mut world, sector_size);
    let before = std::fs::read(&image).unwrap();
    let volume = initialise(
        FileDevice::open_write(&image).unwrap(),
        &InitOptions::default(),
        &mut world.ctx(),
    )
    .unwrap();
    check_view(&world, &volume, &files);
    let password = RecoveryPassword::generate(&mut world.rng);
    volume
        .add_recovery_password(&mut world.ctx(), Some(&password), None)
        .unwrap();
    volume.resume(&mut world.ctx()).unwrap();
    encrypt(&mut world, &volume, mode);
    check_view(&world, &volume, &files);

    let text = password.expose();
    let secret = Secret::Recovery(&text);
    let sum = sum_of(&volume);
    assert!(oracle::cryptsetup_opens(&image, secret));
    assert_eq!(oracle::libbde(&image, secret).expect("libbde opens").0, sum);
    let (by_dislocker, plain) = oracle::dislocker(&image, secret).expect("dislocker opens");
    assert_eq!(by_dislocker, sum);
    std::fs::write(world.path("dislocker.img"), plain).unwrap();
    check_files(&world.path("dislocker.img"), &files);
    let on_disk = std::fs::read(&image).unwrap();
    for (name, content) in &files[2..] {
        assert!(
            !on_disk.windows(64).step_by(512).any(|window| window == &content[..64]),
            "{name} lies there in plain text"
        );
    }

    volume.begin_decryption(&mut world.ctx()).unwrap();
    while !volume.convert_step(&mut world.ctx()).unwrap().finished {}
    check_view(&world, &volume, &files);
    drop(volume.deinitialise().unwrap());
    check_files(&image, &files);
    let after = std::fs::read(&image).unwrap();
    assert!(after[..8192] == before[..8192]);
    assert!(!fve::is_fve(&load(&image)).unwrap());
    // And once more: nothing of ours is in the way.
    initialise(load(&image), &InitOptions::default(), &mut world.ctx()).unwrap();
}

#[test]
fn files_survive_full_encryption_and_decryption() {
    there_and_back(ConversionMode::Full, 512);
}

#[test]
fn files_survive_used_space_encryption_and_decryption() {
    there_and_back(ConversionMode::UsedSpaceOnly, 512);
}

#[test]
fn files_survive_used_space_encryption_on_4096_byte_sectors() {
    there_and_back(ConversionMode::UsedSpaceOnly, 4096);
}

#[test]
fn a_volume_created_with_used_space_only_leaves_free_space_untouched() {
    let mut world = World::new(41);
    let (plain, files) = filled(&mut world, 512);
    let image = world.path("created.img");
    std::fs::File::create(&image).unwrap().set_len(48 << 20).unwrap();
    let password = RecoveryPassword::generate(&mut world.rng);
    let options = CreateOptions {
        method: EncryptionMethod::AesXts256,
        protectors: &[NewProtector::RecoveryPassword(&password)],
        used_space_only: true,
        ..CreateOptions::default()
    };
    let volume = create(
        FileDevice::open_write(&image).unwrap(),
        &load(&plain),
        &options,
        &mut world.ctx(),
    )
    .unwrap();
    check_view(&world, &volume, &files);
    let on_disk = std::fs::read(&image).unwrap();
    let untouched = on_disk
        .chunks(4096)
        .filter(|cluster| cluster.iter().all(|&byte| byte == 0))
        .count();
    assert!(untouched > 4096, "{untouched} clusters untouched");
    let text = password.expose();
    let (_, by_libbde) = oracle::libbde(&image, Secret::Recovery(&text)).expect("libbde opens");
    std::fs::write(world.path("libbde.img"), by_libbde).unwrap();
    check_files(&world.path("libbde.img"), &files);
    let reopened = Volume::open(FileDevice::open_read(&image).unwrap())
        .unwrap()
        .unlock(&Credential::RecoveryPassword(&password))
        .unwrap();
    assert_eq!(sum_of(&reopened), sum_of(&volume));
}
