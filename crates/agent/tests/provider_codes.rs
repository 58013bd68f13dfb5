//! Every operation answers with the documented code where it must refuse, and changes nothing.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use agent::platform::linux::LinuxProvider;
use agent::provider::{Code, Provider};
use common::code;
use common::device::{Device, FIXED, OS, REMOVABLE, encrypt};
use domain::ids::ProtectorId;
use domain::volume::{
    ConversionStatus, EncryptionExtent, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType,
};

const FULL: EncryptionExtent = EncryptionExtent::Full;
const XTS128: EncryptionMethod = EncryptionMethod::XtsAes128;

fn nobody() -> ProtectorId {
    "11111111-2222-3333-4444-555555555555".parse().unwrap()
}

/// An encrypted and locked removable volume, its password and the password's id.
fn locked(device: &Device, provider: &mut LinuxProvider) -> (ProtectorId, String) {
    let mut volume = device.volume(provider, REMOVABLE);
    let id = volume.protect_key_with_numerical_password(None, None).unwrap();
    let password = volume.key_protector_numerical_password(id).unwrap();
    encrypt(&mut *volume);
    volume.lock().unwrap();
    assert_eq!(volume.lock_status().unwrap(), LockStatus::Locked);
    (id, password.to_string())
}

#[test]
fn a_volume_that_was_never_prepared_says_not_activated() {
    let device = Device::without_tpm();
    let before = device.hash(FIXED);
    let mut provider = device.provider();
    let volume = &mut *device.volume(&mut provider, FIXED);
    assert_eq!(code(volume.key_protectors(None)), Code::NotActivated);
    assert_eq!(code(volume.key_protector_type(nobody())), Code::NotActivated);
    assert_eq!(code(volume.key_protector_friendly_name(nobody())), Code::NotActivated);
    assert_eq!(
        code(volume.key_protector_numerical_password(nobody())),
        Code::NotActivated
    );
    assert_eq!(code(volume.key_protector_external_key(nobody())), Code::NotActivated);
    assert_eq!(code(volume.metadata()), Code::NotActivated);
    assert_eq!(code(volume.delete_key_protector(nobody())), Code::NotActivated);
    assert_eq!(code(volume.change_pin(nobody(), "123456")), Code::NotActivated);
    assert_eq!(
        code(volume.change_passphrase(nobody(), "long enough")),
        Code::NotActivated
    );
    assert_eq!(code(volume.enable_key_protectors()), Code::NotActivated);
    assert_eq!(code(volume.enable_auto_unlock(nobody())), Code::NotActivated);
    assert_eq!(code(volume.disable_auto_unlock()), Code::NotActivated);
    assert_eq!(code(volume.is_auto_unlock_enabled()), Code::NotActivated);
    assert_eq!(code(volume.unlock_with_passphrase("long enough")), Code::NotActivated);
    assert_eq!(code(volume.unlock_with_external_key(&[7; 32])), Code::NotActivated);
    assert_eq!(code(volume.encrypt(XTS128, FULL)), Code::CannotEncryptNoKey);
    assert_eq!(code(volume.lock()), Code::NotEncrypted);
    volume.decrypt().unwrap();
    volume.pause_conversion().unwrap();
    volume.resume_conversion().unwrap();
    assert!(volume.convert_some().unwrap());
    assert_eq!(device.hash(FIXED), before, "nothing was written");
}

#[test]
fn a_locked_volume_says_locked_and_tells_ids_only() {
    let device = Device::new();
    let mut provider = device.provider();
    let (id, _) = locked(&device, &mut provider);
    let before = device.hash(REMOVABLE);
    let volume = &mut *device.volume(&mut provider, REMOVABLE);
    assert_eq!(volume.key_protectors(None).unwrap(), [id]);
    assert_eq!(volume.key_protector_type(id).unwrap(), ProtectorType::RecoveryPassword);
    assert_eq!(volume.protection_status().unwrap(), ProtectionStatus::Unknown);
    assert_eq!(volume.encryption_method().unwrap(), EncryptionMethod::Unknown);
    assert_eq!(volume.metadata().unwrap().len(), 65536);
    assert_eq!(volume.is_auto_unlock_enabled().unwrap(), None);
    for refused in [
        code(volume.conversion_status()),
        code(volume.key_protector_numerical_password(id)),
        code(volume.key_protector_external_key(id)),
        code(volume.protect_key_with_numerical_password(None, None)),
        code(volume.protect_key_with_external_key(None, None)),
        code(volume.protect_key_with_passphrase(None, "long enough")),
        code(volume.change_passphrase(id, "long enough")),
        code(volume.change_pin(id, "123456")),
        code(volume.delete_key_protector(id)),
        code(volume.disable_key_protectors(0)),
        code(volume.enable_key_protectors()),
        code(volume.enable_auto_unlock(id)),
        code(volume.encrypt(XTS128, FULL)),
        code(volume.decrypt()),
        code(volume.pause_conversion()),
        code(volume.resume_conversion()),
        code(volume.convert_some()),
    ] {
        assert_eq!(refused, Code::LockedVolume);
    }
    assert_eq!(device.hash(REMOVABLE), before, "nothing was written");
}

#[test]
fn recovery_passwords_are_checked_added_read_back_and_deleted() {
    let device = Device::without_tpm();
    let mut provider = device.provider();
    let volume = &mut *device.volume(&mut provider, FIXED);
    for wrong in ["", "123", "111111-111111-111111-111111-111111-111111-111111-111112"] {
        let outcome = volume.protect_key_with_numerical_password(None, Some(wrong));
        assert_eq!(code(outcome), Code::InvalidPasswordFormat);
    }
    assert_eq!(
        volume.persistent_volume_id().unwrap(),
        None,
        "bad input initialises nothing"
    );
    let given = "000011-000022-000033-000044-000055-000066-000077-720885";
    let first = volume
        .protect_key_with_numerical_password(Some("for the file"), Some(given))
        .unwrap();
    assert_eq!(*volume.key_protector_numerical_password(first).unwrap(), given);
    assert_eq!(
        volume.key_protector_friendly_name(first).unwrap().as_deref(),
        Some("for the file")
    );
    let second = volume.protect_key_with_numerical_password(None, None).unwrap();
    let key = volume.protect_key_with_external_key(None, None).unwrap();
    assert_eq!(
        volume.key_protectors(Some(ProtectorType::RecoveryPassword)).unwrap(),
        [first, second]
    );
    assert_eq!(volume.key_protectors(Some(ProtectorType::Tpm)).unwrap(), []);
    assert_eq!(
        code(volume.key_protector_numerical_password(key)),
        Code::InvalidArgument
    );
    assert_eq!(
        code(volume.key_protector_numerical_password(nobody())),
        Code::InvalidArgument
    );
    assert_eq!(code(volume.key_protector_external_key(first)), Code::InvalidArgument);
    assert_eq!(code(volume.key_protector_type(nobody())), Code::InvalidArgument);
    assert_eq!(code(volume.delete_key_protector(nobody())), Code::InvalidArgument);
    encrypt(volume);
    assert!(device.cryptsetup_opens(FIXED, given));
    volume.delete_key_protector(first).unwrap();
    assert!(!device.cryptsetup_opens(FIXED, given));
    volume.delete_key_protector(key).unwrap();
    assert_eq!(code(volume.delete_key_protector(second)), Code::KeyRequired);
    assert_eq!(volume.key_protectors(None).unwrap(), [second]);
    volume.disable_key_protectors(0).unwrap();
    volume.delete_key_protector(second).unwrap();
    assert_eq!(code(volume.enable_key_protectors()), Code::SecureKeyRequired);
}

#[test]
fn the_last_protector_of_a_decrypted_volume_takes_bitlocker_with_it() {
    let device = Device::without_tpm();
    let mut provider = device.provider();
    let volume = &mut *device.volume(&mut provider, FIXED);
    let id = volume.protect_key_with_numerical_password(None, None).unwrap();
    volume.delete_key_protector(id).unwrap();
    assert_eq!(volume.persistent_volume_id().unwrap(), None);
    assert_eq!(volume.label(), "Data");
    volume.protect_key_with_numerical_password(None, None).unwrap();
    volume.decrypt().unwrap();
    assert_eq!(volume.persistent_volume_id().unwrap(), None);
}

#[test]
fn external_keys_have_32_bytes_and_open_the_volume() {
    let device = Device::without_tpm();
    let mut provider = device.provider();
    let volume = &mut *device.volume(&mut provider, FIXED);
    assert_eq!(
        code(volume.protect_key_with_external_key(None, Some(&[1; 31]))),
        Code::InvalidArgument
    );
    let id = volume
        .protect_key_with_external_key(Some("stick"), Some(&[9; 32]))
        .unwrap();
    assert_eq!(*volume.key_protector_external_key(id).unwrap(), [9; 32]);
    encrypt(volume);
    assert_eq!(
        code(volume.unlock_with_numerical_password("000011-000022-000033-000044-000055-000066-000077-720885")),
        Code::ProtectorNotFound
    );
    volume.lock().unwrap();
    assert_eq!(code(volume.unlock_with_external_key(&[1; 31])), Code::InvalidArgument);
    assert_eq!(
        code(volume.unlock_with_external_key(&[8; 32])),
        Code::FailedAuthentication
    );
    assert_eq!(volume.lock_status().unwrap(), LockStatus::Locked);
    volume.unlock_with_external_key(&[9; 32]).unwrap();
    assert_eq!(volume.lock_status().unwrap(), LockStatus::Unlocked);
}

#[test]
fn passphrases_are_for_data_volumes_and_one_at_a_time() {
    let device = Device::without_tpm();
    let mut provider = device.provider();
    assert_eq!(
        code(
            device
                .volume(&mut provider, OS)
                .protect_key_with_passphrase(None, "long enough")
        ),
        Code::OsVolumePassphraseNotAllowed
    );
    let volume = &mut *device.volume(&mut provider, FIXED);
    for wrong in ["1234567".to_owned(), "x".repeat(257)] {
        let outcome = volume.protect_key_with_passphrase(None, &wrong);
        assert_eq!(code(outcome), Code::PolicyInvalidPassphraseLength);
    }
    let first = volume
        .protect_key_with_passphrase(Some("mine"), "correct horse")
        .unwrap();
    assert_eq!(
        code(volume.protect_key_with_passphrase(None, "another one")),
        Code::ProtectorExists
    );
    let password = volume.protect_key_with_numerical_password(None, None).unwrap();
    encrypt(volume);
    assert_eq!(
        code(volume.change_passphrase(nobody(), "battery staple")),
        Code::ProtectorNotFound
    );
    assert_eq!(
        code(volume.change_passphrase(password, "battery staple")),
        Code::InvalidProtectorType
    );
    assert_eq!(
        code(volume.change_passphrase(first, "short")),
        Code::PolicyInvalidPassphraseLength
    );
    assert!(device.cryptsetup_opens(FIXED, "correct horse"));
    let second = volume.change_passphrase(first, "battery staple").unwrap();
    assert_ne!(second, first);
    assert_eq!(
        volume.key_protector_friendly_name(second).unwrap().as_deref(),
        Some("mine")
    );
    assert!(!device.cryptsetup_opens(FIXED, "correct horse"));
    assert!(device.cryptsetup_opens(FIXED, "battery staple"));
    volume.lock().unwrap();
    assert_eq!(
        code(volume.unlock_with_passphrase("correct horse")),
        Code::FailedAuthentication
    );
    volume.unlock_with_passphrase("battery staple").unwrap();
}

#[test]
fn unlocking_wants_the_right_password() {
    let device = Device::without_tpm();
    let mut provider = device.provider();
    let (_, password) = locked(&device, &mut provider);
    let volume = &mut *device.volume(&mut provider, REMOVABLE);
    assert_eq!(
        code(volume.unlock_with_numerical_password("nonsense")),
        Code::InvalidPasswordFormat
    );
    let wrong = "000011-000022-000033-000044-000055-000066-000077-720885";
    assert_eq!(
        code(volume.unlock_with_numerical_password(wrong)),
        Code::FailedAuthentication
    );
    assert_eq!(
        code(volume.unlock_with_passphrase("long enough")),
        Code::ProtectorNotFound
    );
    assert_eq!(code(volume.unlock_with_external_key(&[7; 32])), Code::ProtectorNotFound);
    volume
        .unlock_with_numerical_password(&password.replace('-', " "))
        .unwrap();
    assert_eq!(volume.lock_status().unwrap(), LockStatus::Unlocked);
    let outcome = volume.unlock_with_numerical_password(wrong);
    assert_eq!(
        code(outcome),
        Code::FailedAuthentication,
        "even when it is open already"
    );
}

#[test]
fn locking_is_refused_where_it_would_not_lock_or_never_open_again() {
    let device = Device::new();
    let mut provider = device.provider();
    {
        let volume = &mut *device.volume(&mut provider, FIXED);
        volume.protect_key_with_numerical_password(None, None).unwrap();
        assert_eq!(code(volume.lock()), Code::NotEncrypted);
        encrypt(volume);
        volume.disable_key_protectors(0).unwrap();
        assert_eq!(code(volume.lock()), Code::ProtectionDisabled);
        volume.enable_key_protectors().unwrap();
        volume.lock().unwrap();
        volume.lock().unwrap();
    }
    device.encrypt_os(&mut provider);
    let volume = &mut *device.volume(&mut provider, OS);
    assert_eq!(code(volume.lock()), Code::AccessDenied, "the running system is on it");
}

#[test]
fn encrypting_checks_protectors_and_method() {
    let device = Device::without_tpm();
    let mut provider = device.provider();
    let volume = &mut *device.volume(&mut provider, FIXED);
    assert_eq!(
        code(volume.encrypt(EncryptionMethod::Aes128, FULL)),
        Code::InvalidArgument
    );
    volume.protect_key_with_numerical_password(None, None).unwrap();
    assert_eq!(
        code(volume.encrypt(EncryptionMethod::Aes256Diffuser, FULL)),
        Code::InvalidArgument
    );
    let only = volume.key_protectors(None).unwrap()[0];
    let used = EncryptionExtent::UsedSpaceOnly;
    volume.encrypt(EncryptionMethod::XtsAes256, used).unwrap();
    assert_eq!(volume.encryption_method().unwrap(), EncryptionMethod::XtsAes256);
    assert_eq!(volume.conversion_status().unwrap().extent, used);
    assert_eq!(code(volume.delete_key_protector(only)), Code::KeyRequired);
    assert_eq!(code(volume.encrypt(XTS128, used)), Code::CannotSetFvekEncrypted);
    volume.pause_conversion().unwrap();
    assert_eq!(
        volume.conversion_status().unwrap().status,
        ConversionStatus::EncryptionPaused
    );
    assert!(volume.convert_some().unwrap(), "nothing is done while it is paused");
    assert_eq!(
        volume.conversion_status().unwrap().status,
        ConversionStatus::EncryptionPaused
    );
    volume.pause_conversion().unwrap();
    volume.resume_conversion().unwrap();
    while !volume.convert_some().unwrap() {}
    volume.encrypt(EncryptionMethod::None, FULL).unwrap();
    volume.encrypt(EncryptionMethod::XtsAes256, FULL).unwrap();
    assert_eq!(code(volume.encrypt(XTS128, FULL)), Code::CannotSetFvekEncrypted);
    assert_eq!(
        volume.conversion_status().unwrap().status,
        ConversionStatus::FullyEncrypted
    );
    assert_eq!(volume.conversion_status().unwrap().encrypted_basis_points, 10_000);
}

#[test]
fn a_suspended_volume_can_be_encrypted_without_protectors_and_stays_open() {
    let device = Device::without_tpm();
    let mut provider = device.provider();
    {
        let volume = &mut *device.volume(&mut provider, FIXED);
        volume.disable_key_protectors(0).unwrap();
        encrypt(volume);
        assert_eq!(volume.protection_status().unwrap(), ProtectionStatus::Off);
    }
    let mut provider = device.provider();
    let volume = &mut *device.volume(&mut provider, FIXED);
    assert_eq!(volume.lock_status().unwrap(), LockStatus::Unlocked);
    let id = volume.protect_key_with_numerical_password(None, None).unwrap();
    let password = volume.key_protector_numerical_password(id).unwrap();
    assert!(
        device.dislocker_opens(FIXED, &password),
        "others open it while it is suspended"
    );
    assert_eq!(
        volume.protection_status().unwrap(),
        ProtectionStatus::Off,
        "a protector added while suspended stays disabled"
    );
    volume.enable_key_protectors().unwrap();
    assert_eq!(volume.protection_status().unwrap(), ProtectionStatus::On);
}

#[test]
fn automatic_unlocking_is_for_data_volumes_beside_a_protected_os_volume() {
    let device = Device::new();
    let mut provider = device.provider();
    let (password, key) = {
        let volume = &mut *device.volume(&mut provider, FIXED);
        (
            volume.protect_key_with_numerical_password(None, None).unwrap(),
            volume.protect_key_with_external_key(None, None).unwrap(),
        )
    };
    assert_eq!(
        code(device.volume(&mut provider, FIXED).enable_auto_unlock(key)),
        Code::OsNotProtected
    );
    device.encrypt_os(&mut provider);
    {
        let os = &mut *device.volume(&mut provider, OS);
        assert_eq!(code(os.enable_auto_unlock(key)), Code::NotDataVolume);
        assert_eq!(code(os.disable_auto_unlock()), Code::NotDataVolume);
        assert_eq!(code(os.is_auto_unlock_enabled()), Code::NotDataVolume);
        assert!(!os.is_auto_unlock_key_stored().unwrap());
    }
    {
        let volume = &mut *device.volume(&mut provider, FIXED);
        assert_eq!(code(volume.clear_all_auto_unlock_keys()), Code::NotOsVolume);
        assert_eq!(code(volume.is_auto_unlock_key_stored()), Code::NotOsVolume);
        assert_eq!(code(volume.disable_auto_unlock()), Code::VolumeNotBound);
        assert_eq!(code(volume.enable_auto_unlock(nobody())), Code::InvalidArgument);
        assert_eq!(code(volume.enable_auto_unlock(password)), Code::InvalidArgument);
        volume.enable_auto_unlock(key).unwrap();
        assert_eq!(code(volume.enable_auto_unlock(key)), Code::VolumeBoundAlready);
    }
    {
        let os = &mut *device.volume(&mut provider, OS);
        assert!(os.is_auto_unlock_key_stored().unwrap());
        assert_eq!(code(os.decrypt()), Code::AutounlockEnabled);
    }
    {
        let volume = &mut *device.volume(&mut provider, FIXED);
        volume.disable_auto_unlock().unwrap();
        assert_eq!(volume.is_auto_unlock_enabled().unwrap(), None);
        volume.delete_key_protector(key).unwrap();
        let key = volume.protect_key_with_external_key(None, None).unwrap();
        volume.enable_auto_unlock(key).unwrap();
    }
    let os = &mut *device.volume(&mut provider, OS);
    os.clear_all_auto_unlock_keys().unwrap();
    os.decrypt().unwrap();
    assert_eq!(
        os.conversion_status().unwrap().status,
        ConversionStatus::DecryptionInProgress
    );
}

#[test]
fn an_absent_removable_volume_is_not_listed_and_an_absent_fixed_one_is_an_error() {
    let device = Device::without_tpm();
    std::fs::remove_file(device.path(REMOVABLE)).unwrap();
    let mut provider = device.provider();
    assert_eq!(provider.volumes().unwrap().len(), 2);
    assert_eq!(
        provider.volume(&device.id(REMOVABLE)).err().unwrap().code,
        Code::FileNotFound
    );
    assert_eq!(provider.volume("/nonexistent").err().unwrap().code, Code::FileNotFound);
    std::fs::remove_file(device.path(FIXED)).unwrap();
    assert_eq!(
        code(device.volume(&mut provider, FIXED).lock_status()),
        Code::FileNotFound
    );
}

#[test]
fn a_volume_too_small_or_not_ntfs_is_refused_and_left_alone() {
    let device = Device::without_tpm();
    let path = device.path(FIXED);
    std::fs::write(&path, vec![0x5A; 1 << 20]).unwrap();
    let before = device.hash(FIXED);
    let mut provider = device.provider();
    let volume = &mut *device.volume(&mut provider, FIXED);
    assert_eq!(volume.file_system(), "");
    assert_eq!(
        code(volume.protect_key_with_numerical_password(None, None)),
        Code::NotSupported
    );
    assert_eq!(device.hash(FIXED), before);
}
