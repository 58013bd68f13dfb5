//! The life of a device's volumes, told to the end, with real NTFS volumes and a real software TPM.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use agent::provider::{Code, EncryptableVolume, Provider};
use common::code;
use common::device::{Device, FIXED, OS, REMOVABLE, encrypt};
use domain::inventory::Tpm;
use domain::volume::{
    ConversionStatus, EncryptionExtent, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind,
};

fn status(volume: &mut dyn EncryptableVolume) -> ConversionStatus {
    volume.conversion_status().unwrap().status
}

#[test]
fn a_fresh_device_shows_three_plain_volumes_and_a_tpm() {
    let device = Device::new();
    let mut provider = device.provider();
    assert!(matches!(provider.tpm(), Tpm::Ready { manufacturer, .. } if manufacturer == "IBM"));
    let mut volumes = provider.volumes().unwrap();
    assert_eq!(volumes.len(), 3);
    assert_eq!(volumes[0].volume_type(), VolumeKind::Os, "the OS volume comes first");
    for (volume, (letter, label)) in volumes
        .iter_mut()
        .zip([("C:", "Windows"), ("E:", "Stick"), ("D:", "Data")])
    {
        assert_eq!(volume.drive_letter().as_deref(), Some(letter));
        assert_eq!(volume.label(), label);
        assert_eq!(volume.file_system(), "NTFS");
        assert_eq!(volume.size(), 48 << 20);
        assert_eq!(volume.persistent_volume_id().unwrap(), None);
        assert_eq!(volume.protection_status().unwrap(), ProtectionStatus::Off);
        assert_eq!(status(&mut **volume), ConversionStatus::FullyDecrypted);
        assert_eq!(volume.encryption_method().unwrap(), EncryptionMethod::None);
        assert_eq!(volume.lock_status().unwrap(), LockStatus::Unlocked);
        assert_eq!(code(volume.key_protectors(None)), Code::NotActivated);
        assert_eq!(code(volume.suspend_count()), Code::NotSupported);
    }
}

#[test]
fn the_os_volume_is_protected_encrypted_and_opens_by_the_tpm_after_each_restart() {
    let mut device = Device::new();
    let mut provider = device.provider();
    let password;
    {
        let mut volume = device.volume(&mut provider, OS);
        let id = volume.protect_key_with_numerical_password(None, None).unwrap();
        assert!(volume.persistent_volume_id().unwrap().is_some());
        assert_eq!(status(&mut *volume), ConversionStatus::FullyDecrypted);
        password = volume.key_protector_numerical_password(id).unwrap();
        let tpm = volume.protect_key_with_tpm(None).unwrap();
        assert_eq!(
            volume.key_protectors(None).unwrap(),
            [id, tpm],
            "the clear key is not listed"
        );
        assert_eq!(volume.key_protector_type(tpm).unwrap(), ProtectorType::Tpm);
        assert_eq!(volume.metadata().unwrap().len(), 65536);
        volume
            .encrypt(EncryptionMethod::XtsAes256, EncryptionExtent::Full)
            .unwrap();
        assert_eq!(status(&mut *volume), ConversionStatus::EncryptionInProgress);
        assert_eq!(volume.protection_status().unwrap(), ProtectionStatus::Off);
        assert!(!volume.convert_some().unwrap());
        let conversion = volume.conversion_status().unwrap();
        assert!(
            (1..9_999).contains(&conversion.encrypted_basis_points),
            "{conversion:?}"
        );
    }
    // Killed in the middle.
    device.reboot();
    let mut provider = device.provider();
    {
        let mut volume = device.volume(&mut provider, OS);
        assert_eq!(volume.encryption_method().unwrap(), EncryptionMethod::XtsAes256);
        while !volume.convert_some().unwrap() {}
        assert_eq!(status(&mut *volume), ConversionStatus::FullyEncrypted);
        assert_eq!(volume.protection_status().unwrap(), ProtectionStatus::On);
    }
    assert!(device.cryptsetup_opens(OS, &password));
    assert!(!device.cryptsetup_opens(OS, "000000-000000-000000-000000-000000-000000-000000-000000"));
    device.reboot();
    let mut provider = device.provider();
    let mut volume = device.volume(&mut provider, OS);
    assert_eq!(volume.lock_status().unwrap(), LockStatus::Unlocked);
    assert_eq!(volume.label(), "Windows");
}

#[test]
fn a_fixed_volume_opens_automatically_exactly_when_the_os_volume_does() {
    let mut device = Device::new();
    let mut provider = device.provider();
    device.encrypt_os(&mut provider);
    {
        let mut volume = device.volume(&mut provider, FIXED);
        volume.protect_key_with_numerical_password(None, None).unwrap();
        let key = volume.protect_key_with_external_key(Some("auto"), None).unwrap();
        volume.enable_auto_unlock(key).unwrap();
        assert_eq!(volume.is_auto_unlock_enabled().unwrap(), Some(key));
        assert_eq!(code(volume.delete_key_protector(key)), Code::VolumeBoundAlready);
        encrypt(&mut *volume);
        assert_eq!(volume.protection_status().unwrap(), ProtectionStatus::On);
        volume.lock().unwrap();
        assert_eq!(
            volume.lock_status().unwrap(),
            LockStatus::Locked,
            "what was locked by hand stays locked"
        );
    }
    device.reboot();
    let mut provider = device.provider();
    assert_eq!(
        device.volume(&mut provider, FIXED).lock_status().unwrap(),
        LockStatus::Unlocked
    );
    device.tpm.extend(4);
    let mut provider = device.provider();
    assert_eq!(
        device.volume(&mut provider, OS).lock_status().unwrap(),
        LockStatus::Locked
    );
    assert_eq!(
        device.volume(&mut provider, FIXED).lock_status().unwrap(),
        LockStatus::Locked
    );
}

#[test]
fn a_removable_volume_survives_a_kill_at_every_stage_before_it_is_encrypted_and_then_wants_its_password() {
    let device = Device::new();
    let mut provider = device.provider();
    let id = device
        .volume(&mut provider, REMOVABLE)
        .protect_key_with_numerical_password(None, None)
        .unwrap();
    let mut provider = device.provider();
    let password = {
        let mut volume = device.volume(&mut provider, REMOVABLE);
        let password = volume.key_protector_numerical_password(id).unwrap();
        volume
            .encrypt(EncryptionMethod::XtsAes128, EncryptionExtent::Full)
            .unwrap();
        password
    };
    let mut pieces = 0;
    loop {
        let mut provider = device.provider();
        pieces += 1;
        if device.volume(&mut provider, REMOVABLE).convert_some().unwrap() {
            // In this session it stays open.
            let mut volume = device.volume(&mut provider, REMOVABLE);
            assert_eq!(volume.protection_status().unwrap(), ProtectionStatus::On);
            assert_eq!(volume.lock_status().unwrap(), LockStatus::Unlocked);
            break;
        }
    }
    assert!(pieces > 3, "{pieces}");
    let mut provider = device.provider();
    let mut volume = device.volume(&mut provider, REMOVABLE);
    assert_eq!(volume.lock_status().unwrap(), LockStatus::Locked);
    assert_eq!(volume.protection_status().unwrap(), ProtectionStatus::Unknown);
    assert_eq!(
        volume.key_protectors(None).unwrap(),
        [id],
        "ids are readable while locked"
    );
    assert_eq!(code(volume.conversion_status()), Code::LockedVolume);
    assert_eq!(code(volume.key_protector_numerical_password(id)), Code::LockedVolume);
    assert_eq!(volume.label(), "");
    volume.unlock_with_numerical_password(&password).unwrap();
    assert_eq!(volume.label(), "Stick");
}

#[test]
fn decrypting_gives_back_a_plain_volume_with_its_content() {
    let device = Device::without_tpm();
    let before = device.noise(FIXED);
    let mut provider = device.provider();
    let volume = &mut *device.volume(&mut provider, FIXED);
    volume.protect_key_with_numerical_password(None, None).unwrap();
    volume
        .encrypt(EncryptionMethod::XtsAes128, EncryptionExtent::Full)
        .unwrap();
    while !volume.convert_some().unwrap() {}
    assert_ne!(device.noise(FIXED), before);
    volume.decrypt().unwrap();
    assert_eq!(status(volume), ConversionStatus::DecryptionInProgress);
    assert_eq!(volume.protection_status().unwrap(), ProtectionStatus::Off);
    // Killed in the middle: the rest is decrypted without anybody's help.
    assert!(!volume.convert_some().unwrap());
    let mut provider = device.provider();
    let volume = &mut *device.volume(&mut provider, FIXED);
    while !volume.convert_some().unwrap() {}
    assert_eq!(status(volume), ConversionStatus::FullyDecrypted);
    assert_eq!(volume.persistent_volume_id().unwrap(), None);
    assert_eq!(code(volume.key_protectors(None)), Code::NotActivated);
    assert_eq!(volume.label(), "Data");
    assert_eq!(device.noise(FIXED), before);
}

#[test]
fn a_removable_volume_that_was_pulled_out_is_locked() {
    let device = Device::without_tpm();
    let mut provider = device.provider();
    {
        let volume = &mut *device.volume(&mut provider, REMOVABLE);
        volume.protect_key_with_numerical_password(None, None).unwrap();
        encrypt(volume);
    }
    let (here, away) = (device.path(REMOVABLE), device.path("elsewhere.img"));
    std::fs::rename(&here, &away).unwrap();
    assert_eq!(provider.volumes().unwrap().len(), 2);
    std::fs::rename(&away, &here).unwrap();
    assert_eq!(
        device.volume(&mut provider, REMOVABLE).lock_status().unwrap(),
        LockStatus::Locked
    );
}

#[test]
fn two_programs_that_change_one_volume_wait_for_each_other() {
    let device = Device::without_tpm();
    device
        .volume(&mut device.provider(), FIXED)
        .protect_key_with_numerical_password(None, None)
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut provider = device.provider();
                for _ in 0..5 {
                    let mut volume = device.volume(&mut provider, FIXED);
                    volume.protect_key_with_external_key(None, None).unwrap();
                }
            });
        }
    });
    let mut provider = device.provider();
    let volume = &mut *device.volume(&mut provider, FIXED);
    assert_eq!(volume.key_protectors(None).unwrap().len(), 21);
}

#[test]
fn a_wiped_state_directory_costs_automatic_unlocking_and_nothing_else() {
    let device = Device::new();
    let mut provider = device.provider();
    device.encrypt_os(&mut provider);
    let (password, key) = {
        let volume = &mut *device.volume(&mut provider, FIXED);
        let id = volume.protect_key_with_numerical_password(None, None).unwrap();
        let key = volume.protect_key_with_external_key(None, None).unwrap();
        volume.enable_auto_unlock(key).unwrap();
        encrypt(volume);
        (volume.key_protector_numerical_password(id).unwrap(), key)
    };
    std::fs::remove_dir_all(device.path("state")).unwrap();
    let mut provider = device.provider();
    let volume = &mut *device.volume(&mut provider, FIXED);
    assert_eq!(volume.lock_status().unwrap(), LockStatus::Locked);
    volume.unlock_with_numerical_password(&password).unwrap();
    assert_eq!(volume.is_auto_unlock_enabled().unwrap(), None);
    volume.enable_auto_unlock(key).unwrap();
    assert_eq!(
        device.volume(&mut device.provider(), FIXED).lock_status().unwrap(),
        LockStatus::Unlocked
    );
}

#[test]
fn the_stored_key_of_automatic_unlocking_is_not_in_the_clear() {
    let device = Device::new();
    let mut provider = device.provider();
    device.encrypt_os(&mut provider);
    let volume = &mut *device.volume(&mut provider, FIXED);
    let key = volume.protect_key_with_external_key(None, Some(&[0xA7; 32])).unwrap();
    volume.enable_auto_unlock(key).unwrap();
    let stored = std::fs::read_to_string(device.path("state/auto-unlock.json")).unwrap();
    assert!(!stored.contains("167,167,167"), "{stored}");
    assert!(!stored.to_lowercase().contains("a7a7a7"), "{stored}");
}

#[test]
fn the_method_is_chosen_when_encryption_begins_and_the_password_from_before_still_opens() {
    let device = Device::without_tpm();
    let mut provider = device.provider();
    for (name, method) in [
        (FIXED, EncryptionMethod::XtsAes256),
        (REMOVABLE, EncryptionMethod::XtsAes128),
    ] {
        let volume = &mut *device.volume(&mut provider, name);
        let id = volume.protect_key_with_numerical_password(None, None).unwrap();
        let password = volume.key_protector_numerical_password(id).unwrap();
        let evidence = volume.metadata().unwrap();
        volume.encrypt(method, EncryptionExtent::Full).unwrap();
        while !volume.convert_some().unwrap() {}
        assert_eq!(volume.encryption_method().unwrap(), method);
        let parsed = fve::RecoveryPassword::parse(&password).unwrap();
        for metadata in [evidence, volume.metadata().unwrap()] {
            assert!(fve::verify(&metadata, &parsed).is_ok());
        }
        assert!(device.cryptsetup_opens(name, &password));
        assert!(!volume.label().is_empty(), "the content is still there");
    }
}
