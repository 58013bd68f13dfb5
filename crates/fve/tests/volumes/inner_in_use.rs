//! An encrypted NTFS in use by other people's drivers: filled to the last cluster, emptied, refilled,
//! defragmented by rewriting. Nothing is lost, and nobody touches what is BitLocker's.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use fve::io::{FileDevice, ReadAt};
use fve::{
    ConversionMode, ConversionStatus, Credential, Error, InitOptions, RecoveryPassword, UnlockedVolume, Volume,
    initialise,
};
use rand::RngCore;

use crate::common::oracle::{self, Secret};
use crate::common::{World, all_of, load, run};
use crate::ntfs_support::{self, hashes, shred};

/// The encrypted image by dislocker, and the NTFS in it by ntfs-3g.
fn in_use<T>(image: &Path, password: &str, work: impl FnOnce(&Path) -> T) -> T {
    let dir = tempfile::tempdir().unwrap();
    let (outer, inner) = (dir.path().join("outer"), dir.path().join("inner"));
    fs::create_dir(&outer).unwrap();
    fs::create_dir(&inner).unwrap();
    run(Command::new("dislocker-fuse")
        .arg("-V")
        .arg(image)
        .arg(format!("-p{password}"))
        .arg("--")
        .arg(&outer));
    let plain = outer.join("dislocker-file");
    while !plain.exists() {
        std::thread::yield_now();
    }
    let result = ntfs_support::mounted(&plain, &inner, work);
    run(Command::new("umount").arg(&outer));
    result
}

fn encrypted(world: &mut World, image: &Path, mode: ConversionMode) -> (UnlockedVolume<FileDevice>, RecoveryPassword) {
    let device = FileDevice::open_write(image).unwrap();
    let volume = initialise(device, &InitOptions::default(), &mut world.ctx()).unwrap();
    let password = RecoveryPassword::generate(&mut world.rng);
    volume
        .add_recovery_password(&mut world.ctx(), Some(&password), None)
        .unwrap();
    volume.resume(&mut world.ctx()).unwrap();
    volume.begin_encryption(&mut world.ctx(), mode).unwrap();
    while !volume.convert_step(&mut world.ctx()).unwrap().finished {}
    assert_eq!(volume.conversion_status(), ConversionStatus::FullyEncrypted);
    (volume, password)
}

/// The parts of the device that are BitLocker's alone: the boot sector and the metadata copies.
fn outer_parts(image: &Path, metadata: [u64; 3]) -> Vec<Vec<u8>> {
    let bytes = fs::read(image).unwrap();
    let mut parts: Vec<Range<usize>> = metadata.iter().map(|&at| at as usize..at as usize + 65536).collect();
    parts.insert(0, 0..512);
    parts.into_iter().map(|part| bytes[part].to_vec()).collect()
}

/// Checks the plain view and gives the hashes of its files.
fn checked(image: &Path, password: &RecoveryPassword) -> Vec<(String, String)> {
    let volume = Volume::open(FileDevice::open_read(image).unwrap())
        .unwrap()
        .unlock(&Credential::RecoveryPassword(password))
        .unwrap();
    let plain = ntfs_support::Volume::from_bytes(&all_of(&volume), 4096);
    plain.check_clean();
    plain.check_exact();
    plain.mounted(hashes)
}

fn used_hard(mode: ConversionMode, fragmented: bool) {
    let mut world = World::new(60);
    let inner = ntfs_support::Volume::make(40, 512, 4096);
    let before = if fragmented {
        shred(&inner, &[32_768, 98_304, 65_636])
    } else {
        inner.mounted(|root| ntfs_support::populate(root, 60))
    };
    let image: PathBuf = inner.path();
    let moved = fve::inner::plan(
        &load(&image),
        &fve::inner::RegionRequest {
            metadata_len: 65536,
            header_len: 8192,
            ice_len: 65536,
            log_len: 1 << 20,
        },
        crate::common::NOW,
    );
    assert_eq!(moved.unwrap().moved_bytes() > 0, fragmented);
    let (volume, password) = encrypted(&mut world, &image, mode);
    drop(volume);
    let opened = Volume::open(FileDevice::open_read(&image).unwrap()).unwrap();
    let metadata: [u64; 3] = std::array::from_fn(|copy| opened.info().copies[copy].offset);
    assert_eq!(checked(&image, &password), before, "{mode:?}");
    let parts = outer_parts(&image, metadata);
    let text = password.expose();

    // Filled to the last cluster, with noise.
    let mut noise = vec![0; 1 << 20];
    world.rng.fill_bytes(&mut noise);
    let full = in_use(&image, &text, |root| {
        ntfs_support::fill(root);
        let mut number = 0;
        while fs::write(root.join(format!("more {number}")), &noise[..100]).is_ok() && number < 200 {
            number += 1;
        }
        hashes(root)
    });
    assert!(full.len() > before.len());
    assert_eq!(checked(&image, &password), full, "full");
    assert!(
        outer_parts(&image, metadata) == parts,
        "BitLocker's parts were written to"
    );

    // Emptied and filled again, with other content.
    let again = in_use(&image, &text, |root| {
        for entry in fs::read_dir(root).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with("fill ") || name.starts_with("more ") || name == "rest" {
                fs::remove_file(path).unwrap();
            }
        }
        let mut number = 0;
        while fs::write(root.join(format!("again {number}")), &noise[number..]).is_ok() && number < 200 {
            number += 1;
        }
        hashes(root)
    });
    assert_eq!(checked(&image, &password), again, "filled again");

    // Defragmented: room is made, and every file is written anew.
    let mut kept = in_use(&image, &text, |root| {
        for number in (0..200).step_by(2) {
            let _ = fs::remove_file(root.join(format!("again {number}")));
        }
        let kept = hashes(root);
        for (path, _) in &kept {
            let path = root.join(&path[1..]);
            let beside = path.with_file_name("rewritten");
            fs::copy(&path, &beside).unwrap();
            fs::remove_file(&path).unwrap();
            fs::rename(&beside, &path).unwrap();
        }
        kept
    });
    kept.sort();
    assert_eq!(checked(&image, &password), kept, "defragmented");
    assert!(
        outer_parts(&image, metadata) == parts,
        "BitLocker's parts were written to"
    );
    let secret = Secret::Recovery(&text);
    assert!(oracle::cryptsetup_opens(&image, secret));
    let survivors = |files: &[(String, String)]| {
        let old = |(path, _): &&(String, String)| path != "/rest" && before.iter().any(|(other, _)| other == path);
        files.iter().filter(old).cloned().collect::<Vec<_>>()
    };
    assert_eq!(survivors(&kept), survivors(&before), "the first files are as they were");
}

#[test]
fn a_fully_encrypted_volume_in_hard_use_loses_nothing() {
    used_hard(ConversionMode::Full, false);
}

#[test]
fn a_fragmented_volume_encrypted_by_used_space_in_hard_use_loses_nothing() {
    used_hard(ConversionMode::UsedSpaceOnly, true);
}

#[test]
fn a_full_volume_is_refused_with_figures_and_unchanged() {
    let mut world = World::new(61);
    let inner = ntfs_support::Volume::make(32, 512, 4096);
    inner.mounted(ntfs_support::fill);
    let before = fs::read(inner.path()).unwrap();
    match initialise(inner.device(), &InitOptions::default(), &mut world.ctx()) {
        Err(Error::Ntfs(error)) => assert!(error.to_string().contains(" bytes needed, "), "{error}"),
        Err(error) => panic!("{error}"),
        Ok(volume) => panic!("a full volume was taken: {}", volume.size()),
    }
    assert!(fs::read(inner.path()).unwrap() == before);
}
