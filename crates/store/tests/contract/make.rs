//! Values for the cases.

use domain::access::{Grant, Role};
use domain::audit::AuditEvent;
use domain::ids::{DeviceId, ProtectorId, RequestId, VolumeId};
use domain::inventory::{Inventory, ProtectorReport, Tpm, VolumeReport};
use domain::ledger::ProofState;
use domain::time::Timestamp;
use domain::volume::{ConversionStatus, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind};
use store::Store;
use store::model::{
    KeyName, NewAccount, NewDevice, NewEscrow, NewToken, PasswordHash, ProofResult, SealedBytes, SecretHash, subject,
};
use uuid::Uuid;

pub(crate) fn at(milliseconds: i64) -> Timestamp {
    Timestamp(milliseconds)
}

pub(crate) fn device(number: u128) -> DeviceId {
    DeviceId(Uuid::from_u128(0xD000_0000 << 96 | number))
}

pub(crate) fn volume(number: u128) -> VolumeId {
    VolumeId(Uuid::from_u128(0xE000_0000 << 96 | number))
}

/// A protector whose ID begins with these eight digits.
pub(crate) fn protector(first_eight: u32) -> ProtectorId {
    ProtectorId(Uuid::from_u128(u128::from(first_eight) << 96 | 0x1234))
}

pub(crate) fn request(number: u128) -> RequestId {
    RequestId(Uuid::from_u128(number))
}

pub(crate) fn event(action: &str, subject: &str) -> Vec<AuditEvent> {
    event_at(0, "user:anna", action, subject)
}

pub(crate) fn event_at(time: i64, actor: &str, action: &str, subject: &str) -> Vec<AuditEvent> {
    vec![AuditEvent {
        at: at(time),
        actor: actor.into(),
        action: action.into(),
        subject: subject.into(),
        detail: String::new(),
    }]
}

pub(crate) fn token_hash() -> SecretHash {
    SecretHash::of(b"an enrolment token")
}

pub(crate) fn new_token(secret: &[u8]) -> NewToken {
    NewToken {
        hash: SecretHash::of(secret),
        note: "head office".into(),
        created_at: at(0),
        created_by: "user:anna".into(),
        expires_at: None,
        uses: None,
    }
}

/// Enrols a device with its own hardware id, and an unlimited token if there is none yet.
pub(crate) async fn enrolled(store: &dyn Store, number: u128) -> DeviceId {
    enrolled_as(store, number, &format!("PC-{number:03}"), &format!("serial-{number}")).await
}

pub(crate) async fn enrolled_as(store: &dyn Store, number: u128, hostname: &str, hardware_id: &str) -> DeviceId {
    match store.add_token(new_token(b"an enrolment token"), Vec::new()).await {
        Ok(_) | Err(store::StoreError::Exists(_)) => {}
        Err(error) => panic!("{error}"),
    }
    let new = new_device(number, hostname, hardware_id);
    let id = new.id;
    let events = event("device.enrolled", &subject(id, None, None));
    store.enrol(new, token_hash(), events).await.unwrap().id
}

pub(crate) fn new_device(number: u128, hostname: &str, hardware_id: &str) -> NewDevice {
    NewDevice {
        id: device(number),
        hostname: hostname.into(),
        hardware_id: hardware_id.into(),
        enrolled_at: at(1000),
    }
}

pub(crate) fn name(device: DeviceId, volume_number: u128, first_eight: u32) -> KeyName {
    KeyName {
        device,
        volume: volume(volume_number),
        protector: protector(first_eight),
    }
}

pub(crate) fn escrow(name: KeyName, sealed: &[u8], time: i64) -> NewEscrow {
    NewEscrow {
        name,
        sealed: SealedBytes {
            key_version: 1,
            bytes: sealed.to_vec(),
        },
        evidence: evidence(),
        at: at(time),
    }
}

/// As long as a metadata copy, and mostly zeros like one.
pub(crate) fn evidence() -> Vec<u8> {
    let mut bytes = vec![0; 65536];
    for (index, byte) in bytes.iter_mut().take(2000).enumerate() {
        *byte = (index % 251) as u8;
    }
    bytes
}

pub(crate) async fn escrowed(store: &dyn Store, name: KeyName, time: i64) {
    let events = event(
        "key.escrowed",
        &subject(name.device, Some(name.volume), Some(name.protector)),
    );
    let sealed = name.protector.to_string();
    let answer = store.escrow(escrow(name, sealed.as_bytes(), time), events).await;
    assert!(answer.unwrap().new);
}

pub(crate) fn proof(name: KeyName, version: u32, proof: ProofState) -> ProofResult {
    ProofResult {
        name,
        version,
        proof,
        reason: Some("tried".into()),
        at: at(7000),
    }
}

/// An encrypted OS volume with these recovery passwords.
pub(crate) fn volume_report(volume_number: u128, passwords: &[u32]) -> VolumeReport {
    VolumeReport {
        letter: Some("C:".into()),
        label: "System".into(),
        file_system: "NTFS".into(),
        size: 1 << 30,
        volume: Some(volume(volume_number)),
        protection: ProtectionStatus::On,
        conversion: ConversionStatus::FullyEncrypted,
        encrypted_basis_points: 10_000,
        method: EncryptionMethod::XtsAes128,
        lock: LockStatus::Unlocked,
        suspend_count: None,
        auto_unlock: None,
        protectors: std::iter::once(ProtectorReport {
            id: protector(0x7777_7777),
            kind: ProtectorType::Tpm,
            name: None,
        })
        .chain(passwords.iter().map(|first_eight| ProtectorReport {
            id: protector(*first_eight),
            kind: ProtectorType::RecoveryPassword,
            name: None,
        }))
        .collect(),
        ..VolumeReport::plain(&format!("/dev/v{volume_number}"), VolumeKind::Os)
    }
}

pub(crate) fn inventory(hostname: &str, users: &[&str], volumes: Vec<VolumeReport>) -> Inventory {
    Inventory {
        hostname: hostname.into(),
        os: "Windows 11 Pro".into(),
        os_version: "10.0.26100".into(),
        manufacturer: "Contoso".into(),
        model: "Slate 7".into(),
        hardware_id: format!("serial-of-{hostname}"),
        portable: true,
        virtual_machine: false,
        agent_version: "0.1.0".into(),
        tpm: Tpm::Ready {
            manufacturer: "IBM".into(),
            spec_version: "2.0".into(),
        },
        users: users.iter().map(|user| (*user).into()).collect(),
        volumes,
        ..Inventory::default()
    }
}

/// Stores an inventory at a moment, which also makes its digest.
pub(crate) async fn reported(store: &dyn Store, device: DeviceId, inventory: Inventory, time: i64) {
    store
        .record_inventory(device, 0, inventory, format!("digest-{time}"), at(time), Vec::new())
        .await
        .unwrap();
}

pub(crate) fn password_hash(salt: &str) -> PasswordHash {
    PasswordHash::new(format!("$argon2id$v=19$m=19456,t=2,p=1${salt}$aGFzaA")).unwrap()
}

pub(crate) fn new_account(name: &str, role: Role) -> NewAccount {
    NewAccount {
        name: name.into(),
        password: password_hash("c2FsdA"),
        grant: Grant::everywhere(role),
        must_change_password: true,
        at: at(1),
    }
}
