//! Devices that hand over one key after another, until the server is gone.

use std::sync::Arc;

use agent::client::{Client, ClientError, Endpoint};
use agent::identity::{EnrolmentToken, Identity};
use anyhow::{Context as _, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use domain::ids::{ProtectorId, VolumeId};
use fve::io::MemoryDevice;
use fve::ntfs::Regions;
use fve::{Context, CreateOptions, FileTime, NewProtector, Placement, RecoveryPassword, Volume, create};
use protocol::messages::EscrowRequest;
use protocol::sealing::{Binding, RecoveryPublicKey, seal};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use store::model::KeyName;

use crate::watch::uuid;

const MIB: u64 = 1 << 20;

/// A real volume's metadata and its recovery password.
pub(super) struct Material {
    volume: VolumeId,
    protector: ProtectorId,
    password: RecoveryPassword,
    metadata: String,
}

impl Material {
    /// Makes a small volume in memory.
    pub(super) fn make(rng: &mut ChaCha20Rng) -> Result<Self> {
        let password = RecoveryPassword::generate(rng);
        let options = CreateOptions {
            protectors: &[NewProtector::RecoveryPassword(&password)],
            placement: Placement::At {
                regions: Regions {
                    metadata: [MIB, 2 * MIB, 3 * MIB],
                    header: 4 * MIB,
                    ice: 4 * MIB + 8192,
                    log: 0,
                },
                sector_size: 512,
                log_len: 0,
            },
            ..CreateOptions::default()
        };
        let empty = || MemoryDevice::new(vec![0; 8 << 20]);
        let device = Arc::new(empty());
        let mut context = Context {
            now: FileTime(134_000_000_000_000_000),
            rng,
        };
        create(Arc::clone(&device), &empty(), &options, &mut context)?;
        let volume = Volume::open(device)?;
        let info = volume.info();
        let protector = info.protectors.first().context("the volume has no protector")?;
        Ok(Self {
            volume: VolumeId(uuid(info.volume)),
            protector: ProtectorId(uuid(protector.id)),
            password,
            metadata: BASE64_STANDARD.encode(volume.metadata_bytes()),
        })
    }
}

/// A device with an identity.
pub(super) struct Sender {
    identity: Identity,
    recovery_key: RecoveryPublicKey,
    material: Arc<Vec<Material>>,
    rng: ChaCha20Rng,
    sent: usize,
}

/// What a sender has to say when the server is gone.
pub(super) struct Sent {
    /// Keys that the server acknowledged, with the sealed secret as sent.
    pub(super) acknowledged: Vec<(KeyName, Vec<u8>)>,
    /// The one that was under way.
    pub(super) under_way: Option<EscrowRequest>,
    /// The sender, to go on.
    pub(super) sender: Sender,
}

impl Sender {
    pub(super) async fn enrol(
        endpoint: &Endpoint,
        token: &EnrolmentToken,
        recovery_key: &RecoveryPublicKey,
        material: Arc<Vec<Material>>,
        seed: u64,
    ) -> Result<Self> {
        let name = format!("pc-{seed:016x}");
        Ok(Self {
            identity: Identity::enrol(endpoint, token, &name, &name).await?,
            recovery_key: recovery_key.clone(),
            material,
            rng: ChaCha20Rng::seed_from_u64(seed),
            sent: 0,
        })
    }

    /// Sends one after another until the server does not answer any more.
    pub(super) async fn send(mut self, endpoint: Endpoint) -> Result<Sent> {
        let client = Client::with_identity(&endpoint, &self.identity)?;
        let mut acknowledged = Vec::new();
        loop {
            let request = self.next()?;
            match client.escrow(&request).await {
                Ok(_) => acknowledged.push(self.record_of(&request)?),
                Err(ClientError::Unreachable { .. }) => {
                    return Ok(Sent {
                        acknowledged,
                        under_way: Some(request),
                        sender: self,
                    });
                }
                Err(error) => return Err(error).context("the server refused an escrow"),
            }
        }
    }

    /// Sends one again, to a server that is back.
    pub(super) async fn again(&self, endpoint: &Endpoint, request: &EscrowRequest) -> Result<(KeyName, Vec<u8>)> {
        let client = Client::with_identity(endpoint, &self.identity)?;
        client.escrow(request).await.context("sent again after the restart")?;
        self.record_of(request)
    }

    /// What the store must have of a request.
    pub(super) fn record_of(&self, request: &EscrowRequest) -> Result<(KeyName, Vec<u8>)> {
        let name = KeyName {
            device: self.identity.device,
            volume: request.volume,
            protector: request.protector,
        };
        Ok((name, serde_json::to_vec(&request.sealed_password)?))
    }

    /// The next key; after the last one, the first again, sealed anew: another version of it.
    fn next(&mut self) -> Result<EscrowRequest> {
        let material = &self.material[self.sent % self.material.len()];
        self.sent += 1;
        let binding = Binding {
            device: self.identity.device,
            volume: material.volume,
            protector: material.protector,
        };
        let password = material.password.expose();
        Ok(EscrowRequest {
            volume: material.volume,
            protector: material.protector,
            sealed_password: seal(&self.recovery_key, &binding, password.as_bytes(), &mut self.rng)?,
            metadata: material.metadata.clone(),
        })
    }
}
