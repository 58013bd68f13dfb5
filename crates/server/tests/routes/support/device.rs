use domain::ids::DeviceId;
use domain::inventory::{Inventory, ProtectorReport, Tpm, VolumeReport};
use domain::volume::{ConversionStatus, EncryptionMethod, LockStatus, ProtectionStatus, ProtectorType, VolumeKind};
use protocol::messages::{
    CheckInRequest, CheckInResponse, EnrolRequest, EnrolResponse, EscrowRequest, EscrowResponse, Problem, WaitRequest,
    WaitResponse, digest,
};
use protocol::sealing::{Binding, RecoveryPublicKey, seal};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rcgen::{CertificateParams, KeyPair};
use reqwest::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Harness, Volume};

/// A device's private key.
pub(crate) struct Key(pub(crate) KeyPair);

impl Key {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap())
    }

    pub(crate) fn request(&self) -> String {
        let params = CertificateParams::new(vec!["somebody-else.example".to_owned()]).unwrap();
        params.serialize_request(&self.0).unwrap().pem().unwrap()
    }
}

/// An enrolled device.
pub(crate) struct Device {
    pub(crate) id: DeviceId,
    pub(crate) http: reqwest::Client,
    pub(crate) key: Key,
    pub(crate) certificate: String,
    pub(crate) recovery_key: RecoveryPublicKey,
    base: String,
}

pub(crate) type Answer<T> = Result<T, (StatusCode, Problem)>;

impl Device {
    pub(crate) async fn enrol(harness: &Harness, hardware_id: &str) -> Self {
        let key = Key::new();
        let request = EnrolRequest {
            token: harness.token().await,
            certificate_request: key.request(),
            hostname: format!("pc-{hardware_id}"),
            hardware_id: hardware_id.to_owned(),
        };
        let base = harness.url("/agent/v1");
        let answer: EnrolResponse = post(&harness.client(None), &format!("{base}/enrol"), &request)
            .await
            .unwrap();
        Self {
            id: answer.device,
            http: harness.client(Some((&answer.certificate, &key))),
            certificate: answer.certificate,
            recovery_key: answer.recovery_key,
            key,
            base,
        }
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, message: &impl Serialize) -> Answer<T> {
        post(&self.http, &format!("{}/{path}", self.base), message).await
    }

    pub(crate) async fn check_in(&self, inventory: Option<Inventory>) -> Answer<CheckInResponse> {
        self.post("check-in", &check_in(inventory)).await
    }

    pub(crate) async fn wait(&self, policy_digest: Option<String>, seconds: u32) -> Answer<WaitResponse> {
        self.post("wait", &WaitRequest { policy_digest, seconds }).await
    }

    /// An escrow of the volume's recovery password, sealed for this device.
    pub(crate) fn escrow_of(&self, volume: &Volume) -> EscrowRequest {
        let password = volume.password.expose();
        self.escrow_with(volume, self.id, &password)
    }

    /// An escrow with any text, sealed for any device.
    pub(crate) fn escrow_with(&self, volume: &Volume, sealed_for: DeviceId, password: &str) -> EscrowRequest {
        let binding = Binding {
            device: sealed_for,
            volume: volume.id,
            protector: volume.protector,
        };
        let mut rng = ChaCha20Rng::from_seed([9; 32]);
        EscrowRequest {
            volume: volume.id,
            protector: volume.protector,
            sealed_password: seal(&self.recovery_key, &binding, password.as_bytes(), &mut rng).unwrap(),
            metadata: volume.metadata_base64(),
        }
    }

    pub(crate) async fn escrow(&self, volume: &Volume) -> Answer<EscrowResponse> {
        self.post("escrow", &self.escrow_of(volume)).await
    }
}

pub(crate) async fn post<T: DeserializeOwned>(
    client: &reqwest::Client,
    url: &str,
    message: &impl Serialize,
) -> Answer<T> {
    let response = client.post(url).json(message).send().await.unwrap();
    let status = response.status();
    if status.is_success() {
        return Ok(response.json().await.unwrap());
    }
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    Err((status, response.json().await.unwrap()))
}

pub(crate) fn check_in(inventory: Option<Inventory>) -> CheckInRequest {
    CheckInRequest {
        sequence: 0,
        inventory_digest: inventory
            .as_ref()
            .map_or("0".repeat(64), |inventory| digest(inventory).unwrap()),
        inventory,
        policy_digest: None,
        blocked: Vec::new(),
        last_error: None,
        done: Vec::new(),
        exemption_wishes: Vec::new(),
    }
}

/// A device with one encrypted data volume that carries these recovery passwords.
pub(crate) fn inventory(users: &[&str], volume: &Volume, protectors: &[domain::ids::ProtectorId]) -> Inventory {
    Inventory {
        hostname: "pc-1".to_owned(),
        os: "Windows 11 Pro".to_owned(),
        os_version: "10.0.26100".to_owned(),
        manufacturer: "Maker".to_owned(),
        model: "Model".to_owned(),
        hardware_id: "HW-1".to_owned(),
        portable: true,
        virtual_machine: false,
        agent_version: "0.1.0".to_owned(),
        tpm: Tpm::Absent,
        users: users.iter().map(|user| (*user).to_owned()).collect(),
        volumes: vec![VolumeReport {
            letter: Some("D:".to_owned()),
            label: "Data".to_owned(),
            file_system: "NTFS".to_owned(),
            size: 8 << 20,
            volume: Some(volume.id),
            protection: ProtectionStatus::On,
            conversion: ConversionStatus::FullyEncrypted,
            encrypted_basis_points: 10_000,
            method: EncryptionMethod::XtsAes128,
            lock: LockStatus::Unlocked,
            suspend_count: None,
            auto_unlock: Some(false),
            protectors: protectors
                .iter()
                .map(|id| ProtectorReport {
                    id: *id,
                    kind: ProtectorType::RecoveryPassword,
                    name: None,
                })
                .collect(),
            ..VolumeReport::plain("/dev/sdb1", VolumeKind::Fixed)
        }],
        ..Inventory::default()
    }
}
