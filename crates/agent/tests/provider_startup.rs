//! TPM and TPM+PIN protectors, suspension, and what a start of the machine does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use agent::provider::Code;
use common::code;
use common::device::{Device, FIXED, OS, encrypt};
use domain::ids::ProtectorId;
use domain::volume::{LockStatus, ProtectionStatus, ProtectorType};

const PIN: &str = "271828";

fn lock_status(device: &Device) -> LockStatus {
    let mut provider = device.provider();
    device.volume(&mut provider, OS).lock_status().unwrap()
}

/// Encrypts the OS volume with TPM+PIN and a recovery password.
fn with_pin(device: &Device) -> ProtectorId {
    let mut provider = device.provider();
    let volume = &mut *device.volume(&mut provider, OS);
    volume.protect_key_with_numerical_password(None, None).unwrap();
    let id = volume.protect_key_with_tpm_and_pin(None, PIN).unwrap();
    encrypt(volume);
    id
}

#[test]
fn tpm_protectors_need_the_os_volume_and_a_tpm_and_are_unique() {
    let mut device = Device::new();
    let mut provider = device.provider();
    {
        let data = &mut *device.volume(&mut provider, FIXED);
        assert_eq!(code(data.protect_key_with_tpm(None)), Code::ForeignVolume);
        assert_eq!(code(data.protect_key_with_tpm_and_pin(None, PIN)), Code::ForeignVolume);
    }
    {
        let os = &mut *device.volume(&mut provider, OS);
        for (pin, expected) in [
            ("12345", Code::PolicyInvalidPinLength),
            ("123456789012345678901", Code::PolicyInvalidPinLength),
            ("12345a", Code::InvalidPinChars),
        ] {
            assert_eq!(code(os.protect_key_with_tpm_and_pin(None, pin)), expected);
        }
        assert_eq!(os.persistent_volume_id().unwrap(), None);
        let tpm = os.protect_key_with_tpm(None).unwrap();
        assert_eq!(code(os.protect_key_with_tpm(None)), Code::ProtectorExists);
        let pin = os.protect_key_with_tpm_and_pin(None, PIN).unwrap();
        assert_eq!(code(os.protect_key_with_tpm_and_pin(None, PIN)), Code::ProtectorExists);
        assert_eq!(os.key_protector_type(pin).unwrap(), ProtectorType::TpmPin);
        assert_eq!(code(os.change_pin(tpm, "314159")), Code::InvalidProtectorType);
        assert_eq!(code(os.change_pin(pin, "3141")), Code::PolicyInvalidPinLength);
        assert_eq!(code(os.change_pin(pin, "three.")), Code::InvalidPinChars);
        let nobody = "11111111-2222-3333-4444-555555555555".parse().unwrap();
        assert_eq!(code(os.change_pin(nobody, "314159")), Code::ProtectorNotFound);
        os.delete_key_protector(tpm).unwrap();
        device.tpm.stop();
        assert_eq!(code(os.protect_key_with_tpm(None)), Code::TpmServiceNotRunning);
        assert_eq!(code(os.change_pin(pin, "314159")), Code::TpmServiceNotRunning);
    }
    let without = Device::without_tpm();
    let mut provider = without.provider();
    let os = &mut *without.volume(&mut provider, OS);
    assert_eq!(code(os.protect_key_with_tpm(None)), Code::TpmServiceNotRunning);
    assert_eq!(os.persistent_volume_id().unwrap(), None, "nothing was initialised");
}

#[test]
fn a_pin_is_asked_for_at_each_start_and_can_be_changed() {
    let mut device = Device::new();
    let id = with_pin(&device);
    assert_eq!(lock_status(&device), LockStatus::Locked);
    device.pin = Some("999999");
    assert_eq!(lock_status(&device), LockStatus::Locked);
    device.pin = Some(PIN);
    assert_eq!(lock_status(&device), LockStatus::Unlocked);
    {
        let mut provider = device.provider();
        let volume = &mut *device.volume(&mut provider, OS);
        volume.change_pin(id, "314159").unwrap();
        assert!(volume.key_protectors(None).unwrap().contains(&id), "the id stays");
    }
    assert_eq!(lock_status(&device), LockStatus::Locked);
    device.pin = Some("314159");
    device.reboot();
    assert_eq!(lock_status(&device), LockStatus::Unlocked);
}

#[test]
fn a_wrong_pin_is_tried_once_per_start_and_too_many_lock_out_even_the_right_one() {
    let mut device = Device::new();
    with_pin(&device);
    device.pin = Some("999999");
    {
        let mut provider = device.provider();
        for _ in 0..20 {
            let status = device.volume(&mut provider, OS).lock_status().unwrap();
            assert_eq!(status, LockStatus::Locked);
        }
    }
    device.pin = Some(PIN);
    assert_eq!(
        lock_status(&device),
        LockStatus::Unlocked,
        "one wrong try does not lock out"
    );
    device.pin = Some("999999");
    for _ in 0..40 {
        lock_status(&device);
    }
    device.pin = Some(PIN);
    assert_eq!(lock_status(&device), LockStatus::Locked);
}

#[test]
fn a_plain_tpm_protector_makes_the_pin_pointless() {
    let mut device = Device::new();
    with_pin(&device);
    assert_eq!(lock_status(&device), LockStatus::Locked);
    device.pin = Some(PIN);
    {
        let mut provider = device.provider();
        device.volume(&mut provider, OS).protect_key_with_tpm(None).unwrap();
    }
    device.pin = None;
    assert_eq!(lock_status(&device), LockStatus::Unlocked);
}

#[test]
fn changed_measurements_lock_the_volume_until_protection_is_enabled_anew() {
    let mut device = Device::new();
    let mut provider = device.provider();
    device.encrypt_os(&mut provider);
    device.tpm.extend(4);
    assert_eq!(lock_status(&device), LockStatus::Locked);
    // The session that has it open re-seals.
    device.volume(&mut provider, OS).enable_key_protectors().unwrap();
    assert_eq!(lock_status(&device), LockStatus::Unlocked);
    device.reboot();
    assert_eq!(
        lock_status(&device),
        LockStatus::Locked,
        "sealed to the extended register"
    );
}

#[test]
fn a_suspension_survives_changed_measurements_and_resuming_seals_to_them() {
    for pin in [None, Some(PIN)] {
        let mut device = Device::new();
        match pin {
            Some(_) => drop(with_pin(&device)),
            None => device.encrypt_os(&mut device.provider()),
        }
        device.pin = pin;
        {
            let mut provider = device.provider();
            let volume = &mut *device.volume(&mut provider, OS);
            volume.disable_key_protectors(0).unwrap();
            assert_eq!(volume.suspend_count().unwrap(), 0);
            assert_eq!(volume.protection_status().unwrap(), ProtectionStatus::Off);
        }
        device.pin = None;
        device.tpm.extend(0);
        {
            let mut provider = device.provider();
            let volume = &mut *device.volume(&mut provider, OS);
            assert_eq!(volume.lock_status().unwrap(), LockStatus::Unlocked);
            volume.enable_key_protectors().unwrap();
            assert_eq!(code(volume.suspend_count()), Code::NotSupported);
            assert_eq!(volume.protection_status().unwrap(), ProtectionStatus::On);
        }
        device.pin = pin;
        assert_eq!(lock_status(&device), LockStatus::Unlocked);
    }
}

#[test]
fn resuming_without_the_tpm_fails_and_leaves_the_volume_suspended() {
    let mut device = Device::new();
    let mut provider = device.provider();
    device.encrypt_os(&mut provider);
    device.tpm.stop();
    let volume = &mut *device.volume(&mut provider, OS);
    volume.disable_key_protectors(0).unwrap();
    assert_eq!(code(volume.enable_key_protectors()), Code::TpmServiceNotRunning);
    assert_eq!(volume.suspend_count().unwrap(), 0);
}

#[test]
fn a_suspension_counts_restarts_and_then_ends_by_itself() {
    let mut device = Device::new();
    device.encrypt_os(&mut device.provider());
    {
        let mut provider = device.provider();
        {
            let data = &mut *device.volume(&mut provider, FIXED);
            data.protect_key_with_numerical_password(None, None).unwrap();
            assert_eq!(code(data.disable_key_protectors(1)), Code::InvalidArgument);
        }
        let volume = &mut *device.volume(&mut provider, OS);
        assert_eq!(code(volume.disable_key_protectors(16)), Code::InvalidArgument);
        volume.disable_key_protectors(2).unwrap();
        assert_eq!(volume.suspend_count().unwrap(), 2);
    }
    {
        // Only the agent restarts.
        let mut provider = device.provider();
        assert_eq!(device.volume(&mut provider, OS).suspend_count().unwrap(), 2);
    }
    device.reboot();
    {
        let mut provider = device.provider();
        assert_eq!(device.volume(&mut provider, OS).suspend_count().unwrap(), 1);
    }
    // A firmware update: this start measures something else.
    device.reboot();
    device.tpm.extend(0);
    let mut provider = device.provider();
    let volume = &mut *device.volume(&mut provider, OS);
    assert_eq!(code(volume.suspend_count()), Code::NotSupported);
    assert_eq!(volume.protection_status().unwrap(), ProtectionStatus::On);
    assert_eq!(lock_status(&device), LockStatus::Unlocked);
}
