//! Devices, volumes and ledgers in few words.

use domain::ids::{ProtectorId, VolumeId};
use domain::inventory::{Inventory, ProtectorReport, Tpm, VolumeReport};
use domain::ledger::{KeyState, Ledger, LedgerEntry, ProofState};
use domain::policy::{Encryption, Policy};
use domain::time::Timestamp;
use domain::volume::{ConversionStatus, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind};
use uuid::Uuid;

pub(crate) const R1: ProtectorId = ProtectorId(Uuid::from_u128(0xA1));
pub(crate) const R2: ProtectorId = ProtectorId(Uuid::from_u128(0xA2));
pub(crate) const R3: ProtectorId = ProtectorId(Uuid::from_u128(0xA3));
pub(crate) const T1: ProtectorId = ProtectorId(Uuid::from_u128(0xB1));
pub(crate) const P1: ProtectorId = ProtectorId(Uuid::from_u128(0xC1));
pub(crate) const E1: ProtectorId = ProtectorId(Uuid::from_u128(0xE1));

pub(crate) const V1: VolumeId = VolumeId(Uuid::from_u128(1));
pub(crate) const V2: VolumeId = VolumeId(Uuid::from_u128(2));

pub(crate) fn tpm() -> Tpm {
    Tpm::Ready {
        manufacturer: "IBM".to_owned(),
        spec_version: "2.0".to_owned(),
    }
}

pub(crate) fn device(volumes: Vec<VolumeReport>) -> Inventory {
    Inventory {
        hostname: "PC-1".to_owned(),
        os: "Windows 11 Pro".to_owned(),
        os_version: "26100".to_owned(),
        manufacturer: "Maker".to_owned(),
        model: "Model".to_owned(),
        hardware_id: "1".to_owned(),
        portable: true,
        virtual_machine: false,
        agent_version: "0.1.0".to_owned(),
        tpm: tpm(),
        users: Vec::new(),
        volumes,
        ..Inventory::default()
    }
}

/// A volume in plain text, never initialised.
pub(crate) fn plain(device: &str, kind: VolumeKind) -> VolumeReport {
    VolumeReport {
        letter: None,
        label: String::new(),
        file_system: "NTFS".to_owned(),
        size: 1 << 30,
        volume: None,
        protection: ProtectionStatus::Off,
        conversion: ConversionStatus::FullyDecrypted,
        encrypted_basis_points: 0,
        method: EncryptionMethod::None,
        lock: LockStatus::Unlocked,
        suspend_count: None,
        auto_unlock: (kind == VolumeKind::Fixed).then_some(false),
        protectors: Vec::new(),
        ..VolumeReport::plain(device, kind)
    }
}

/// A volume that is encrypted and protected by these.
pub(crate) fn encrypted(
    device: &str,
    kind: VolumeKind,
    id: VolumeId,
    protectors: &[(ProtectorId, ProtectorType)],
) -> VolumeReport {
    VolumeReport {
        volume: Some(id),
        protection: ProtectionStatus::On,
        conversion: ConversionStatus::FullyEncrypted,
        encrypted_basis_points: 10_000,
        method: EncryptionMethod::XtsAes128,
        protectors: protectors
            .iter()
            .map(|&(id, kind)| ProtectorReport { id, kind, name: None })
            .collect(),
        ..plain(device, kind)
    }
}

/// The usual operating system volume: TPM and R1.
pub(crate) fn os_volume() -> VolumeReport {
    encrypted(
        "C:",
        VolumeKind::Os,
        V1,
        &[(T1, ProtectorType::Tpm), (R1, ProtectorType::RecoveryPassword)],
    )
}

pub(crate) fn entry(volume: VolumeId, protector: ProtectorId, state: KeyState, proof: ProofState) -> LedgerEntry {
    LedgerEntry {
        volume,
        protector,
        state,
        proof,
        escrowed_at: Timestamp(0),
    }
}

pub(crate) fn live(volume: VolumeId, protector: ProtectorId) -> LedgerEntry {
    entry(volume, protector, KeyState::Live, ProofState::Proven)
}

pub(crate) fn disclosed(volume: VolumeId, protector: ProtectorId) -> LedgerEntry {
    entry(volume, protector, KeyState::Disclosed, ProofState::Proven)
}

pub(crate) fn ledger(entries: &[LedgerEntry]) -> Ledger {
    Ledger(entries.to_vec())
}

/// The operating system drive must be encrypted; the rest is default.
pub(crate) fn require_os() -> Policy {
    let mut policy = Policy::default();
    policy.os.encryption = Encryption::Require;
    policy
}

/// Operating system and fixed drives must be encrypted.
pub(crate) fn require_fixed() -> Policy {
    let mut policy = require_os();
    policy.fixed.encryption = Encryption::Require;
    policy
}
