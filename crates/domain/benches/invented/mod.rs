//! Invented devices, as many as one likes: also for the benchmark of a server's preview.

use std::collections::BTreeSet;

use domain::ids::{DeviceId, ProtectorId, VolumeId};
use domain::inventory::{Inventory, Join, OsKind, ProtectorReport, Tpm, VolumeReport};
use domain::ledger::{KeyState, Ledger, LedgerEntry, ProofState};
use domain::preview::StoredDevice;
use domain::time::Timestamp;
use domain::volume::{ConversionStatus, EncryptionMethod, ProtectionStatus, ProtectorType, VolumeKind};
use uuid::Uuid;

/// Device number `n`: names and ids of its own, and a mixture of states as a grown fleet has them.
pub(crate) fn device(n: u64) -> StoredDevice {
    let draw = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
    let of = |shift: u32, parts: u64| (draw >> shift) % parts;
    let id = |kind: u128| Uuid::from_u128(u128::from(n) << 8 | kind);
    let protector = |kind: u128, of: ProtectorType| ProtectorReport {
        id: ProtectorId(id(kind)),
        kind: of,
        name: Some(format!("protector of device {n}")),
    };
    let encrypted = |kind: u128, report: VolumeReport, protectors: Vec<ProtectorReport>| VolumeReport {
        volume: Some(VolumeId(id(kind))),
        protection: ProtectionStatus::On,
        conversion: ConversionStatus::FullyEncrypted,
        encrypted_basis_points: 10_000,
        method: if of(5, 10) == 0 {
            EncryptionMethod::Aes128
        } else {
            EncryptionMethod::XtsAes128
        },
        protectors,
        ..report
    };
    let plain_os = VolumeReport {
        letter: Some("C:".to_owned()),
        label: format!("system {n}"),
        file_system: "NTFS".to_owned(),
        size: 256_000_000_000 + n,
        ..VolumeReport::plain("\\\\?\\Volume{c}\\", VolumeKind::Os)
    };
    let password = || protector(1, ProtectorType::RecoveryPassword);
    let mut volumes = vec![match of(8, 10) {
        0 | 1 => plain_os,
        2 => encrypted(10, plain_os, vec![protector(2, ProtectorType::TpmPin), password()]),
        3 => encrypted(10, plain_os, vec![protector(2, ProtectorType::Tpm)]),
        _ => encrypted(10, plain_os, vec![protector(2, ProtectorType::Tpm), password()]),
    }];
    if of(16, 4) == 0 {
        volumes.push(VolumeReport {
            letter: Some("D:".to_owned()),
            file_system: "NTFS".to_owned(),
            auto_unlock: Some(false),
            ..VolumeReport::plain("\\\\?\\Volume{d}\\", VolumeKind::Fixed)
        });
    }
    let ledger = LedgerEntry {
        volume: VolumeId(id(10)),
        protector: ProtectorId(id(1)),
        state: if of(24, 50) == 0 {
            KeyState::Disclosed
        } else {
            KeyState::Live
        },
        proof: ProofState::Proven,
        escrowed_at: Timestamp(i64::try_from(n).unwrap()),
    };
    StoredDevice {
        id: DeviceId(Uuid::from_u128(u128::from(n))),
        inventory: Inventory {
            hostname: format!("S{:02}-{n:07}", of(28, 20)),
            os: "Windows 11 Enterprise".to_owned(),
            os_version: if of(32, 20) == 0 { "10.0.17763" } else { "10.0.22631" }.to_owned(),
            manufacturer: "Dell Inc.".to_owned(),
            model: format!("Latitude {}", 7000 + of(36, 12) * 10),
            hardware_id: format!("SN{n:010}"),
            portable: of(40, 3) != 0,
            virtual_machine: of(44, 25) == 0,
            agent_version: "0.1.0".to_owned(),
            tpm: if of(48, 30) == 0 {
                Tpm::Absent
            } else {
                Tpm::Ready {
                    manufacturer: "IFX".to_owned(),
                    spec_version: "2.0".to_owned(),
                }
            },
            users: vec![format!("CORP\\user{n}")],
            volumes,
            os_kind: OsKind::WindowsClient,
            join: Join::Hybrid,
            domain: Some("corp.example".to_owned()),
            ou: Some(format!("CN=PC{n},OU=Unit{},DC=corp,DC=example", of(52, 50))),
            groups: vec![format!("Site {}", of(28, 20))],
            ..Inventory::default()
        },
        ledger: Ledger(vec![ledger]),
        tags: BTreeSet::new(),
        profile: None,
        exemptions: Vec::new(),
    }
}
