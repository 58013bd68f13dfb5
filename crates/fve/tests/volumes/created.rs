//! Volumes that we create, judged by four independent readers.

use crate::common::oracle::{self, Secret};
use crate::common::{World, expected_view, free_regions, sum_of, view_of};
use fve::io::FileDevice;
use fve::{
    CreateOptions, Credential, EncryptionMethod, ExternalKey, NewProtector, Passphrase, ProtectorKind,
    RecoveryPassword, UnlockedVolume, Volume, create,
};

const PASSPHRASE: &str = "correct horse";

struct Made {
    volume: UnlockedVolume<FileDevice>,
    image: std::path::PathBuf,
    recovery: String,
    bek: std::path::PathBuf,
}

fn make(world: &mut World, method: EncryptionMethod, sector_size: u32) -> Made {
    let plain = world.ntfs("plain.img", 12, sector_size);
    world.sprinkle(&plain);
    let image = world.path("volume.img");
    std::fs::File::create(&image).unwrap().set_len(12 << 20).unwrap();
    let recovery = RecoveryPassword::generate(&mut world.rng);
    let external = ExternalKey::generate(&mut world.rng);
    let options = CreateOptions {
        method,
        description: Some("MACHINE DATA 24.11.2026"),
        protectors: &[
            NewProtector::RecoveryPassword(&recovery),
            NewProtector::Passphrase(&Passphrase::new(PASSPHRASE)),
            NewProtector::ExternalKey(&external),
        ],
        placement: free_regions(sector_size),
        used_space_only: false,
    };
    let inner = crate::common::load(&plain);
    let volume = create(
        FileDevice::open_write(&image).unwrap(),
        &inner,
        &options,
        &mut world.ctx(),
    )
    .unwrap();
    assert!(
        view_of(&volume) == expected_view(&inner.to_vec()),
        "our own view is the image with the regions as zeros"
    );
    let id = volume
        .protectors()
        .unwrap()
        .iter()
        .find(|info| info.kind == ProtectorKind::ExternalKey)
        .unwrap()
        .id;
    let file = volume.bek(id).unwrap();
    let bek = world.path(&file.file_name());
    std::fs::write(&bek, file.to_bytes()).unwrap();
    Made {
        volume,
        image,
        recovery: recovery.expose().to_string(),
        bek,
    }
}

fn every_reader_agrees(method: EncryptionMethod, sector_size: u32) {
    let mut world = World::new(u64::from(sector_size) + u64::from(method.number()));
    let made = make(&mut world, method, sector_size);
    let sum = sum_of(&made.volume);
    for secret in [
        Secret::Recovery(&made.recovery),
        Secret::Passphrase(PASSPHRASE),
        Secret::Bek(&made.bek),
    ] {
        assert!(oracle::cryptsetup_opens(&made.image, secret), "cryptsetup {secret:?}");
        assert_eq!(
            oracle::dislocker(&made.image, secret).expect("dislocker opens").0,
            sum,
            "dislocker {secret:?}"
        );
        assert_eq!(
            oracle::libbde(&made.image, secret).expect("libbde opens").0,
            sum,
            "libbde {secret:?}"
        );
    }
    let plain = oracle::dissect(&made.image, Secret::Recovery(&made.recovery)).expect("dissect opens");
    assert!(plain == crate::common::all_of(&made.volume), "dissect");
    let wrong = "000011-000022-000033-000044-000055-000066-000077-000088";
    assert!(!oracle::cryptsetup_opens(&made.image, Secret::Recovery(wrong)));
    assert!(oracle::libbde(&made.image, Secret::Recovery(wrong)).is_none());
}

#[test]
fn every_reader_agrees_on_xts_128_with_512_byte_sectors() {
    every_reader_agrees(EncryptionMethod::AesXts128, 512);
}

#[test]
fn after_rotation_only_the_new_password_opens() {
    let mut world = World::new(1);
    let made = make(&mut world, EncryptionMethod::AesXts128, 512);
    let sum = sum_of(&made.volume);
    let old = made
        .volume
        .protectors()
        .unwrap()
        .into_iter()
        .find(|info| info.kind == ProtectorKind::RecoveryPassword)
        .unwrap()
        .id;
    let (new, password) = made.volume.rotate_recovery_password(&mut world.ctx(), old).unwrap();
    assert_ne!(new, old);
    let text = password.expose();
    assert_eq!(made.volume.recovery_password(new).unwrap(), password);
    for (secret, opens) in [
        (Secret::Recovery(&made.recovery), false),
        (Secret::Recovery(&text), true),
        (Secret::Passphrase(PASSPHRASE), true),
    ] {
        assert_eq!(oracle::cryptsetup_opens(&made.image, secret), opens, "{secret:?}");
        assert_eq!(
            oracle::libbde(&made.image, secret).map(|(sum, _)| sum),
            opens.then(|| sum.clone()),
            "{secret:?}"
        );
        assert_eq!(
            oracle::dislocker(&made.image, secret).map(|(sum, _)| sum),
            opens.then(|| sum.clone()),
            "{secret:?}"
        );
        assert_eq!(oracle::dissect(&made.image, secret).is_some(), opens, "{secret:?}");
    }
    let reopened = Volume::open(FileDevice::open_read(&made.image).unwrap()).unwrap();
    assert!(reopened.info().copies.iter().all(|copy| copy.current));
    let proven = fve::verify(&reopened.metadata_bytes(), &password).unwrap();
    assert_eq!((proven.protector, proven.volume), (new, made.volume.volume_guid()));
    let old_password = RecoveryPassword::parse(&made.recovery).unwrap();
    assert_eq!(
        fve::verify(&reopened.metadata_bytes(), &old_password),
        Err(fve::EvidenceError::NoSuchProtectorOpens)
    );
}

#[test]
fn suspension_opens_the_volume_without_secret_and_resuming_ends_it() {
    let mut world = World::new(2);
    let made = make(&mut world, EncryptionMethod::AesXts256, 512);
    let open = || Volume::open(FileDevice::open_read(&made.image).unwrap()).unwrap();
    assert!(open().unlock(&Credential::ClearKey).is_err());
    for count in [None, Some(3)] {
        made.volume.suspend(&mut world.ctx(), count).unwrap();
        assert_eq!(open().protectors().iter().find_map(|info| info.suspend_count), count);
        let sum = sum_of(&open().unlock(&Credential::ClearKey).unwrap());
        assert_eq!(oracle::libbde(&made.image, Secret::Clear).expect("libbde opens").0, sum);
        assert_eq!(
            oracle::dislocker(&made.image, Secret::Clear)
                .expect("dislocker opens")
                .0,
            sum
        );
        assert!(oracle::dissect(&made.image, Secret::Clear).is_some());
    }
    made.volume.set_suspend_count(&mut world.ctx(), Some(2)).unwrap();
    assert_eq!(made.volume.suspend_count().unwrap(), Some(2));
    made.volume.resume(&mut world.ctx()).unwrap();
    assert!(open().unlock(&Credential::ClearKey).is_err());
    assert!(oracle::libbde(&made.image, Secret::Clear).is_none());
    // cryptsetup 2.6 refuses suspended volumes whatever the secret, so it is asked only now.
    assert!(oracle::cryptsetup_opens(&made.image, Secret::Recovery(&made.recovery)));
}

#[test]
fn a_tpm_protector_keeps_its_object_and_leaves_the_volume_readable_to_all() {
    let mut world = World::new(3);
    let made = make(&mut world, EncryptionMethod::AesXts128, 512);
    let ids: Vec<_> = [ProtectorKind::Tpm, ProtectorKind::TpmPin]
        .map(|kind| {
            made.volume
                .add_tpm(&mut world.ctx(), kind, 0x0815, b"sealed", &[5; 32])
                .unwrap()
        })
        .to_vec();
    made.volume
        .replace_tpm(&mut world.ctx(), ids[1], 0x0895, b"sealed again", &[6; 32])
        .unwrap();
    let open = || Volume::open(FileDevice::open_read(&made.image).unwrap()).unwrap();
    let blobs: Vec<_> = open().protectors().iter().filter_map(|info| info.tpm.clone()).collect();
    assert_eq!(
        blobs
            .iter()
            .map(|tpm| (tpm.pcr_bitmap, tpm.blob.as_slice()))
            .collect::<Vec<_>>(),
        [(0x0815, &b"sealed"[..]), (0x0895, b"sealed again")]
    );
    for (id, key, opens) in [
        (ids[0], [5; 32], true),
        (ids[1], [5; 32], false),
        (ids[1], [6; 32], true),
    ] {
        assert_eq!(
            open()
                .unlock(&Credential::Tpm {
                    protector: id,
                    key: &key
                })
                .is_ok(),
            opens
        );
    }
    let secret = Secret::Recovery(&made.recovery);
    assert!(oracle::cryptsetup_opens(&made.image, secret));
    assert!(oracle::dislocker(&made.image, secret).is_some());
    assert!(oracle::libbde(&made.image, secret).is_some());
    assert!(oracle::dissect(&made.image, secret).is_some());
}

#[test]
fn the_last_protector_stays() {
    let mut world = World::new(4);
    let made = make(&mut world, EncryptionMethod::AesXts128, 512);
    let infos = made.volume.protectors().unwrap();
    let (last, others) = infos.split_last().unwrap();
    for info in others {
        made.volume.remove_protector(&mut world.ctx(), info.id).unwrap();
    }
    assert!(matches!(
        made.volume.remove_protector(&mut world.ctx(), last.id),
        Err(fve::Error::LastProtector)
    ));
    assert!(matches!(
        made.volume.remove_protector(&mut world.ctx(), others[0].id),
        Err(fve::Error::NoSuchProtector(_))
    ));
    assert_eq!(made.volume.protectors().unwrap(), std::slice::from_ref(last));
}
