use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ids::{ProtectorId, VolumeId};
use fve::io::MemoryDevice;
use fve::ntfs::Regions;
use fve::{Context, CreateOptions, FileTime, NewProtector, Placement, RecoveryPassword, create};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use uuid::Uuid;

const MIB: u64 = 1 << 20;

/// A real, small volume and one of its recovery passwords.
pub(crate) struct Volume {
    pub(crate) id: VolumeId,
    pub(crate) protector: ProtectorId,
    pub(crate) password: RecoveryPassword,
    pub(crate) metadata: Vec<u8>,
}

impl Volume {
    pub(crate) fn new(seed: u8) -> Self {
        let [volume] = Self::with_passwords(seed);
        volume
    }

    /// One volume, seen once for each of its recovery passwords.
    pub(crate) fn with_passwords<const N: usize>(seed: u8) -> [Self; N] {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let passwords: [RecoveryPassword; N] = std::array::from_fn(|_| RecoveryPassword::generate(&mut rng));
        let metadata = metadata(&passwords, &mut rng);
        passwords.map(|password| {
            let proven = fve::verify(&metadata, &password).unwrap();
            let uuid = |guid: fve::Guid| Uuid::from_bytes_le(*guid.as_bytes());
            Self {
                id: VolumeId(uuid(proven.volume)),
                protector: ProtectorId(uuid(proven.protector)),
                password,
                metadata: metadata.clone(),
            }
        })
    }

    pub(crate) fn metadata_base64(&self) -> String {
        STANDARD.encode(&self.metadata)
    }
}

fn metadata(passwords: &[RecoveryPassword], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let regions = Regions {
        metadata: [MIB, 2 * MIB, 3 * MIB],
        header: 4 * MIB,
        ice: 4 * MIB + 8192,
        log: 0,
    };
    let protectors: Vec<_> = passwords.iter().map(NewProtector::RecoveryPassword).collect();
    let options = CreateOptions {
        protectors: &protectors,
        placement: Placement::At {
            regions,
            sector_size: 512,
            log_len: 0,
        },
        ..CreateOptions::default()
    };
    let zeros = || MemoryDevice::new(vec![0; 8 << 20]);
    let mut context = Context {
        now: FileTime(134_000_000_000_000_000),
        rng,
    };
    let device = Arc::new(zeros());
    create(Arc::clone(&device), &zeros(), &options, &mut context).unwrap();
    fve::Volume::open(device).unwrap().metadata_bytes()
}
